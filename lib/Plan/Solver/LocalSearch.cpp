//===- LocalSearch.cpp - cheaper choices by moves of trees ----------------===//
#include "LocalSearch.h"

#include <algorithm>
#include <cmath>

using namespace dougong;
using namespace dougong::planner;

LocalSearch::LocalSearch(const CostNetwork &network, const Timeline &timeline, double forbiddenCost,
                         uint64_t seed)
    : network(network), timeline(timeline), dense(network, forbiddenCost),
      state(seed * 0x9e3779b97f4a7c15 + 1), accumulated(timeline.size() + 1), stamp(dense.size()) {}

/// A number below `count` (xorshift64*; the standard's distributions differ
/// between libraries).
uint64_t LocalSearch::random(uint64_t count) {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return ((state * 0x2545f4914f6cdd1d) >> 16) % count;
}

void LocalSearch::setMultipliers(const std::vector<double> &multipliers) {
  accumulated = timeline.accumulate(multipliers);
  // Exact penalties exceed the sum of the optimal multipliers.
  penalty = std::max(1e-9, 3 * accumulated.back());
}

double LocalSearch::getPrice(int64_t peak) const {
  return penalty * static_cast<double>(std::max<int64_t>(0, peak - timeline.getCapacity()));
}

void LocalSearch::start(Labeling start) {
  labels = std::move(start);
  candidate = labels;
  cost = 0;
  for (unsigned i = 0; i < dense.size(); ++i) {
    cost += dense.costs[i][labels[i]];
    for (const DenseNetwork::Neighbour &other : dense.neighbours[i])
      if (other.node > i)
        cost += other.table[labels[i] * dense.getCount(other.node) + labels[other.node]];
  }
  usage = timeline.getUsage(labels);
  peak = usage.empty() ? 0 : *std::max_element(usage.begin(), usage.end());
  note();
}

void LocalSearch::note() {
  if (peak > timeline.getCapacity() || cost >= static_cast<double>(bestCost))
    return;
  // The large finite costs are told from true ones here.
  if (Cost exact = network.getCost(labels); exact < bestCost) {
    best = labels;
    bestCost = exact;
  }
}

void LocalSearch::addMember(unsigned node, int parent, const DenseNetwork::Neighbour *toParent) {
  members.push_back({node, parent, toParent});
  stamp[node] = currentStamp;
  for (const DenseNetwork::Neighbour &other : dense.neighbours[node])
    if (stamp[other.node] != currentStamp)
      frontier.push_back({members.size() - 1, &other});
}

unsigned LocalSearch::countNeighboursInSet(unsigned node) const {
  unsigned count = 0;
  for (const DenseNetwork::Neighbour &other : dense.neighbours[node])
    if (stamp[other.node] == currentStamp && ++count > 1)
      break;
  return count;
}

void LocalSearch::pickForest() {
  members.clear();
  ++currentStamp;
  // Mostly small sets, sometimes large ones.
  size_t limit = size_t(1) << random(8);
  limit += random(limit);
  unsigned trees = 1 + random(4);
  for (unsigned tree = 0; tree < trees; ++tree) {
    unsigned root = random(dense.size());
    if (stamp[root] == currentStamp || countNeighboursInSet(root) > 0)
      continue;
    frontier.clear();
    addMember(root, -1, nullptr);
    size_t end = members.size() - 1 + (limit + trees - 1) / trees;
    while (!frontier.empty() && members.size() < end) {
      std::swap(frontier[random(frontier.size())], frontier.back());
      auto [parent, edge] = frontier.back();
      frontier.pop_back();
      if (stamp[edge->node] == currentStamp || countNeighboursInSet(edge->node) != 1)
        continue;
      const std::vector<DenseNetwork::Neighbour> &back = dense.neighbours[edge->node];
      auto toParent = std::find_if(back.begin(), back.end(),
                                   [&](const auto &other) { return other.edge == edge->edge; });
      addMember(edge->node, parent, &*toParent);
    }
  }
  fixedCosts.resize(std::max(fixedCosts.size(), members.size()));
  memoryCosts.resize(fixedCosts.size());
  extraCosts.resize(fixedCosts.size());
  sums.resize(fixedCosts.size());
  for (size_t m = 0; m < members.size(); ++m) {
    unsigned node = members[m].node;
    size_t count = dense.getCount(node);
    fixedCosts[m] = dense.costs[node];
    for (const DenseNetwork::Neighbour &other : dense.neighbours[node])
      if (stamp[other.node] != currentStamp) {
        const double *row = other.turned + labels[other.node] * count;
        for (size_t s = 0; s < count; ++s)
          fixedCosts[m][s] += row[s];
      }
    memoryCosts[m].assign(count, 0);
    timeline.addPrices(node, accumulated, 1, memoryCosts[m].data(), count);
    extraCosts[m].assign(count, 0);
  }
}

