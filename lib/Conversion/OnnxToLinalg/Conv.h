//===- Conv.h - convolutions of numbers of any kind -------------*- C++ -*-===//
#ifndef DOUGONG_LIB_CONVERSION_ONNXTOLINALG_CONV_H
#define DOUGONG_LIB_CONVERSION_ONNXTOLINALG_CONV_H

#include "Window.h"

#include "dougong/Conversion/Layout.h"

namespace dougong::onnx {

/// What one convolution does beside sliding its window.
struct Convolution {
  mlir::Value x = {}, w = {}; ///< converted operands
  bool xUnsigned = false, wUnsigned = false;
  mlir::Type accumulator = {}; ///< element type of the sum
  int64_t group = 1;
  mlir::Value wZero = {}; ///< tensor of 0 or 1 dims (per output channel), or null
};

/// The sum over input channels and window of x (w - wZero), a tensor
/// of the shape `output` (a type of the onnx dialect).
mlir::Value convolve(Emitter &e, Window &window, const Convolution &convolution,
                     mlir::RankedTensorType output);

/// The window of a Conv-like op, which has the extents of the weight.
template <typename OpT> WindowAttributes getConvAttributes(OpT op, Emitter &e) {
  WindowAttributes attributes;
  Extents weight = e.extents(op.getW().getType());
  attributes.kernel.assign(weight.begin() + 2, weight.end());
  attributes.strides = op.getStrides();
  attributes.dilations = op.getDilations();
  attributes.pads = op.getPads();
  attributes.autoPad = op.getAutoPad();
  attributes.channelsLast = op->hasAttr(channelsLastAttrName);
  return attributes;
}

} // namespace dougong::onnx

#endif // DOUGONG_LIB_CONVERSION_ONNXTOLINALG_CONV_H
