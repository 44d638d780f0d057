//===- Attention.cpp - shapes of attention of the standard domain ---------===//
#include "Broadcast.h"
#include "Families.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

namespace {

/// A query, key or value: [batch, heads, length, head size].
struct Heads {
  DimExpr batch, heads, length, size;
};

/// Operand `index`, of rank 4, or of rank 3 with `heads` heads in its last dim.
FailureOr<Heads> getHeads(Operation *op, ShapeScope &scope, unsigned index,
                          std::optional<int64_t> heads) {
  FailureOr<Dims> dims = scope.getOperandDims(op, index);
  if (failed(dims))
    return failure();
  Dims &d = *dims;
  if (d.size() == 4)
    return Heads{d[0], d[1], d[2], d[3]};
  if (d.size() != 3)
    return op->emitOpError() << "operand " << index << " must have rank 3 or 4, got shape "
                             << toString(d);
  if (!heads || *heads <= 0)
    return op->emitOpError() << "operand " << index
                             << " has rank 3, so the numbers of heads must be given";
  FailureOr<DimExpr> size =
      divideDim(op, scope, d[2], DimExpr(*heads),
                "the heads of operand " + Twine(index) + " with shape " + toString(d));
  if (failed(size))
    return failure();
  return Heads{d[0], DimExpr(*heads), d[1], *size};
}

LogicalResult inferAttention(AttentionOp op, ShapeScope &scope) {
  FailureOr<Heads> q = getHeads(op, scope, 0, op.getQNumHeads());
  FailureOr<Heads> k = getHeads(op, scope, 1, op.getKvNumHeads());
  FailureOr<Heads> v = getHeads(op, scope, 2, op.getKvNumHeads());
  if (failed(q) || failed(k) || failed(v))
    return failure();
  if (failed(scope.unify(op, q->batch, k->batch, "batch dims of Q and K")) ||
      failed(scope.unify(op, q->batch, v->batch, "batch dims of Q and V")) ||
      failed(scope.unify(op, q->size, k->size, "head sizes of Q and K")) ||
      failed(scope.unify(op, k->heads, v->heads, "heads of K and V")) ||
      failed(scope.unify(op, k->length, v->length, "lengths of K and V")))
    return failure();
  if (q->heads.constant() && k->heads.constant() && *k->heads.constant() > 0 &&
      *q->heads.constant() % *k->heads.constant() != 0)
    return op.emitOpError() << "number of query heads, " << q->heads.print()
                            << ", is not a multiple of that of key heads, " << k->heads.print();
  if (failed(divideDim(op, scope, q->heads, k->heads, "the number of query heads by key heads")))
    return failure();
  DimExpr total = k->length;
  if (isGiven(op, 4)) {
    FailureOr<Dims> past = scope.getOperandDims(op, 4, 4);
    FailureOr<Dims> pastValue = scope.getOperandDims(op, 5, 4);
    if (failed(past) || failed(pastValue) ||
        failed(scope.unify(op, (*past)[0], q->batch, "batch dims of past_key and Q")) ||
        failed(scope.unify(op, (*past)[1], k->heads, "heads of past_key and K")) ||
        failed(scope.unify(op, (*past)[3], k->size, "head sizes of past_key and K")) ||
        failed(
            scope.unify(op, (*past)[2], (*pastValue)[2], "lengths of past_key and past_value")) ||
        failed(scope.unify(op, (*pastValue)[0], q->batch, "batch dims of past_value and Q")) ||
        failed(scope.unify(op, (*pastValue)[3], v->size, "head sizes of past_value and V")))
      return failure();
    total = (*past)[2] + k->length;
  }
  if (isGiven(op, 3)) {
    FailureOr<Dims> mask = scope.getOperandDims(op, 3);
    if (failed(mask))
      return failure();
    if (mask->empty() || mask->size() > 4)
      return op.emitOpError() << "mask must have rank 1 to 4, got shape " << toString(*mask);
    // The last dim may be shorter (it is padded); where it is a symbol it is
    // taken to be the whole length, as exporters mean it.
    DimExpr last = scope.getSolver().canonical(mask->back());
    DimExpr whole = scope.getSolver().canonical(total);
    bool shorter =
        isGiven(op, 6) || (last.constant() && scope.getSolver().isLessOrEqual(last, whole));
    if (!shorter && failed(scope.unify(op, last, whole, "the last dim of the mask and all keys")))
      return failure();
    // A mask for all heads is as common as one for each, where neither is static.
    size_t rank = mask->size();
    auto fit = [&](const DimExpr &own, const DimExpr &full, const Twine &what) {
      // A constant does not make the queries more than they are.
      return own.constant().value_or(1) != 1 ? scope.unify(op, own, full, what)
                                             : scope.broadcastDim(op, own, full);
    };
    if (rank > 1 && failed(fit((*mask)[rank - 2], q->length, "rows of the mask and queries")))
      return failure();
    if (rank > 2 &&
        failed(broadcastTo(op, scope, {(*mask)[rank - 3]}, {q->heads}, "the mask's dim of heads")))
      return failure();
    if (rank > 3 && failed(fit((*mask)[0], q->batch, "batch dims of mask and Q")))
      return failure();
  }
  if (isGiven(op, 6)) {
    FailureOr<Dims> lengths = scope.getOperandDims(op, 6, 1);
    if (failed(lengths) ||
        failed(scope.unify(op, lengths->front(), q->batch, "batch and nonpad_kv_seqlen")))
      return failure();
  }
  bool packed = scope.getDims(op.getQ()).size() == 3;
  Dims y = packed ? Dims{q->batch, q->length, q->heads * v->size}
                  : Dims{q->batch, q->heads, q->length, v->size};
  if (failed(scope.setResult(op, 0, y)) ||
      failed(scope.setResult(op, 1, {q->batch, k->heads, total, k->size})) ||
      failed(scope.setResult(op, 2, {q->batch, k->heads, total, v->size})))
    return failure();
  return scope.setResult(op, 3, {q->batch, q->heads, q->length, total});
}

LogicalResult inferRotary(RotaryEmbeddingOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0), cosine = scope.getOperandDims(op, 1),
                  sine = scope.getOperandDims(op, 2);
  if (failed(input) || failed(cosine) || failed(sine))
    return failure();
  if (input->size() != 3 && input->size() != 4)
    return op.emitOpError() << "X must have rank 3 or 4, got shape " << toString(*input);
  if (cosine->size() != sine->size())
    return op.emitOpError() << "cos_cache " << toString(*cosine) << " and sin_cache "
                            << toString(*sine) << " differ in rank";
  for (size_t i = 0; i < cosine->size(); ++i)
    if (failed(scope.unify(op, (*cosine)[i], (*sine)[i],
                           "dim " + Twine(i) + " of cos_cache and sin_cache")))
      return failure();
  Dims positions = {(*input)[0], input->size() == 4 ? (*input)[2] : (*input)[1]};
  Dims given;
  if (isGiven(op, 3)) {
    FailureOr<Dims> ids = scope.getOperandDims(op, 3, 2);
    if (failed(ids))
      return failure();
    given = *ids;
  } else if (cosine->size() == 3) {
    given = {(*cosine)[0], (*cosine)[1]};
  } else {
    return op.emitOpError() << "cos_cache must have rank 3 without position_ids, got shape "
                            << toString(*cosine);
  }
  for (size_t i = 0; i < 2; ++i)
    if (failed(scope.unify(op, positions[i], given[i],
                           "dim " + Twine(i) + " of the positions, batch or length of X")))
      return failure();
  return scope.setResult(op, 0, *input);
}

