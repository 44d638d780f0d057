//===- BranchAndBound.h - the optimum of small networks ---------*- C++ -*-===//
#ifndef DOUGONG_LIB_PLAN_SOLVER_BRANCHANDBOUND_H
#define DOUGONG_LIB_PLAN_SOLVER_BRANCHANDBOUND_H

#include "Timeline.h"

#include "dougong/Plan/Solver/Certificate.h"

#include <functional>

namespace dougong::planner {

/// Looks for a choice that costs less than `best`, depth first, and puts it there.
/// The certificate's costs (the same sums, moved between nodes and edges) make the
/// bounds of partial choices good. All sums are exact.
///
/// Returns true if everything was looked at: `best` is then optimal, or, if it is
/// empty, there is no choice. False after `branches` branches or when `isLate`.
bool searchExactly(const CostNetwork &network, const Timeline &timeline,
                   const Certificate &certificate, uint64_t branches,
                   const std::function<bool()> &isLate, Labeling &best, Cost &bestCost);

} // namespace dougong::planner

#endif // DOUGONG_LIB_PLAN_SOLVER_BRANCHANDBOUND_H
