//===- Recipes.h - recipes of weights ---------------------------*- C++ -*-===//
#ifndef DOUGONG_DIALECTS_ONNX_IR_RECIPES_H
#define DOUGONG_DIALECTS_ONNX_IR_RECIPES_H

#include "Onnx/IR/Onnx.h"

namespace dougong::onnx {

/// The recipe that makes `weight` and then goes on with `steps`. A derived
/// weight's recipe is continued, not referred to: packaging then holds no copy
/// in between.
DerivedAttr continueRecipe(WeightOp weight, llvm::ArrayRef<mlir::Attribute> steps);

} // namespace dougong::onnx

#endif // DOUGONG_DIALECTS_ONNX_IR_RECIPES_H
