//===- CostNetwork.cpp - choices with costs and a memory bound ------------===//
#include "dougong/Plan/Solver/CostNetwork.h"

#include <algorithm>
#include <map>

using namespace dougong;
using namespace dougong::planner;

unsigned CostNetwork::addNode(Node node) {
  nodes.push_back(std::move(node));
  return nodes.size() - 1;
}

static uint64_t hashTable(const std::vector<Cost> &costs) {
  uint64_t hash = 0xcbf29ce484222325;
  for (Cost cost : costs)
    hash = (hash ^ static_cast<uint64_t>(cost)) * 0x100000001b3;
  return hash;
}

void CostNetwork::addEdge(unsigned first, unsigned second, std::vector<Cost> costs) {
  uint64_t hash = hashTable(costs);
  auto [begin, end] = tableByHash.equal_range(hash);
  auto found =
      std::find_if(begin, end, [&](const auto &entry) { return tables[entry.second] == costs; });
  unsigned table = found == end ? tables.size() : found->second;
  if (found == end) {
    tables.push_back(std::move(costs));
    tableByHash.emplace(hash, table);
  }
  edges.push_back({first, second, table});
}

Result<void> CostNetwork::validate() const {
  constexpr Cost exactRange = Cost(1) << 52;
  // Of the sums of the largest costs and bytes; doubles, for they may overflow.
  double costs = 0, bytes = 0;
  auto addLargest = [&](const std::vector<Cost> &values) {
    Cost largest = 0;
    for (Cost value : values)
      if (value < forbidden)
        largest =
            std::max(largest, value < 0 ? (value < -exactRange ? exactRange : -value) : value);
    costs += static_cast<double>(largest);
  };
  for (size_t i = 0; i < nodes.size(); ++i) {
    std::string name = "node " + std::to_string(i);
    if (nodes[i].costs.empty())
      return Error{name + " has no alternative"};
    addLargest(nodes[i].costs);
    for (const MemoryTerm &term : nodes[i].memory) {
      if (term.bytes.size() != nodes[i].costs.size())
        return Error{name + " has " + std::to_string(nodes[i].costs.size()) +
                     " alternatives, but bytes for " + std::to_string(term.bytes.size())};
      int64_t largest = 0;
      for (int64_t value : term.bytes) {
        if (value < 0)
          return Error{name + " has a negative number of bytes: " + std::to_string(value)};
        largest = std::max(largest, value);
      }
      bytes += static_cast<double>(largest);
    }
  }
  for (size_t i = 0; i < edges.size(); ++i) {
    const Edge &edge = edges[i];
    std::string name = "edge " + std::to_string(i);
    if (edge.first >= nodes.size() || edge.second >= nodes.size() || edge.first == edge.second)
      return Error{name + " must join two of the " + std::to_string(nodes.size()) +
                   " nodes, got: " + std::to_string(edge.first) + ", " +
                   std::to_string(edge.second)};
    size_t expected = nodes[edge.first].costs.size() * nodes[edge.second].costs.size();
    if (getTable(edge).size() != expected)
      return Error{name + " must have " + std::to_string(expected) +
                   " costs, got: " + std::to_string(getTable(edge).size())};
    addLargest(getTable(edge));
  }
  if (costs > static_cast<double>(exactRange))
    return Error{"the largest costs add up to more than 2^52, use a larger unit"};
  if (bytes > 0x1p60)
    return Error{"the largest numbers of bytes add up to more than 2^60"};
  return {};
}

Cost CostNetwork::getCost(const Labeling &labels) const {
  Cost sum = 0;
  for (size_t i = 0; i < nodes.size(); ++i)
    sum = addCosts(sum, nodes[i].costs[labels[i]]);
  for (const Edge &edge : edges)
    sum = addCosts(
        sum,
        getTable(edge)[labels[edge.first] * nodes[edge.second].costs.size() + labels[edge.second]]);
  return sum;
}

int64_t CostNetwork::getPeak(const Labeling &labels) const {
  std::map<int64_t, int64_t> changes;
  for (size_t i = 0; i < nodes.size(); ++i)
    for (const MemoryTerm &term : nodes[i].memory)
      if (term.from < term.to) {
        changes[term.from] += term.bytes[labels[i]];
        changes[term.to] -= term.bytes[labels[i]];
      }
  int64_t live = 0, peak = 0;
  for (auto [time, change] : changes)
    peak = std::max(peak, live += change);
  return peak;
}
