//===- LocalSearch.h - cheaper choices by moves of trees --------*- C++ -*-===//
#ifndef DOUGONG_LIB_PLAN_SOLVER_LOCALSEARCH_H
#define DOUGONG_LIB_PLAN_SOLVER_LOCALSEARCH_H

#include "Dual.h"

namespace dougong::planner {

/// Walks from choice to choice. A move frees a random set of nodes that induces a
/// forest and takes its exact optimum by dynamic programming, for costs in which
/// memory has the dual's price; where the result is too full, the fullest time
/// becomes dearer, where it is not cheaper, memory becomes less dear.
///
/// What exceeds the capacity is charged at the fullest time, so that the walk may
/// start, but not end, outside of it; forbidden pairs have a large finite cost.
class LocalSearch {
public:
  LocalSearch(const CostNetwork &network, const Timeline &timeline, double forbiddenCost,
              uint64_t seed);

  void setMultipliers(const std::vector<double> &multipliers);
  void start(Labeling labels);
  /// Returns true if the choice became cheaper. A move may make it dearer by up
  /// to about `slack`.
  bool move(double slack);

  /// The cheapest choice within the capacity; empty if there was none.
  const Labeling &getBest() const { return best; }
  Cost getBestCost() const { return bestCost; }
  const Labeling &getCurrent() const { return labels; }

private:
  struct Member {
    unsigned node;
    int parent;                              ///< number in the set, -1 for a root
    const DenseNetwork::Neighbour *toParent; ///< the edge to it
  };
  uint64_t random(uint64_t count);
  void pickForest();
  void addMember(unsigned node, int parent, const DenseNetwork::Neighbour *toParent);
  unsigned countNeighboursInSet(unsigned node) const;
  void optimizeForest();
  double getCostOfForest(const Labeling &choice) const;
  int64_t measure(const Labeling &choice, unsigned &fullest);
  double getPrice(int64_t peak) const;
  void note();

  const CostNetwork &network;
  const Timeline &timeline;
  DenseNetwork dense;
  uint64_t state;
  std::vector<double> accumulated; ///< multipliers
  double penalty = 1;              ///< of a byte above the capacity
  uint64_t numMoves = 0;
  Labeling labels, candidate, best;
  Cost bestCost = forbidden;
  double cost = 0;
  int64_t peak = 0;
  std::vector<int64_t> usage, changedUsage;
  std::vector<Member> members;
  std::vector<uint64_t> stamp; ///< of the last set that held a node
  uint64_t currentStamp = 0;
  std::vector<std::vector<double>> fixedCosts, memoryCosts, extraCosts, sums; ///< by member
  std::vector<double> message;
  std::vector<std::pair<unsigned, const DenseNetwork::Neighbour *>> frontier;
};

} // namespace dougong::planner

#endif // DOUGONG_LIB_PLAN_SOLVER_LOCALSEARCH_H
