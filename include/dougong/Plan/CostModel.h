//===- CostModel.h - predicted times of operators and messages --*- C++ -*-===//
//
// A roofline for operators and the alpha-beta model for messages, over the
// figures of a fleet. What it gives is predicted, never measured.
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_PLAN_COSTMODEL_H
#define DOUGONG_PLAN_COSTMODEL_H

#include "dougong/Fleet/Fleet.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <map>

namespace dougong::planner {

/// A figure that a prediction rests on.
struct UsedFigure {
  std::string subject;    ///< "chip 'ascend-910b3'"
  std::string figure;     ///< "peak.fp16"
  std::string value;      ///< with its unit
  std::string provenance; ///< of the fleet; "assumed" for our own defaults
};

/// The figures that were used, each once, and the weakest provenance.
class FigureLog {
public:
  void add(llvm::StringRef subject, llvm::StringRef name, const fleet::Figure &figure);
  /// A default of ours, where the fleet has no figure.
  void assume(llvm::StringRef subject, llvm::StringRef name, llvm::StringRef value);
  const std::map<std::pair<std::string, std::string>, UsedFigure> &get() const { return figures; }
  /// "assumed" is weaker than "recalled", and that than the others.
  std::string getWeakest() const;

private:
  std::map<std::pair<std::string, std::string>, UsedFigure> figures;
};

/// What one rank does for an operator.
struct OpAmounts {
  double flops = 0;         ///< a multiply-add is 2
  double bytes = 0;         ///< read and written
  llvm::StringRef dataType; ///< "fp32", "fp16", "int8", ... of the arithmetic
  bool isMatrix = false;    ///< runs on matrix units
  bool isLaunched = true;   ///< false for views, which cost nothing
};

/// Seconds.
struct OpTime {
  double compute = 0, memory = 0, launch = 0;
  double getTotal() const { return launch + std::max(compute, memory); }
};

/// The speed of a chip:
///
///     time = launch + max(flops / (peak * efficiency), bytes / (bandwidth * efficiency))
///
/// Efficiencies that the fleet does not state are 0.7 for matrix products and
/// 0.8 for memory; a launch takes 5 us. A data type without a peak has the
/// first that is stated of fp16, bf16, fp32 and int8, scaled down to its width if it
/// is wider, never up.
class ChipModel {
public:
  /// Fails, naming the figure, if the memory's bandwidth is not known.
  static llvm::Expected<ChipModel> create(const fleet::Chip &chip);

  /// An error names the missing peak.
  llvm::Expected<OpTime> getTime(const OpAmounts &op, FigureLog &log) const;
  const fleet::Chip &getChip() const { return *chip; }

private:
  explicit ChipModel(const fleet::Chip &chip) : chip(&chip) {}
  const fleet::Chip *chip;
};

/// Chips of one pool, by number: neighbours share the innermost level.
///
/// For a group with fan-out n_l at level l (latency a_l, one-way bandwidth B_l),
/// value of S bytes, q_l chips below an instance of level l:
///
///     T_gather = T_scatter = sum_l (n_l - 1) a_l + (n_l - 1) / n_l * S / q_l / B_l
///     T_reduce = 2 T_gather, or (n - 1) S / B + a on one level if that is less
///     T_exchange = max_l S (1 - q_l / n) / B_l + sum_l (n_l - 1) a_l
///     T_permute = max_l S / B_l + a_l
class PoolNetwork {
public:
  PoolNetwork(const fleet::Fleet &fleet, const fleet::Pool &pool) : fleet(&fleet), pool(&pool) {}

  /// Seconds of a collective (all_reduce, all_gather, reduce_scatter,
  /// all_to_all, ragged_all_to_all, permute) among `chips`. `bytes` is the whole value:
  /// what all_reduce starts with, what all_gather ends with, what a rank sends in
  /// all_to_all, ragged_all_to_all and permute.
  llvm::Expected<double> getCollectiveTime(llvm::StringRef kind, double bytes,
                                           llvm::ArrayRef<int64_t> chips, FigureLog &log) const;
  /// Seconds of a message between two chips.
  llvm::Expected<double> getMessageTime(double bytes, int64_t from, int64_t to,
                                        FigureLog &log) const;

private:
  struct Link {
    double latency, bandwidth;
  };
  llvm::Expected<Link> getLink(llvm::StringRef level, FigureLog &log) const;

  const fleet::Fleet *fleet;
  const fleet::Pool *pool;
};

/// Seconds of a message from a chip of one pool to one of another. Fails if no
/// path joins the pools.
llvm::Expected<double> getCrossTime(const fleet::Fleet &fleet, llvm::StringRef from,
                                    llvm::StringRef to, double bytes, FigureLog &log);

} // namespace dougong::planner

#endif // DOUGONG_PLAN_COSTMODEL_H
