//===- Attention.cpp - sharding rules of attention and rotary embedding ---===//
//
// The factor of heads counts key-value heads: a unit of it is one key-value
// head and the group of query heads that read it, so that queries are cut at
// the borders of groups. In packed tensors [batch, sequence, heads * size] the
// unit of a dim is the group times the head size.
//
//===----------------------------------------------------------------------===//
#include "RuleBuilder.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

/// The extent of a dim, or "" if the operand is absent or has no such dim.
std::string getExtent(Operation *op, unsigned operand, int64_t dim) {
  if (!hasOperand(op, operand))
    return "";
  auto extents = getExtentTexts(op->getOperand(operand));
  if (!extents)
    return "";
  dim = normalizeAxis(dim, extents->size());
  return dim < 0 ? "" : (*extents)[dim];
}

/// Maps a bias or mask that is broadcast to [batch, query heads, query, keys].
void mapBias(RuleBuilder &builder, Operation *op, unsigned operand, std::optional<unsigned> batch,
             unsigned heads, int64_t group, std::optional<unsigned> query = std::nullopt) {
  if (query)
    builder.mapOneOrAll(operand, -2, *query);
  builder.mapOneOrAll(operand, -3, heads, group);
  if (batch)
    builder.mapOneOrAll(operand, -4, *batch);
}

/// onnx.Attention: Q, K, V, attn_mask?, past_key?, past_value?,
/// nonpad_kv_seqlen? -> Y, present_key?, present_value?, qk_matmul_output?.
ShardingRule getAttentionRule(Operation *op) {
  bool packed = getRank(op->getOperand(0)) == 3;
  if (!packed && getRank(op->getOperand(0)) != 4)
    return makeReplicated("the shape of the query is not known");
  int64_t queryHeads =
      packed ? getInt(op, "q_num_heads", 0) : getStaticExtent(op->getOperand(0), 1);
  int64_t heads = packed ? getInt(op, "kv_num_heads", 0) : getStaticExtent(op->getOperand(1), 1);
  if (queryHeads <= 0 || heads <= 0 || queryHeads % heads != 0)
    return makeReplicated("the numbers of heads are not known, or query heads are no multiple of "
                          "key-value heads");
  int64_t group = queryHeads / heads;
  RuleBuilder builder(op);
  std::optional<unsigned> batch;
  if (std::string extent = getExtent(op, 0, 0); extent != "1")
    batch = builder.addFactor(extent);
  unsigned headFactor = builder.addFactor(heads);
  auto mapHeads = [&](unsigned operand, int64_t perHead) {
    if (!packed) {
      builder.mapOperand(operand, 1, headFactor, perHead);
      return true;
    }
    int64_t extent = getStaticExtent(op->getOperand(operand), 2);
    if (extent <= 0 || extent % (heads * perHead) != 0)
      return false;
    builder.mapOperand(operand, 2, headFactor, extent / heads);
    return true;
  };
  if (!mapHeads(0, group) || !mapHeads(1, 1) || !mapHeads(2, 1))
    return makeReplicated("the hidden size is no multiple of the number of heads");
  int64_t valueSize = packed ? getStaticExtent(op->getOperand(2), 2) / heads : 1;
  builder.mapResult(0, packed ? 2 : 1, headFactor, group * valueSize);
  for (unsigned operand : {4u, 5u})
    builder.mapOperand(operand, 1, headFactor);
  for (unsigned result : {1u, 2u})
    builder.mapResult(result, 1, headFactor);
  builder.mapResult(3, 1, headFactor, group);
  if (batch) {
    for (unsigned operand : {0u, 1u, 2u, 4u, 5u, 6u})
      builder.mapOperand(operand, 0, *batch);
    for (unsigned result : {0u, 1u, 2u, 3u})
      builder.mapResult(result, 0, *batch);
  }
  // Rows of queries are independent unless their number says what they may see.
  std::optional<unsigned> query;
  if (std::string extent = getExtent(op, 0, packed ? 1 : 2);
      getInt(op, "is_causal", 0) == 0 && extent != "1" && !extent.empty()) {
    query = builder.addFactor(extent);
    builder.mapOperand(0, packed ? 1 : 2, *query).mapResult(0, packed ? 1 : 2, *query);
    builder.mapResult(3, 2, *query);
  }
  mapBias(builder, op, 3, batch, headFactor, group, query);
  return builder.take();
}

