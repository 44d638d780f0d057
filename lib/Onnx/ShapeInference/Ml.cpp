//===- Ml.cpp - shapes of classical machine learning ----------------------===//
#include "Families.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

namespace {

/// The rows of operand 0: [n, features], or one row [features].
FailureOr<DimExpr> getRows(Operation *op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  return input->size() < 2 ? DimExpr(1) : (*input)[0];
}

int64_t getCount(Operation *op, StringRef name) {
  if (auto array = op->getAttrOfType<ArrayAttr>(name))
    return array.size();
  if (auto list = op->getAttrOfType<DenseI64ArrayAttr>(name))
    return list.size();
  if (auto list = op->getAttrOfType<DenseF32ArrayAttr>(name))
    return list.size();
  return 0;
}

/// Labels [n] and scores [n, classes].
LogicalResult inferClassifier(Operation *op, ShapeScope &scope) {
  FailureOr<DimExpr> rows = getRows(op, scope);
  if (failed(rows) || failed(scope.setResult(op, 0, {*rows})))
    return failure();
  int64_t classes = 0;
  for (StringRef name : {"classlabels_ints", "classlabels_int64s", "classlabels_strings"})
    classes = std::max(classes, getCount(op, name));
  return scope.setResult(op, 1, {*rows, classes ? DimExpr(classes) : scope.freshDim(op, 1, 1)});
}

/// [n, targets].
LogicalResult inferRegressor(Operation *op, ShapeScope &scope) {
  FailureOr<DimExpr> rows = getRows(op, scope);
  if (failed(rows))
    return failure();
  int64_t targets = 1;
  for (StringRef name : {"n_targets", "targets"})
    if (auto count = op->getAttrOfType<IntegerAttr>(name))
      targets = count.getInt();
  return scope.setResult(op, 0, {*rows, DimExpr(targets)});
}

LogicalResult inferOneHotEncoder(MlOneHotEncoderOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  input->push_back(DimExpr(std::max(getCount(op, "cats_int64s"), getCount(op, "cats_strings"))));
  return scope.setResult(op, 0, *input);
}

LogicalResult inferExtractor(MlArrayFeatureExtractorOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0), indices = scope.getOperandDims(op, 1);
  if (failed(input) || failed(indices))
    return failure();
  DimExpr count = ShapeScope::product(*indices);
  if (input->size() <= 1)
    return scope.setResult(op, 0, {DimExpr(1), count});
  input->back() = count;
  return scope.setResult(op, 0, *input);
}

LogicalResult inferVectorizer(MlFeatureVectorizerOp op, ShapeScope &scope) {
  FailureOr<DimExpr> rows = getRows(op, scope);
  if (failed(rows))
    return failure();
  DimExpr columns(0);
  if (auto dims = op.getInputdimensions())
    for (int64_t dim : *dims)
      columns = columns + DimExpr(dim);
  else
    for (unsigned i = 0; i < op->getNumOperands(); ++i) {
      FailureOr<Dims> input = scope.getOperandDims(op, i);
      if (failed(input))
        return failure();
      columns = columns + (input->empty() ? DimExpr(1) : input->back());
    }
  return scope.setResult(op, 0, {*rows, columns});
}

/// Optimizers: after rate and count come the tensors, then their gradients; the
/// results are the new tensors, then the new states.
LogicalResult inferOptimizer(Operation *op, ShapeScope &scope) {
  unsigned groups = isa<TrainingAdamOp>(op) ? 4 : 3, results = groups - 1;
  unsigned count = (op->getNumOperands() - 2) / groups;
  if (op->getNumOperands() != 2 + groups * count || op->getNumResults() != results * count)
    return op->emitOpError() << "has " << op->getNumOperands() << " operands and "
                             << op->getNumResults() << " results, which do not fit";
  for (unsigned i = 0; i < op->getNumResults(); ++i) {
    FailureOr<Dims> dims = scope.getOperandDims(op, 2 + i % count);
    if (failed(dims) || failed(scope.setResult(op, i, *dims)))
      return failure();
  }
  return success();
}

LogicalResult inferNothing(Operation *, ShapeScope &) { return success(); }

} // namespace

void dougong::onnx::attachMlShapes(MLIRContext &context) {
  attach<inferClassifier, MlLinearClassifierOp, MlSVMClassifierOp, MlTreeEnsembleClassifierOp>(
      context);
  attach<inferRegressor, MlLinearRegressorOp, MlSVMRegressorOp, MlTreeEnsembleOp,
         MlTreeEnsembleRegressorOp>(context);
  attach<inferSameShape, MlBinarizerOp, MlCategoryMapperOp, MlImputerOp, MlLabelEncoderOp,
         MlNormalizerOp, MlScalerOp>(context);
  attach<inferOneHotEncoder, MlOneHotEncoderOp>(context);
  attach<inferExtractor, MlArrayFeatureExtractorOp>(context);
  attach<inferVectorizer, MlFeatureVectorizerOp>(context);
  attach<inferOptimizer, TrainingAdamOp, TrainingMomentumOp, TrainingAdagradOp>(context);
  // The result is a sequence of maps.
  attach<inferNothing, MlZipMapOp>(context);
}
