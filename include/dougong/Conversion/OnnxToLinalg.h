//===- OnnxToLinalg.h - kernels of onnx ops to linalg on tensors -*- C++ -*-===//
#ifndef DOUGONG_CONVERSION_ONNXTOLINALG_H
#define DOUGONG_CONVERSION_ONNXTOLINALG_H

#include "mlir/Pass/Pass.h"

namespace mlir {
class RewritePatternSet;
class TypeConverter;
} // namespace mlir

namespace dougong {

/// Types of kernels: tensors lose their `#onnx.dims`, integers become signless
/// (operators keep the signedness of their original operands in mind).
void populateOnnxTypeConversions(mlir::TypeConverter &converter);

/// One pattern for each operator that has a lowering to linalg, tensor, arith,
/// math and scf on tensors. Extents are left as `onnx.dim`.
void populateOnnxToLinalgPatterns(mlir::RewritePatternSet &patterns,
                                  const mlir::TypeConverter &converter);

} // namespace dougong

#endif // DOUGONG_CONVERSION_ONNXTOLINALG_H
