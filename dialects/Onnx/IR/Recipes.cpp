//===- Recipes.cpp - recipes of weights -----------------------------------===//
#include "Onnx/IR/Recipes.h"

using namespace mlir;
using namespace dougong;

onnx::DerivedAttr onnx::continueRecipe(WeightOp weight, ArrayRef<Attribute> steps) {
  SmallVector<FlatSymbolRefAttr> sources;
  SmallVector<Attribute> all;
  if (auto derived = dyn_cast<DerivedAttr>(weight.getValue())) {
    llvm::append_range(sources, derived.getSources());
    llvm::append_range(all, derived.getSteps());
  } else {
    sources.push_back(FlatSymbolRefAttr::get(weight.getSymNameAttr()));
  }
  llvm::append_range(all, steps);
  return DerivedAttr::get(weight.getContext(), sources, all);
}
