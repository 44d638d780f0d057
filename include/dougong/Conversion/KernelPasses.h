//===- KernelPasses.h - from a program to kernels and a schedule *- C++ -*-===//
#ifndef DOUGONG_CONVERSION_KERNELPASSES_H
#define DOUGONG_CONVERSION_KERNELPASSES_H

#include "Onnx/IR/Onnx.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace dougong {

/// Unit attribute of kernel functions.
inline constexpr llvm::StringLiteral kernelAttrName = "dougong.kernel";

/// Slow paths: on a kernel those that its target took, on a scheduled module those
/// of all its launches. An array of dictionaries `{node, reason}`.
inline constexpr llvm::StringLiteral fallbacksAttrName = "dougong.fallbacks";

#define GEN_PASS_DECL
#include "dougong/Conversion/KernelPasses.h.inc"
#define GEN_PASS_REGISTRATION
#include "dougong/Conversion/KernelPasses.h.inc"

} // namespace dougong

#endif // DOUGONG_CONVERSION_KERNELPASSES_H
