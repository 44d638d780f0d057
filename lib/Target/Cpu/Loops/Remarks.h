//===- Remarks.h - what of a kernel is computed slowly ----------*- C++ -*-===//
#ifndef DOUGONG_LIB_TARGET_CPU_LOOPS_REMARKS_H
#define DOUGONG_LIB_TARGET_CPU_LOOPS_REMARKS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace dougong::cpu {

/// Collects the slow paths of a kernel, for the placement report. What is too
/// small to matter is left out.
class Remarks {
public:
  explicit Remarks(mlir::func::FuncOp kernel) : kernel(kernel) {}

  /// Loops that a lowering wrote itself, over single elements. To be called before
  /// linalg ops become loops.
  void addScalarLoops();
  /// `op`, a linalg op, is not computed in vectors.
  void addScalar(mlir::Operation *op);
  /// Leaves the collected remarks on the kernel (`fallbacksAttrName`).
  void attach();

private:
  void add(mlir::Location loc, llvm::StringRef reason);

  mlir::func::FuncOp kernel;
  llvm::SmallVector<mlir::Attribute> remarks;
};

} // namespace dougong::cpu

#endif // DOUGONG_LIB_TARGET_CPU_LOOPS_REMARKS_H
