//===- ConstantEvaluator.h - operators on dense constants -------*- C++ -*-===//
#ifndef DOUGONG_LIB_ONNX_TRANSFORMS_CONSTANTEVALUATOR_H
#define DOUGONG_LIB_ONNX_TRANSFORMS_CONSTANTEVALUATOR_H

#include "Onnx/IR/Onnx.h"

namespace dougong::onnx {

/// The value of the one result of `op`, whose operands have the values
/// `operands` (null for `none`), or null where the operator is not evaluated
/// here or its result depends on the machine (conversions out of range,
/// division by zero). `op` has a static result type and valid operands.
mlir::DenseElementsAttr evaluateOnConstants(mlir::Operation *op,
                                            llvm::ArrayRef<mlir::DenseElementsAttr> operands);

} // namespace dougong::onnx

#endif // DOUGONG_LIB_ONNX_TRANSFORMS_CONSTANTEVALUATOR_H