/// ms.GroupQueryAttention; ms.MultiHeadAttention is of the same form with other
/// operand numbers.
struct PackedForm {
  unsigned bias;                           ///< added to the scores
  SmallVector<unsigned> past;              ///< [batch, heads, past, size]
  SmallVector<unsigned> batchVectors;      ///< [batch, ...]
  std::optional<unsigned> queryHeadVector; ///< [query heads]
};

/// Query, key and value in one tensor: a cut of its columns is none of heads.
ShardingRule getPackedBatchRule(Operation *op, const PackedForm &form) {
  std::string extent = getExtent(op, 0, 0);
  if (extent.empty() || extent == "1")
    return makeReplicated("query, key and value are packed in one tensor");
  RuleBuilder builder(op);
  unsigned batch = builder.addFactor(extent);
  builder.mapOperand(0, 0, batch);
  for (unsigned operand : form.past)
    builder.mapOperand(operand, 0, batch);
  for (unsigned operand : form.batchVectors)
    if (getExtent(op, operand, 0) == extent)
      builder.mapOperand(operand, 0, batch);
  if (getExtent(op, form.bias, -4) == extent)
    builder.mapOperand(form.bias, -4, batch);
  for (unsigned result : {0u, 1u, 2u, 3u})
    builder.mapResult(result, 0, batch);
  return builder.take();
}

ShardingRule getPackedAttentionRule(Operation *op, int64_t queryHeads, int64_t heads,
                                    const PackedForm &form) {
  if (!hasOperand(op, 1) || !hasOperand(op, 2))
    return getPackedBatchRule(op, form);
  if (getRank(op->getOperand(0)) != 3 || getRank(op->getOperand(1)) != 3 || queryHeads <= 0 ||
      heads <= 0 || queryHeads % heads != 0)
    return makeReplicated("query and key are not [batch, sequence, hidden] with known heads");
  int64_t group = queryHeads / heads;
  RuleBuilder builder(op);
  std::optional<unsigned> batch;
  if (std::string extent = getExtent(op, 0, 0); extent != "1")
    batch = builder.addFactor(extent);
  unsigned headFactor = builder.addFactor(heads);
  for (unsigned operand : {0u, 1u, 2u}) {
    int64_t extent = getStaticExtent(op->getOperand(operand), 2);
    if (extent <= 0 || extent % heads != 0)
      return makeReplicated("the hidden size is no multiple of the number of heads");
    builder.mapOperand(operand, 2, headFactor, extent / heads);
  }
  builder.mapResult(0, 2, headFactor, group * getStaticExtent(op->getOperand(2), 2) / heads);
  for (unsigned operand : form.past)
    builder.mapOperand(operand, 1, headFactor);
  for (unsigned result : {1u, 2u})
    builder.mapResult(result, 1, headFactor);
  builder.mapResult(3, 1, headFactor, group);
  if (form.queryHeadVector)
    builder.mapOperand(*form.queryHeadVector, 0, headFactor, group);
  if (batch) {
    for (unsigned operand : {0u, 1u, 2u})
      builder.mapOperand(operand, 0, *batch);
    for (unsigned operand : form.past)
      builder.mapOperand(operand, 0, *batch);
    for (unsigned operand : form.batchVectors)
      if (getExtent(op, operand, 0) == getExtent(op, 0, 0))
        builder.mapOperand(operand, 0, *batch);
    for (unsigned result : {0u, 1u, 2u, 3u})
      builder.mapResult(result, 0, *batch);
  }
  mapBias(builder, op, form.bias, batch, headFactor, group);
  return builder.take();
}

