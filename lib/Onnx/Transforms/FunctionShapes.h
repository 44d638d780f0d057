//===- FunctionShapes.h - shape inference of one function -------*- C++ -*-===//
#ifndef DOUGONG_LIB_ONNX_TRANSFORMS_FUNCTIONSHAPES_H
#define DOUGONG_LIB_ONNX_TRANSFORMS_FUNCTIONSHAPES_H

#include "dougong/Onnx/ShapeScope.h"

namespace dougong::onnx {

/// Shapes of all values of a function, with the knowledge that made them.
class FunctionShapes {
public:
  explicit FunctionShapes(mlir::func::FuncOp function) : function(function), scope(solver) {}

  /// Infers all shapes, given extents of symbols (`name=8`, `name=0..8192`,
  /// `input[axis]=8`). What earlier runs left on the function is used again.
  llvm::LogicalResult infer(llvm::ArrayRef<std::string> dims);
  /// Sets the types of all values, and the attributes that state what was
  /// assumed.
  void apply();

  ShapeScope &getScope() { return scope; }

private:
  llvm::LogicalResult readArguments();
  llvm::LogicalResult readAttributes();
  llvm::LogicalResult readOption(llvm::StringRef option);
  llvm::LogicalResult setArguments();
  void writeAttributes(const std::set<std::string> &symbols);

  mlir::func::FuncOp function;
  DimSolver solver;
  ShapeScope scope;
  llvm::SmallVector<Dims> arguments; ///< empty for arguments that are no tensors
};

} // namespace dougong::onnx

#endif // DOUGONG_LIB_ONNX_TRANSFORMS_FUNCTIONSHAPES_H
