//===- Timeline.cpp - the times at which memory can be tight --------------===//
#include "Timeline.h"

#include <algorithm>
#include <map>

using namespace dougong;
using namespace dougong::planner;

Timeline::Timeline(const CostNetwork &network) : capacity(network.getCapacity()) {
  terms.resize(network.getNodes().size());
  if (capacity == std::numeric_limits<int64_t>::max())
    return;
  struct Event {
    bool begins = false, ends = false;
  };
  std::map<int64_t, Event> events;
  for (const CostNetwork::Node &node : network.getNodes())
    for (const CostNetwork::MemoryTerm &term : node.memory)
      if (term.from < term.to) {
        events[term.from].begins = true;
        events[term.to].ends = true;
      }
  for (auto it = events.begin(); it != events.end(); ++it)
    if (auto next = std::next(it); it->second.begins && next != events.end() && next->second.ends)
      times.push_back(it->first);
  auto getNumber = [&](int64_t time) -> unsigned {
    return std::lower_bound(times.begin(), times.end(), time) - times.begin();
  };
  for (size_t i = 0; i < terms.size(); ++i)
    for (const CostNetwork::MemoryTerm &term : network.getNodes()[i].memory)
      if (unsigned from = getNumber(term.from), to = getNumber(term.to); from < to)
        terms[i].push_back({from, to, term.bytes.data()});
}

std::vector<int64_t> Timeline::getUsage(const Labeling &labels) const {
  std::vector<int64_t> usage(size() + 1);
  for (size_t i = 0; i < terms.size(); ++i)
    for (const Term &term : terms[i]) {
      usage[term.from] += term.bytes[labels[i]];
      usage[term.to] -= term.bytes[labels[i]];
    }
  for (size_t t = 1; t < usage.size(); ++t)
    usage[t] += usage[t - 1];
  usage.pop_back();
  return usage;
}

std::vector<double> Timeline::accumulate(const std::vector<double> &multipliers) const {
  std::vector<double> sums(size() + 1);
  for (size_t t = 0; t < size(); ++t)
    sums[t + 1] = sums[t] + multipliers[t];
  return sums;
}

void Timeline::addPrices(unsigned node, const std::vector<double> &accumulated, double scale,
                         double *costs, size_t count) const {
  for (const Term &term : terms[node])
    if (double price = scale * (accumulated[term.to] - accumulated[term.from]); price != 0)
      for (size_t s = 0; s < count; ++s)
        costs[s] += price * static_cast<double>(term.bytes[s]);
}
