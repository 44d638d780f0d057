//===- Reductions.cpp - when partial results are added up -----------------===//
//
// A partial result is reduced when a user needs it: operators that are linear in
// it pass it on, so that the parts of a sum (experts, say) are reduced once.
//
//===----------------------------------------------------------------------===//
#include "Partitioner.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;

/// Replaces a partial result by its reduction, in the stage that makes it.
void Partitioner::reduce(Value whole) {
  auto &[value, sharding] = made[whole];
  int64_t stage = currentStage;
  currentStage = getStage(whole.getDefiningOp());
  // Axes of one kind are reduced together.
  for (Reduction reduction : {Reduction::Sum, Reduction::Max, Reduction::Min, Reduction::Prod}) {
    SmallVector<StringAttr> names;
    for (PartialAttr partial : sharding.getPartial())
      if (partial.getReduction() == reduction)
        names.push_back(partial.getAxis());
    SmallVector<Attribute> axes(names.begin(), names.end());
    if (axes.empty())
      continue;
    Value reduced = AllReduceOp::create(builder, whole.getLoc(), value.getType(), value,
                                        sharding.getMesh(), builder.getArrayAttr(axes),
                                        ReductionAttr::get(module.getContext(), reduction));
    Type element = cast<RankedTensorType>(value.getType()).getElementType();
    SmallVector<Padding> padding;
    for (unsigned dim = 0; dim < sharding.getDims().size(); ++dim) {
      Padding partial = getPadding(value, dim);
      if (partial != zeroPadding && reduction == Reduction::Sum)
        partial = limitPadding(partial * getCount(getMesh(sharding), names), element);
      else if (partial != zeroPadding && reduction == Reduction::Prod)
        partial = limitPadding(unknownPadding, element);
      padding.push_back(partial);
    }
    paddings[reduced] = padding;
    value = reduced;
  }
  sharding = makeSharding(getMesh(sharding), getCuts(sharding));
  currentStage = stage;
  cache[{whole.getAsOpaquePointer(), getStage(whole.getDefiningOp()),
         sharding.getAsOpaquePointer()}] = value;
}

/// If all users want one dim cut along axes of a partial sum, each rank needs its
/// part of the sum only; it is then added up over the other axes. Returns null where
/// that is not so.
Value Partitioner::scatterReduction(Value whole, ShardingAttr wanted, Location loc) {
  auto [value, sharding] = made[whole];
  Operation *producer = whole.getDefiningOp();
  if (sharding.getMesh() != wanted.getMesh() || getStage(producer) != currentStage)
    return {};
  SmallVector<StringAttr> axes;
  for (PartialAttr partial : sharding.getPartial()) {
    if (partial.getReduction() != Reduction::Sum)
      return {};
    axes.push_back(partial.getAxis());
  }
  std::optional<unsigned> dim;
  for (auto [index, cuts] :
       llvm::enumerate(llvm::zip_equal(sharding.getDims(), wanted.getDims()))) {
    auto [from, to] = cuts;
    if (from == to)
      continue;
    if (dim || !from.getAxes().empty() || !llvm::all_of(to.getAxes(), [&](StringAttr axis) {
          return llvm::is_contained(axes, axis);
        }))
      return {};
    dim = index;
  }
  if (!dim)
    return {};
  for (OpOperand &use : whole.getUses())
    if (getListed(use.getOwner(), inAttrName, use.getOperandNumber()) != wanted ||
        getStage(use.getOwner()) != currentStage)
      return {};
  FailureOr<RankedTensorType> type =
      getLocalType(cast<RankedTensorType>(whole.getType()), wanted, getMesh(wanted));
  if (failed(type))
    return {};
  CutAttr cut = wanted.getDims()[*dim];
  SmallVector<Attribute> list(cut.getAxes()), others;
  for (StringAttr axis : axes)
    if (!llvm::is_contained(cut.getAxes(), axis))
      others.push_back(axis);
  auto sum = ReductionAttr::get(module.getContext(), Reduction::Sum);
  Value scattered = ReduceScatterOp::create(
      builder, loc, *type, value, wanted.getMesh(), builder.getArrayAttr(list),
      builder.getI64IntegerAttr(*dim), builder.getI64IntegerAttr(cut.getUnit()), sum);
  if (!others.empty())
    scattered = AllReduceOp::create(builder, loc, *type, scattered, wanted.getMesh(),
                                    builder.getArrayAttr(others), sum);
  SmallVector<Padding> padding;
  for (int64_t index = 0; index < type->getRank(); ++index) {
    Padding partial = index == *dim ? zeroPadding : getPadding(value, index);
    padding.push_back(
        partial == zeroPadding
            ? partial
            : limitPadding(partial * getCount(getMesh(wanted), axes), type->getElementType()));
  }
  paddings[scattered] = padding;
  return scattered;
}