/// Operands `decay` and `beta` of a LinearAttention: a number for each head, or for each
/// of its keys; a number for each head, or one for all.
LogicalResult checkGates(Operation *op, ShapeScope &scope, const DimExpr &batch,
                         const DimExpr &length, const DimExpr &heads, const DimExpr &keySize) {
  if (isGiven(op, 4)) {
    FailureOr<Dims> decay = scope.getOperandDims(op, 4, 3);
    if (failed(decay) || failed(unifyDims(op, scope, 4, {batch, length, decay->back()}, "decay")) ||
        failed(scope.requireEither(op, decay->back(), heads, heads * keySize, "dim 2 of decay")))
      return failure();
  }
  if (isGiven(op, 5)) {
    FailureOr<Dims> beta = scope.getOperandDims(op, 5, 3);
    if (failed(beta) || failed(unifyDims(op, scope, 5, {batch, length, beta->back()}, "beta")) ||
        failed(scope.requireEither(op, beta->back(), heads, DimExpr(1), "dim 2 of beta")))
      return failure();
  }
  return success();
}

/// LinearAttention: heads are packed in the last dim.
LogicalResult inferLinearAttention(LinearAttentionOp op, ShapeScope &scope) {
  FailureOr<Heads> q = getHeads(op, scope, 0, op.getQNumHeads());
  FailureOr<Heads> k = getHeads(op, scope, 1, op.getKvNumHeads());
  FailureOr<Heads> v = getHeads(op, scope, 2, op.getKvNumHeads());
  if (failed(q) || failed(k) || failed(v))
    return failure();
  if (failed(scope.unify(op, q->size, k->size, "head sizes of query and key")) ||
      failed(scope.unify(op, q->length, k->length, "lengths of query and key")) ||
      failed(scope.unify(op, q->length, v->length, "lengths of query and value")) ||
      failed(scope.unify(op, q->batch, k->batch, "batch dims of query and key")))
    return failure();
  if (isGiven(op, 3) &&
      failed(unifyDims(op, scope, 3, {q->batch, k->heads, k->size, v->size}, "past_state")))
    return failure();
  if (failed(checkGates(op, scope, q->batch, q->length, k->heads, k->size)) ||
      failed(scope.setResult(op, 0, {q->batch, q->length, q->heads * v->size})))
    return failure();
  return scope.setResult(op, 1, {q->batch, k->heads, k->size, v->size});
}

