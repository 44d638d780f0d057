//===- Replicated.cpp - operators that are not cut, and why ---------------===//
#include "RuleBuilder.h"

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
ShardingRule getSequenceRule(Operation *) {
  return makeReplicated("sequences, strings and optional values are not cut");
}
ShardingRule getCoupledRule(Operation *) {
  return makeReplicated("every element of the result may read every element of the input");
}

} // namespace

void dougong::onnx::attachReplicatedRules(MLIRContext *context) {
  attachRule<getSourceRule, ConstantOp, ConstantOfShapeOp, RangeOp, EyeLikeOp, BlackmanWindowOp,
             HammingWindowOp, HannWindowOp, MelWeightMatrixOp>(context);
  attachRule<getShapeOfRule, ShapeOp, SizeOp>(context);
  attachRule<getRegionRule, IfOp, LoopOp, ScanOp, SequenceMapOp>(context);
  attachRule<getRandomRule, RandomNormalOp, RandomNormalLikeOp, RandomUniformOp,
             RandomUniformLikeOp, MultinomialOp, BernoulliOp, DropoutOp>(context);
  attachRule<getDataDependentRule, AffineGridOp, NonZeroOp, UniqueOp, CompressOp,
             NonMaxSuppressionOp>(context);
  attachRule<getGlobalScaleRule, DynamicQuantizeLinearOp>(context);
  attachRule<getSequenceRule, SequenceAtOp, SequenceConstructOp, SequenceEmptyOp, SequenceEraseOp,
             SequenceInsertOp, SequenceLengthOp, SplitToSequenceOp, ConcatFromSequenceOp,
             OptionalOp, OptionalGetElementOp, OptionalHasElementOp, RegexFullMatchOp,
             StringConcatOp, StringNormalizerOp, StringSplitOp, TfIdfVectorizerOp, ImageDecoderOp>(
      context);
  attachRule<getCoupledRule, ResizeOp, UpsampleOp, GridSampleOp, RoiAlignOp, MaxRoiPoolOp,
             MaxUnpoolOp, DepthToSpaceOp, SpaceToDepthOp, ReverseSequenceOp, DFTOp, STFTOp, DetOp,
             DeformConvOp, Col2ImOp, CenterCropPadOp, MeanVarianceNormalizationOp,
             NegativeLogLikelihoodLossOp, SoftmaxCrossEntropyLossOp, BitCastOp, ScatterOp>(context);
}
