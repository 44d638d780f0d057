//===- Microsoft.cpp - shapes of fused com.microsoft operators ------------===//
#include "Families.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

namespace {

/// query [batch, length, heads * size], or packed with key and value behind it.
LogicalResult inferGroupQueryAttention(MsGroupQueryAttentionOp op, ShapeScope &scope) {
  FailureOr<Dims> query = scope.getOperandDims(op, 0, 3);
  if (failed(query))
    return failure();
  int64_t heads = op.getNumHeads(), kvHeads = op.getKvNumHeads();
  if (heads <= 0 || kvHeads <= 0 || heads % kvHeads != 0)
    return op.emitOpError() << "num_heads " << heads << " is not a multiple of kv_num_heads "
                            << kvHeads;
  bool packed = !isGiven(op, 1);
  auto size = divideExactly((*query)[2], DimExpr(packed ? heads + 2 * kvHeads : heads));
  if (!size)
    return op.emitOpError() << "last dim of query " << toString(*query)
                            << " is not a multiple of the number of heads";
  DimExpr batch = (*query)[0], length = (*query)[1];
  if (!packed) {
    for (unsigned i : {1u, 2u}) {
      FailureOr<Dims> dims = scope.getOperandDims(op, i, 3);
      if (failed(dims) ||
          failed(scope.unify(op, (*dims)[2], *size * DimExpr(kvHeads),
                             "the last dim of operand " + Twine(i) + " and kv_num_heads heads")))
        return failure();
    }
  }
  DimExpr present = length;
  if (isGiven(op, 3)) {
    FailureOr<Dims> past = scope.getOperandDims(op, 3, 4),
                    pastValue = scope.getOperandDims(op, 4, 4);
    if (failed(past) || failed(pastValue) ||
        failed(scope.unify(op, (*past)[0], batch, "batch dims of past_key and query")) ||
        failed(
            scope.unify(op, (*past)[1], DimExpr(kvHeads), "heads of past_key and kv_num_heads")) ||
        failed(scope.unify(op, (*past)[2], (*pastValue)[2], "lengths of past_key and past_value")))
      return failure();
    present = (*past)[2] + length;
    // The cache has max(past, total) positions. Where the total is computed from
    // shapes it is that of past and new ones; a cache that is a shared buffer is
    // at least as long as the total.
    if (auto total = scope.getScalar(op.getTotalSequenceLength())) {
      DimSolver &solver = scope.getSolver();
      if (solver.isLessOrEqual(*total, (*past)[2])) {
        present = (*past)[2];
      } else {
        FailureOr<DimExpr> all =
            scope.unify(op, present, *total, "past and new positions, and total_sequence_length");
        if (failed(all))
          return failure();
        present = *all;
      }
    }
  }
  if (failed(scope.setResult(op, 0, {batch, length, *size * DimExpr(heads)})))
    return failure();
  Dims cache = {batch, DimExpr(kvHeads), present, *size};
  if (failed(scope.setResult(op, 1, cache)) || failed(scope.setResult(op, 2, cache)))
    return failure();
  return scope.setResult(op, 3, {batch, DimExpr(heads), length, present});
}

LogicalResult inferMultiHeadAttention(MsMultiHeadAttentionOp op, ShapeScope &scope) {
  FailureOr<Dims> query = scope.getOperandDims(op, 0);
  if (failed(query))
    return failure();
  int64_t heads = op.getNumHeads();
  if (query->size() != 3 || !isGiven(op, 1) || !isGiven(op, 2))
    return op.emitOpError() << "packed query, key and value are not supported";
  FailureOr<Dims> key = scope.getOperandDims(op, 1), value = scope.getOperandDims(op, 2);
  if (failed(key) || failed(value))
    return failure();
  auto size = divideExactly((*query)[2], DimExpr(heads));
  if (!size)
    return op.emitOpError() << "last dim of query " << toString(*query)
                            << " is not a multiple of num_heads " << heads;
  // Key and value: [batch, length, heads * size] or [batch, heads, length, size].
  DimExpr length = key->size() == 4 ? (*key)[2] : (*key)[1];
  DimExpr hidden = value->size() == 4 ? (*value)[1] * (*value)[3] : value->back();
  auto valueSize = divideExactly(hidden, DimExpr(heads));
  if (!valueSize)
    return op.emitOpError() << "last dim of value " << toString(*value)
                            << " is not a multiple of num_heads " << heads;
  DimExpr total = length;
  if (isGiven(op, 6)) {
    FailureOr<Dims> past = scope.getOperandDims(op, 6, 4);
    if (failed(past))
      return failure();
    total = (*past)[2] + length;
  }
  DimExpr batch = (*query)[0];
  if (failed(scope.setResult(op, 0, {batch, (*query)[1], hidden})) ||
      failed(scope.setResult(op, 1, {batch, DimExpr(heads), total, *size})) ||
      failed(scope.setResult(op, 2, {batch, DimExpr(heads), total, *valueSize})))
    return failure();
  return scope.setResult(op, 3, {batch, DimExpr(heads), (*query)[1], total});
}

LogicalResult inferPackedAttention(MsAttentionOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0, 3), weights = scope.getOperandDims(op, 1, 2);
  if (failed(input) || failed(weights) ||
      failed(scope.unify(op, (*input)[2], (*weights)[0], "inner dims of input and weights")))
    return failure();
  std::optional<DimExpr> hidden = divideExactly((*weights)[1], DimExpr(3));
  if (auto sizes = op.getQkvHiddenSizes(); sizes && sizes->size() == 3)
    hidden = DimExpr((*sizes)[2]);
  std::optional<DimExpr> size;
  if (hidden)
    size = divideExactly(*hidden, DimExpr(int64_t(op.getNumHeads())));
  if (!size)
    return op.emitOpError() << "weights of shape " << toString(*weights) << " do not fit "
                            << op.getNumHeads() << " heads";
  DimExpr total = (*input)[1];
  if (isGiven(op, 4)) {
    FailureOr<Dims> past = scope.getOperandDims(op, 4, 5);
    if (failed(past))
      return failure();
    total = (*past)[3] + total;
  }
  if (failed(scope.setResult(op, 0, {(*input)[0], (*input)[1], *hidden})))
    return failure();
  return scope.setResult(
      op, 1, {DimExpr(2), (*input)[0], DimExpr(int64_t(op.getNumHeads())), total, *size});
}

LogicalResult inferEmbedNorm(MsEmbedLayerNormalizationOp op, ShapeScope &scope) {
  FailureOr<Dims> ids = scope.getOperandDims(op, 0, 2), words = scope.getOperandDims(op, 2, 2);
  if (failed(ids) || failed(words))
    return failure();
  Dims result = {(*ids)[0], (*ids)[1], (*words)[1]};
  if (failed(scope.setResult(op, 0, result)) || failed(scope.setResult(op, 1, {(*ids)[0]})))
    return failure();
  return scope.setResult(op, 2, result);
}

} // namespace

void dougong::onnx::attachMicrosoftShapes(MLIRContext &context) {
  attach<inferGroupQueryAttention, MsGroupQueryAttentionOp>(context);
  attach<inferMultiHeadAttention, MsMultiHeadAttentionOp>(context);
  attach<inferPackedAttention, MsAttentionOp>(context);
  attach<inferEmbedNorm, MsEmbedLayerNormalizationOp>(context);
  attach<inferSameShape, MsMoEOp, MsQMoEOp, MsRotaryEmbeddingOp>(context);
}
