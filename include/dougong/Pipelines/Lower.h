//===- Lower.h - the lower and codegen phases -------------------*- C++ -*-===//
#ifndef DOUGONG_PIPELINES_LOWER_H
#define DOUGONG_PIPELINES_LOWER_H

#include "dougong/Target/Target.h"

#include "mlir/Pass/PassManager.h"

namespace dougong {

/// The `lower` phase: one program (a module of `@main` over local types) to
/// kernels in the target's calling form and a schedule. Afterwards no `onnx` op
/// computes anything. Errors: options that the target does not know.
llvm::Error buildLowerPipeline(mlir::OpPassManager &pipeline, const Target &target);

} // namespace dougong

#endif // DOUGONG_PIPELINES_LOWER_H
