//===- Microsoft.cpp - shapes of fused com.microsoft operators ------------===//
#include "Broadcast.h"
#include "Families.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

namespace {

/// attention_bias, operand `index`: [batch, heads, queries, keys], of which the first
/// may be 1, and the next two where they are constants.
LogicalResult checkBias(Operation *op, ShapeScope &scope, unsigned index, const DimExpr &batch,
                        const DimExpr &heads, const DimExpr &queries, const DimExpr &keys) {
  if (!isGiven(op, index))
    return success();
  FailureOr<Dims> bias = scope.getOperandDims(op, index, 4);
  if (failed(bias) || failed(broadcastTo(op, scope, bias->front(), batch, "attention_bias")))
    return failure();
  Dims expected = {(*bias)[0], heads, queries, keys};
  for (unsigned axis : {1u, 2u})
    if ((*bias)[axis].constant() == 1)
      expected[axis] = DimExpr(1);
  return unifyDims(op, scope, index, expected, "attention_bias");
}

/// A mask of padding, operand `index`: [batch, keys] or [batch, queries, keys]. Other
/// forms are for the lowering to refuse.
LogicalResult checkMask(Operation *op, ShapeScope &scope, unsigned index, StringRef name,
                        const DimExpr &batch, const DimExpr &queries, const DimExpr &keys) {
  if (!isGiven(op, index))
    return success();
  FailureOr<Dims> mask = scope.getOperandDims(op, index);
  if (failed(mask))
    return failure();
  if (mask->size() == 2)
    return unifyDims(op, scope, index, {batch, keys}, name);
  if (mask->size() == 3)
    return unifyDims(op, scope, index, {batch, queries, keys}, name);
  return success();
}

/// A scale of a quantised cache, operand `index`: one number, or one for each channel, as a
/// vector or [1, heads, 1, size].
LogicalResult checkCacheScale(Operation *op, ShapeScope &scope, unsigned index, StringRef kind,
                              int64_t heads, const DimExpr &size, StringRef name) {
  if (!isGiven(op, index))
    return success();
  FailureOr<Dims> scale = scope.getOperandDims(op, index);
  if (failed(scale))
    return failure();
  if (kind != "PER_CHANNEL")
    return unifyDims(op, scope, index, Dims(scale->size(), DimExpr(1)), name);
  if (scale->size() == 1)
    return unifyDims(op, scope, index, {DimExpr(heads) * size}, name);
  return unifyDims(op, scope, index, {DimExpr(1), DimExpr(heads), DimExpr(1), size}, name);
}

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
                             "the last dim of operand " + Twine(i) + " and kv_num_heads heads")) ||
          failed(unifyDims(op, scope, i, {batch, length, (*dims)[2]}, i == 1 ? "key" : "value")))
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
        failed(
            scope.unify(op, (*past)[2], (*pastValue)[2], "lengths of past_key and past_value")) ||
        failed(unifyDims(op, scope, 4, {batch, DimExpr(kvHeads), (*past)[2], (*past)[3]},
                         "past_value")))
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
  FailureOr<Dims> lengths = scope.getOperandDims(op, 5);
  if (failed(lengths) || lengths->empty() ||
      failed(scope.unify(op, lengths->front(), batch, "the number of seqlens_k and the batch")) ||
      failed(checkBias(op, scope, 10, batch, DimExpr(heads), length, present)) ||
      failed(checkCacheScale(op, scope, 12, op.getKQuantType(), kvHeads, *size, "k_scale")) ||
      failed(checkCacheScale(op, scope, 13, op.getVQuantType(), kvHeads, *size, "v_scale")) ||
      (isGiven(op, 16) && failed(unifyDims(op, scope, 16, {batch}, "query_seqlens"))) ||
      (isGiven(op, 9) && failed(unifyDims(op, scope, 9, {batch, length}, "position_ids"))))
    return failure();
  if (failed(scope.setResult(op, 0, {batch, length, *size * DimExpr(heads)})))
    return failure();
  DimExpr stored = *size;
  if (op.getKvCacheBitWidth() == 4) { // two numbers to a byte
    auto bytes = divideExactly(*size, DimExpr(2));
    if (!bytes)
      return op.emitOpError() << "heads of size " << size->print()
                              << " are no whole number of bytes of two 4-bit numbers";
    stored = *bytes;
  }
  Dims cache = {batch, DimExpr(kvHeads), present, stored};
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
  DimExpr total = length, batch = (*query)[0], count(heads);
  auto checkPacked = [&](unsigned index, size_t rank, const DimExpr &each, StringRef name) {
    Dims expected =
        rank == 4 ? Dims{batch, count, length, each} : Dims{batch, length, each * count};
    return unifyDims(op, scope, index, expected, name);
  };
  if (failed(checkPacked(1, key->size(), *size, "key")) ||
      failed(checkPacked(2, value->size(), *valueSize, "value")))
    return failure();
  if (isGiven(op, 6)) {
    FailureOr<Dims> past = scope.getOperandDims(op, 6, 4);
    if (failed(past) ||
        failed(unifyDims(op, scope, 6, {batch, count, (*past)[2], *size}, "past_key")) ||
        failed(unifyDims(op, scope, 7, {batch, count, (*past)[2], *valueSize}, "past_value")))
      return failure();
    total = (*past)[2] + length;
  }
  if (failed(checkMask(op, scope, 4, "key_padding_mask", batch, (*query)[1], total)) ||
      failed(checkBias(op, scope, 5, batch, count, (*query)[1], total)) ||
      failed(scope.setResult(op, 0, {batch, (*query)[1], hidden})) ||
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
  DimExpr batch = (*input)[0], queries = (*input)[1], total = queries;
  DimExpr count(int64_t(op.getNumHeads()));
  if (isGiven(op, 4)) {
    FailureOr<Dims> past = scope.getOperandDims(op, 4, 5);
    if (failed(past) ||
        failed(unifyDims(op, scope, 4, {DimExpr(2), batch, count, (*past)[3], *size}, "past")))
      return failure();
    total = (*past)[3] + total;
  }
  if (failed(checkMask(op, scope, 3, "mask_index", batch, queries, total)) ||
      failed(checkBias(op, scope, 5, batch, count, queries, total)) ||
      failed(scope.setResult(op, 0, {batch, queries, *hidden})))
    return failure();
  return scope.setResult(op, 1, {DimExpr(2), batch, count, total, *size});
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
  attach<inferSameShape, MsMoEOp, MsQMoEOp, MsRotaryEmbeddingOp, PartExpertsOp>(context);
}
