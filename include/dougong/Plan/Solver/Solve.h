//===- Solve.h - the solver of cost-function networks -----------*- C++ -*-===//
#ifndef DOUGONG_PLAN_SOLVER_SOLVE_H
#define DOUGONG_PLAN_SOLVER_SOLVE_H

#include "dougong/Plan/Solver/CostNetwork.h"

namespace dougong::planner {

struct SolveOptions {
  /// Sweeps of the dual; more bring the bound nearer to the optimum.
  unsigned dualSweeps = 2000;
  /// Moves of the local search.
  uint64_t moves = 200'000;
  /// Branches of the exact search.
  uint64_t branches = 2'000'000;
  /// Seconds after which everything stops. It never steers: without it the same
  /// budgets give the same result.
  double seconds = std::numeric_limits<double>::infinity();
  /// Spread the schedule over `seconds`, with the budgets as upper limits: the best
  /// use of a given time, but the result then depends on the machine's speed.
  bool spreadOverTime = false;
  uint64_t seed = 1;
  /// No further search once (cost - bound) / cost is at most this.
  double gap = 0;
};

struct Solution {
  enum class Status {
    Optimal,    ///< cost == lowerBound
    Feasible,   ///< a choice within the capacity, and a bound below it
    NotFound,   ///< none was found, and none is proved not to be
    Infeasible, ///< proved: no choice avoids the forbidden within the capacity
  };
  Status status = Status::NotFound;
  Labeling labels; ///< empty if there is none
  Cost cost = forbidden;
  Cost lowerBound = -forbidden; ///< never above the optimum

  /// (cost - lowerBound) / cost; infinite if there is no choice.
  double getGap() const;
};

/// Finds a cheap choice and proves how far it may be from the cheapest.
///
/// 1. Exact reductions (merge followers, dominance, elimination, hashed tables).
/// 2. Lower bound: reparametrisation by sequential tree-reweighted messages
///    (Kolmogorov 2006) inside a subgradient method on the multipliers of memory.
/// 3. Local search: exact dynamic programming over random induced trees, guided by
///    the multipliers.
/// 4. Depth-first branch-and-bound over the reparametrised costs.
///
/// Fails as CostNetwork::validate does.
Result<Solution> solve(const CostNetwork &network, const SolveOptions &options = {});

} // namespace dougong::planner

#endif // DOUGONG_PLAN_SOLVER_SOLVE_H
