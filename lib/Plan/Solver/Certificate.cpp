//===- Certificate.cpp - a lower bound that can be checked ----------------===//
#include "dougong/Plan/Solver/Certificate.h"

#include <algorithm>
#include <cmath>

using namespace dougong;
using namespace dougong::planner;

/// Multiples of 2^-32.
using Fixed = __int128;
static constexpr int fractionBits = 32;

static Fixed toFixed(double value) {
  return static_cast<Fixed>(std::floor(std::ldexp(value, fractionBits)));
}
static Fixed toFixed(Cost value) { return static_cast<Fixed>(value) << fractionBits; }

static std::vector<Fixed> toFixed(const std::vector<double> &values) {
  std::vector<Fixed> result;
  for (double value : values)
    result.push_back(toFixed(value));
  return result;
}

Cost planner::getLowerBound(const CostNetwork &network, const Certificate &certificate) {
  std::vector<int64_t> times;
  std::vector<Fixed> sums{0}; // of the multipliers before each time
  for (auto [time, multiplier] : certificate.multipliers) {
    times.push_back(time);
    sums.push_back(sums.back() + std::max(Fixed(0), toFixed(multiplier)));
  }
  auto getSumBefore = [&](int64_t time) {
    return sums[std::lower_bound(times.begin(), times.end(), time) - times.begin()];
  };

  Fixed bound = times.empty() ? 0 : -sums.back() * network.getCapacity();
  std::vector<std::vector<Fixed>> costs;
  for (const CostNetwork::Node &node : network.getNodes()) {
    std::vector<Fixed> &fixed = costs.emplace_back();
    for (Cost cost : node.costs)
      fixed.push_back(toFixed(std::min(cost, forbidden)));
    for (const CostNetwork::MemoryTerm &term : node.memory)
      if (term.from < term.to) {
        Fixed price = getSumBefore(term.to) - getSumBefore(term.from);
        for (size_t s = 0; s < fixed.size(); ++s)
          fixed[s] += price * term.bytes[s];
      }
  }
  for (size_t e = 0; e < network.getEdges().size(); ++e) {
    const CostNetwork::Edge &edge = network.getEdges()[e];
    std::vector<Fixed> first = toFixed(certificate.toFirst[e]),
                       second = toFixed(certificate.toSecond[e]);
    Fixed least = toFixed(forbidden);
    const Cost *cost = network.getTable(edge).data();
    for (Fixed a : first)
      for (Fixed b : second)
        if (Cost value = *cost++; value < forbidden)
          least = std::min(least, toFixed(value) - a - b);
    bound += least;
    for (size_t s = 0; s < first.size(); ++s)
      costs[edge.first][s] += first[s];
    for (size_t s = 0; s < second.size(); ++s)
      costs[edge.second][s] += second[s];
  }
  for (size_t i = 0; i < costs.size(); ++i) {
    Fixed least = toFixed(forbidden);
    for (size_t s = 0; s < costs[i].size(); ++s)
      if (network.getNodes()[i].costs[s] < forbidden)
        least = std::min(least, costs[i][s]);
    bound += least;
  }
  Fixed rounded = -((-bound) >> fractionBits); // upwards
  return static_cast<Cost>(std::clamp<Fixed>(rounded, -Fixed(forbidden), Fixed(forbidden)));
}
