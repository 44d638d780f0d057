//===- Passes.h - passes of the CPU target ----------------------*- C++ -*-===//
#ifndef DOUGONG_TARGET_CPU_PASSES_H
#define DOUGONG_TARGET_CPU_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace dougong::onnx {
class OnnxDialect;
} // namespace dougong::onnx

namespace dougong::cpu {

#define GEN_PASS_DECL
#include "dougong/Target/Cpu/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "dougong/Target/Cpu/Passes.h.inc"

/// Registers the passes above and the pipelines `cpu-kernels` (tensors to
/// bufferized, vectorised kernels) and `cpu-lower` (to the LLVM dialect).
void registerCpuPasses();

} // namespace dougong::cpu

#endif // DOUGONG_TARGET_CPU_PASSES_H
