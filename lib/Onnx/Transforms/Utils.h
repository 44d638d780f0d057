//===- Utils.h - shared by the passes of the normalize phase ----*- C++ -*-===//
#ifndef DOUGONG_LIB_ONNX_TRANSFORMS_UTILS_H
#define DOUGONG_LIB_ONNX_TRANSFORMS_UTILS_H

#include "Onnx/IR/Onnx.h"

#include "mlir/IR/Builders.h"

namespace dougong::onnx {

/// `onnx.Constant` with a dense value, at the builder's place.
mlir::Value createConstant(mlir::OpBuilder &builder, mlir::Location loc,
                           mlir::ElementsAttr value);

/// The value of a constant in the form `value`, or null.
mlir::ElementsAttr getConstantValue(mlir::Value value);

/// ONNX's number of an element type (TensorProto.DataType), or none.
std::optional<int64_t> getOnnxElementType(mlir::Type type);

/// Erases ops without effects and uses, in regions too. Linear in the number of
/// ops.
void eraseDeadOps(mlir::Operation *root);

/// The axis counted from the front. Attributes are read as unsigned, so that
/// comparing the attribute itself with 0 would be wrong.
inline int64_t normalizeAxis(int64_t axis, int64_t rank) { return axis < 0 ? axis + rank : axis; }

} // namespace dougong::onnx

#endif // DOUGONG_LIB_ONNX_TRANSFORMS_UTILS_H
