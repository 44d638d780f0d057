//===- Pool.h - reductions of sliding windows -------------------*- C++ -*-===//
#ifndef DOUGONG_LIB_CONVERSION_ONNXTOLINALG_POOL_H
#define DOUGONG_LIB_CONVERSION_ONNXTOLINALG_POOL_H

#include "Window.h"

namespace dougong::onnx {

/// Reduces each window of `padded` from the scalar `init`;
/// `body` gets the element and the value so far.
mlir::Value reduceWindows(Emitter &e, Window &window, mlir::Value padded,
                          mlir::RankedTensorType output, mlir::Value init, Emitter::Body body);

/// `sums` over the number of elements of each window, mapped by `finish` to
/// elements of type `element`.
mlir::Value averageWindows(Emitter &e, Window &window, mlir::Value sums,
                           mlir::RankedTensorType output, bool includePads, mlir::Type element,
                           Emitter::Body finish);

} // namespace dougong::onnx

#endif // DOUGONG_LIB_CONVERSION_ONNXTOLINALG_POOL_H
