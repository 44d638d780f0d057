//===- Reduce.cpp - a smaller network with the same optimum ---------------===//
#include "Reduce.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <utility>

using namespace dougong;
using namespace dougong::planner;

namespace dougong::planner {

class Reducer {
public:
  explicit Reducer(const CostNetwork &network);
  Reduction run();

private:
  using Interval = std::pair<int64_t, int64_t>;
  struct Variable {
    std::vector<Cost> costs;
    std::vector<unsigned> alive; ///< alternatives
    std::map<Interval, std::vector<int64_t>> memory;
    std::map<unsigned, unsigned> edges; ///< by neighbour
    bool isGone = false;
  };
  struct Edge {
    unsigned first, second;
    std::vector<Cost> costs; ///< none if the edge is gone
    bool isQueued = false;
  };

  Cost &at(unsigned edge, unsigned first, unsigned s, unsigned t) {
    Edge &e = edges[edge];
    return first == e.first ? e.costs[s * variables[e.second].costs.size() + t]
                            : e.costs[t * variables[e.second].costs.size() + s];
  }
  void queue(unsigned edge);
  void queueAround(unsigned variable);
  void remove(unsigned variable, unsigned alternative);
  void addCosts(unsigned first, unsigned second, const std::vector<Cost> &costs);
  void dropEdge(unsigned first, unsigned second);
  void removeUnsupported(unsigned first, unsigned second);
  bool foldSeparable(unsigned first, unsigned second);
  bool absorbFollower(unsigned leader, unsigned follower);
  void refine(unsigned edge);
  void settleMemory(unsigned variable);
  void removeDominated(unsigned variable);
  bool isDominated(unsigned variable, unsigned loser, unsigned winner);
  void eliminate(unsigned variable);
  void emit();

  std::vector<Variable> variables;
  std::vector<Edge> edges;
  std::deque<unsigned> edgeQueue;
  std::set<unsigned> changed; ///< variables to look at
  std::map<Interval, int64_t> base;
  Cost constant = 0;
  int64_t capacity;
  Reduction result;
};

} // namespace dougong::planner

Reducer::Reducer(const CostNetwork &network) : capacity(network.getCapacity()) {
  for (const CostNetwork::Node &node : network.getNodes()) {
    Variable &variable = variables.emplace_back();
    variable.costs = node.costs;
    for (unsigned s = 0; s < node.costs.size(); ++s)
      if (node.costs[s] < forbidden)
        variable.alive.push_back(s);
    if (variable.alive.empty())
      result.isInfeasible = true;
    for (const CostNetwork::MemoryTerm &term : node.memory) {
      if (term.from >= term.to)
        continue;
      std::vector<int64_t> &bytes = variable.memory[{term.from, term.to}];
      bytes.resize(node.costs.size());
      for (size_t s = 0; s < bytes.size(); ++s)
        bytes[s] += term.bytes[s];
    }
    changed.insert(variables.size() - 1);
  }
  for (const CostNetwork::Edge &edge : network.getEdges())
    addCosts(edge.first, edge.second, network.getTable(edge));
  result.numNodes = variables.size();
}

void Reducer::queue(unsigned edge) {
  if (!std::exchange(edges[edge].isQueued, true))
    edgeQueue.push_back(edge);
}

void Reducer::queueAround(unsigned variable) {
  changed.insert(variable);
  for (auto [neighbour, edge] : variables[variable].edges)
    queue(edge);
}

void Reducer::remove(unsigned variable, unsigned alternative) {
  std::vector<unsigned> &alive = variables[variable].alive;
  alive.erase(std::find(alive.begin(), alive.end(), alternative));
  if (alive.empty())
    result.isInfeasible = true;
  queueAround(variable);
}

/// Adds a table to the edge of two variables, which need not be there yet.
void Reducer::addCosts(unsigned first, unsigned second, const std::vector<Cost> &costs) {
  auto [it, isNew] = variables[first].edges.try_emplace(second, edges.size());
  if (isNew) {
    variables[second].edges[first] = edges.size();
    edges.push_back({first, second, costs});
    queue(it->second);
    return;
  }
  queue(it->second);
  const Cost *cost = costs.data();
  for (unsigned s = 0; s < variables[first].costs.size(); ++s)
    for (unsigned t = 0; t < variables[second].costs.size(); ++t) {
      Cost &sum = at(it->second, first, s, t);
      sum = planner::addCosts(sum, *cost++);
    }
}

void Reducer::dropEdge(unsigned first, unsigned second) {
  edges[variables[first].edges[second]].costs = {};
  variables[first].edges.erase(second);
  variables[second].edges.erase(first);
  changed.insert(first);
  changed.insert(second);
}

/// Removes alternatives of `first` that no alternative of `second` may go with.
void Reducer::removeUnsupported(unsigned first, unsigned second) {
  unsigned edge = variables[first].edges[second];
  std::vector<unsigned> alive = variables[first].alive;
  for (unsigned s : alive)
    if (std::all_of(variables[second].alive.begin(), variables[second].alive.end(),
                    [&](unsigned t) { return at(edge, first, s, t) >= forbidden; }))
      remove(first, s);
}

