//===- Recipe.h - makes the bytes of a weight -------------------*- C++ -*-===//
#ifndef DOUGONG_PACKAGING_RECIPE_H
#define DOUGONG_PACKAGING_RECIPE_H

#include "Onnx/IR/Onnx.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"

#include <memory>

namespace dougong {

class MappedFile;

/// A box of a tensor: first element and extent in each dim.
struct WeightBox {
  llvm::SmallVector<int64_t> offsets, sizes;

  int64_t getNumElements() const;
};

/// Elements in memory, wherever they lie: element (i, j, ...) of a box is
/// `strides[0] * i + strides[1] * j + ...` elements behind `data`, which need not
/// be aligned.
struct WeightView {
  const char *data = nullptr;
  llvm::SmallVector<int64_t> strides;
};

/// A constant tensor that is made piece by piece: row-major, little-endian,
/// elements as a program's buffers hold them (bool and narrower take a byte).
class WeightReader {
public:
  WeightReader(mlir::Type elementType, llvm::ArrayRef<int64_t> shape)
      : elementType(elementType), shape(shape) {}
  virtual ~WeightReader() = default;

  mlir::Type getElementType() const { return elementType; }
  llvm::ArrayRef<int64_t> getShape() const { return shape; }
  /// Bytes that an element takes.
  int64_t getElementBytes() const;

  /// The elements of a box, which lies inside the shape and is not empty. Memory
  /// in the order of the box; valid until the next call.
  virtual WeightView get(const WeightBox &box) = 0;

private:
  mlir::Type elementType;
  llvm::SmallVector<int64_t> shape;
};

/// Where a rank is on a mesh axis.
struct AxisPosition {
  int64_t index = 0;
  int64_t size = 1;
};

/// Where a rank is on each mesh axis that cuts a weight. An axis that is not
/// listed has size 1.
using AxisCoordinates = llvm::StringMap<AxisPosition>;

/// Opens the weights of a module: files (mapped, never whole into memory) and
/// recipes on them.
class WeightEvaluator {
public:
  /// `modelFolder` is what external file names are relative to.
  WeightEvaluator(mlir::ModuleOp module, llvm::StringRef modelFolder)
      : symbols(module), modelFolder(modelFolder) {}

  /// The part of weight `name` that the rank at `coordinates` holds. All that can
  /// be wrong is found here, before a byte is read: errors name the weight, and
  /// the file where one is to blame.
  llvm::Expected<std::unique_ptr<WeightReader>> open(llvm::StringRef name,
                                                     const AxisCoordinates &coordinates);

  /// The mesh axes that cut the weight, in the order of its slice steps.
  llvm::Expected<llvm::SmallVector<llvm::StringRef>> getAxes(llvm::StringRef name);

private:
  llvm::Expected<std::unique_ptr<WeightReader>> openExternal(onnx::WeightOp weight,
                                                             onnx::ExternalAttr external);
  llvm::Expected<onnx::WeightOp> lookup(llvm::StringRef name);

  mlir::SymbolTable symbols;
  std::string modelFolder;
  llvm::StringMap<std::shared_ptr<MappedFile>> files; ///< by name
};

} // namespace dougong

#endif // DOUGONG_PACKAGING_RECIPE_H
