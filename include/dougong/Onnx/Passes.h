//===- Passes.h - the normalize phase ---------------------------*- C++ -*-===//
#ifndef DOUGONG_ONNX_PASSES_H
#define DOUGONG_ONNX_PASSES_H

#include "Onnx/IR/Onnx.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace dougong::onnx {

#define GEN_PASS_DECL
#include "dougong/Onnx/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "dougong/Onnx/Passes.h.inc"

/// How a model is normalized.
struct NormalizeOptions {
  /// Extents and ranges of symbols, as `onnx-infer-shapes` takes them.
  llvm::SmallVector<std::string> dims;
  /// Whether repeated blocks become functions.
  bool outlineBlocks = false;
  /// Whether inner values become outputs (`onnx-expose-values`); then no block
  /// becomes a function.
  bool exposeValues = false;
};

/// The normalize phase, from an imported module to one that
/// `onnx-verify-normalized` accepts.
void buildNormalizePipeline(mlir::OpPassManager &manager, const NormalizeOptions &options = {});

/// Registers the passes of lib/Onnx and the pipeline `onnx-normalize`.
void registerOnnxPasses();

} // namespace dougong::onnx

#endif // DOUGONG_ONNX_PASSES_H
