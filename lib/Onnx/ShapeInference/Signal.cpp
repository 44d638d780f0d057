//===- Signal.cpp - shapes of signal operators ----------------------------===//
#include "Broadcast.h"
#include "Families.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

namespace {

LogicalResult inferWindowFunction(Operation *op, ShapeScope &scope) {
  auto size = scope.getScalar(op->getOperand(0));
  return scope.setResult(op, 0, {size ? *size : scope.freshDim(op, 0, 0)});
}

/// The last dim of a signal holds real parts, and imaginary ones if it is 2.
LogicalResult checkParts(Operation *op, ShapeScope &scope, const DimExpr &dim) {
  return scope.requireEither(op, dim, DimExpr(1), DimExpr(2), "the last dim of the signal");
}

LogicalResult inferDFT(DFTOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  int64_t listed = -2;
  if (isGiven(op, 2)) {
    auto constant = scope.getConstants(op.getAxis());
    if (!constant || constant->size() != 1)
      return scope.useDeclared(op, "the axis");
    listed = constant->front();
  }
  FailureOr<int64_t> axis = scope.normalizeAxis(op, listed, input->size());
  if (failed(axis))
    return failure();
  if (*axis + 1 >= int64_t(input->size()))
    return op.emitOpError()
           << "axis must not be the last dim, which holds real and imaginary parts";
  if (failed(checkParts(op, scope, input->back())))
    return failure();
  bool onesided = op.getOnesided() != 0, inverse = op.getInverse() != 0;
  DimExpr &dim = (*input)[*axis];
  if (isGiven(op, 1)) {
    auto length = scope.getScalar(op.getDftLength());
    dim = length ? *length : scope.freshDim(op, 0, *axis);
  } else if (onesided && inverse) {
    dim = (dim - DimExpr(1)) * DimExpr(2);
  }
  if (onesided && !inverse)
    dim = floorDiv(dim, DimExpr(2)) + DimExpr(1);
  input->back() = DimExpr(onesided && inverse ? 1 : 2);
  return scope.setResult(op, 0, *input);
}

LogicalResult inferSTFT(STFTOp op, ShapeScope &scope) {
  FailureOr<Dims> signal = scope.getOperandDims(op, 0);
  if (failed(signal))
    return failure();
  if (signal->size() < 2)
    return op.emitOpError() << "signal must have rank 2 or 3, got shape " << toString(*signal);
  if (signal->size() > 2 && failed(checkParts(op, scope, signal->back())))
    return failure();
  std::optional<DimExpr> length;
  if (isGiven(op, 3))
    length = scope.getScalar(op.getFrameLength());
  else if (isGiven(op, 2))
    length = scope.getDims(op.getWindow()).front();
  if (length && isGiven(op, 2) && failed(unifyDims(op, scope, 2, {*length}, "window")))
    return failure();
  auto step = scope.getScalar(op.getFrameStep());
  DimExpr frames = length && step && step->constant().value_or(1) > 0
                       ? floorDiv((*signal)[1] - *length, *step) + DimExpr(1)
                       : scope.freshDim(op, 0, 1);
  DimExpr bins = !length                 ? scope.freshDim(op, 0, 2)
                 : op.getOnesided() != 0 ? floorDiv(*length, DimExpr(2)) + DimExpr(1)
                                         : *length;
  return scope.setResult(op, 0, {(*signal)[0], frames, bins, DimExpr(2)});
}

LogicalResult inferMelWeights(MelWeightMatrixOp op, ShapeScope &scope) {
  auto bins = scope.getScalar(op.getNumMelBins()), length = scope.getScalar(op.getDftLength());
  return scope.setResult(
      op, 0,
      {length ? floorDiv(*length, DimExpr(2)) + DimExpr(1) : scope.freshDim(op, 0, 0),
       bins ? *bins : scope.freshDim(op, 0, 1)});
}

} // namespace

void dougong::onnx::attachSignalShapes(MLIRContext &context) {
  attach<inferWindowFunction, HannWindowOp, HammingWindowOp, BlackmanWindowOp>(context);
  attach<inferDFT, DFTOp>(context);
  attach<inferSTFT, STFTOp>(context);
  attach<inferMelWeights, MelWeightMatrixOp>(context);
}
