//===- MatMul.h - the loops of a matrix product -----------------*- C++ -*-===//
#ifndef DOUGONG_LIB_CONVERSION_ONNXTOLINALG_MATMUL_H
#define DOUGONG_LIB_CONVERSION_ONNXTOLINALG_MATMUL_H

#include "Patterns.h"

#include <optional>

namespace dougong::onnx {

/// The product of two tensors by the rules of ONNX's MatMul (numpy.matmul):
/// vectors, and batch dims that broadcast. Loops are the dims of the result,
/// then the reduction.
class MatrixProduct {
public:
  /// `aType`, `bType` and `result` are types of the onnx dialect.
  MatrixProduct(Emitter &e, mlir::Value a, mlir::RankedTensorType aType, mlir::Value b,
                mlir::RankedTensorType bType, mlir::RankedTensorType result);

  /// The product, summed in type `accumulator`.
  mlir::Value compute(mlir::Type accumulator, bool aUnsigned = false, bool bUnsigned = false);
  /// Map from loops to dims of the result.
  mlir::AffineMap resultMap();

  Emitter &e;
  Extents shape; ///< of the result
  Operand left, right;
  unsigned loops, reduction;
  std::optional<unsigned> row, column; ///< loops of the matrix dims, if any
};

} // namespace dougong::onnx

#endif // DOUGONG_LIB_CONVERSION_ONNXTOLINALG_MATMUL_H
