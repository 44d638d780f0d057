//===- Lower.h - the lower and codegen phases -------------------*- C++ -*-===//
//
// After `lower` (and `codegen`) the module is what `package` needs, in one piece:
//
//     module attributes {dougong.plan = "<plan.json without code and weights>"} {
//       module @code0 { kernels and schedule of one distinct program }
//       module @program0 attributes {dougong.code = @code0, dougong.weights = [@w, ...]} {
//         onnx.weight @w ...   // with its recipe
//       }
//     }
//
// Programs that are the same code over other weights share a `@code<n>`.
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_PIPELINES_LOWER_H
#define DOUGONG_PIPELINES_LOWER_H

#include "dougong/Package/plan.pb.h"
#include "dougong/Pipelines/Progress.h"
#include "dougong/Support/Result.h"
#include "dougong/Target/Target.h"

#include "mlir/Pass/PassManager.h"

namespace dougong {

/// The passes from one program (a module of `@main` over local types) to kernels
/// in the target's calling form and a schedule. Afterwards no `onnx` op computes
/// anything. Errors: options that the target does not know.
llvm::Error buildLowerPipeline(mlir::OpPassManager &pipeline, const Target &target);

/// The `lower` phase: a staged module, and the plan that describes it, to the
/// form above. Each distinct code is lowered once. Fails after a diagnostic.
llvm::LogicalResult lowerModel(mlir::ModuleOp staged, plan::v1::Plan plan, const Target &target,
                               Progress &progress);

/// The `codegen` phase: each `@code<n>` to the last IR before its artefact.
llvm::Error generateCode(mlir::ModuleOp lowered, const Target &target, Progress &progress);

/// The plan so far, which the module carries from the plan phase on. Setting it
/// fails, after a diagnostic, where a text is not UTF-8.
Result<plan::v1::Plan> getPlan(mlir::ModuleOp module);
llvm::LogicalResult setPlan(mlir::ModuleOp module, plan::v1::Plan plan);

/// Names of the attributes above.
inline constexpr llvm::StringLiteral planAttrName = "dougong.plan";
inline constexpr llvm::StringLiteral codeAttrName = "dougong.code";
inline constexpr llvm::StringLiteral weightsAttrName = "dougong.weights";

} // namespace dougong

#endif // DOUGONG_PIPELINES_LOWER_H