ShardingRule getGroupQueryAttentionRule(Operation *op) {
  for (unsigned scale : {12u, 13u})
    if (hasOperand(op, scale) &&
        (getRank(op->getOperand(scale)) != 1 || getStaticExtent(op->getOperand(scale), 0) != 1))
      return makeReplicated("the cache has a quantisation scale for each channel");
  return getPackedAttentionRule(op, getInt(op, "num_heads", 0), getInt(op, "kv_num_heads", 0),
                                {10, {3, 4}, {5, 9, 16}, 11});
}

ShardingRule getMultiHeadAttentionRule(Operation *op) {
  if (hasOperand(op, 3))
    return makeReplicated("the biases of query, key and value are packed in one tensor");
  int64_t heads = getInt(op, "num_heads", 0);
  return getPackedAttentionRule(op, heads, heads, {5, {6, 7}, {4}, std::nullopt});
}

/// ms.Attention: projections are packed in one matrix; only the batch is cut.
ShardingRule getMsAttentionRule(Operation *op) {
  std::string extent = getExtent(op, 0, 0);
  if (extent.empty())
    return makeReplicated("the shape of the input is not known");
  RuleBuilder builder(op);
  unsigned batch = builder.addFactor(extent);
  builder.mapOperand(0, 0, batch).mapResult(0, 0, batch);
  if (getExtent(op, 3, 0) == extent)
    builder.mapOperand(3, 0, batch);
  builder.mapOperand(4, 1, batch).mapResult(1, 1, batch);
  builder.mapOneOrAll(5, 0, batch);
  return builder.take();
}

/// X as [batch, heads, sequence, size] or [batch, sequence, heads * size], with
/// caches [batch, sequence, size / 2], or [positions, size / 2] and position ids.
ShardingRule getRotaryRule(Operation *op, unsigned cos, unsigned sin, unsigned positions) {
  int64_t rank = getRank(op->getOperand(0));
  if (rank != 3 && rank != 4)
    return makeReplicated("the shape of the input is not known");
  RuleBuilder builder(op);
  auto mapBoth = [&](int64_t dim, unsigned factor, int64_t unit = 1) {
    builder.mapOperand(0, dim, factor, unit).mapResult(0, dim, factor, unit);
  };
  for (auto [xDim, cacheDim] : {std::pair<int64_t, int64_t>(0, 0), {rank == 3 ? 1 : 2, 1}}) {
    std::string extent = getExtent(op, 0, xDim);
    if (extent == "1" || extent.empty())
      continue;
    bool known = true;
    SmallVector<unsigned> cut;
    for (unsigned operand : {cos, sin, positions}) {
      if (!hasOperand(op, operand) ||
          (operand != positions && getRank(op->getOperand(operand)) != 3))
        continue;
      if (operand == positions && getRank(op->getOperand(operand)) != 2) {
        known &= xDim == 0; // a vector of one: the offset of the first row
        continue;
      }
      std::string other = getExtent(op, operand, cacheDim);
      if (other == extent)
        cut.push_back(operand);
      else
        known &= other == "1";
    }
    // Without position ids the caches' rows are the positions.
    if (!known)
      continue;
    unsigned factor = builder.addFactor(extent);
    mapBoth(xDim, factor);
    for (unsigned operand : cut)
      builder.mapOperand(operand, cacheDim, factor);
  }
  if (rank == 4) {
    if (std::string extent = getExtent(op, 0, 1); extent != "1")
      mapBoth(1, builder.addFactor(extent));
    return builder.take();
  }
  int64_t hidden = getStaticExtent(op->getOperand(0), 2), heads = getInt(op, "num_heads", 0);
  if (heads <= 0 && getInt(op, "rotary_embedding_dim", 0) == 0) {
    int64_t half = getStaticExtent(op->getOperand(cos), -1);
    heads = half > 0 && hidden > 0 && hidden % (2 * half) == 0 ? hidden / (2 * half) : 0;
  }
  if (heads > 0 && hidden > 0 && hidden % heads == 0)
    mapBoth(2, builder.addFactor(heads), hidden / heads);
  return builder.take();
}

ShardingRule getOnnxRotaryRule(Operation *op) { return getRotaryRule(op, 1, 2, 3); }
ShardingRule getMsRotaryRule(Operation *op) { return getRotaryRule(op, 2, 3, 1); }

