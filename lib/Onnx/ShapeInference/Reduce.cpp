//===- Reduce.cpp - shapes of reductions and selections -------------------===//
#include "Families.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

namespace {

/// Result 0: `input` without the dims in `axes`, or with extent 1 there.
Dims reduceDims(ArrayRef<DimExpr> input, ArrayRef<bool> reduced, bool keep) {
  Dims result;
  for (auto [index, dim] : llvm::enumerate(input)) {
    if (!reduced[index])
      result.push_back(dim);
    else if (keep)
      result.push_back(DimExpr(1));
  }
  return result;
}

/// Axes that only the run tells: the rank is known if they are kept, or counted.
LogicalResult inferUnknownAxes(Operation *op, ShapeScope &scope, ArrayRef<DimExpr> input,
                               bool keep) {
  auto list = scope.isKnown(op->getOperand(1)) ? scope.getDims(op->getOperand(1)) : Dims();
  std::optional<int64_t> count = list.size() == 1 ? list[0].constant() : std::nullopt;
  if (count && *count > int64_t(input.size()))
    return op->emitOpError() << *count << " axes, the operand has rank " << input.size();
  auto noop = op->getAttrOfType<IntegerAttr>("noop_with_empty_axes");
  if (count == 0 && !(noop && noop.getInt() != 0)) // then all dims are reduced
    count = input.size();
  if (!keep && !count)
    return scope.useDeclared(op, "the list of axes");
  Dims result;
  for (size_t d = 0; d < input.size() - (keep ? 0 : *count); ++d)
    result.push_back(scope.freshDim(op, 0, d));
  return scope.setResult(op, 0, result);
}

template <typename OpTy> LogicalResult inferReduce(OpTy op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  size_t rank = input->size();
  SmallVector<bool> reduced(rank, false);
  std::optional<SmallVector<int64_t>> axes = SmallVector<int64_t>();
  if (isGiven(op, 1)) {
    axes = scope.getConstants(op->getOperand(1));
    if (!axes)
      return inferUnknownAxes(op, scope, *input, op.getKeepdims() != 0);
  }
  if (axes->empty() && op.getNoopWithEmptyAxes() == 0)
    reduced.assign(rank, true);
  for (int64_t listed : *axes) {
    FailureOr<int64_t> axis = scope.normalizeAxis(op, listed, rank);
    if (failed(axis))
      return failure();
    reduced[*axis] = true;
  }
  if (failed(scope.setResult(op, 0, reduceDims(*input, reduced, op.getKeepdims() != 0))))
    return failure();
  // Contents of reductions of a vector to one element.
  auto contents = scope.getContents(op->getOperand(0));
  if (!contents || contents->empty() || rank != 1 || !reduced[0])
    return success();
  DimExpr value = contents->front();
  for (const DimExpr &next : ArrayRef<DimExpr>(*contents).drop_front()) {
    if constexpr (std::is_same_v<OpTy, ReduceProdOp>)
      value = value * next;
    else if constexpr (std::is_same_v<OpTy, ReduceSumOp>)
      value = value + next;
    else if constexpr (std::is_same_v<OpTy, ReduceMaxOp>)
      value = scope.getSolver().greater(value, next);
    else if constexpr (std::is_same_v<OpTy, ReduceMinOp>)
      value = scope.getSolver().smaller(value, next);
    else
      return success();
  }
  scope.setContents(op->getResult(0), {value});
  return success();
}

template <typename OpTy> LogicalResult inferArg(OpTy op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  FailureOr<int64_t> axis = scope.normalizeAxis(op, op.getAxis(), input->size());
  if (failed(axis))
    return failure();
  SmallVector<bool> reduced(input->size(), false);
  reduced[*axis] = true;
  return scope.setResult(op, 0, reduceDims(*input, reduced, op.getKeepdims() != 0));
}

LogicalResult inferTopK(TopKOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  FailureOr<int64_t> axis = scope.normalizeAxis(op, op.getAxis(), input->size());
  if (failed(axis))
    return failure();
  Dims result = *input;
  auto count = scope.getScalar(op.getK());
  if (count && count->constant() && result[*axis].constant() &&
      *count->constant() > *result[*axis].constant())
    return op.emitOpError() << "K is " << count->print() << ", but axis " << *axis << " has extent "
                            << result[*axis].print();
  result[*axis] = count ? *count : scope.freshDim(op, 0, *axis);
  if (failed(scope.setResult(op, 0, result)))
    return failure();
  return scope.setResult(op, 1, result);
}

} // namespace

void dougong::onnx::attachReduceShapes(MLIRContext &context) {
  attach<inferReduce<ReduceL1Op>, ReduceL1Op>(context);
  attach<inferReduce<ReduceL2Op>, ReduceL2Op>(context);
  attach<inferReduce<ReduceLogSumOp>, ReduceLogSumOp>(context);
  attach<inferReduce<ReduceLogSumExpOp>, ReduceLogSumExpOp>(context);
  attach<inferReduce<ReduceMaxOp>, ReduceMaxOp>(context);
  attach<inferReduce<ReduceMeanOp>, ReduceMeanOp>(context);
  attach<inferReduce<ReduceMinOp>, ReduceMinOp>(context);
  attach<inferReduce<ReduceProdOp>, ReduceProdOp>(context);
  attach<inferReduce<ReduceSumOp>, ReduceSumOp>(context);
  attach<inferReduce<ReduceSumSquareOp>, ReduceSumSquareOp>(context);
  attach<inferArg<ArgMaxOp>, ArgMaxOp>(context);
  attach<inferArg<ArgMinOp>, ArgMinOp>(context);
  attach<inferTopK, TopKOp>(context);
}
