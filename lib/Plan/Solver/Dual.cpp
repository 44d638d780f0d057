//===- Dual.cpp - lower bound by messages and multipliers -----------------===//
//
// A forward sweep leaves every edge with minimum 0 and the bound in the nodes: see
// Kolmogorov, Convergent tree-reweighted message passing for energy minimization.
//
//===----------------------------------------------------------------------===//
#include "Dual.h"

#include <algorithm>
#include <cmath>

using namespace dougong;
using namespace dougong::planner;

// One rounding per sum in any width: the same result on every processor.
__attribute__((target_clones("avx2", "default"))) void
planner::multiplyMinPlus(const double *in, const double *table, size_t rows, size_t columns,
                         double *out) {
  std::fill(out, out + columns, HUGE_VAL);
  for (size_t s = 0; s < rows; ++s, table += columns)
    for (size_t t = 0; t < columns; ++t) {
      double cost = in[s] + table[t];
      out[t] = cost < out[t] ? cost : out[t];
    }
}

DenseNetwork::DenseNetwork(const CostNetwork &network, double forbiddenCost)
    : neighbours(network.getNodes().size()) {
  auto toDouble = [&](Cost cost) {
    return cost >= forbidden ? forbiddenCost : static_cast<double>(cost);
  };
  for (const CostNetwork::Node &node : network.getNodes()) {
    std::vector<double> &own = costs.emplace_back();
    for (Cost cost : node.costs)
      own.push_back(toDouble(cost));
  }
  // Both ways of each table; their addresses must not change.
  tables.resize(2 * network.getNumTables());
  for (unsigned e = 0; e < network.getEdges().size(); ++e) {
    const CostNetwork::Edge &edge = network.getEdges()[e];
    size_t rows = getCount(edge.first), columns = getCount(edge.second);
    std::vector<double> &plain = tables[2 * edge.table], &turned = tables[2 * edge.table + 1];
    if (plain.empty()) {
      plain.resize(rows * columns);
      turned.resize(rows * columns);
      for (size_t s = 0; s < rows; ++s)
        for (size_t t = 0; t < columns; ++t)
          plain[s * columns + t] = turned[t * rows + s] =
              toDouble(network.getTable(edge)[s * columns + t]);
    }
    neighbours[edge.first].push_back({edge.second, e, plain.data(), turned.data()});
    neighbours[edge.second].push_back({edge.first, e, turned.data(), plain.data()});
  }
}

Dual::Dual(const CostNetwork &network, const DenseNetwork &dense, const Timeline &timeline)
    : network(network), dense(dense), timeline(timeline), unary(dense.costs),
      share(dense.size(), 1), multipliers(timeline.size()), direction(timeline.size()),
      labels(dense.size()) {
  for (const CostNetwork::Edge &edge : network.getEdges()) {
    toNode.emplace_back(dense.getCount(edge.first));
    toNode.emplace_back(dense.getCount(edge.second));
  }
  for (unsigned i = 0; i < dense.size(); ++i) {
    size_t later = 0;
    for (const DenseNetwork::Neighbour &other : dense.neighbours[i])
      later += other.node > i;
    size_t earlier = dense.neighbours[i].size() - later;
    share[i] = 1.0 / std::max<size_t>({1, later, earlier});
  }
  bestToNode = toNode;
  bestMultipliers = multipliers;
}

double *Dual::getMessage(unsigned edge, unsigned node) {
  return toNode[2 * edge + (network.getEdges()[edge].second == node)].data();
}

void Dual::priceMemory() {
  std::vector<double> accumulated = timeline.accumulate(multipliers);
  for (unsigned i = 0; i < dense.size(); ++i) {
    unary[i] = dense.costs[i];
    timeline.addPrices(i, accumulated, 1, unary[i].data(), unary[i].size());
  }
}

/// Chooses labels on the way: each the best one given those before.
void Dual::sendForth() {
  for (unsigned i = 0; i < dense.size(); ++i) {
    size_t count = dense.getCount(i);
    total = unary[i];
    rest = unary[i];
    for (const DenseNetwork::Neighbour &other : dense.neighbours[i]) {
      const double *message = getMessage(other.edge, i);
      for (size_t s = 0; s < count; ++s)
        total[s] += message[s];
      const double *known = other.turned + labels[other.node] * count;
      if (other.node > i)
        known = message;
      for (size_t s = 0; s < count; ++s)
        rest[s] += known[s];
    }
    labels[i] = std::min_element(rest.begin(), rest.end()) - rest.begin();
    for (const DenseNetwork::Neighbour &other : dense.neighbours[i])
      if (other.node > i) {
        double *own = getMessage(other.edge, i);
        for (size_t s = 0; s < count; ++s) {
          // What the edge takes from this node, then what it brings to the other.
          own[s] -= share[i] * total[s];
          rest[s] = -own[s];
        }
        multiplyMinPlus(rest.data(), other.table, count, dense.getCount(other.node),
                        getMessage(other.edge, other.node));
      }
  }
}

