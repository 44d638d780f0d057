//===- ResolveDims.h - extents of a kernel from its arguments ---*- C++ -*-===//
#ifndef DOUGONG_LIB_CONVERSION_ONNXTOLINALG_RESOLVEDIMS_H
#define DOUGONG_LIB_CONVERSION_ONNXTOLINALG_RESOLVEDIMS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace dougong::onnx {

/// Replaces every `onnx.dim "e"` in `function` by an index argument with the
/// attribute `onnx.dim = "e"`, by a dim of a tensor argument whose attribute
/// `onnx.dims` holds "e" there, or by arithmetic on what these give for the
/// symbols of "e". Emits an error at the op that wanted it if there is no way.
llvm::LogicalResult resolveDims(mlir::func::FuncOp function);

} // namespace dougong::onnx

#endif // DOUGONG_LIB_CONVERSION_ONNXTOLINALG_RESOLVEDIMS_H
