//===- Partition.h - the plan, shard and stage phases -----------*- C++ -*-===//
#ifndef DOUGONG_PIPELINES_PARTITION_H
#define DOUGONG_PIPELINES_PARTITION_H

#include "dougong/Pipelines/Compile.h"
#include "dougong/Pipelines/Package.h"

namespace dougong {

/// Cuts a normalized model for a fleet: plan, shard and stage. `afterPhase` is
/// told when a phase is done, with its module, and returns whether to go on.
/// Fails after a diagnostic; `infeasible` then tells a plan that cannot be from
/// an input that is refused.
llvm::FailureOr<PartitionedModel>
partitionModel(mlir::OwningOpRef<mlir::ModuleOp> module, const fleet::Fleet &fleet,
               const CompileOptions &options, Progress &progress, bool &infeasible,
               llvm::function_ref<bool(llvm::StringRef, mlir::ModuleOp)> afterPhase);

} // namespace dougong

#endif // DOUGONG_PIPELINES_PARTITION_H
