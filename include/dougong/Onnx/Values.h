//===- Values.h - ONNX names of values --------------------------*- C++ -*-===//
#ifndef DOUGONG_ONNX_VALUES_H
#define DOUGONG_ONNX_VALUES_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Location.h"
#include "mlir/IR/Value.h"

namespace dougong::onnx {

/// What the importer notes in a node's location: {outputs, doc, metadata}; null
/// if nothing.
mlir::DictionaryAttr getNotes(mlir::Location loc);

/// The ONNX name of output `index` of the node at `loc`, or "".
llvm::StringRef getOutputName(mlir::Location loc, unsigned index);

/// The ONNX name of a result, or "".
inline llvm::StringRef getValueName(mlir::OpResult result) {
  return getOutputName(result.getLoc(), result.getResultNumber());
}

/// Whether the op only gives a weight, a constant, an extent or nothing: nothing
/// that is computed from the model's inputs.
bool isConstantSource(mlir::Operation *op);

/// `axis` counted from the front; -1 if it is out of range. Attributes are read as
/// unsigned: comparing one with 0 itself would be wrong.
int64_t normalizeAxis(int64_t axis, int64_t rank);

} // namespace dougong::onnx

#endif // DOUGONG_ONNX_VALUES_H
