//===- Convolution.cpp - sharding rules of convolution and pooling --------===//
//
// Batch and channels are factors. Space stays whole: a cut would need halos.
//
//===----------------------------------------------------------------------===//
#include "RuleBuilder.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

struct ConvOperands {
  unsigned x, w, bias;
  SmallVector<unsigned> channelVectors; ///< one entry for each output channel
  bool addable;                         ///< whether partial results may be added
};

/// Y[b, m, ...] from X[b, c, ...] and W[m, c / group, ...].
ShardingRule getConvLikeRule(Operation *op, const ConvOperands &operands) {
  auto x = getExtentTexts(op->getOperand(operands.x)),
       w = getExtentTexts(op->getOperand(operands.w));
  if (!x || !w || x->size() < 3)
    return makeReplicated("a shape is not known");
  int64_t group = getInt(op, "group", 1);
  int64_t channels = getStaticExtent(op->getOperand(operands.x), 1);
  int64_t outputs = getStaticExtent(op->getOperand(operands.w), 0);
  RuleBuilder builder(op);
  if (x->front() != "1") {
    unsigned batch = builder.addFactor(x->front());
    builder.mapOperand(operands.x, 0, batch).mapResult(0, 0, batch);
  }
  auto mapOutputs = [&](unsigned factor, int64_t unit) {
    builder.mapOperand(operands.w, 0, factor, unit).mapResult(0, 1, factor, unit);
    builder.mapOperand(operands.bias, 0, factor, unit);
    for (unsigned operand : operands.channelVectors)
      if (hasOperand(op, operand) && getRank(op->getOperand(operand)) == 1)
        builder.mapOneOrAll(operand, 0, factor, unit);
  };
  if (group == 1) {
    if (outputs != 1)
      mapOutputs(builder.addFactor((*w)[0]), 1);
    // A bias would be added by each rank: such channels stay whole.
    if (operands.addable && !hasOperand(op, operands.bias) && channels != 1)
      builder.mapOperand(operands.x, 1, builder.addFactor((*x)[1], FactorKind::Reduction))
          .mapOperand(operands.w, 1, static_cast<unsigned>(builder.getNumFactors() - 1));
  } else if (channels > 0 && outputs > 0 && channels % group == 0 && outputs % group == 0) {
    unsigned factor = builder.addFactor(group);
    builder.mapOperand(operands.x, 1, factor, channels / group);
    mapOutputs(factor, outputs / group);
  }
  return builder.take();
}

ShardingRule getConvRule(Operation *op) { return getConvLikeRule(op, {0, 1, 2, {}, true}); }
ShardingRule getFusedConvRule(Operation *op) { return getConvLikeRule(op, {0, 1, 2, {}, false}); }
/// ConvInteger(x, w, x_zero_point, w_zero_point): padding is the zero point.
ShardingRule getConvIntegerRule(Operation *op) {
  return getConvLikeRule(op, {0, 1, 9, {3}, false});
}
/// QLinearConv(x, xs, xz, w, ws, wz, ys, yz, B).
ShardingRule getQLinearConvRule(Operation *op) {
  return getConvLikeRule(op, {0, 3, 8, {4, 5}, false});
}

/// ConvTranspose: W is [c, m / group, ...]; batch and, in one group, outputs.
ShardingRule getConvTransposeRule(Operation *op) {
  auto x = getExtentTexts(op->getOperand(0)), w = getExtentTexts(op->getOperand(1));
  if (!x || !w || x->size() < 3)
    return makeReplicated("a shape is not known");
  RuleBuilder builder(op);
  if (x->front() != "1") {
    unsigned batch = builder.addFactor(x->front());
    builder.mapOperand(0, 0, batch).mapResult(0, 0, batch);
  }
  if (getInt(op, "group", 1) == 1 && (*w)[1] != "1") {
    unsigned factor = builder.addFactor((*w)[1]);
    builder.mapOperand(1, 1, factor).mapOperand(2, 0, factor).mapResult(0, 1, factor);
  }
  return builder.take();
}

/// Pools, and others that treat each channel of each image by itself.
ShardingRule getChannelRule(Operation *op) {
  if (getInt(op, "channels_last", 0))
    return makeReplicated("channels are the last dim");
  auto extents = getExtentTexts(op->getOperand(0));
  if (!extents || extents->size() < 2)
    return makeReplicated("the shape of the input is not known");
  RuleBuilder builder(op);
  // MaxPool's indices count over the whole tensor.
  bool indices = op->getNumResults() > 1 && getRank(op->getResult(1)) >= 0;
  for (int64_t dim : {0, 1}) {
    if ((*extents)[dim] == "1" || indices)
      continue;
    unsigned factor = builder.addFactor((*extents)[dim]);
    builder.mapOperand(0, dim, factor).mapResult(0, dim, factor);
  }
  return builder.take();
}

} // namespace

void dougong::onnx::attachConvolutionRules(MLIRContext *context) {
  attachRule<getConvRule, ConvOp>(context);
  attachRule<getFusedConvRule, MsFusedConvOp>(context);
  attachRule<getConvIntegerRule, ConvIntegerOp>(context);
  attachRule<getQLinearConvRule, QLinearConvOp>(context);
  attachRule<getConvTransposeRule, ConvTransposeOp>(context);
  attachRule<getChannelRule, AveragePoolOp, MaxPoolOp, LpPoolOp, GlobalAveragePoolOp,
             GlobalMaxPoolOp, GlobalLpPoolOp, MsQLinearAveragePoolOp, MsQLinearGlobalAveragePoolOp>(
      context);
}
