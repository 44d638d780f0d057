//===- Passes.h - passes of the export to ONNX ------------------*- C++ -*-===//
#ifndef DOUGONG_TARGET_ONNX_PASSES_H
#define DOUGONG_TARGET_ONNX_PASSES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace dougong {

#define GEN_PASS_DECL
#include "dougong/Target/Onnx/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "dougong/Target/Onnx/Passes.h.inc"

} // namespace dougong

#endif // DOUGONG_TARGET_ONNX_PASSES_H