/// LinearAttention(query, key, value, past_state, decay, beta): all carry the
/// heads, packed along the last dim (state: dim 1).
ShardingRule getLinearAttentionRule(Operation *op) {
  std::string extent = getExtent(op, 0, 0);
  if (extent.empty())
    return makeReplicated("the shape of the query is not known");
  RuleBuilder builder(op);
  if (extent != "1") {
    unsigned batch = builder.addFactor(extent);
    for (unsigned operand = 0; operand < op->getNumOperands(); ++operand)
      if (getExtent(op, operand, 0) == extent)
        builder.mapOperand(operand, 0, batch);
    builder.mapResult(0, 0, batch).mapResult(1, 0, batch);
  }
  // Heads of queries and keys may be fewer than those of values: a unit is the
  // smallest group that reads nothing of another.
  int64_t queryHeads = getInt(op, "q_num_heads", 0), valueHeads = getInt(op, "kv_num_heads", 0);
  if (valueHeads <= 0 || queryHeads <= 0 || !hasOperand(op, 1) ||
      (queryHeads % valueHeads != 0 && valueHeads % queryHeads != 0))
    return builder.take();
  int64_t heads = std::min(queryHeads, valueHeads);
  for (unsigned operand = 0; operand < op->getNumOperands(); ++operand)
    if (operand != 3 && hasOperand(op, operand) &&
        (getRank(op->getOperand(operand)) != 3 ||
         getStaticExtent(op->getOperand(operand), 2) % heads != 0 ||
         getStaticExtent(op->getOperand(operand), 2) <= 0))
      return builder.take();
  int64_t outSize = getStaticExtent(op->getResult(0), 2);
  if (outSize <= 0 || outSize % heads != 0)
    return builder.take();
  unsigned factor = builder.addFactor(heads);
  for (unsigned operand = 0; operand < op->getNumOperands(); ++operand)
    if (operand == 3)
      builder.mapOperand(3, 1, factor, valueHeads / heads);
    else if (hasOperand(op, operand))
      builder.mapOperand(operand, 2, factor, getStaticExtent(op->getOperand(operand), 2) / heads);
  builder.mapResult(0, 2, factor, outSize / heads);
  builder.mapResult(1, 1, factor, valueHeads / heads);
  return builder.take();
}

/// CausalConvWithState(input [batch, channels, length], weight, bias, past).
ShardingRule getCausalConvRule(Operation *op) {
  std::string batch = getExtent(op, 0, 0), channels = getExtent(op, 0, 1);
  if (batch.empty() || channels.empty() || getInt(op, "ndim", 1) != 1)
    return makeReplicated("the shape of the input is not known, or it has more than one space dim");
  RuleBuilder builder(op);
  if (batch != "1") {
    unsigned factor = builder.addFactor(batch);
    builder.mapOperand(0, 0, factor).mapOperand(3, 0, factor);
    builder.mapResult(0, 0, factor).mapResult(1, 0, factor);
  }
  if (channels != "1") {
    unsigned factor = builder.addFactor(channels);
    builder.mapOperand(0, 1, factor).mapOperand(1, 0, factor).mapOperand(2, 0, factor);
    builder.mapOperand(3, 1, factor).mapResult(0, 1, factor).mapResult(1, 1, factor);
  }
  return builder.take();
}

} // namespace

void dougong::onnx::attachAttentionRules(MLIRContext *context) {
  attachRule<getAttentionRule, AttentionOp>(context);
  attachRule<getGroupQueryAttentionRule, MsGroupQueryAttentionOp>(context);
  attachRule<getMultiHeadAttentionRule, MsMultiHeadAttentionOp>(context);
  attachRule<getMsAttentionRule, MsAttentionOp>(context);
  attachRule<getOnnxRotaryRule, RotaryEmbeddingOp>(context);
  attachRule<getMsRotaryRule, MsRotaryEmbeddingOp>(context);
  attachRule<getLinearAttentionRule, LinearAttentionOp, MsLinearAttentionOp>(context);
  attachRule<getCausalConvRule, CausalConvWithStateOp, MsCausalConvWithStateOp>(context);
}
