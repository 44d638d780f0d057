//===- Partition.h - the plan, shard and stage phases -----------*- C++ -*-===//
#ifndef DOUGONG_PIPELINES_PARTITION_H
#define DOUGONG_PIPELINES_PARTITION_H

#include "dougong/Fleet/Fleet.h"
#include "dougong/Package/plan.pb.h"
#include "dougong/Pipelines/Compile.h"
#include "dougong/Plan/Choose.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"

namespace dougong {

/// Adds the passes of one phase of partitioning, "plan", "shard" or "stage", and
/// the check of what then holds. `chosen` may be null: then the options say all.
void addPartitionPasses(llvm::StringRef phase, mlir::PassManager &manager,
                        const CompileOptions &options, const planner::Candidate *chosen = nullptr);

/// The plan of a staged module: all of it but code and weights. A program's id is
/// the name of its module. `infeasible` tells, after a failure with a diagnostic,
/// a plan that cannot be from an input that is refused.
llvm::FailureOr<plan::v1::Plan> describePlan(mlir::ModuleOp staged, const fleet::Fleet &fleet,
                                             bool &infeasible);

/// Module attribute {name, sha256}: the model that the module was made of.
inline constexpr llvm::StringLiteral modelAttrName = "dougong.model";

} // namespace dougong

#endif // DOUGONG_PIPELINES_PARTITION_H
