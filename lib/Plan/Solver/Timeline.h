//===- Timeline.h - the times at which memory can be tight ------*- C++ -*-===//
#ifndef DOUGONG_LIB_PLAN_SOLVER_TIMELINE_H
#define DOUGONG_LIB_PLAN_SOLVER_TIMELINE_H

#include "dougong/Plan/Solver/CostNetwork.h"

namespace dougong::planner {

/// The times that matter: just after a term begins and before one ends. What is
/// live at any other time is also live at one of them. None if memory is not bounded.
class Timeline {
public:
  struct Term {
    unsigned from, to; ///< numbers of times, `to` excluded
    const int64_t *bytes;
  };

  explicit Timeline(const CostNetwork &network);

  unsigned size() const { return times.size(); }
  int64_t getTime(unsigned number) const { return times[number]; }
  int64_t getCapacity() const { return capacity; }
  const std::vector<Term> &getTerms(unsigned node) const { return terms[node]; }

  /// Bytes at each time.
  std::vector<int64_t> getUsage(const Labeling &labels) const;
  /// The price of each byte of each term: sums of `multipliers` up to each time.
  std::vector<double> accumulate(const std::vector<double> &multipliers) const;
  /// Adds `scale` times the price of the bytes of each alternative to `costs`.
  void addPrices(unsigned node, const std::vector<double> &accumulated, double scale, double *costs,
                 size_t count) const;

private:
  std::vector<int64_t> times;
  std::vector<std::vector<Term>> terms;
  int64_t capacity;
};

} // namespace dougong::planner

#endif // DOUGONG_LIB_PLAN_SOLVER_TIMELINE_H