void Dual::sendBack() {
  for (unsigned i = dense.size(); i-- > 0;) {
    size_t count = dense.getCount(i);
    // Edges to later nodes hold what was taken in the sweep forth until those nodes
    // give it back.
    total = unary[i];
    for (const DenseNetwork::Neighbour &other : dense.neighbours[i]) {
      const double *message = getMessage(other.edge, i);
      for (size_t s = 0; s < count; ++s)
        total[s] += message[s];
    }
    for (const DenseNetwork::Neighbour &other : dense.neighbours[i])
      if (other.node < i) {
        double *own = getMessage(other.edge, i);
        rest.resize(count);
        for (size_t s = 0; s < count; ++s) {
          own[s] -= share[i] * total[s];
          rest[s] = -own[s];
        }
        multiplyMinPlus(rest.data(), other.table, count, dense.getCount(other.node),
                        getMessage(other.edge, other.node));
      }
  }
}

/// After a sweep back: edges have minimum 0.
double Dual::getCurrentBound() const {
  double bound = 0;
  std::vector<double> sum;
  for (unsigned i = 0; i < dense.size(); ++i) {
    sum = unary[i];
    for (const DenseNetwork::Neighbour &other : dense.neighbours[i]) {
      const std::vector<double> &message =
          toNode[2 * other.edge + (network.getEdges()[other.edge].second == i)];
      for (size_t s = 0; s < sum.size(); ++s)
        sum[s] += message[s];
    }
    bound += *std::min_element(sum.begin(), sum.end());
  }
  for (double multiplier : multipliers)
    bound -= multiplier * static_cast<double>(timeline.getCapacity());
  return bound;
}

void Dual::step(double upperBound) {
  priceMemory();
  sendForth();
  sendBack();
  usage = timeline.getUsage(labels);
  double bound = getCurrentBound();
  if (bound > bestBound + 1e-7 * std::abs(bestBound)) {
    stalled = 0;
    stepLength = std::min(2.0, stepLength * 1.05);
  } else if (++stalled == 30) {
    // Begin again from the best, with shorter steps.
    stalled = 0;
    stepLength *= 0.7;
    if (bound < bestBound) {
      multipliers = bestMultipliers;
      toNode = bestToNode;
      std::fill(direction.begin(), direction.end(), 0);
      return;
    }
  }
  if (bound > bestBound) {
    bestBound = bound;
    bestMultipliers = multipliers;
    bestToNode = toNode;
  }
  if (timeline.size() == 0)
    return;
  double norm = 0;
  for (unsigned t = 0; t < timeline.size(); ++t) {
    double excess = static_cast<double>(usage[t] - timeline.getCapacity());
    if (multipliers[t] <= 0 && excess < 0 && direction[t] <= 0)
      direction[t] = 0; // stays at 0
    else
      direction[t] = 0.6 * direction[t] + 0.4 * excess;
    norm += direction[t] * direction[t];
  }
  if (norm == 0)
    return;
  double length = stepLength * std::max(upperBound - bound, 1e-6 * std::abs(bound)) / norm;
  for (unsigned t = 0; t < timeline.size(); ++t)
    multipliers[t] = std::max(0.0, multipliers[t] + length * direction[t]);
}

bool Dual::isWithinCapacity() const {
  return std::all_of(usage.begin(), usage.end(),
                     [&](int64_t bytes) { return bytes <= timeline.getCapacity(); });
}

Certificate Dual::getCertificate() const {
  Certificate certificate;
  for (unsigned t = 0; t < timeline.size(); ++t)
    if (bestMultipliers[t] > 0)
      certificate.multipliers.push_back({timeline.getTime(t), bestMultipliers[t]});
  for (size_t e = 0; e < network.getEdges().size(); ++e) {
    certificate.toFirst.push_back(bestToNode[2 * e]);
    certificate.toSecond.push_back(bestToNode[2 * e + 1]);
  }
  return certificate;
}
