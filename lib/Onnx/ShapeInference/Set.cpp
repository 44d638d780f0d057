//===- Set.cpp - shapes that depend on data -------------------------------===//
#include "Families.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

namespace {

LogicalResult inferNonZero(NonZeroOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  return scope.setResult(op, 0, {DimExpr(int64_t(input->size())), scope.freshDim(op, 0, 1)});
}

LogicalResult inferUnique(UniqueOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  Dims values = {DimExpr(0)};
  DimExpr all = ShapeScope::product(*input);
  int64_t axis = 0;
  if (auto listed = op.getAxis()) {
    FailureOr<int64_t> normal = scope.normalizeAxis(op, *listed, input->size());
    if (failed(normal))
      return failure();
    axis = *normal;
    values = *input;
    all = values[axis];
  }
  DimExpr count = scope.freshDim(op, 0, axis);
  values[axis] = count;
  if (failed(scope.setResult(op, 0, values)) || failed(scope.setResult(op, 1, {count})) ||
      failed(scope.setResult(op, 2, {all})))
    return failure();
  return scope.setResult(op, 3, {count});
}

LogicalResult inferCompress(CompressOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  if (!op.getAxis())
    return scope.setResult(op, 0, {scope.freshDim(op, 0, 0)});
  FailureOr<int64_t> axis = scope.normalizeAxis(op, *op.getAxis(), input->size());
  if (failed(axis))
    return failure();
  (*input)[*axis] = scope.freshDim(op, 0, *axis);
  return scope.setResult(op, 0, *input);
}

LogicalResult inferNonMaxSuppression(NonMaxSuppressionOp op, ShapeScope &scope) {
  return scope.setResult(op, 0, {scope.freshDim(op, 0, 0), DimExpr(3)});
}

LogicalResult inferStringSplit(StringSplitOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input) || failed(scope.setResult(op, 1, *input)))
    return failure();
  Dims parts = *input;
  parts.push_back(scope.freshDim(op, 0, parts.size()));
  return scope.setResult(op, 0, parts);
}

LogicalResult inferStringNormalizer(StringNormalizerOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  // Stop words go; without any, the shape stays.
  if (op.getStopwords() && !op.getStopwords()->empty() && !input->empty())
    input->back() = scope.freshDim(op, 0, input->size() - 1);
  return scope.setResult(op, 0, *input);
}

LogicalResult inferTfIdf(TfIdfVectorizerOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  int64_t last = 0;
  for (int64_t index : op.getNgramIndexes())
    last = std::max(last, index);
  Dims result;
  if (input->size() == 2)
    result.push_back((*input)[0]);
  result.push_back(DimExpr(last + 1));
  return scope.setResult(op, 0, result);
}

LogicalResult inferImageDecoder(ImageDecoderOp op, ShapeScope &scope) {
  StringRef format = op.getPixelFormat();
  if (format != "RGB" && format != "BGR" && format != "Grayscale")
    return op.emitOpError() << "pixel_format is '" << format << "', expected RGB, BGR or Grayscale";
  return scope.setResult(
      op, 0,
      {scope.freshDim(op, 0, 0), scope.freshDim(op, 0, 1), DimExpr(format == "Grayscale" ? 1 : 3)});
}

} // namespace

void dougong::onnx::attachSetShapes(MLIRContext &context) {
  attach<inferNonZero, NonZeroOp>(context);
  attach<inferUnique, UniqueOp>(context);
  attach<inferCompress, CompressOp>(context);
  attach<inferNonMaxSuppression, NonMaxSuppressionOp>(context);
  attach<inferStringSplit, StringSplitOp>(context);
  attach<inferStringNormalizer, StringNormalizerOp>(context);
  attach<inferTfIdf, TfIdfVectorizerOp>(context);
  attach<inferImageDecoder, ImageDecoderOp>(context);
  attach<inferSameShape, RegexFullMatchOp>(context);
}
