//===- Recipe.h - makes the bytes of a weight -------------------*- C++ -*-===//
#ifndef DOUGONG_PACKAGING_RECIPE_H
#define DOUGONG_PACKAGING_RECIPE_H

#include "Onnx/IR/Onnx.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

#include <memory>
#include <vector>

namespace dougong {

/// A constant tensor in memory: row-major, little-endian, elements as a
/// program's buffers hold them (bool takes a byte). Either owns its bytes or
/// points into a mapped file.
struct WeightData {
  mlir::Type elementType;
  llvm::SmallVector<int64_t> shape;
  llvm::ArrayRef<char> bytes;
  std::shared_ptr<const void> owner; ///< keeps `bytes` alive
};

/// Where a rank is on a mesh axis.
struct AxisPosition {
  int64_t index = 0;
  int64_t size = 1;
};

/// Where a rank is on each mesh axis that cuts a weight. An axis that is not
/// listed has size 1.
using AxisCoordinates = llvm::StringMap<AxisPosition>;

/// Evaluates weights of a module: reads files (mapped, never whole into memory)
/// and applies recipes.
class WeightEvaluator {
public:
  /// `modelFolder` is what external file names are relative to.
  WeightEvaluator(mlir::ModuleOp module, llvm::StringRef modelFolder)
      : module(module), modelFolder(modelFolder) {}

  /// The part of weight `name` that the rank at `coordinates` holds. Errors name
  /// the weight, and the file where one is to blame.
  llvm::Expected<WeightData> evaluate(llvm::StringRef name, const AxisCoordinates &coordinates);

  /// The mesh axes that cut the weight, in the order of its slice steps.
  llvm::Expected<llvm::SmallVector<llvm::StringRef>> getAxes(llvm::StringRef name);

private:
  llvm::Expected<WeightData> readExternal(onnx::WeightOp weight, onnx::ExternalAttr external);
  llvm::Expected<onnx::WeightOp> lookup(llvm::StringRef name);

  mlir::ModuleOp module;
  std::string modelFolder;
  /// Mapped files by name.
  llvm::StringMap<std::shared_ptr<llvm::MemoryBuffer>> files;
};

} // namespace dougong

#endif // DOUGONG_PACKAGING_RECIPE_H
