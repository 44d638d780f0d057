//===- Choice.h - how to partition where nobody says ------------*- C++ -*-===//
#ifndef DOUGONG_LIB_PIPELINES_CHOICE_H
#define DOUGONG_LIB_PIPELINES_CHOICE_H

#include "dougong/Package/Memory.h"
#include "dougong/Package/plan.pb.h"
#include "dougong/Pipelines/Compile.h"
#include "dougong/Plan/Choose.h"

namespace dougong {

/// Chooses how to partition a normalized module, where neither --parallel nor the
/// strategy file says it and the fleet has more than one chip; no value where
/// there is nothing to choose. `ranges` are those of the module's dims. Fails after a
/// diagnostic; `infeasible` then tells that nothing fits from an input that is refused.
llvm::FailureOr<std::optional<planner::Decision>>
chooseIfWanted(mlir::ModuleOp module, const fleet::Fleet &fleet, const CompileOptions &options,
               const ModelRanges &ranges, bool &infeasible);

/// The choice as the plan tells it.
plan::v1::Choice describeChoice(const planner::Decision &decision);

/// Fails after a diagnostic if the extents of a normalized module's inputs do not
/// tell all their symbols: the runner could not either.
llvm::LogicalResult checkInputDims(mlir::ModuleOp module);

/// The conditions (onnx.checks) of a normalized module that its inputs' extents decide.
/// Those over extents that only data tell are left out.
llvm::LogicalResult addConditions(mlir::ModuleOp module, plan::v1::Model &model);

/// Symbols and ranges of a normalized module that is not partitioned yet.
llvm::FailureOr<ModelRanges> getModelRanges(mlir::ModuleOp module);

/// Symbols of the model's dims and those in `others`, with their ranges.
void addSymbols(plan::v1::Model &model, const SymbolRanges &ranges,
                llvm::ArrayRef<std::string> others = {});

/// Every symbol at its greatest, or as it is assumed.
SymbolValues getExtents(const ModelRanges &ranges);

} // namespace dougong

#endif // DOUGONG_LIB_PIPELINES_CHOICE_H
