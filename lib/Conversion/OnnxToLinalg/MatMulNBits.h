//===- MatMulNBits.h - weights quantised in blocks of few bits --*- C++ -*-===//
#ifndef DOUGONG_LIB_CONVERSION_ONNXTOLINALG_MATMULNBITS_H
#define DOUGONG_LIB_CONVERSION_ONNXTOLINALG_MATMULNBITS_H

#include "Patterns.h"

namespace dougong::onnx {

/// A matrix [rows, blocks * block] of unsigned numbers of `bits` bits, several
/// to a byte, the first in the lowest bits.
struct BlockWeights {
  mlir::Value values;     ///< i8, [rows, blocks, bytes of a block]
  mlir::Value scales;     ///< [rows, blocks]
  mlir::Value zeroPoints; ///< [rows, blocks], floats; null: half of the range
  int64_t rows = 0, blocks = 0, block = 0, bits = 4;
};

/// Number `place` (an index) of `byte`.
mlir::Value unpackBits(Emitter &e, mlir::Value byte, mlir::Value place, int64_t bits);

/// a [..., K] times the transpose of the weights: [..., rows], in f32.
mlir::Value multiplyBlocks(Emitter &e, mlir::Value a, const BlockWeights &weights);

} // namespace dougong::onnx

#endif // DOUGONG_LIB_CONVERSION_ONNXTOLINALG_MATMULNBITS_H
