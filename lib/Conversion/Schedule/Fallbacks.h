//===- Fallbacks.h - what of a program takes a slow path --------*- C++ -*-===//
#ifndef DOUGONG_LIB_CONVERSION_SCHEDULE_FALLBACKS_H
#define DOUGONG_LIB_CONVERSION_SCHEDULE_FALLBACKS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace dougong {

/// The slow paths of the launches of `main`: calls of the operator library, and
/// what the target noted on its kernels (`fallbacksAttrName`). One dictionary
/// `{node, reason}` each; launches of one kernel are one entry.
mlir::ArrayAttr collectFallbacks(mlir::func::FuncOp main);

} // namespace dougong

#endif // DOUGONG_LIB_CONVERSION_SCHEDULE_FALLBACKS_H
