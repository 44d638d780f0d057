//===- WeightRecipes.h - computations on weights as recipes -----*- C++ -*-===//
#ifndef DOUGONG_LIB_ONNX_TRANSFORMS_WEIGHTRECIPES_H
#define DOUGONG_LIB_ONNX_TRANSFORMS_WEIGHTRECIPES_H

#include "Onnx/IR/Onnx.h"

#include "mlir/IR/BuiltinOps.h"

#include "llvm/ADT/DenseMap.h"

namespace dougong::onnx {

/// A value that is made from weights: steps on the first source.
struct WeightRecipe {
  llvm::SmallVector<mlir::FlatSymbolRefAttr> sources;
  llvm::SmallVector<mlir::Attribute> steps;
  mlir::RankedTensorType type;
  mlir::Location loc;
};

/// The recipes of a module's values, and the weights made of them.
class WeightRecipes {
public:
  explicit WeightRecipes(mlir::ModuleOp module);

  /// Records `op` if its result is made from weights alone by what recipes can
  /// state. Returns whether it is.
  bool record(mlir::Operation *op);
  /// Whether `op` could be recorded, at least if its operands are weights:
  /// `onnx-verify-normalized` asks.
  static bool isRecipeOp(mlir::Operation *op);

  /// The weight that holds `value`, which is recorded and not a weight itself:
  /// an existing one with the same recipe, or a new one.
  mlir::FlatSymbolRefAttr materialize(mlir::Value value);
  /// Whether `value` is recorded with at least one step.
  bool isDerived(mlir::Value value) const;
  /// Removes weights that no `onnx.use` and no recipe refers to.
  void eraseUnused();

private:
  WeightRecipe *find(mlir::Value value);
  WeightRecipe start(UseOp use);
  bool recordBinary(mlir::Operation *op, llvm::StringRef kind);
  bool recordDequantize(DequantizeLinearOp op);
  bool recordConcat(ConcatOp op);
  bool recordSlice(SliceOp op);
  void addStep(WeightRecipe &recipe, mlir::Attribute step, mlir::RankedTensorType type);
  void addBinary(WeightRecipe &recipe, llvm::StringRef kind, mlir::FlatSymbolRefAttr other,
                 bool reversed, mlir::RankedTensorType type);
  /// A weight of `value`, after reshaping to `shape` and casting to `element`.
  mlir::FlatSymbolRefAttr getParameter(mlir::Value value, llvm::ArrayRef<int64_t> shape,
                                       mlir::Type element);
  mlir::FlatSymbolRefAttr materialize(const WeightRecipe &recipe);
  mlir::FlatSymbolRefAttr addWeight(const llvm::Twine &name, mlir::Location loc, mlir::Type type,
                                    mlir::Attribute value);

  mlir::ModuleOp module;
  mlir::SymbolTable symbols;
  mlir::Builder builder;
  llvm::DenseMap<mlir::Value, WeightRecipe> recipes;
  /// Recipe or elements, with the type -> weight.
  llvm::DenseMap<std::pair<mlir::Attribute, mlir::Type>, mlir::FlatSymbolRefAttr> existing;
  mlir::Operation *lastWeight = nullptr; ///< new weights go behind it
};

} // namespace dougong::onnx

#endif // DOUGONG_LIB_ONNX_TRANSFORMS_WEIGHTRECIPES_H
