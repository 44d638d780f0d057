//===- SimplifyGraph.cpp - operators that do nothing, and one form each ---===//
#include "ConcatenatedWeights.h"
#include "Utils.h"

#include "dougong/Onnx/Passes.h"
#include "dougong/Onnx/ShapeScope.h"
#include "dougong/Onnx/Values.h"

using namespace mlir;
using namespace dougong::onnx;

namespace dougong::onnx {
#define GEN_PASS_DEF_SIMPLIFYGRAPHPASS
#include "dougong/Onnx/Passes.h.inc"
} // namespace dougong::onnx

namespace {

bool isFalseConstant(Value value) {
  auto dense = dyn_cast_if_present<DenseElementsAttr>(getConstantValue(value));
  return dense && dense.getElementType().isInteger(1) && dense.isSplat() &&
         !dense.getSplatValue<bool>();
}

bool isAllOnes(Value value) {
  auto dense = dyn_cast_if_present<DenseIntElementsAttr>(getConstantValue(value));
  return dense && llvm::all_of(dense.getValues<APInt>(), [](const APInt &i) { return i.isOne(); });
}

/// The operand that `op`'s result 0 always equals, or null. Equal types mean
/// equal extents, so operators that keep the order of elements are the identity
/// where they keep the type.
Value getEqualOperand(Operation *op) {
  if (op->getNumOperands() == 0 || op->getNumResults() == 0)
    return {};
  Value input = op->getOperand(0);
  bool sameType = input.getType() == op->getResult(0).getType();
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case<IdentityOp>([&](auto) { return input; })
      .Case<CastOp, CastLikeOp, OptionalGetElementOp, ReshapeOp, SqueezeOp, UnsqueezeOp, FlattenOp>(
          [&](auto) { return sameType ? input : Value(); })
      .Case<ExpandOp>([&](ExpandOp expand) {
        // A target that comes with the data may be one that does not fit.
        Operation *target = expand.getShape().getDefiningOp();
        return sameType && target && isConstantSource(target) ? input : Value();
      })
      .Case<TransposeOp>([&](TransposeOp transpose) {
        auto perm = transpose.getPerm();
        if (!perm) // reverses the dims
          return sameType && cast<RankedTensorType>(input.getType()).getRank() < 2 ? input
                                                                                   : Value();
        for (auto [index, source] : llvm::enumerate(*perm))
          if (int64_t(index) != source)
            return Value();
        return input;
      })
      .Case<SliceOp>([&](SliceOp slice) {
        bool unitSteps = !isGiven(slice, 4) || isAllOnes(slice.getSteps());
        return sameType && unitSteps ? input : Value();
      })
      .Case<DropoutOp>([&](DropoutOp dropout) {
        bool inference = !isGiven(dropout, 2) || isFalseConstant(dropout.getTrainingMode());
        return inference && (isa<NoneType>(dropout->getResult(1).getType()) ||
                             dropout->getResult(1).use_empty())
                   ? input
                   : Value();
      })
      .Case<ConcatOp, SumOp, MaxOp, MinOp, MeanOp>(
          [&](auto) { return op->getNumOperands() == 1 && sameType ? input : Value(); })
      .Default([](Operation *) { return Value(); });
}

/// The dense value of a Constant in another form, or null.
ElementsAttr getDenseValue(ConstantOp op) {
  auto type = dyn_cast<RankedTensorType>(op.getType());
  if (!type || !type.hasStaticShape())
    return {};
  if (auto value = op.getValueInt())
    return DenseElementsAttr::get(type, ArrayRef<int64_t>(*value));
  if (auto values = op.getValueInts())
    return DenseElementsAttr::get(type, *values);
  if (auto value = op.getValueFloat())
    return DenseElementsAttr::get(type, ArrayRef<APFloat>(*value));
  if (auto values = op.getValueFloats())
    return DenseElementsAttr::get(type, *values);
  SmallVector<StringRef> strings;
  if (auto value = op.getValueString())
    strings.push_back(*value);
  else if (auto values = op.getValueStrings())
    for (Attribute value : *values)
      strings.push_back(cast<StringAttr>(value).getValue());
  else
    return {};
  return DenseStringElementsAttr::get(type, strings);
}

void setDenseValue(ConstantOp op) {
  if (op.getValueAttr())
    return;
  ElementsAttr value = getDenseValue(op);
  if (!value)
    return;
  for (StringRef name :
       {"value_int", "value_ints", "value_float", "value_floats", "value_string", "value_strings"})
    op->removeAttr(name);
  op->setAttr("value", value);
}

/// CastLike as a Cast to its result's type.
void replaceCastLike(CastLikeOp op) {
  auto type = getOnnxElementType(getElementTypeOrSelf(op.getType()));
  if (!type)
    return;
  OpBuilder builder(op);
  OperationState state(op.getLoc(), CastOp::getOperationName());
  state.addOperands(op->getOperand(0));
  state.addTypes(op.getType());
  state.addAttribute("to", builder.getI64IntegerAttr(*type));
  for (StringRef name : {"saturate", "round_mode"})
    if (Attribute value = op->getAttr(name))
      state.addAttribute(name, value);
  op->replaceAllUsesWith(builder.create(state));
  op.erase();
}

/// Puts the branch of an If that is always taken in its place.
void inlineTakenBranch(IfOp op) {
  auto condition = dyn_cast_if_present<DenseElementsAttr>(getConstantValue(op.getCond()));
  if (!condition || !condition.getElementType().isInteger(1) || condition.getNumElements() != 1)
    return;
  bool value = *condition.getValues<bool>().begin();
  Block &branch = (value ? op.getThenBranch() : op.getElseBranch()).front();
  Operation *yield = branch.getTerminator();
  op->replaceAllUsesWith(yield->getOperands());
  yield->erase();
  op->getBlock()->getOperations().splice(Block::iterator(op), branch.getOperations());
  op->erase();
}

struct SimplifyGraph : dougong::onnx::impl::SimplifyGraphPassBase<SimplifyGraph> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      // Inner ones first: a walk is in post-order.
      SmallVector<IfOp> conditionals;
      function.walk([&](IfOp op) { conditionals.push_back(op); });
      for (IfOp op : conditionals)
        inlineTakenBranch(op);
      SmallVector<Operation *> ops;
      function.walk([&](Operation *op) { ops.push_back(op); });
      for (Operation *op : ops) {
        if (Value equal = getEqualOperand(op); equal && equal != op->getResult(0)) {
          op->getResult(0).replaceAllUsesWith(equal);
          continue;
        }
        if (auto constant = dyn_cast<ConstantOp>(op))
          setDenseValue(constant);
        else if (auto cast = dyn_cast<CastLikeOp>(op))
          replaceCastLike(cast);
        else if (auto product = dyn_cast<MatMulOp>(op))
          splitProduct(product);
      }
      eraseDeadOps(function);
      if (!function.isExternal())
        function.setType(
            FunctionType::get(function.getContext(), function.getArgumentTypes(),
                              function.getBody().front().getTerminator()->getOperandTypes()));
    }
  }
};

} // namespace
