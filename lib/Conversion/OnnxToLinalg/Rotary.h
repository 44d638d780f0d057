//===- Rotary.h - rotary position embeddings --------------------*- C++ -*-===//
#ifndef DOUGONG_LIB_CONVERSION_ONNXTOLINALG_ROTARY_H
#define DOUGONG_LIB_CONVERSION_ONNXTOLINALG_ROTARY_H

#include "Patterns.h"

namespace dougong::onnx {

/// Rows of `cache` ([positions, n]) at the places `positions` ([batch, seq],
/// integers): a tensor [batch, seq, n] of extents `shape`.
mlir::Value gatherPositions(Emitter &e, mlir::Value cache, mlir::Value positions,
                            llvm::ArrayRef<mlir::OpFoldResult> shape);

/// `x` of four dims and extents `shape` with the first 2 n elements of its last
/// dim rotated by angles whose cosines and sines are `cosines` and `sines`
/// ([batch, seq, n]); batch is dim 0 and the sequence dim `sequenceDim`. Pairs
/// are (i, i + n), or (2 i, 2 i + 1) if `interleaved`.
mlir::Value rotate(Emitter &e, mlir::Value x, llvm::ArrayRef<mlir::OpFoldResult> shape,
                   unsigned sequenceDim, mlir::Value cosines, mlir::Value sines, bool interleaved);

} // namespace dougong::onnx

#endif // DOUGONG_LIB_CONVERSION_ONNXTOLINALG_ROTARY_H