/// Sets `candidate` to the optimum for `sums`, which it changes.
void LocalSearch::optimizeForest() {
  for (size_t m = members.size(); m-- > 0;) {
    const Member &member = members[m];
    if (member.parent < 0)
      continue;
    std::vector<double> &parent = sums[member.parent];
    message.resize(parent.size());
    multiplyMinPlus(sums[m].data(), member.toParent->table, sums[m].size(), parent.size(),
                    message.data());
    for (size_t s = 0; s < parent.size(); ++s)
      parent[s] += message[s];
  }
  for (size_t m = 0; m < members.size(); ++m) {
    const Member &member = members[m];
    std::vector<double> &sum = sums[m];
    if (member.parent >= 0) {
      const double *row =
          member.toParent->turned + candidate[members[member.parent].node] * sum.size();
      for (size_t s = 0; s < sum.size(); ++s)
        sum[s] += row[s];
    }
    unsigned chosen = labels[member.node];
    for (unsigned s = 0; s < sum.size(); ++s)
      if (sum[s] < sum[chosen])
        chosen = s;
    candidate[member.node] = chosen;
  }
}

double LocalSearch::getCostOfForest(const Labeling &choice) const {
  double sum = 0;
  for (size_t m = 0; m < members.size(); ++m) {
    unsigned label = choice[members[m].node];
    sum += fixedCosts[m][label];
    if (const DenseNetwork::Neighbour *edge = members[m].toParent)
      sum += edge->table[label * dense.getCount(edge->node) + choice[edge->node]];
  }
  return sum;
}

/// The peak with `candidate`, and its time; usage goes to `changedUsage`.
int64_t LocalSearch::measure(const Labeling &choice, unsigned &fullest) {
  if (usage.empty())
    return 0;
  changedUsage.assign(usage.size() + 1, 0);
  for (const Member &member : members)
    if (unsigned to = choice[member.node], from = labels[member.node]; to != from)
      for (const Timeline::Term &term : timeline.getTerms(member.node)) {
        int64_t more = term.bytes[to] - term.bytes[from];
        changedUsage[term.from] += more;
        changedUsage[term.to] -= more;
      }
  int64_t added = 0, most = 0;
  for (size_t t = 0; t < usage.size(); ++t) {
    added += changedUsage[t];
    int64_t now = changedUsage[t] = usage[t] + added;
    if (now > most) {
      most = now;
      fullest = t;
    }
  }
  changedUsage.pop_back();
  return most;
}

bool LocalSearch::move(double slack) {
  // Oscillates about the border of what fits: a penalty that is too high or too low
  // hides the best choices.
  if (++numMoves % 64 == 0)
    penalty *= peak > timeline.getCapacity() ? 1.2 : 0.95;
  pickForest();
  if (members.empty())
    return false;
  constexpr double scales[] = {1, 1, 1, 0.5, 0, 1.5};
  double scale = scales[random(std::size(scales))];
  double before = getCostOfForest(labels);
  if (slack > 0) {
    // -slack * ln(u), u in (0, 1], in 16 bits.
    slack *= -std::log((1 + random(65536)) / 65536.0);
  }
  constexpr unsigned attempts = 8;
  for (unsigned attempt = 0; attempt < attempts; ++attempt) {
    for (size_t m = 0; m < members.size(); ++m) {
      sums[m].resize(fixedCosts[m].size());
      for (size_t s = 0; s < sums[m].size(); ++s)
        sums[m][s] = fixedCosts[m][s] + scale * memoryCosts[m][s] + extraCosts[m][s];
    }
    optimizeForest();
    bool isSame = std::all_of(members.begin(), members.end(), [&](const Member &member) {
      return candidate[member.node] == labels[member.node];
    });
    unsigned fullest = 0;
    int64_t newPeak = isSame ? peak : measure(candidate, fullest);
    double difference = getCostOfForest(candidate) - before;
    double change = difference + getPrice(newPeak) - getPrice(peak);
    if (!isSame && change <= slack) {
      cost += difference;
      peak = newPeak;
      if (!usage.empty())
        std::swap(usage, changedUsage);
      for (const Member &member : members)
        labels[member.node] = candidate[member.node];
      note();
      return change < 0;
    }
    if (!isSame && newPeak > std::max(peak, timeline.getCapacity())) {
      double more = penalty * 0.02 * (1u << attempt);
      for (size_t m = 0; m < members.size(); ++m)
        for (const Timeline::Term &term : timeline.getTerms(members[m].node))
          if (term.from <= fullest && fullest < term.to)
            for (size_t s = 0; s < extraCosts[m].size(); ++s)
              extraCosts[m][s] += more * static_cast<double>(term.bytes[s]);
    } else if (scale > 0) {
      scale = attempt > 2 ? 0 : scale * 0.5;
    } else {
      break;
    }
  }
  for (const Member &member : members)
    candidate[member.node] = labels[member.node];
  return false;
}