/// Folds costs a(s) + b(t) into the two variables.
bool Reducer::foldSeparable(unsigned first, unsigned second) {
  unsigned edge = variables[first].edges[second];
  const std::vector<unsigned> &rows = variables[first].alive, &columns = variables[second].alive;
  Cost corner = at(edge, first, rows[0], columns[0]);
  for (unsigned s : rows)
    for (unsigned t : columns) {
      Cost cost = at(edge, first, s, t);
      if (cost >= forbidden ||
          cost != at(edge, first, s, columns[0]) + at(edge, first, rows[0], t) - corner)
        return false;
    }
  for (unsigned s : rows)
    variables[first].costs[s] += at(edge, first, s, columns[0]);
  for (unsigned t : columns)
    variables[second].costs[t] += at(edge, first, rows[0], t) - corner;
  dropEdge(first, second);
  return true;
}

/// Merges `follower` into `leader` if each alternative of the leader allows one of
/// the follower, and the tables do not grow by it.
bool Reducer::absorbFollower(unsigned leader, unsigned follower) {
  // Cells that the tables may grow by.
  constexpr int64_t allowedGrowth = 4096;
  unsigned edge = variables[leader].edges[follower];
  Variable &to = variables[leader], &from = variables[follower];
  std::vector<unsigned> choice(to.costs.size(), 0);
  for (unsigned s : to.alive) {
    unsigned partners = 0;
    for (unsigned t : from.alive)
      if (at(edge, leader, s, t) < forbidden) {
        choice[s] = t;
        if (++partners > 1)
          return false;
      }
  }
  int64_t growth = -static_cast<int64_t>(to.alive.size() * from.alive.size());
  for (auto [other, otherEdge] : from.edges)
    if (other != leader)
      growth += variables[other].alive.size() *
                (static_cast<int64_t>(to.edges.contains(other) ? 0 : to.alive.size()) -
                 static_cast<int64_t>(from.alive.size()));
  if (growth > allowedGrowth)
    return false;

  for (unsigned s : to.alive)
    to.costs[s] += from.costs[choice[s]] + at(edge, leader, s, choice[s]);
  for (auto &[interval, bytes] : from.memory) {
    std::vector<int64_t> &sum = to.memory[interval];
    sum.resize(to.costs.size());
    for (unsigned s : to.alive)
      sum[s] += bytes[choice[s]];
  }
  from.memory.clear();
  std::map<unsigned, unsigned> others = from.edges;
  for (auto [other, otherEdge] : others) {
    if (other != leader) {
      size_t width = variables[other].costs.size();
      std::vector<Cost> costs(to.costs.size() * width, forbidden);
      for (unsigned s : to.alive)
        for (unsigned t : variables[other].alive)
          costs[s * width + t] = at(otherEdge, follower, choice[s], t);
      addCosts(leader, other, costs);
    }
    dropEdge(follower, other);
  }
  from.isGone = true;
  result.steps.push_back({follower, leader, leader, 0, std::move(choice)});
  return true;
}

void Reducer::refine(unsigned edge) {
  auto [first, second] = std::pair(edges[edge].first, edges[edge].second);
  removeUnsupported(first, second);
  removeUnsupported(second, first);
  if (result.isInfeasible || foldSeparable(first, second))
    return;
  bool isLeader = variables[first].edges.size() >= variables[second].edges.size();
  unsigned leader = isLeader ? first : second, follower = isLeader ? second : first;
  if (!absorbFollower(leader, follower))
    absorbFollower(follower, leader);
}

/// Moves the bytes that every alternative holds to the base.
void Reducer::settleMemory(unsigned variable) {
  Variable &v = variables[variable];
  for (auto term = v.memory.begin(); term != v.memory.end();) {
    auto &[interval, bytes] = *term;
    int64_t least = bytes[v.alive[0]], most = least;
    for (unsigned s : v.alive) {
      least = std::min(least, bytes[s]);
      most = std::max(most, bytes[s]);
    }
    base[interval] += least;
    for (unsigned s : v.alive)
      bytes[s] -= least;
    term = most == least ? v.memory.erase(term) : std::next(term);
  }
}

bool Reducer::isDominated(unsigned variable, unsigned loser, unsigned winner) {
  const Variable &v = variables[variable];
  for (const auto &[interval, bytes] : v.memory)
    if (bytes[winner] > bytes[loser])
      return false;
  Cost worst = v.costs[winner] - v.costs[loser];
  for (auto [other, edge] : v.edges) {
    Cost most = -forbidden;
    for (unsigned t : variables[other].alive) {
      Cost lost = at(edge, variable, loser, t), won = at(edge, variable, winner, t);
      if (lost >= forbidden)
        continue;
      if (won >= forbidden)
        return false;
      most = std::max(most, won - lost);
    }
    worst += most;
  }
  return worst <= 0;
}