/// LinearAttention of com.microsoft: queries and keys may have fewer heads than
/// values; then `kv_num_heads` are those of values and states.
LogicalResult inferMsLinearAttention(MsLinearAttentionOp op, ShapeScope &scope) {
  FailureOr<Dims> query = scope.getOperandDims(op, 0, 3), value = scope.getOperandDims(op, 2, 3);
  if (failed(query) || failed(value))
    return failure();
  int64_t queryHeads = op.getQNumHeads(), heads = op.getKvNumHeads();
  FailureOr<DimExpr> keySize =
      divideDim(op, scope, (*query)[2], DimExpr(queryHeads), "dim 2 of query and q_num_heads");
  FailureOr<DimExpr> valueSize =
      divideDim(op, scope, (*value)[2], DimExpr(heads), "dim 2 of value and kv_num_heads");
  if (failed(keySize) || failed(valueSize))
    return failure();
  if (failed(scope.unify(op, (*query)[0], (*value)[0], "batch dims of query and value")) ||
      failed(scope.unify(op, (*query)[1], (*value)[1], "lengths of query and value")) ||
      failed(checkGates(op, scope, (*query)[0], (*query)[1], DimExpr(heads), *keySize)) ||
      failed(scope.setResult(
          op, 0, {(*query)[0], (*query)[1], DimExpr(std::max(queryHeads, heads)) * *valueSize})))
    return failure();
  return scope.setResult(op, 1, {(*query)[0], DimExpr(heads), *keySize, *valueSize});
}

/// CausalConvWithState, also of com.microsoft: the state is the last k - 1 inputs.
LogicalResult inferCausalConv(Operation *op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0, 3), weight = scope.getOperandDims(op, 1, 3);
  if (failed(input) || failed(weight) ||
      failed(scope.unify(op, (*input)[1], (*weight)[0], "channels of input and weight")) ||
      failed(scope.unify(op, (*weight)[1], DimExpr(1), "dim 1 of weight, one channel each")))
    return failure();
  Dims state = {(*input)[0], (*input)[1], (*weight)[2] - DimExpr(1)};
  if (isGiven(op, 3)) {
    FailureOr<Dims> past = scope.getOperandDims(op, 3, 3);
    if (failed(past))
      return failure();
    for (size_t i = 0; i < 3; ++i)
      if (failed(scope.unify(op, state[i], (*past)[i], "dim " + Twine(i) + " of the states")))
        return failure();
  }
  if (failed(scope.setResult(op, 0, *input)))
    return failure();
  return scope.setResult(op, 1, state);
}

LogicalResult inferFlexAttention(PreviewFlexAttentionOp op, ShapeScope &scope) {
  FailureOr<Dims> q = scope.getOperandDims(op, 0, 4), k = scope.getOperandDims(op, 1, 4),
                  v = scope.getOperandDims(op, 2, 4);
  if (failed(q) || failed(k) || failed(v))
    return failure();
  // The modifiers see all scores.
  Dims scores = {(*q)[0], (*q)[1], (*q)[2], (*k)[2]};
  for (Region &region : op->getRegions()) {
    if (region.empty())
      continue;
    for (BlockArgument argument : region.getArguments()) {
      auto declared = getTypeDims(argument.getType());
      scope.setDims(argument, declared && declared->empty() ? Dims() : scores);
    }
    if (failed(scope.inferBlock(region.front())))
      return failure();
  }
  return scope.setResult(op, 0, {(*q)[0], (*q)[1], (*q)[2], (*v)[3]});
}

} // namespace

void dougong::onnx::attachAttentionShapes(MLIRContext &context) {
  attach<inferAttention, AttentionOp>(context);
  attach<inferRotary, RotaryEmbeddingOp>(context);
  attach<inferLinearAttention, LinearAttentionOp>(context);
  attach<inferMsLinearAttention, MsLinearAttentionOp>(context);
  attach<inferCausalConv, CausalConvWithStateOp, MsCausalConvWithStateOp>(context);
  attach<inferFlexAttention, PreviewFlexAttentionOp>(context);
}
