//===- Outlining.h - moves a group of operators to a kernel -----*- C++ -*-===//
#ifndef DOUGONG_LIB_CONVERSION_KERNELS_OUTLINING_H
#define DOUGONG_LIB_CONVERSION_KERNELS_OUTLINING_H

#include "Grouping.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringMap.h"

namespace dougong {

/// Makes kernel functions in a module, equal ones once.
class KernelOutliner {
public:
  explicit KernelOutliner(mlir::ModuleOp module) : module(module) {}

  /// Replaces the ops of `group` by an `onnx.launch`. Fails, with an error at
  /// the op, if a type is not a ranked tensor.
  llvm::LogicalResult outline(KernelGroup &group);

private:
  mlir::ModuleOp module;
  /// Text of a kernel (its name left out) -> its symbol.
  llvm::StringMap<mlir::StringAttr> kernels;
};

} // namespace dougong

#endif // DOUGONG_LIB_CONVERSION_KERNELS_OUTLINING_H
