//===- Replicated.cpp - operators that are not cut, and why ---------------===//
#include "RuleBuilder.h"

#include "dougong/Onnx/Sharding.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

ShardingRule getSourceRule(Operation *) {
  return makeReplicated("the operator makes its values from constants");
}
ShardingRule getShapeOfRule(Operation *) {
  return makeReplicated("extents are whole numbers that every rank needs");
}
ShardingRule getRegionRule(Operation *) {
  return makeReplicated("loops and branches run whole on every rank");
}
ShardingRule getRandomRule(Operation *) {
  return makeReplicated("random values must be the same on every rank");
}
ShardingRule getDataDependentRule(Operation *) {
  return makeReplicated("the shape of the result depends on values");
}
ShardingRule getGlobalScaleRule(Operation *) {
  return makeReplicated("one scale is computed from all elements");
}
/// Activations are quantised with one scale for all of a step's batch.
ShardingRule getDynamicLSTMRule(Operation *) {
  return makeReplicated("the scale of a step's activations spans the batch and all features");
}
ShardingRule getSequenceRule(Operation *) {
  return makeReplicated("sequences, strings and optional values are not cut");
}
ShardingRule getCoupledRule(Operation *) {
  return makeReplicated("every element of the result may read every element of the input");
}

/// Calls `visit` with each reason's function and its operators as template arguments.
template <typename Visitor> void forEachReason(Visitor visit) {
  visit.template operator()<getSourceRule, ConstantOp, ConstantOfShapeOp, RangeOp, EyeLikeOp,
                            BlackmanWindowOp, HammingWindowOp, HannWindowOp, MelWeightMatrixOp>();
  visit.template operator()<getShapeOfRule, ShapeOp, SizeOp>();
  visit.template operator()<getRegionRule, IfOp, LoopOp, ScanOp, SequenceMapOp>();
  visit.template operator()<getRandomRule, RandomNormalOp, RandomNormalLikeOp, RandomUniformOp,
                            RandomUniformLikeOp, MultinomialOp, BernoulliOp, DropoutOp>();
  visit.template operator()<getDataDependentRule, AffineGridOp, NonZeroOp, UniqueOp, CompressOp,
                            NonMaxSuppressionOp>();
  visit.template operator()<getGlobalScaleRule, DynamicQuantizeLinearOp>();
  visit.template operator()<getDynamicLSTMRule, MsDynamicQuantizeLSTMOp>();
  visit.template operator()<getSequenceRule, SequenceAtOp, SequenceConstructOp, SequenceEmptyOp,
                            SequenceEraseOp, SequenceInsertOp, SequenceLengthOp, SplitToSequenceOp,
                            ConcatFromSequenceOp, OptionalOp, OptionalGetElementOp,
                            OptionalHasElementOp, RegexFullMatchOp, StringConcatOp,
                            StringNormalizerOp, StringSplitOp, TfIdfVectorizerOp, ImageDecoderOp>();
  visit.template
  operator()<getCoupledRule, ResizeOp, UpsampleOp, GridSampleOp, RoiAlignOp, MaxRoiPoolOp,
             MaxUnpoolOp, DepthToSpaceOp, SpaceToDepthOp, ReverseSequenceOp, DFTOp, STFTOp, DetOp,
             DeformConvOp, Col2ImOp, CenterCropPadOp, MeanVarianceNormalizationOp,
             NegativeLogLikelihoodLossOp, SoftmaxCrossEntropyLossOp, BitCastOp, ScatterOp>();
}

} // namespace

void dougong::onnx::attachReplicatedRules(MLIRContext *context) {
  forEachReason(
      [&]<RuleFunction function, typename... OpTys>() { attachRule<function, OpTys...>(context); });
}

std::vector<StringRef> dougong::onnx::getReplicatedOperators() {
  std::vector<StringRef> names;
  forEachReason([&]<RuleFunction, typename... OpTys>() {
    (names.push_back(OpTys::getOperationName()), ...);
  });
  return names;
}
