//===- BoxSequences.cpp - sequences as elements of scalars ----------------===//
#include "dougong/Onnx/Passes.h"

#include "Onnx/IR/Onnx.h"

using namespace mlir;
using namespace dougong::onnx;

namespace dougong::onnx {
#define GEN_PASS_DEF_BOXSEQUENCESPASS
#include "dougong/Onnx/Passes.h.inc"
} // namespace dougong::onnx

namespace {

/// `type` without the shapes of the tensors in it.
Type forgetShapes(Type type) {
  if (auto sequence = dyn_cast<SequenceType>(type))
    return SequenceType::get(type.getContext(), forgetShapes(sequence.getElementType()));
  if (auto optional = dyn_cast<OptionalType>(type))
    return OptionalType::get(type.getContext(), forgetShapes(optional.getElementType()));
  if (auto tensor = dyn_cast<TensorType>(type))
    return UnrankedTensorType::get(tensor.getElementType());
  return type;
}

Type box(Type type) {
  return isa<SequenceType, OptionalType>(type) ? RankedTensorType::get({}, forgetShapes(type))
                                               : type;
}

struct BoxSequences : dougong::onnx::impl::BoxSequencesPassBase<BoxSequences> {
  void runOnOperation() override {
    auto boxAll = [](ValueRange values) {
      for (Value value : values)
        if (Type boxed = box(value.getType()); boxed != value.getType())
          value.setType(boxed);
    };
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      function.walk([&](Block *block) { boxAll(block->getArguments()); });
      function.walk([&](Operation *op) { boxAll(op->getResults()); });
      SmallVector<Type> arguments, results;
      for (Type type : function.getArgumentTypes())
        arguments.push_back(box(type));
      for (Type type : function.getResultTypes())
        results.push_back(box(type));
      function.setType(FunctionType::get(&getContext(), arguments, results));
    }
  }
};

} // namespace
