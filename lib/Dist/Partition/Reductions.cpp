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
