//===- Window.h - windows that slide over spatial dims ----------*- C++ -*-===//
//
// What convolutions and pools share: tensors [n, c, spatial...], or
// [n, spatial..., c] with channels last, and a window for each output place.
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_LIB_CONVERSION_ONNXTOLINALG_WINDOW_H
#define DOUGONG_LIB_CONVERSION_ONNXTOLINALG_WINDOW_H

#include "Patterns.h"

#include <optional>

namespace dougong::onnx {

/// The attributes of a convolution or pool as the model gives them.
struct WindowAttributes {
  Extents kernel; ///< extents of the window
  std::optional<llvm::ArrayRef<int64_t>> strides, dilations, pads;
  llvm::StringRef autoPad = "NOTSET";
  bool ceilMode = false;     ///< the last window may reach beyond the pads
  bool channelsLast = false; ///< tensors are [n, spatial..., c]
};

/// The geometry of a sliding window over an input of a known type.
class Window {
public:
  /// `input` and `output` are types of the onnx dialect.
  Window(Emitter &e, mlir::RankedTensorType input, mlir::RankedTensorType output,
         const WindowAttributes &attributes)
      : Window(e, e.extents(input), e.extents(output), attributes) {}
  /// The same with extents.
  Window(Emitter &e, llvm::ArrayRef<mlir::OpFoldResult> input,
         llvm::ArrayRef<mlir::OpFoldResult> output, const WindowAttributes &attributes);

  unsigned rank() const { return kernel.size(); }
  /// Where tensors have their channels and their first spatial dim.
  unsigned channelDim() const { return channelsLast ? rank() + 1 : 1; }
  unsigned firstSpatial() const { return channelsLast ? 1 : 2; }
  /// `input` with as much of `value` around its spatial dims as windows reach.
  mlir::Value pad(mlir::Value input, mlir::Value value);
  /// The expression out * stride + window * dilation of spatial dim `dim`.
  mlir::AffineExpr access(unsigned dim, unsigned outLoop, unsigned windowLoop);
  /// How many elements of the window of output place `place` (one index for
  /// each spatial dim) lie in the input, or in input and pads if `includePads`.
  mlir::Value countInside(Emitter &inner, llvm::ArrayRef<mlir::Value> place, bool includePads);
  /// Whether every window lies in the input.
  bool isInside() const { return inside; }
  /// How many elements a window has, if that is known.
  std::optional<int64_t> size() const;

  llvm::SmallVector<int64_t> strides, dilations;
  Extents kernel;
  Extents inputSizes, outputSizes; ///< spatial
  Extents low, high;               ///< declared pads
  bool channelsLast;

private:
  Emitter &e;
  Extents reach; ///< pads after the input that windows need
  bool inside = true;
};

} // namespace dougong::onnx

#endif // DOUGONG_LIB_CONVERSION_ONNXTOLINALG_WINDOW_H
