//===- HostTensor.h - dense constants as numbers ----------------*- C++ -*-===//
#ifndef DOUGONG_LIB_ONNX_TRANSFORMS_HOSTTENSOR_H
#define DOUGONG_LIB_ONNX_TRANSFORMS_HOSTTENSOR_H

#include "Onnx/IR/Onnx.h"

#include <optional>
#include <vector>

namespace dougong::onnx {

/// An element: `real` of a float tensor, `integer` of one of integers or bools.
struct HostScalar {
  double real = 0;
  int64_t integer = 0;
};

/// A tensor of numbers, row-major.
struct HostTensor {
  llvm::SmallVector<int64_t> shape;
  mlir::Type elementType;
  std::vector<HostScalar> elements;

  bool isFloat() const { return llvm::isa<mlir::FloatType>(elementType); }
  int64_t getNumElements() const { return elements.size(); }

  /// None for elements that are no numbers of at most 64 bits.
  static std::optional<HostTensor> read(mlir::DenseElementsAttr attribute);
  /// Rounds to the element type; integers wrap.
  mlir::DenseElementsAttr write() const;
};

/// Row-major strides of `shape`, in elements.
llvm::SmallVector<int64_t> getRowMajorStrides(llvm::ArrayRef<int64_t> shape);

/// Calls `visit(index, coordinate)` for each element of `shape`, row-major.
void forEachCoordinate(llvm::ArrayRef<int64_t> shape,
                       llvm::function_ref<void(int64_t, llvm::ArrayRef<int64_t>)> visit);

/// The position in a tensor of `shape` that broadcasts to `coordinate`.
int64_t getBroadcastPosition(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> coordinate);

} // namespace dougong::onnx

#endif // DOUGONG_LIB_ONNX_TRANSFORMS_HOSTTENSOR_H
