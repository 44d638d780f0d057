//===- Certificate.h - a lower bound that can be checked --------*- C++ -*-===//
#ifndef DOUGONG_PLAN_SOLVER_CERTIFICATE_H
#define DOUGONG_PLAN_SOLVER_CERTIFICATE_H

#include "dougong/Plan/Solver/CostNetwork.h"

#include <utility>

namespace dougong::planner {

/// Dual values of a network. *Any* values give a lower bound: with multipliers
/// l_t >= 0 of the memory bound at times t, and messages m that move cost from
/// edges to nodes,
///
///     sum_v min_s [cost_v(s) + sum_t l_t bytes_v,t(s) + sum_e m_e->v(s)]
///   + sum_e min_ss' [cost_e(s, s') - m_e->u(s) - m_e->v(s')]  -  sum_t l_t capacity
///
/// (weak duality: the local polytope with the memory rows relaxed).
struct Certificate {
  /// (time, cost per byte), times ascending.
  std::vector<std::pair<int64_t, double>> multipliers;
  /// Of each edge, in units of cost, by alternative of its first and second node.
  std::vector<std::vector<double>> toFirst, toSecond;
};

/// The bound that the certificate gives, rounded up to the next integer, as every
/// cost is one. Values are first rounded to multiples of 2^-32 and then all sums
/// are exact: the result is never above the optimum, however the certificate was
/// found. A network without a choice that avoids `forbidden` may give `forbidden`.
Cost getLowerBound(const CostNetwork &network, const Certificate &certificate);

} // namespace dougong::planner

#endif // DOUGONG_PLAN_SOLVER_CERTIFICATE_H