void Reducer::removeDominated(unsigned variable) {
  std::vector<unsigned> alive = variables[variable].alive;
  // Pairs of costs that may be looked at, so that hubs do not take seconds.
  constexpr size_t allowedWork = 20'000'000;
  size_t work = 0;
  for (auto [other, edge] : variables[variable].edges)
    work += variables[other].alive.size();
  if (work * alive.size() * alive.size() > allowedWork)
    return;
  for (unsigned loser : alive)
    for (unsigned winner : variables[variable].alive)
      if (winner != loser && isDominated(variable, loser, winner)) {
        remove(variable, loser);
        break;
      }
}

/// Eliminates a variable without memory that has at most two neighbours.
void Reducer::eliminate(unsigned variable) {
  Variable &v = variables[variable];
  if (v.edges.size() > 2 || !v.memory.empty())
    return;
  std::vector<std::pair<unsigned, unsigned>> around(v.edges.begin(), v.edges.end());
  // A missing neighbour is the variable itself, with its first alternative.
  auto getSize = [&](size_t i) {
    return i < around.size() ? variables[around[i].first].costs.size() : 1;
  };
  size_t rows = getSize(0), columns = getSize(1);
  std::vector<Cost> costs(rows * columns, forbidden);
  std::vector<unsigned> choice(rows * columns, v.alive[0]);
  for (unsigned s = 0; s < rows; ++s)
    for (unsigned t = 0; t < columns; ++t)
      for (unsigned own : v.alive) {
        Cost cost = v.costs[own];
        if (around.size() > 0)
          cost = planner::addCosts(cost, at(around[0].second, variable, own, s));
        if (around.size() > 1)
          cost = planner::addCosts(cost, at(around[1].second, variable, own, t));
        if (cost < costs[s * columns + t]) {
          costs[s * columns + t] = cost;
          choice[s * columns + t] = own;
        }
      }
  for (auto [other, edge] : around)
    dropEdge(variable, other);
  if (around.empty())
    constant += costs[0];
  else if (around.size() == 1)
    for (unsigned s : std::vector<unsigned>(variables[around[0].first].alive))
      if (costs[s] < forbidden)
        variables[around[0].first].costs[s] += costs[s];
      else
        remove(around[0].first, s);
  else
    addCosts(around[0].first, around[1].first, costs);
  v.isGone = true;
  unsigned first = around.size() > 0 ? around[0].first : variable;
  unsigned second = around.size() > 1 ? around[1].first : variable;
  result.steps.push_back({variable, first, second, columns, std::move(choice)});
}

Reduction Reducer::run() {
  // Cheap rules to the end first.
  while ((!edgeQueue.empty() || !changed.empty()) && !result.isInfeasible) {
    if (!edgeQueue.empty()) {
      unsigned edge = edgeQueue.front();
      edgeQueue.pop_front();
      edges[edge].isQueued = false;
      if (!edges[edge].costs.empty())
        refine(edge);
      continue;
    }
    for (unsigned variable : std::exchange(changed, {})) {
      if (result.isInfeasible || variables[variable].isGone)
        continue;
      settleMemory(variable);
      removeDominated(variable);
      eliminate(variable);
    }
  }
  if (!result.isInfeasible)
    emit();
  return std::move(result);
}

void Reducer::emit() {
  std::vector<unsigned> number(variables.size());
  for (unsigned i = 0; i < variables.size(); ++i) {
    const Variable &v = variables[i];
    if (v.isGone)
      continue;
    auto select = [&](const auto &values) {
      std::decay_t<decltype(values)> selected;
      for (unsigned s : v.alive)
        selected.push_back(values[s]);
      return selected;
    };
    CostNetwork::Node node{select(v.costs), {}};
    for (const auto &[interval, bytes] : v.memory)
      node.memory.push_back({interval.first, interval.second, select(bytes)});
    number[i] = result.network.addNode(std::move(node));
    result.kept.push_back(i);
    result.alternatives.push_back(v.alive);
  }
  for (const Edge &edge : edges) {
    if (edge.costs.empty())
      continue;
    const Variable &first = variables[edge.first], &second = variables[edge.second];
    std::vector<Cost> costs;
    for (unsigned s : first.alive)
      for (unsigned t : second.alive)
        costs.push_back(std::min(forbidden, edge.costs[s * second.costs.size() + t]));
    result.network.addEdge(number[edge.first], number[edge.second], std::move(costs));
  }
  CostNetwork::Node rest{{constant}, {}};
  for (const auto &[interval, bytes] : base)
    if (bytes > 0)
      rest.memory.push_back({interval.first, interval.second, {bytes}});
  result.network.addNode(std::move(rest));
  result.network.setCapacity(capacity);
}

Reduction planner::reduce(const CostNetwork &network) { return Reducer(network).run(); }

Labeling Reduction::expand(const Labeling &labels) const {
  Labeling all(numNodes, 0);
  for (size_t i = 0; i < kept.size(); ++i)
    all[kept[i]] = alternatives[i][labels[i]];
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    // A follower has its leader in the place of both.
    size_t index = step->width == 0
                       ? all[step->first]
                       : (step->first == step->node ? 0 : all[step->first]) * step->width +
                             (step->second == step->node ? 0 : all[step->second]);
    all[step->node] = step->choice[index];
  }
  return all;
}
