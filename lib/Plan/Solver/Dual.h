//===- Dual.h - lower bound by messages and multipliers ---------*- C++ -*-===//
#ifndef DOUGONG_LIB_PLAN_SOLVER_DUAL_H
#define DOUGONG_LIB_PLAN_SOLVER_DUAL_H

#include "Timeline.h"

#include "dougong/Plan/Solver/Certificate.h"

namespace dougong::planner {

/// out[t] = min_s (in[s] + table[s * columns + t]).
void multiplyMinPlus(const double *in, const double *table, size_t rows, size_t columns,
                     double *out);

/// A network in floating point: tables both ways, infinite where forbidden.
class DenseNetwork {
public:
  struct Neighbour {
    unsigned node, edge;
    const double *table;  ///< own alternatives x those of the neighbour
    const double *turned; ///< those of the neighbour x own
  };
  /// `forbiddenCost` stands for `forbidden`.
  DenseNetwork(const CostNetwork &network, double forbiddenCost);

  size_t size() const { return costs.size(); }
  size_t getCount(unsigned node) const { return costs[node].size(); }
  std::vector<std::vector<double>> costs;
  std::vector<std::vector<Neighbour>> neighbours;

private:
  std::vector<std::vector<double>> tables;
};

/// Ascends the dual of Certificate by sequential tree-reweighted messages for the
/// edges and subgradient steps for the memory bound.
class Dual {
public:
  Dual(const CostNetwork &network, const DenseNetwork &dense, const Timeline &timeline);

  /// One step: sends messages forth and back, and prices anew what is too full.
  /// `upperBound` is a cost to aim at.
  void step(double upperBound);

  /// The choice that the last step's messages suggest.
  const Labeling &getLabels() const { return labels; }
  /// Whether it stays within the capacity.
  bool isWithinCapacity() const;
  /// The greatest bound so far, in floating point.
  double getBound() const { return bestBound; }
  /// The multipliers and the certificate of that bound.
  const std::vector<double> &getMultipliers() const { return bestMultipliers; }
  Certificate getCertificate() const;

private:
  double *getMessage(unsigned edge, unsigned node);
  void priceMemory();
  void sendForth();
  void sendBack();
  double getCurrentBound() const;
  void remember();

  const CostNetwork &network;
  const DenseNetwork &dense;
  const Timeline &timeline;
  std::vector<std::vector<double>> unary;  ///< costs and priced memory
  std::vector<std::vector<double>> toNode; ///< 2 of each edge: to its first and second
  std::vector<double> share;               ///< of a node's costs that each edge takes
  std::vector<double> multipliers, direction;
  double stepLength = 1.0;
  unsigned stalled = 0;
  Labeling labels;
  std::vector<int64_t> usage; ///< of the labels
  double bestBound = -1e300;
  std::vector<double> bestMultipliers;
  std::vector<std::vector<double>> bestToNode;
  std::vector<double> total, rest; ///< scratch
};

} // namespace dougong::planner

#endif // DOUGONG_LIB_PLAN_SOLVER_DUAL_H
