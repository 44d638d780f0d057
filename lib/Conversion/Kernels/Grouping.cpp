//===- Grouping.cpp - which operators share a kernel ----------------------===//
#include "Grouping.h"

#include "Onnx/IR/Onnx.h"

#include "llvm/ADT/StringSet.h"

using namespace mlir;
namespace onnx = dougong::onnx;

namespace {

/// Longer groups gain nothing, and their code stops fitting the registers.
constexpr size_t maxGroupSize = 16;

/// Whether the schedule reads the operand's buffer: what is returned or sent, and
/// the data operand of views.
bool needsBuffer(OpOperand &use) {
  Operation *op = use.getOwner();
  if (dougong::isViewOp(op))
    return use.getOperandNumber() == 0;
  if (isa<onnx::LaunchOp>(op)) // of a library function
    return true;
  return op->hasTrait<OpTrait::IsTerminator>() || op->getDialect()->getNamespace() != "onnx";
}

Operation *getProducer(Value value) { return value.getDefiningOp(); }

/// Whether `op` makes real numbers of narrow integers.
bool isNarrowDequantize(Operation *op) {
  auto dequantize = dyn_cast<onnx::DequantizeLinearOp>(op);
  return dequantize && getElementTypeOrSelf(dequantize.getX()).getIntOrFloatBitWidth() <= 16;
}

/// Whether `op`'s kernel may dequantise the operand `use` by itself.
bool readsQuantized(OpOperand &use) {
  Operation *op = use.getOwner();
  return dougong::isElementwise(op) ||
         isa<onnx::SoftmaxOp, onnx::LayerNormalizationOp, onnx::RMSNormalizationOp,
             onnx::ReduceMeanOp, onnx::AveragePoolOp, onnx::GlobalAveragePoolOp>(op);
}

} // namespace

void dougong::dequantizeForEachUse(Block &block) {
  SmallVector<Operation *> shared;
  for (Operation &op : block)
    if (isNarrowDequantize(&op) && !op.hasOneUse())
      shared.push_back(&op);
  for (Operation *op : shared) {
    for (OpOperand &use : llvm::make_early_inc_range(op->getResult(0).getUses()))
      if (use.getOwner()->getBlock() == &block && readsQuantized(use))
        use.set(OpBuilder(use.getOwner()).clone(*op)->getResult(0));
    if (op->use_empty())
      op->erase();
  }
}

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
  if (isa<onnx::QuantizeLinearOp, onnx::DequantizeLinearOp>(op)) {
    // (blocks are dims of their own)
    auto block = op->getAttrOfType<IntegerAttr>("block_size");
    return !block || block.getInt() == 0;
  }
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
  llvm::SmallPtrSet<Operation *, 8> deferred;

  for (Operation &op : block) {
    std::optional<size_t> joined;
    // It goes with its only user.
    if (isNarrowDequantize(&op) && op.hasOneUse() && (*op.user_begin())->getBlock() == &block &&
        readsQuantized(*op.use_begin())) {
      deferred.insert(&op);
      continue;
    }
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
    SmallVector<Operation *, 2> brought; // dequantised for `op`
    op.walk([&](Operation *nested) {
      SmallVector<Value> operands(nested->getOperands());
      for (Operation *producer : llvm::map_range(nested->getOperands(), getProducer))
        if (producer && deferred.erase(producer)) {
          brought.push_back(producer);
          llvm::append_range(operands, producer->getOperands());
        }
      for (Operation *producer : llvm::map_range(operands, getProducer))
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
    brought.push_back(&op);
    for (Operation *member : brought) {
      groups[*joined].push_back(member);
      groupOf[member] = *joined;
    }
  }
  return groups;
}
