//===- Utils.h - shared by the passes of the normalize phase ----*- C++ -*-===//
#ifndef DOUGONG_LIB_ONNX_TRANSFORMS_UTILS_H
#define DOUGONG_LIB_ONNX_TRANSFORMS_UTILS_H

#include "Onnx/IR/Onnx.h"
#include "dougong/Onnx/Values.h"

#include "mlir/IR/Builders.h"

namespace dougong::onnx {

/// `onnx.Constant` with a dense value, at the builder's place.
mlir::Value createConstant(mlir::OpBuilder &builder, mlir::Location loc, mlir::ElementsAttr value);

/// The value of a constant in the form `value`, or null.
mlir::ElementsAttr getConstantValue(mlir::Value value);

/// ONNX's number of an element type (TensorProto.DataType), or none.
std::optional<int64_t> getOnnxElementType(mlir::Type type);

/// Erases ops without effects and uses, in regions too. Linear in the number of
/// ops.
void eraseDeadOps(mlir::Operation *root);

} // namespace dougong::onnx

#endif // DOUGONG_LIB_ONNX_TRANSFORMS_UTILS_H
