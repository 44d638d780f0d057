//===- Profile.h - what a model costs, op by op -----------------*- C++ -*-===//
#ifndef DOUGONG_LIB_PLAN_PROFILE_H
#define DOUGONG_LIB_PLAN_PROFILE_H

#include "dougong/Dist/Propagation.h"
#include "dougong/Plan/Choose.h"
#include "dougong/Plan/CostModel.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <cmath>
#include <memory>

namespace dougong::planner {

/// How an amount is shared out over the ranks of an axis: in blocks.
struct Split {
  double blocks = 1; ///< 1: not cut
  bool isEven = false;

  /// What the rank with most holds.
  double getShare(int64_t ways) const {
    if (ways == 1 || blocks <= 1 || (isEven && int64_t(blocks) % ways != 0))
      return 1;
    return std::ceil(blocks / ways) / blocks;
  }
  bool operator==(const Split &) const = default;
};

/// The amounts of an op, whole; bytes are of one step.
struct OpProfile {
  OpAmounts amounts;      ///< bytes: of values only
  double weightBytes = 0; ///< that it reads
  double tableBytes = 0;  ///< of weights of which it reads a few rows
  double resultBytes = 0;
  double reducedBytes = 0;  ///< added up over tp afterwards
  double gatheredBytes = 0; ///< of operands that it needs whole, but are cut over tp
  Split tp, dp, weightTp, resultTp;

  bool hasCostOf(const OpProfile &other) const;
};

/// A model input or output: bytes, cuts, first and last op that touch it.
struct PortProfile {
  double bytes = 0;
  Split tp, dp;
  size_t first = 0, last = 0;
  bool isState = false;
};

/// A weight: bytes, cut, and the ops that read it.
struct WeightProfile {
  double bytes = 0;
  Split tp;
  llvm::SmallVector<size_t, 2> users;
};

/// A model under the cuts that dist-plan makes along "dp" and "tp".
class ModelProfile {
public:
  /// Plans a copy of the module. Emits errors.
  static llvm::FailureOr<ModelProfile> create(mlir::ModuleOp module, const ChoiceRequest &request);

  /// Reads all amounts at these extents.
  void measure(const SymbolValues &extents);

  std::vector<OpProfile> ops;
  std::vector<size_t> lastUse; ///< of the results of an op
  std::vector<PortProfile> ports;
  std::vector<WeightProfile> weights;
  /// First op of each of `count` stages, as dist-plan cuts them.
  std::vector<size_t> getBorders(int64_t count);

private:
  void measureOp(mlir::Operation *op, OpProfile &profile, const SymbolValues &extents);
  void measurePorts(const SymbolValues &extents);

  mlir::OwningOpRef<mlir::ModuleOp> module; ///< the planned copy
  mlir::func::FuncOp main;
  std::unique_ptr<dist::Propagation> propagation;
  std::vector<mlir::Operation *> operations; ///< of `ops`
  llvm::DenseMap<mlir::Operation *, size_t> positions;
};

} // namespace dougong::planner

#endif // DOUGONG_LIB_PLAN_PROFILE_H
