//===- Quantize.h - quantisation with scales and zero points ----*- C++ -*-===//
#ifndef DOUGONG_LIB_CONVERSION_ONNXTOLINALG_QUANTIZE_H
#define DOUGONG_LIB_CONVERSION_ONNXTOLINALG_QUANTIZE_H

#include "Patterns.h"

namespace dougong::onnx {

/// A tensor quantised at run time to u8 by its own range.
struct DynamicQuantized {
  mlir::Value values;    ///< u8, of the shape of the source
  mlir::Value scale;     ///< f32 scalar (a value, no tensor)
  mlir::Value zeroPoint; ///< i8 scalar, to be read as unsigned
};

/// ONNX's DynamicQuantizeLinear of `x` (f32, of extents `shape`).
DynamicQuantized quantizeDynamically(Emitter &e, mlir::Value x,
                                     llvm::ArrayRef<mlir::OpFoldResult> shape);

/// The only element of a tensor of any rank with one element.
mlir::Value scalarOf(Emitter &e, mlir::Value tensor);

} // namespace dougong::onnx

#endif // DOUGONG_LIB_CONVERSION_ONNXTOLINALG_QUANTIZE_H