/// Whether (a + b) scaled by the op is a and b scaled and added. Integers wrap
/// under a product, but their quotients are rounded; a quotient by 0 is infinite,
/// and infinities of two signs add up to NaN.
bool Partitioner::isExactScale(Operation *op) {
  if (isa<onnx::MulOp>(op))
    return true;
  auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  if (!isa<onnx::DivOp>(op) || !type || !isa<FloatType>(type.getElementType()))
    return false;
  auto range = getConstantRange(op->getOperand(1));
  return range && (range->first > 0 || range->second < 0);
}

/// The operands that an op may take unreduced, because it is linear in them and
/// their only user; its result is then partial in the same way (`pending`).
llvm::SmallDenseSet<unsigned> Partitioner::getUnreduced(Operation *op,
                                                        SmallVectorImpl<PartialAttr> &pending) {
  llvm::SmallDenseSet<unsigned> unreduced;
  bool sum = isAnyOf<onnx::AddOp, onnx::SubOp, onnx::SumOp>(op);
  bool scale = isExactScale(op);
  if (!sum && !scale)
    return unreduced;
  ShardingAttr out = getListed(op, outAttrName, 0);
  if (!out || !out.getPartial().empty())
    return unreduced;
  ArrayRef<PartialAttr> partial;
  for (auto [index, operand] : llvm::enumerate(op->getOperands())) {
    auto it = made.find(operand);
    ShardingAttr in = getListed(op, inAttrName, index);
    if (it == made.end() || !it->second.second || it->second.second.getPartial().empty() || !in)
      continue;
    ShardingAttr held = it->second.second;
    bool isSum = llvm::all_of(held.getPartial(), [](PartialAttr entry) {
      return entry.getReduction() == Reduction::Sum;
    });
    if (!isSum || !operand.hasOneUse() || held.getDims() != in.getDims() ||
        getStage(operand.getDefiningOp()) != currentStage ||
        (scale && isa<onnx::DivOp>(op) && index != 0))
      continue;
    if (!unreduced.empty() && partial != held.getPartial())
      return {};
    partial = held.getPartial();
    unreduced.insert(index);
  }
  if (unreduced.empty() || (sum && unreduced.size() != op->getNumOperands()) ||
      (scale && unreduced.size() != 1))
    return {};
  // No dim may be cut along the axes that are still to be reduced.
  auto isCutAlong = [&](ShardingAttr sharding) {
    return sharding && llvm::any_of(sharding.getDims(), [&](CutAttr cut) {
             return llvm::any_of(partial, [&](PartialAttr entry) {
               return llvm::is_contained(cut.getAxes(), entry.getAxis());
             });
           });
  };
  for (unsigned index = 0; index < op->getNumOperands(); ++index)
    if (isCutAlong(getListed(op, inAttrName, index)))
      return {};
  if (isCutAlong(out))
    return {};
  pending.assign(partial.begin(), partial.end());
  return unreduced;
}
