//===- Grouping.cpp - which operators share a kernel ----------------------===//
#include "Grouping.h"

#include "Onnx/IR/Onnx.h"

#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace {

/// Longer groups gain nothing, and their code stops fitting the registers.
constexpr size_t maxGroupSize = 16;

/// Whether the schedule reads the operand's buffer: what is returned or sent, and
/// the data operand of views.
bool needsBuffer(OpOperand &use) {
  Operation *op = use.getOwner();
  if (dougong::isViewOp(op))
    return use.getOperandNumber() == 0;
  if (isa<dougong::onnx::LaunchOp>(op)) // of a library function
    return true;
  return op->hasTrait<OpTrait::IsTerminator>() || op->getDialect()->getNamespace() != "onnx";
}

} // namespace

bool dougong::isElementwise(Operation *op) {
  static const llvm::StringSet<> names = {
      "Abs",         "Add",       "And",   "BiasGelu",  "Cast",       "Ceil",
      "Clip",        "Cos",       "Div",   "Elu",       "Equal",      "Erf",
      "Exp",         "FastGelu",  "Floor", "Gelu",      "Greater",    "GreaterOrEqual",
      "HardSigmoid", "HardSwish", "IsNaN", "LeakyRelu", "Less",       "LessOrEqual",
      "Log",         "Max",       "Min",   "Mod",       "Mul",        "Neg",
      "Not",         "Or",        "Pow",   "QuickGelu", "Reciprocal", "Relu",
      "Round",       "Sigmoid",   "Sign",  "Sin",       "Softplus",   "Sqrt",
      "Sub",         "Swish",     "Tanh",  "Where",     "Xor"};
  return names.contains(op->getName().getStringRef().rsplit('.').second);
}

bool dougong::haveSameShape(Type a, Type b) {
  auto aType = dyn_cast<RankedTensorType>(a), bType = dyn_cast<RankedTensorType>(b);
  return aType && bType && aType.getShape() == bType.getShape() &&
         aType.getEncoding() == bType.getEncoding();
}

bool dougong::isViewOp(Operation *op) {
  if (!isa<onnx::ReshapeOp, onnx::SqueezeOp, onnx::UnsqueezeOp, onnx::FlattenOp, onnx::IdentityOp>(
          op))
    return false;
  return isa<RankedTensorType>(op->getOperand(0).getType()) &&
         isa<RankedTensorType>(op->getResult(0).getType());
}

bool dougong::isInlineConstant(Operation *op) {
  return isa<onnx::ConstantOp, onnx::NoneOp>(op) ||
         op->getName().getStringRef() == "onnx.dims_tensor";
}

bool dougong::isScheduleOp(Operation *op) {
  if (op->hasTrait<OpTrait::IsTerminator>() || isViewOp(op) || isInlineConstant(op))
    return true;
  if (isa<onnx::UseOp, onnx::DimOp, onnx::LaunchOp>(op))
    return true;
  return !op->getDialect() || op->getDialect()->getNamespace() != "onnx";
}

SmallVector<dougong::KernelGroup> dougong::groupOperators(Block &block) {
  SmallVector<KernelGroup> groups;
  llvm::DenseMap<Operation *, size_t> groupOf;
  // Groups with a result that an op outside has used already: a later member
  // would move the kernel behind that use.
  SmallVector<bool> sealed;

  for (Operation &op : block) {
    std::optional<size_t> joined;
    // A constant that the schedule itself reads (returns, sends) needs a buffer.
    bool isKernel = !isScheduleOp(&op) || (isInlineConstant(&op) && !isa<onnx::NoneOp>(op) &&
                                           llvm::any_of(op.getUses(), needsBuffer));
    if (!isScheduleOp(&op) && isElementwise(&op) && op.getNumResults() == 1)
      for (Value operand : op.getOperands()) {
        Operation *producer = operand.getDefiningOp();
        auto it = producer ? groupOf.find(producer) : groupOf.end();
        if (it == groupOf.end() || sealed[it->second] ||
            groups[it->second].size() >= maxGroupSize ||
            !haveSameShape(operand.getType(), op.getResult(0).getType()))
          continue;
        joined = it->second;
        break;
      }
    // Values that captured regions use count as operands.
    op.walk([&](Operation *nested) {
      for (Value operand : nested->getOperands())
        if (Operation *producer = operand.getDefiningOp())
          if (auto it = groupOf.find(producer); it != groupOf.end() && it->second != joined)
            sealed[it->second] = true;
    });
    if (!isKernel)
      continue;
    if (!joined) {
      joined = groups.size();
      groups.emplace_back();
      sealed.push_back(false);
    }
    groups[*joined].push_back(&op);
    groupOf[&op] = *joined;
  }
  return groups;
}
