//===- Estimator.h - memory and time of a candidate -------------*- C++ -*-===//
#ifndef DOUGONG_LIB_PLAN_ESTIMATOR_H
#define DOUGONG_LIB_PLAN_ESTIMATOR_H

#include "Profile.h"

#include <map>

namespace dougong::planner {

/// Bytes of a rank, by cause.
struct MemoryEstimate {
  double weights = 0, state = 0, activations = 0, io = 0, collectives = 0;
  double getTotal() const { return weights + state + activations + io + collectives; }
  std::pair<llvm::StringRef, double> getLargest() const;
};

/// Estimates candidates from one profile. Costs of equal ops, and of equal
/// widths, are worked out once.
class Estimator {
public:
  Estimator(ModelProfile &profile, const fleet::Fleet &fleet);

  /// Sets memory, capacity and tightStage. Returns the parts of that stage.
  MemoryEstimate estimateMemory(Candidate &candidate);
  /// Sets the step time. Fails, naming it, where a figure is missing.
  llvm::Error estimateTime(Candidate &candidate);

private:
  /// Seconds of all ops before each position, on one rank.
  using PrefixTimes = std::vector<double>;
  llvm::Expected<const PrefixTimes *> getTimes(const Candidate &candidate, const fleet::Pool &pool);
  const std::vector<size_t> &getBorders(int64_t count);
  /// Bytes of values that live across the place before each op, on one rank.
  const std::vector<double> &getCrossing(int64_t tp, int64_t dp);
  MemoryEstimate estimateStage(const Candidate &candidate, size_t begin, size_t end);

  ModelProfile &profile;
  const fleet::Fleet &fleet;
  std::vector<size_t> classes;         ///< of each op
  std::vector<size_t> representatives; ///< of each class: number of an op
  std::map<int64_t, std::vector<size_t>> borders;
  std::map<std::pair<int64_t, int64_t>, std::vector<double>> crossing;
  std::map<std::tuple<int64_t, int64_t, std::string>, PrefixTimes> times;
  /// Of each stage, by tp, pp and dp.
  std::map<std::tuple<int64_t, int64_t, int64_t>, std::vector<MemoryEstimate>> memories;
  FigureLog figures; ///< not shown: the plan that is made logs its own
};

} // namespace dougong::planner

#endif // DOUGONG_LIB_PLAN_ESTIMATOR_H
