//===- Reduce.h - a smaller network with the same optimum -------*- C++ -*-===//
#ifndef DOUGONG_LIB_PLAN_SOLVER_REDUCE_H
#define DOUGONG_LIB_PLAN_SOLVER_REDUCE_H

#include "dougong/Plan/Solver/CostNetwork.h"

namespace dougong::planner {

/// A network with the same optimum, and the way back. Its last node has one
/// alternative: what every choice costs and holds.
class Reduction {
public:
  CostNetwork network;
  /// No choice avoids the forbidden pairs.
  bool isInfeasible = false;

  /// The choice of the original network that costs and holds the same. What was
  /// eliminated takes its best alternative.
  Labeling expand(const Labeling &labels) const;

private:
  friend class Reducer;
  /// The alternative of `node` is choice[x_first, x_second].
  struct Step {
    unsigned node, first, second;
    size_t width; ///< alternatives of `second`
    std::vector<unsigned> choice;
  };
  std::vector<Step> steps;                         ///< undone from the last to the first
  std::vector<unsigned> kept;                      ///< original node of each node but the last
  std::vector<std::vector<unsigned>> alternatives; ///< original ones, of each node
  size_t numNodes = 0;
};

/// Applies, until none applies:
///
/// * parallel edges become one; alternatives without a partner go;
/// * an edge whose table is a(s) + b(s') is folded into its nodes;
/// * where one end decides the other (an operator that follows its operand), the
///   two become one node with both their memory terms;
/// * an alternative goes if another is never dearer nor larger;
/// * a node of at most two neighbours, whose alternatives hold equal bytes, is
///   eliminated: its best alternative becomes an edge between them.
///
/// All are exact: no optimum is lost that has no equal left.
Reduction reduce(const CostNetwork &network);

} // namespace dougong::planner

#endif // DOUGONG_LIB_PLAN_SOLVER_REDUCE_H
