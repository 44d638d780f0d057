//===- Quantize.h - scales and zero points ----------------------*- C++ -*-===//
//
// real = (quantised - zero point) * scale. Differences are taken in i32,
// products in f32; rounding is half to even, then saturated.
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_LIB_CONVERSION_ONNXTOLINALG_QUANTIZE_H
#define DOUGONG_LIB_CONVERSION_ONNXTOLINALG_QUANTIZE_H

#include "Patterns.h"

#include <optional>

namespace dougong::onnx {

/// The only element of a tensor of any rank with one element.
mlir::Value onlyElement(Emitter &e, mlir::Value tensor);

/// Whether `zeroPoint`, an operand of the onnx dialect, is absent or known to be 0.
bool isZeroPointNone(mlir::Value zeroPoint);

/// Whether arithmetic on `element` as a quantised type is supported (integers
/// of at most 32 bits, no bool).
bool isQuantizedInteger(mlir::Type element);

/// An operand for `parameter` (a scale, zero point or bias) in a nest over `shape`:
/// one element for all, or a vector along loop `dim`. Which of the two it is may
/// only be known at run time.
Operand placeParameter(Emitter &e, mlir::Value parameter, llvm::ArrayRef<mlir::OpFoldResult> shape,
                       std::optional<unsigned> dim);

/// The scale (an f32) and zero point (or null) of a tensor quantised as a whole.
struct Quantization {
  mlir::Value scale, zero;
  bool isUnsigned = false;

  /// (x - zero) * scale in f32.
  mlir::Value dequantize(Emitter &e, mlir::Value x) const;
  /// real / scale + zero, rounded half to even and saturated.
  mlir::Value quantize(Emitter &e, mlir::Value real, mlir::Type to) const;
};

/// `data` is the quantised value in the onnx dialect, `scale` and `zero` are
/// converted; `zero` may be absent.
Quantization wholeTensor(Emitter &e, mlir::Value data, mlir::Value scale, mlir::Value zero);

/// A tensor quantised at run time to u8 by its own range.
struct DynamicQuantization {
  mlir::Value elements;    ///< i8 to be read as unsigned, of the source's shape
  mlir::Value scale, zero; ///< tensors without dims: f32, and i8 as above
};

/// ONNX's DynamicQuantizeLinear of `x` (floats).
DynamicQuantization quantizeDynamically(Emitter &e, mlir::Value x);

/// A tensor quantised at run time by its own range, its zero point taken off: i16
/// numbers of its shape, and the scale, an f32 without dims.
struct QuantizedInput {
  mlir::Value numbers, scale;
};
QuantizedInput quantizeInput(Emitter &e, mlir::Value x);

/// `tensor` less its zero points, as i16; or `tensor` itself where these are
/// absent or known to be 0. `dim` is where a vector of zero points goes.
struct Shifted {
  mlir::Value tensor;
  bool isUnsigned;
};
Shifted subtractZeroPoint(Emitter &e, mlir::Value original, mlir::Value tensor,
                          mlir::Value zeroOriginal, mlir::Value zero, std::optional<unsigned> dim);

/// The sums of the rows (last dim) of `x`, integers, in i32.
mlir::Value sumRows(Emitter &e, mlir::Value x, bool isUnsigned);

/// A product of integers whose second factor b has a zero point z that was not taken
/// off before: sum a (b - z) = `sums` - z * `rows`, the sums of a alone. So no copy of
/// b is made. `zero` and `rows` are operands in the loops of `sums`.
mlir::Value takeOffZeroPoint(Emitter &e, mlir::Value sums, Operand rows, Operand zero,
                             bool isZeroUnsigned);

} // namespace dougong::onnx

#endif // DOUGONG_LIB_CONVERSION_ONNXTOLINALG_QUANTIZE_H
