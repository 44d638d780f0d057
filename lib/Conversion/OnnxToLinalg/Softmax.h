//===- Softmax.h - softmax along one dim ------------------------*- C++ -*-===//
#ifndef DOUGONG_LIB_CONVERSION_ONNXTOLINALG_SOFTMAX_H
#define DOUGONG_LIB_CONVERSION_ONNXTOLINALG_SOFTMAX_H

#include "Patterns.h"

namespace dougong::onnx {

/// exp(x - max) and the sum of it along dim `axis` of `x`, a tensor of f32 or
/// f64 of extents `shape`. The quotient is the softmax.
struct SoftmaxParts {
  mlir::Value exponentials; ///< of the shape of x
  mlir::Value sums;         ///< without dim `axis`
  mlir::Value maxima;       ///< without dim `axis`
};
/// `extra`, if given, is one more term of each row (an attention sink): a
/// tensor of the shape of `sums`, a logit that gets weight but no place.
/// With `maskedRowsAreZero` a row of minus infinities gives zeros, else NaN.
SoftmaxParts computeSoftmaxParts(Emitter &e, mlir::Value x,
                                 llvm::ArrayRef<mlir::OpFoldResult> shape, unsigned axis,
                                 mlir::Value extra = nullptr, bool maskedRowsAreZero = false);

/// The softmax of `x` along `axis` with elements of type `element`.
mlir::Value computeSoftmax(Emitter &e, mlir::Value x, llvm::ArrayRef<mlir::OpFoldResult> shape,
                           unsigned axis, mlir::Type element);

} // namespace dougong::onnx

#endif // DOUGONG_LIB_CONVERSION_ONNXTOLINALG_SOFTMAX_H
