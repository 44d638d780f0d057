//===- TopK.h - the greatest elements along a dim ---------------*- C++ -*-===//
#ifndef DOUGONG_LIB_CONVERSION_ONNXTOLINALG_TOPK_H
#define DOUGONG_LIB_CONVERSION_ONNXTOLINALG_TOPK_H

#include "Patterns.h"

namespace dougong::onnx {

struct TopOrder {
  bool largest = true;
  bool isUnsigned = false;
  bool laterFirst = false; ///< of equal elements the one with the higher index comes first
};

/// The first `k` elements along `axis` of `x` (of extents `shape`) in `order`:
/// values, and indices as i64.
std::pair<mlir::Value, mlir::Value> selectTop(Emitter &e, mlir::Value x,
                                              llvm::ArrayRef<mlir::OpFoldResult> shape,
                                              unsigned axis, mlir::OpFoldResult k, TopOrder order);

} // namespace dougong::onnx

#endif // DOUGONG_LIB_CONVERSION_ONNXTOLINALG_TOPK_H
