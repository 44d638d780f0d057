//===- BranchAndBound.cpp - the optimum of small networks -----------------===//
#include "BranchAndBound.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace dougong;
using namespace dougong::planner;

namespace {

/// Multiples of 2^-fractionBits of a unit of cost.
using Fixed = __int128;
constexpr int fractionBits = 32;
constexpr Fixed never = Fixed(forbidden) << fractionBits;

Fixed toFixed(double value) {
  return static_cast<Fixed>(std::floor(std::ldexp(value, fractionBits)));
}

class Search {
public:
  Search(const CostNetwork &network, const Timeline &timeline, const Certificate &certificate,
         uint64_t branches, const std::function<bool()> &isLate, Labeling &best, Cost &bestCost);
  bool run() { return branch(0, fixedPart); }

private:
  struct Neighbour {
    unsigned node;
    std::vector<Fixed> costs; ///< own x other, less the minimum of all
  };
  void orderNodes();
  bool branch(unsigned depth, Fixed assigned);
  bool fits(unsigned depth);

  const CostNetwork &network;
  const Timeline &timeline;
  uint64_t branches;
  const std::function<bool()> &isLate;
  Labeling &best;
  Cost &bestCost;
  Labeling labels;
  std::vector<std::vector<Neighbour>> neighbours;
  std::vector<unsigned> order, depthOf;
  Fixed fixedPart = 0;
  /// By depth: costs of each alternative with what is assigned before.
  std::vector<std::vector<std::vector<Fixed>>> costs;
  /// By depth: bytes of what is assigned before; the least of what is not.
  std::vector<std::vector<int64_t>> usage, least;
};

Search::Search(const CostNetwork &network, const Timeline &timeline, const Certificate &certificate,
               uint64_t branches, const std::function<bool()> &isLate, Labeling &best,
               Cost &bestCost)
    : network(network), timeline(timeline), branches(branches), isLate(isLate), best(best),
      bestCost(bestCost), labels(network.getNodes().size()), neighbours(network.getNodes().size()) {
  // The memory's part of the certificate: sum_t l_t (usage_t - capacity) is at most 0.
  std::vector<int64_t> times;
  std::vector<Fixed> sums{0};
  for (auto [time, multiplier] : certificate.multipliers) {
    times.push_back(time);
    sums.push_back(sums.back() + std::max(Fixed(0), toFixed(multiplier)));
  }
  auto getSumBefore = [&](int64_t time) {
    return sums[std::lower_bound(times.begin(), times.end(), time) - times.begin()];
  };
  if (!times.empty())
    fixedPart -= sums.back() * network.getCapacity();
  std::vector<std::vector<Fixed>> unary;
  for (const CostNetwork::Node &node : network.getNodes()) {
    std::vector<Fixed> &own = unary.emplace_back();
    for (Cost cost : node.costs)
      own.push_back(cost >= forbidden ? never : Fixed(cost) << fractionBits);
    for (const CostNetwork::MemoryTerm &term : node.memory)
      if (term.from < term.to)
        for (size_t s = 0; s < own.size(); ++s)
          own[s] += (getSumBefore(term.to) - getSumBefore(term.from)) * term.bytes[s];
  }
  for (size_t e = 0; e < network.getEdges().size(); ++e) {
    const CostNetwork::Edge &edge = network.getEdges()[e];
    const std::vector<Cost> &table = network.getTable(edge);
    size_t rows = unary[edge.first].size(), columns = unary[edge.second].size();
    std::vector<Fixed> first, second, forth(rows * columns), back(rows * columns);
    for (size_t s = 0; s < rows; ++s) {
      first.push_back(toFixed(certificate.toFirst[e][s]));
      unary[edge.first][s] += first[s];
    }
    for (size_t t = 0; t < columns; ++t) {
      second.push_back(toFixed(certificate.toSecond[e][t]));
      unary[edge.second][t] += second[t];
    }
    Fixed minimum = never;
    for (size_t i = 0; i < table.size(); ++i) {
      forth[i] = table[i] >= forbidden
                     ? never
                     : (Fixed(table[i]) << fractionBits) - first[i / columns] - second[i % columns];
      minimum = std::min(minimum, forth[i]);
    }
    fixedPart += minimum;
    for (size_t i = 0; i < table.size(); ++i) {
      if (forth[i] < never)
        forth[i] -= minimum;
      back[i % columns * rows + i / columns] = forth[i];
    }
    neighbours[edge.first].push_back({edge.second, std::move(forth)});
    neighbours[edge.second].push_back({edge.first, std::move(back)});
  }
  orderNodes();
  costs.assign(order.size() + 1, unary);
  usage.assign(order.size() + 1, std::vector<int64_t>(timeline.size()));
  least = usage;
  for (size_t depth = order.size(); depth-- > 0;) {
    least[depth] = least[depth + 1];
    unsigned node = order[depth];
    for (const Timeline::Term &term : timeline.getTerms(node)) {
      int64_t bytes = *std::min_element(term.bytes, term.bytes + unary[node].size());
      for (unsigned t = term.from; t < term.to; ++t)
        least[depth][t] += bytes;
    }
  }
}

/// Next comes the node with the most neighbours before it, then the one with the
/// fewest alternatives.
void Search::orderNodes() {
  size_t count = neighbours.size();
  std::vector<unsigned> known(count);
  depthOf.assign(count, count);
  while (order.size() < count) {
    unsigned next = count;
    for (unsigned i = 0; i < count; ++i) {
      if (depthOf[i] < count)
        continue;
      auto size = [&](unsigned node) { return network.getNodes()[node].costs.size(); };
      if (next == count || known[i] > known[next] ||
          (known[i] == known[next] && size(i) < size(next)))
        next = i;
    }
    depthOf[next] = order.size();
    order.push_back(next);
    for (const Neighbour &other : neighbours[next])
      ++known[other.node];
  }
}

bool Search::fits(unsigned depth) {
  for (unsigned t = 0; t < timeline.size(); ++t)
    if (usage[depth][t] + least[depth][t] > timeline.getCapacity())
      return false;
  return true;
}

/// Returns false if it was stopped.
bool Search::branch(unsigned depth, Fixed assigned) {
  if (depth == order.size()) {
    if (Cost cost = network.getCost(labels); cost < bestCost) {
      best = labels;
      bestCost = cost;
    }
    return true;
  }
  Fixed rest = 0;
  for (unsigned later = depth + 1; later < order.size(); ++later)
    rest += *std::min_element(costs[depth][order[later]].begin(), costs[depth][order[later]].end());
  unsigned node = order[depth];
  std::vector<unsigned> alternatives(network.getNodes()[node].costs.size());
  std::iota(alternatives.begin(), alternatives.end(), 0);
  const std::vector<Fixed> &own = costs[depth][node];
  std::sort(alternatives.begin(), alternatives.end(),
            [&](unsigned a, unsigned b) { return own[a] != own[b] ? own[a] < own[b] : a < b; });
  auto isTooDear = [&](Fixed bound) {
    return bound > (Fixed(bestCost) - 1) * (Fixed(1) << fractionBits);
  };
  for (unsigned label : alternatives) {
    if (own[label] >= never / 2 || isTooDear(assigned + own[label] + rest))
      break;
    if (branches-- == 0 || (branches % 256 == 0 && isLate())) {
      branches = 0;
      return false;
    }
    labels[node] = label;
    usage[depth + 1] = usage[depth];
    for (const Timeline::Term &term : timeline.getTerms(node))
      for (unsigned t = term.from; t < term.to; ++t)
        usage[depth + 1][t] += term.bytes[label];
    if (!fits(depth + 1))
      continue;
    Fixed bound = assigned + own[label];
    for (unsigned later = depth + 1; later < order.size(); ++later)
      costs[depth + 1][order[later]] = costs[depth][order[later]];
    for (const Neighbour &other : neighbours[node])
      if (depthOf[other.node] > depth) {
        std::vector<Fixed> &sum = costs[depth + 1][other.node];
        for (size_t s = 0; s < sum.size(); ++s)
          sum[s] = std::min(never, sum[s] + other.costs[label * sum.size() + s]);
      }
    if (!branch(depth + 1, bound))
      return false;
  }
  return true;
}

} // namespace

bool planner::searchExactly(const CostNetwork &network, const Timeline &timeline,
                            const Certificate &certificate, uint64_t branches,
                            const std::function<bool()> &isLate, Labeling &best, Cost &bestCost) {
  return Search(network, timeline, certificate, branches, isLate, best, bestCost).run();
}
