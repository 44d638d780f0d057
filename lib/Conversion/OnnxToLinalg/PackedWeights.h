//===- PackedWeights.h - matrices of 2, 4 and 8 bit numbers -----*- C++ -*-===//
#ifndef DOUGONG_LIB_CONVERSION_ONNXTOLINALG_PACKEDWEIGHTS_H
#define DOUGONG_LIB_CONVERSION_ONNXTOLINALG_PACKEDWEIGHTS_H

#include "Patterns.h"

namespace dougong::onnx {

/// A matrix [n, k] quantised in blocks along k; several numbers lie in a byte,
/// the lowest bits first.
struct PackedWeights {
  mlir::Value bytes;      ///< [n, blocks, bytes of a block]
  mlir::Value scales;     ///< [n, blocks] or flat
  mlir::Value zeroPoints; ///< packed by row, or of a float type; null: half the range
  mlir::Value groups;     ///< [k]: the block whose scale place k uses; null if in order
  int64_t n = 0, k = 0, blockSize = 0;
  unsigned bits = 4;
};

/// Packed numbers ([rows, bytes], or flat with rows of `bytes` bytes) as f32 of
/// extents `shape`, [rows, columns].
mlir::Value unpackNumbers(Emitter &e, mlir::Value packed, llvm::ArrayRef<mlir::OpFoldResult> shape,
                          int64_t bytes, unsigned bits);

/// The matrix as f32 [n, k].
mlir::Value dequantizeWeights(Emitter &e, const PackedWeights &weights);

/// `a` [.., k] times the transposed matrix, summed in f32: a tensor of extents
/// `shape` [.., n]. Weights are unpacked in registers, so that memory is read in
/// their packed form. `groups` must be null.
mlir::Value multiplyPacked(Emitter &e, const PackedWeights &weights, mlir::Value a,
                           llvm::ArrayRef<mlir::OpFoldResult> shape);

} // namespace dougong::onnx

#endif // DOUGONG_LIB_CONVERSION_ONNXTOLINALG_PACKEDWEIGHTS_H
