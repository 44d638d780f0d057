//===- Gather.cpp - shapes of gathers and scatters ------------------------===//
#include "Broadcast.h"
#include "Families.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

namespace {

/// Refuses indices that are known to lie outside a dim; at run time they are clamped
/// to it.
LogicalResult checkIndices(Operation *op, Value indices, const DimExpr &dim, ShapeScope &scope) {
  auto known = scope.getConstants(indices);
  std::optional<int64_t> extent = dim.constant();
  if (!known || !extent)
    return success();
  for (int64_t index : *known)
    if (index < -*extent || index >= *extent)
      return op->emitOpError() << "index " << index << " is out of range for extent " << *extent;
  return success();
}

LogicalResult inferGather(GatherOp op, ShapeScope &scope) {
  FailureOr<Dims> data = scope.getOperandDims(op, 0), indices = scope.getOperandDims(op, 1);
  if (failed(data) || failed(indices))
    return failure();
  FailureOr<int64_t> axis = scope.normalizeAxis(op, op.getAxis(), data->size());
  if (failed(axis))
    return failure();
  Dims result(data->begin(), data->begin() + *axis);
  result.append(indices->begin(), indices->end());
  result.append(data->begin() + *axis + 1, data->end());
  if (failed(scope.setResult(op, 0, result)) ||
      failed(checkIndices(op, op.getIndices(), (*data)[*axis], scope)))
    return failure();
  auto contents = scope.getContents(op.getData());
  auto picked = scope.getConstants(op.getIndices());
  if (!contents || !picked || data->size() != 1)
    return success();
  Dims values;
  int64_t extent = contents->size();
  for (int64_t index : *picked)
    values.push_back((*contents)[index < 0 ? index + extent : index]);
  scope.setContents(op.getResult(), values);
  return success();
}

LogicalResult inferGatherElements(GatherElementsOp op, ShapeScope &scope) {
  FailureOr<Dims> data = scope.getOperandDims(op, 0);
  if (failed(data))
    return failure();
  FailureOr<Dims> indices = scope.getOperandDims(op, 1, data->size());
  if (failed(indices))
    return failure();
  FailureOr<int64_t> axis = scope.normalizeAxis(op, op.getAxis(), data->size());
  if (failed(axis) || failed(checkIndices(op, op.getIndices(), (*data)[*axis], scope)))
    return failure();
  return scope.setResult(op, 0, *indices);
}

/// Makes the last extent of indices the `length` that ranks say.
LogicalResult setTupleLength(Operation *op, ShapeScope &scope, DimExpr &extent, int64_t length) {
  FailureOr<DimExpr> dim =
      scope.unify(op, extent, DimExpr(length),
                  "the last extent of indices and what the ranks of data and " +
                      Twine(isa<GatherNDOp>(op) ? "result" : "updates") + " leave for it");
  if (failed(dim))
    return failure();
  extent = *dim;
  return success();
}

LogicalResult inferGatherND(GatherNDOp op, ShapeScope &scope) {
  FailureOr<Dims> data = scope.getOperandDims(op, 0), indices = scope.getOperandDims(op, 1);
  if (failed(data) || failed(indices))
    return failure();
  int64_t batch = op.getBatchDims();
  if (!indices->empty() && !indices->back().constant()) {
    // The rank of the result tells, where the model declares it.
    auto rank = ShapeScope::getDeclaredRank(op.getResult());
    if (!rank)
      return op.emitOpError() << "the last extent of indices, " << indices->back().print()
                              << ", is not known at compile time, and with it the rank of the "
                                 "result; fix it with --dim";
    int64_t ranks = data->size() + indices->size() - 1;
    if (failed(setTupleLength(op, scope, indices->back(), ranks - batch - *rank)))
      return failure();
  }
  auto depth = indices->empty() ? std::nullopt : indices->back().constant();
  if (!depth || *depth < 1 || batch < 0 || batch + *depth > int64_t(data->size()) ||
      batch >= int64_t(indices->size()))
    return op.emitOpError() << "indices of shape " << toString(*indices) << " do not fit data of "
                            << toString(*data) << " with " << batch << " batch dims";
  Dims result(indices->begin(), indices->end() - 1);
  for (int64_t d = 0; d < batch; ++d) {
    FailureOr<DimExpr> dim = scope.unify(op, (*data)[d], (*indices)[d], "batch dims " + Twine(d));
    if (failed(dim))
      return failure();
    result[d] = *dim;
  }
  result.append(data->begin() + batch + *depth, data->end());
  return scope.setResult(op, 0, result);
}

/// Ranks say how long the tuples are: those of updates are the loose dims of indices
/// and the dims of data that no index picks.
LogicalResult inferScatterND(ScatterNDOp op, ShapeScope &scope) {
  FailureOr<Dims> data = scope.getOperandDims(op, 0), indices = scope.getOperandDims(op, 1),
                  updates = scope.getOperandDims(op, 2);
  if (failed(data) || failed(indices) || failed(updates))
    return failure();
  int64_t length = int64_t(data->size() + indices->size()) - 1 - int64_t(updates->size());
  if (indices->empty() || length < 1 || length > int64_t(data->size()))
    return op.emitOpError() << "indices of shape " << toString(*indices) << " and updates of "
                            << toString(*updates) << " do not fit data of " << toString(*data);
  if (failed(setTupleLength(op, scope, indices->back(), length)))
    return failure();
  Dims expected(indices->begin(), indices->end() - 1);
  expected.append(data->begin() + length, data->end());
  if (failed(unifyDims(op, scope, 2, expected, "updates")))
    return failure();
  return scope.setResult(op, 0, *data);
}

LogicalResult inferTensorScatter(TensorScatterOp op, ShapeScope &scope) {
  FailureOr<Dims> cache = scope.getOperandDims(op, 0);
  if (failed(cache))
    return failure();
  FailureOr<Dims> update = scope.getOperandDims(op, 1, cache->size());
  FailureOr<int64_t> axis = scope.normalizeAxis(op, op.getAxis(), cache->size());
  if (failed(update) || failed(axis))
    return failure();
  for (size_t d = 0; d < cache->size(); ++d)
    if (int64_t(d) != *axis && failed(scope.unify(op, (*cache)[d], (*update)[d],
                                                  "dim " + Twine(d) + " of cache and update")))
      return failure();
  if (isGiven(op, 2)) {
    FailureOr<Dims> indices = scope.getOperandDims(op, 2, 1);
    if (failed(indices) ||
        failed(scope.unify(op, (*cache)[0], indices->front(), "batch and write_indices")))
      return failure();
  }
  return scope.setResult(op, 0, *cache);
}

} // namespace

void dougong::onnx::attachGatherShapes(MLIRContext &context) {
  attach<inferGather, GatherOp>(context);
  attach<inferGatherElements, GatherElementsOp>(context);
  attach<inferGatherND, GatherNDOp>(context);
  attach<inferScatterND, ScatterNDOp>(context);
  attach<inferTensorScatter, TensorScatterOp>(context);
  attach<inferSameShape, ScatterElementsOp, ScatterOp>(context);
}
