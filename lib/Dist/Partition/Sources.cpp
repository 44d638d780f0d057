//===- Sources.cpp - weights and constants, cut ---------------------------===//
#include "Partitioner.h"

#include "Onnx/IR/Recipes.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;

/// A weight whose recipe ends in the cuts of `wanted`; each is made once.
FlatSymbolRefAttr Partitioner::sliceWeight(onnx::WeightOp weight, ShardingAttr wanted) {
  auto key = std::pair(static_cast<void *>(weight.getOperation()), wanted.getAsOpaquePointer());
  if (auto it = slicedWeights.find(key); it != slicedWeights.end())
    return it->second;
  MeshOp mesh = getMesh(wanted);
  MLIRContext *context = module.getContext();
  SmallVector<Attribute> steps;
  std::string suffix;
  for (auto [dim, cut] : llvm::enumerate(wanted.getDims())) {
    if (cut.getAxes().empty())
      continue;
    steps.push_back(onnx::SliceStepAttr::get(context, dim, cut.getAxes(),
                                             getCount(mesh, cut.getAxes()), cut.getUnit()));
    suffix += ".";
    for (StringAttr axis : cut.getAxes())
      suffix += axis.getValue();
    suffix += std::to_string(dim);
  }
  auto type = getLocalType(cast<RankedTensorType>(weight.getType()), wanted, mesh);
  OpBuilder outer(weight->getContext());
  outer.setInsertionPointAfter(weight);
  auto sliced = onnx::WeightOp::create(outer, weight.getLoc(), weight.getSymName().str() + suffix,
                                       *type, onnx::continueRecipe(weight, steps));
  for (NamedAttribute attribute : weight->getDiscardableAttrs())
    sliced->setAttr(attribute.getName(), attribute.getValue());
  symbols.insert(sliced); // renames it if the name is taken
  FlatSymbolRefAttr reference = FlatSymbolRefAttr::get(sliced.getSymNameAttr());
  slicedWeights[key] = reference;
  return reference;
}

FailureOr<Value> Partitioner::makeSource(Operation *source, ShardingAttr wanted, Location loc) {
  auto type = dyn_cast<RankedTensorType>(source->getResult(0).getType());
  bool whole = !type || !wanted ||
               llvm::all_of(wanted.getDims(), [](CutAttr cut) { return cut.getAxes().empty(); });
  if (whole) {
    Value value = builder.clone(*source)->getResult(0);
    setPadding(value, zeroPadding);
    return value;
  }
  if (failed(getLocalType(type, wanted, getMesh(wanted))))
    return emitError(loc) << "cannot cut a constant of type " << type << " by " << wanted;
  FlatSymbolRefAttr weight;
  if (auto use = dyn_cast<onnx::UseOp>(source)) {
    auto declared = symbols.lookup<onnx::WeightOp>(use.getWeight());
    if (!declared)
      return source->emitError() << "weight " << use.getWeightAttr() << " is not declared";
    weight = sliceWeight(declared, wanted);
  } else if (auto value = source->getAttrOfType<ElementsAttr>("value");
             value && isa<onnx::ConstantOp>(source)) {
    // A constant that is cut is a weight: its bytes differ from rank to rank.
    auto key = std::pair(static_cast<void *>(source), static_cast<const void *>(nullptr));
    FlatSymbolRefAttr &whole = slicedWeights[key];
    if (!whole) {
      OpBuilder outer(local);
      StringRef node = onnx::getNodeName(source->getLoc());
      auto constant = onnx::WeightOp::create(outer, source->getLoc(),
                                             node.empty() ? "constant" : node.str(), type, value);
      symbols.insert(constant);
      whole = FlatSymbolRefAttr::get(constant.getSymNameAttr());
    }
    weight = sliceWeight(symbols.lookup<onnx::WeightOp>(whole.getValue()), wanted);
  } else {
    Value copy = builder.clone(*source)->getResult(0);
    setPadding(copy, zeroPadding);
    return reshard(copy, type, makeWhole(getMesh(wanted), type), wanted, loc);
  }
  auto use =
      onnx::UseOp::create(builder, loc, *getLocalType(type, wanted, getMesh(wanted)), weight);
  setPadding(use.getResult(), zeroPadding);
  return use.getResult();
}
