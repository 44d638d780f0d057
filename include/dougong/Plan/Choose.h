//===- Choose.h - a strategy where nobody asked for one ---------*- C++ -*-===//
#ifndef DOUGONG_PLAN_CHOOSE_H
#define DOUGONG_PLAN_CHOOSE_H

#include "dougong/Fleet/Fleet.h"
#include "dougong/Support/DimExpr.h"

#include "mlir/IR/BuiltinOps.h"

#include <string>
#include <utility>
#include <vector>

namespace dougong::planner {

/// A way to place one replica: `pp` stages of `dp` x `tp` ranks.
struct Candidate {
  int64_t tp = 1, pp = 1, dp = 1;
  std::vector<const fleet::Pool *> pools; ///< of each stage
  double step = 0;                        ///< predicted seconds; 0: not known
  /// Estimate for the rank that comes nearest to its chip's capacity.
  uint64_t memory = 0, capacity = 0;
  int64_t tightStage = 0;
  std::string verdict; ///< why it was chosen or rejected
  /// Of the enumeration, which breaks ties: less tp, less pp, earlier pools.
  unsigned number = 0;

  int64_t getRanks() const { return tp * pp * dp; }
  bool fits() const { return memory <= capacity; }
  /// "tp=2,pp=2"; "tp=1" for one rank.
  std::string getStrategy() const;
};

struct Decision {
  std::string rule;                  ///< what decided
  std::vector<Candidate> candidates; ///< the chosen one, then the next best
  unsigned considered = 0;
};

/// What the model asks for.
struct ChoiceRequest {
  SymbolValues extents; ///< of all symbols
  SymbolRanges ranges;  ///< for the nearest request that would fit
  std::vector<std::pair<std::string, std::string>> states; ///< patterns
};

/// Chooses tensor, pipeline and data parallelism and the pool of each stage, for
/// a normalized module, within one replica of at most 64 chips.
///
/// The cuts are those that dist-plan makes for two ranks along each axis,
/// scaled to the other widths; the real partition may differ a little. Of the
/// candidates whose memory estimate fits, the fastest by the roofline sets the
/// pace, and of those within 5 % of it the one with the fewest ranks is chosen;
/// then the faster, then the one with less tp, less pp, and earlier pools.
///
/// Emits an error, and sets `infeasible`, where nothing fits.
llvm::FailureOr<Decision> chooseStrategy(mlir::ModuleOp module, const fleet::Fleet &fleet,
                                         const ChoiceRequest &request, bool &infeasible);

} // namespace dougong::planner

#endif // DOUGONG_PLAN_CHOOSE_H
