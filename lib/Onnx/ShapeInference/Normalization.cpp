//===- Normalization.cpp - shapes of normalisations and softmax -----------===//
#include "Broadcast.h"
#include "Families.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

namespace {

/// LayerNormalization and RMSNormalization: scale and bias broadcast to the
/// dims from `axis` on; statistics have extent 1 there.
template <typename OpTy> LogicalResult inferLayerNorm(OpTy op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  FailureOr<int64_t> axis = scope.normalizeAxis(op, op.getAxis(), input->size());
  if (failed(axis))
    return failure();
  for (unsigned i : {1u, 2u}) {
    if (!isGiven(op, i))
      continue;
    FailureOr<Dims> parameter = scope.getOperandDims(op, i);
    if (failed(parameter))
      return failure();
    if (failed(broadcastTo(op, scope, *parameter, *input, "operand " + Twine(i))))
      return failure();
  }
  if (failed(scope.setResult(op, 0, *input)))
    return failure();
  Dims statistics = *input;
  for (size_t i = *axis; i < statistics.size(); ++i)
    statistics[i] = DimExpr(1);
  for (unsigned i = 1; i < op->getNumResults(); ++i)
    if (failed(scope.setResult(op, i, statistics)))
      return failure();
  return success();
}

/// One parameter for each channel (dim 1), in the operands from 1 on.
LogicalResult inferChannelNorm(Operation *op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  if (input->empty())
    return op->emitOpError() << "input must not be a scalar";
  DimExpr channels = input->size() > 1 ? (*input)[1] : DimExpr(1);
  for (unsigned i = 1; i < op->getNumOperands(); ++i) {
    FailureOr<Dims> parameter = scope.getOperandDims(op, i, 1);
    if (failed(parameter) || failed(scope.unify(op, channels, parameter->front(),
                                                "channels and the extent of operand " + Twine(i))))
      return failure();
  }
  for (unsigned i = 1; i < op->getNumResults(); ++i)
    if (failed(scope.setResult(op, i, {channels})))
      return failure();
  return scope.setResult(op, 0, *input);
}

/// Operators with an axis that must exist, and no effect on the shape.
template <typename OpTy> LogicalResult inferAlongAxis(OpTy op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input) || failed(scope.normalizeAxis(op, op.getAxis(), input->size())))
    return failure();
  return scope.setResult(op, 0, *input);
}

/// SkipLayerNormalization and its kin: all dims but the last are batch dims.
LogicalResult inferSkipNorm(Operation *op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  FailureOr<Dims> skip = scope.getOperandDims(op, 1);
  if (failed(input) || failed(skip))
    return failure();
  FailureOr<Dims> sum = scope.broadcast(op, *input, *skip);
  if (failed(sum) || failed(scope.setResult(op, 0, *sum)))
    return failure();
  Dims statistics = *sum;
  if (!statistics.empty())
    statistics.back() = DimExpr(1);
  if (failed(scope.setResult(op, 1, statistics)) || failed(scope.setResult(op, 2, statistics)))
    return failure();
  return scope.setResult(op, 3, *sum);
}

LogicalResult inferSimplifiedNorm(MsSimplifiedLayerNormalizationOp op, ShapeScope &scope) {
  return inferLayerNorm(op, scope);
}

/// Losses: reduced to a scalar, or the shape of the labels.
template <typename OpTy> LogicalResult inferLoss(OpTy op, ShapeScope &scope) {
  FailureOr<Dims> scores = scope.getOperandDims(op, 0), labels = scope.getOperandDims(op, 1);
  if (failed(scores) || failed(labels))
    return failure();
  Dims loss = op.getReduction() == "none" ? *labels : Dims();
  if (failed(scope.setResult(op, 0, loss)))
    return failure();
  return scope.setResult(op, 1, *scores);
}

} // namespace

void dougong::onnx::attachNormalizationShapes(MLIRContext &context) {
  attach<inferLayerNorm<LayerNormalizationOp>, LayerNormalizationOp>(context);
  attach<inferLayerNorm<RMSNormalizationOp>, RMSNormalizationOp>(context);
  attach<inferSimplifiedNorm, MsSimplifiedLayerNormalizationOp>(context);
  attach<inferSkipNorm, MsSkipLayerNormalizationOp, MsSkipSimplifiedLayerNormalizationOp>(context);
  attach<inferChannelNorm, BatchNormalizationOp, InstanceNormalizationOp, GroupNormalizationOp>(
      context);
  attach<inferAlongAxis<SoftmaxOp>, SoftmaxOp>(context);
  attach<inferAlongAxis<LogSoftmaxOp>, LogSoftmaxOp>(context);
  attach<inferAlongAxis<HardmaxOp>, HardmaxOp>(context);
  attach<inferAlongAxis<LpNormalizationOp>, LpNormalizationOp>(context);
  attach<inferSameShape, LRNOp, MeanVarianceNormalizationOp>(context);
  attach<inferLoss<NegativeLogLikelihoodLossOp>, NegativeLogLikelihoodLossOp>(context);
  attach<inferLoss<SoftmaxCrossEntropyLossOp>, SoftmaxCrossEntropyLossOp>(context);
}
