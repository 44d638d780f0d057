//===- ExposeValues.cpp - inner values as outputs of the model ------------===//
#include "dougong/Onnx/Passes.h"
#include "dougong/Onnx/Values.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace dougong::onnx;

namespace dougong::onnx {
#define GEN_PASS_DEF_EXPOSEVALUESPASS
#include "dougong/Onnx/Passes.h.inc"
} // namespace dougong::onnx

namespace {

/// Tensors of numbers and bools.
bool isExposed(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getElementType().isIntOrFloat() && tensor.getElementTypeBitWidth() != 2 &&
         tensor.getElementTypeBitWidth() != 4;
}

struct ExposeValues : dougong::onnx::impl::ExposeValuesPassBase<ExposeValues> {
  void runOnOperation() override {
    auto main = getOperation().lookupSymbol<func::FuncOp>("main");
    if (!main || main.isExternal())
      return;
    Block &entry = main.getBody().front();
    llvm::StringSet<> taken;
    for (unsigned index = 0; index < main.getNumArguments(); ++index)
      if (auto name = main.getArgAttrOfType<StringAttr>(index, "onnx.name"))
        taken.insert(name);
    for (unsigned index = 0; index < main.getNumResults(); ++index)
      if (auto name = main.getResultAttrOfType<StringAttr>(index, "onnx.name"))
        taken.insert(name);

    // Where a node became several ops, they share its location: the last one
    // makes its outputs.
    llvm::MapVector<StringRef, Value> values;
    for (Operation &op : entry.without_terminator())
      if (!isConstantSource(&op))
        for (OpResult result : op.getResults())
          if (StringRef name = getValueName(result);
              !name.empty() && !taken.contains(name) && isExposed(result.getType()))
            values[name] = result;

    Operation *end = entry.getTerminator();
    for (auto [name, value] : values) {
      auto attributes = DictionaryAttr::get(
          &getContext(), NamedAttribute(StringAttr::get(&getContext(), "onnx.name"),
                                        StringAttr::get(&getContext(), name)));
      if (failed(main.insertResult(main.getNumResults(), value.getType(), attributes)))
        return signalPassFailure();
      end->insertOperands(end->getNumOperands(), value);
    }
  }
};

} // namespace
