//===- NarrowFloat.h - floats of 8 and 4 bits -------------------*- C++ -*-===//
//
// Elements of these types lie as their bits in the low end of a byte. No host has
// arithmetic on them: they are read as f32 and rounded back by integer
// arithmetic. Encodings: ONNX, "Float stored in 8 bits" and "Float stored in 4
// bits".
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_LIB_CONVERSION_ONNXTOLINALG_NARROWFLOAT_H
#define DOUGONG_LIB_CONVERSION_ONNXTOLINALG_NARROWFLOAT_H

#include "Emitter.h"

namespace dougong::onnx {

/// Whether `element`, a type of the onnx dialect, is a float of 8 or 4 bits.
bool isNarrowFloat(mlir::Type element);

/// The f32 that the bits in `x` (i8) stand for.
mlir::Value decodeNarrow(Emitter &e, mlir::Value x, mlir::Type element);

/// What happens to values beyond the range, and (f8E8M0 alone) to those between
/// two powers of two.
struct NarrowRounding {
  bool saturate = true;
  llvm::StringRef mode = "up";
};

/// The bits (i8) of the f32 `x`: rounded half to even.
mlir::Value encodeNarrow(Emitter &e, mlir::Value x, mlir::Type element,
                         const NarrowRounding &rounding = {});

/// Whether `element` is an integer of 4 or 2 bits.
bool isNarrowInteger(mlir::Type element);

/// The low bits of `x` (an integer of any width) as an element (i8): extended by
/// its sign unless `element` is unsigned.
mlir::Value truncateNarrow(Emitter &e, mlir::Value x, mlir::Type element);

} // namespace dougong::onnx

#endif // DOUGONG_LIB_CONVERSION_ONNXTOLINALG_NARROWFLOAT_H
