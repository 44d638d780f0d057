//===- Normalization.cpp - sharding rules of norms and softmax ------------===//
//
// Statistics run over whole dims: those stay whole, all others are factors.
//
//===----------------------------------------------------------------------===//
#include "RuleBuilder.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

/// Dims [0, end) of operand 0 and result 0 are factors; results after it follow
/// where they have the same extents there (means, inverse deviations).
ShardingRule getLeadingRule(Operation *op, int64_t end, ArrayRef<unsigned> operands = {0}) {
  auto extents = getExtentTexts(op->getOperand(0));
  if (!extents)
    return makeReplicated("the shape of the input is not known");
  RuleBuilder builder(op);
  for (int64_t dim = 0; dim < end; ++dim) {
    if ((*extents)[dim] == "1")
      continue;
    unsigned factor = builder.addFactor((*extents)[dim]);
    for (unsigned operand : operands) {
      if (!hasOperand(op, operand))
        continue;
      auto other = getExtentTexts(op->getOperand(operand));
      int64_t aligned = other ? dim - static_cast<int64_t>(extents->size() - other->size()) : -1;
      if (aligned >= 0 && (*other)[aligned] == (*extents)[dim])
        builder.mapOperand(operand, aligned, factor);
    }
    for (unsigned result = 0; result < op->getNumResults(); ++result)
      builder.mapResult(result, dim, factor);
  }
  return builder.take();
}

/// LayerNormalization, RMSNormalization: dims from `axis` on are normalised.
ShardingRule getAxisNormRule(Operation *op) {
  int64_t axis = normalizeAxis(getInt(op, "axis", -1), getRank(op->getOperand(0)));
  return axis < 0 ? makeReplicated("axis is out of range") : getLeadingRule(op, axis);
}

/// Skip(Simplified)LayerNormalization: input and skip.
ShardingRule getSkipNormRule(Operation *op) {
  return getLeadingRule(op, getRank(op->getOperand(0)) - 1, {0, 1});
}

/// Softmax and kin: all dims but `axis`.
template <unsigned defaultAxis> ShardingRule getOneAxisRule(Operation *op) {
  auto extents = getExtentTexts(op->getOperand(0));
  if (!extents)
    return makeReplicated("the shape of the input is not known");
  int64_t axis =
      normalizeAxis(getInt(op, "axis", -static_cast<int64_t>(defaultAxis)), extents->size());
  RuleBuilder builder(op);
  for (auto [dim, extent] : llvm::enumerate(*extents)) {
    if (extent == "1" || static_cast<int64_t>(dim) == axis)
      continue;
    unsigned factor = builder.addFactor(extent);
    builder.mapOperand(0, dim, factor).mapResult(0, dim, factor);
  }
  return builder.take();
}

/// ms.QLinearSoftmax: before opset 13 all dims from `axis` on are one.
ShardingRule getQLinearSoftmaxRule(Operation *op) {
  if (getInt(op, "opset", 13) >= 13)
    return getOneAxisRule<1>(op);
  int64_t axis = normalizeAxis(getInt(op, "axis", -1), getRank(op->getOperand(0)));
  return axis < 0 ? makeReplicated("axis is out of range") : getLeadingRule(op, axis);
}

/// BatchNormalization (inference): batch, channels and space are independent.
ShardingRule getBatchNormRule(Operation *op) {
  if (getInt(op, "training_mode", 0))
    return makeReplicated("statistics of a training step run over the batch");
  auto extents = getExtentTexts(op->getOperand(0));
  if (!extents)
    return makeReplicated("the shape of the input is not known");
  RuleBuilder builder(op);
  for (auto [dim, extent] : llvm::enumerate(*extents)) {
    if (extent == "1")
      continue;
    unsigned factor = builder.addFactor(extent);
    builder.mapOperand(0, dim, factor).mapResult(0, dim, factor);
    if (dim == 1)
      for (unsigned operand : {1u, 2u, 3u, 4u})
        builder.mapOperand(operand, 0, factor);
  }
  return builder.take();
}

/// InstanceNormalization(input, scale, B): batch and channels.
ShardingRule getInstanceNormRule(Operation *op) {
  auto extents = getExtentTexts(op->getOperand(0));
  if (!extents || extents->size() < 2)
    return makeReplicated("the shape of the input is not known");
  RuleBuilder builder(op);
  for (int64_t dim : {0, 1}) {
    if ((*extents)[dim] == "1")
      continue;
    unsigned factor = builder.addFactor((*extents)[dim]);
    builder.mapOperand(0, dim, factor).mapResult(0, dim, factor);
    if (dim == 1)
      builder.mapOperand(1, 0, factor).mapOperand(2, 0, factor);
  }
  return builder.take();
}

/// GroupNormalization and others whose statistics span all but the batch.
ShardingRule getBatchOnlyRule(Operation *op) { return getLeadingRule(op, 1); }

/// ms.EmbedLayerNormalization(input_ids, segment_ids, tables..., mask,
/// position_ids): the batch.
ShardingRule getEmbedNormRule(Operation *op) {
  auto ids = getExtentTexts(op->getOperand(0));
  if (!ids || ids->empty())
    return makeReplicated("the shape of the input is not known");
  RuleBuilder builder(op);
  if (ids->front() == "1")
    return builder.take();
  unsigned batch = builder.addFactor(ids->front());
  for (unsigned operand : {0u, 1u, 7u, 8u}) {
    if (!hasOperand(op, operand))
      continue;
    auto extents = getExtentTexts(op->getOperand(operand));
    if (extents && !extents->empty() && extents->front() == ids->front())
      builder.mapOperand(operand, 0, batch);
  }
  for (unsigned result : {0u, 1u, 2u})
    builder.mapResult(result, 0, batch);
  return builder.take();
}

} // namespace

void dougong::onnx::attachNormalizationRules(MLIRContext *context) {
  attachRule<getAxisNormRule, LayerNormalizationOp, RMSNormalizationOp,
             MsSimplifiedLayerNormalizationOp>(context);
  attachRule<getSkipNormRule, MsSkipLayerNormalizationOp, MsSkipSimplifiedLayerNormalizationOp>(
      context);
  attachRule<getOneAxisRule<1>, SoftmaxOp, LogSoftmaxOp, HardmaxOp, LpNormalizationOp>(context);
  attachRule<getQLinearSoftmaxRule, MsQLinearSoftmaxOp>(context);
  attachRule<getBatchNormRule, BatchNormalizationOp>(context);
  attachRule<getInstanceNormRule, InstanceNormalizationOp>(context);
  attachRule<getBatchOnlyRule, GroupNormalizationOp, LRNOp>(context);
  attachRule<getEmbedNormRule, MsEmbedLayerNormalizationOp>(context);
}
