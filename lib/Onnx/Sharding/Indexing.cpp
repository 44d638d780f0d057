//===- Indexing.cpp - sharding rules of gathers, scatters and searches ----===//
#include "RuleBuilder.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

/// Gather(data, indices): dims of the indices and the other dims of the data
/// pass through. The gathered dim is a reduction where it is worth it: each
/// rank looks up what it holds, zero elsewhere, and the results are added (the
/// partitioner writes the masked form).
ShardingRule getGatherRule(Operation *op) {
  auto data = getExtentTexts(op->getOperand(0)), indices = getExtentTexts(op->getOperand(1));
  if (!data || !indices)
    return makeReplicated("a shape is not known");
  int64_t axis = normalizeAxis(getInt(op, "axis", 0), data->size());
  if (axis < 0)
    return makeReplicated("axis is out of range");
  RuleBuilder builder(op);
  int64_t indexRank = indices->size();
  for (auto [dim, extent] : llvm::enumerate(*indices))
    if (extent != "1") {
      unsigned factor = builder.addFactor(extent);
      builder.mapOperand(1, dim, factor).mapResult(0, axis + dim, factor);
    }
  for (auto [index, extent] : llvm::enumerate(*data)) {
    int64_t dim = index;
    if (dim == axis || extent == "1")
      continue;
    unsigned factor = builder.addFactor(extent);
    builder.mapOperand(0, dim, factor);
    builder.mapResult(0, dim < axis ? dim : dim + indexRank - 1, factor);
  }
  Type element = cast<ShapedType>(op->getResult(0).getType()).getElementType();
  if (isa<FloatType>(element) && (*data)[axis] != "1")
    builder.mapOperand(0, axis, builder.addFactor((*data)[axis], FactorKind::Reduction));
  return builder.take();
}

/// GatherElements(data, indices): dims other than `axis` that are equal.
ShardingRule getGatherElementsRule(Operation *op) {
  auto data = getExtentTexts(op->getOperand(0)), indices = getExtentTexts(op->getOperand(1));
  if (!data || !indices || data->size() != indices->size())
    return makeReplicated("a shape is not known");
  int64_t axis = normalizeAxis(getInt(op, "axis", 0), data->size());
  RuleBuilder builder(op);
  for (auto [dim, extent] : llvm::enumerate(*data)) {
    if (static_cast<int64_t>(dim) == axis || extent != (*indices)[dim] || extent == "1")
      continue;
    unsigned factor = builder.addFactor(extent);
    builder.mapOperand(0, dim, factor).mapOperand(1, dim, factor).mapResult(0, dim, factor);
  }
  // The indices' own dim: each entry is looked up by itself.
  if (axis >= 0 && (*indices)[axis] != "1") {
    unsigned factor = builder.addFactor((*indices)[axis]);
    builder.mapOperand(1, axis, factor).mapResult(0, axis, factor);
  }
  return builder.take();
}

/// GatherND(data, indices): batch dims, the other dims of the indices but the
/// last, and the dims of the data that no index reaches.
ShardingRule getGatherNDRule(Operation *op) {
  auto data = getExtentTexts(op->getOperand(0)), indices = getExtentTexts(op->getOperand(1));
  if (!data || !indices || indices->empty())
    return makeReplicated("a shape is not known");
  int64_t batch = getInt(op, "batch_dims", 0);
  int64_t depth = getStaticExtent(op->getOperand(1), -1);
  if (depth < 0)
    return makeReplicated("the length of an index is not known");
  RuleBuilder builder(op);
  int64_t indexRank = indices->size();
  for (int64_t dim = 0; dim + 1 < indexRank; ++dim) {
    if ((*indices)[dim] == "1")
      continue;
    unsigned factor = builder.addFactor((*indices)[dim]);
    builder.mapOperand(1, dim, factor).mapResult(0, dim, factor);
    if (dim < batch)
      builder.mapOperand(0, dim, factor);
  }
  for (int64_t dim = batch + depth, rank = data->size(); dim < rank; ++dim)
    if ((*data)[dim] != "1") {
      unsigned factor = builder.addFactor((*data)[dim]);
      builder.mapOperand(0, dim, factor).mapResult(0, indexRank - 1 + dim - batch - depth, factor);
    }
  return builder.take();
}

/// ScatterElements(data, indices, updates): dims other than `axis` in which all
/// three have the same extent.
ShardingRule getScatterElementsRule(Operation *op) {
  auto data = getExtentTexts(op->getOperand(0)), indices = getExtentTexts(op->getOperand(1));
  if (!data || !indices || data->size() != indices->size())
    return makeReplicated("a shape is not known");
  int64_t axis = normalizeAxis(getInt(op, "axis", 0), data->size());
  RuleBuilder builder(op);
  for (auto [dim, extent] : llvm::enumerate(*data)) {
    if (static_cast<int64_t>(dim) == axis || extent != (*indices)[dim] || extent == "1")
      continue;
    unsigned factor = builder.addFactor(extent);
    builder.mapOperand(0, dim, factor).mapOperand(1, dim, factor).mapOperand(2, dim, factor);
    builder.mapResult(0, dim, factor);
  }
  return builder.take();
}

/// ScatterND(data, indices, updates): dims of the data that no index reaches.
ShardingRule getScatterNDRule(Operation *op) {
  auto data = getExtentTexts(op->getOperand(0)), indices = getExtentTexts(op->getOperand(1));
  int64_t depth = indices && !indices->empty() ? getStaticExtent(op->getOperand(1), -1) : -1;
  if (!data || depth < 0)
    return makeReplicated("a shape is not known");
  RuleBuilder builder(op);
  for (int64_t dim = depth, rank = data->size(); dim < rank; ++dim)
    if ((*data)[dim] != "1") {
      unsigned factor = builder.addFactor((*data)[dim]);
      builder.mapOperand(0, dim, factor).mapResult(0, dim, factor);
      builder.mapOperand(2, static_cast<int64_t>(indices->size()) - 1 + dim - depth, factor);
    }
  return builder.take();
}

/// TensorScatter(past_cache, update, write_indices): all dims but `axis`; the
/// indices go with the batch.
ShardingRule getTensorScatterRule(Operation *op) {
  auto cache = getExtentTexts(op->getOperand(0)), update = getExtentTexts(op->getOperand(1));
  if (!cache || !update || cache->size() != update->size())
    return makeReplicated("a shape is not known");
  int64_t axis = normalizeAxis(getInt(op, "axis", -2), cache->size());
  RuleBuilder builder(op);
  for (auto [dim, extent] : llvm::enumerate(*cache)) {
    if (static_cast<int64_t>(dim) == axis || extent == "1" || (*update)[dim] != extent)
      continue;
    unsigned factor = builder.addFactor(extent);
    builder.mapOperand(0, dim, factor).mapOperand(1, dim, factor).mapResult(0, dim, factor);
    if (dim == 0)
      builder.mapOperand(2, 0, factor);
  }
  return builder.take();
}

/// TopK, CumSum, CumProd, ArgMax without keepdims and kin: all dims but `axis`.
ShardingRule getAllButAxis(Operation *op, int64_t axis, bool dropsAxis) {
  auto extents = getExtentTexts(op->getOperand(0));
  if (!extents)
    return makeReplicated("the shape of the input is not known");
  axis = normalizeAxis(axis, extents->size());
  if (axis < 0)
    return makeReplicated("axis is out of range");
  RuleBuilder builder(op);
  for (auto [index, extent] : llvm::enumerate(*extents)) {
    int64_t dim = index;
    if (dim == axis || extent == "1")
      continue;
    unsigned factor = builder.addFactor(extent);
    builder.mapOperand(0, dim, factor);
    for (unsigned result = 0; result < op->getNumResults(); ++result)
      builder.mapResult(result, dropsAxis && dim > axis ? dim - 1 : dim, factor);
  }
  return builder.take();
}

ShardingRule getTopKRule(Operation *op) { return getAllButAxis(op, getInt(op, "axis", -1), false); }

/// CumSum(x, axis): the axis is an operand.
ShardingRule getCumulativeRule(Operation *op) {
  auto axis = getConstantIntegers(op->getOperand(1));
  if (!axis || axis->size() != 1)
    return makeReplicated("the axis is not known");
  return getAllButAxis(op, axis->front(), false);
}

ShardingRule getArgRule(Operation *op) {
  return getAllButAxis(op, getInt(op, "axis", 0), getInt(op, "keepdims", 1) == 0);
}

/// OneHot(indices, depth, values): the dims of the indices.
ShardingRule getOneHotRule(Operation *op) {
  auto extents = getExtentTexts(op->getOperand(0));
  if (!extents)
    return makeReplicated("the shape of the input is not known");
  int64_t axis = normalizeAxis(getInt(op, "axis", -1), extents->size() + 1);
  RuleBuilder builder(op);
  for (auto [index, extent] : llvm::enumerate(*extents)) {
    int64_t dim = index;
    if (extent == "1")
      continue;
    unsigned factor = builder.addFactor(extent);
    builder.mapOperand(0, dim, factor).mapResult(0, dim < axis ? dim : dim + 1, factor);
  }
  return builder.take();
}

/// Trilu: the matrix dims decide what is kept, the batch dims are factors.
ShardingRule getTriluRule(Operation *op) {
  RuleBuilder builder(op);
  builder.mapBroadcast({0}, {0}, 2);
  return builder.take();
}

/// ms.GatherBlockQuantized: the dims of the indices.
ShardingRule getGatherBlockRule(Operation *op) {
  auto indices = getExtentTexts(op->getOperand(1));
  if (!indices)
    return makeReplicated("a shape is not known");
  int64_t axis = normalizeAxis(getInt(op, "gather_axis", 0), getRank(op->getOperand(0)));
  RuleBuilder builder(op);
  for (auto [dim, extent] : llvm::enumerate(*indices))
    if (extent != "1" && axis >= 0) {
      unsigned factor = builder.addFactor(extent);
      builder.mapOperand(1, dim, factor).mapResult(0, axis + dim, factor);
    }
  return builder.take();
}

} // namespace

void dougong::onnx::attachIndexingRules(MLIRContext *context) {
  attachRule<getGatherRule, GatherOp>(context);
  attachRule<getGatherElementsRule, GatherElementsOp>(context);
  attachRule<getGatherNDRule, GatherNDOp>(context);
  attachRule<getScatterElementsRule, ScatterElementsOp>(context);
  attachRule<getScatterNDRule, ScatterNDOp>(context);
  attachRule<getTensorScatterRule, TensorScatterOp>(context);
  attachRule<getTopKRule, TopKOp>(context);
  attachRule<getCumulativeRule, CumSumOp, CumProdOp>(context);
  attachRule<getArgRule, ArgMaxOp, ArgMinOp>(context);
  attachRule<getOneHotRule, OneHotOp>(context);
  attachRule<getTriluRule, TriluOp>(context);
  attachRule<getGatherBlockRule, MsGatherBlockQuantizedOp>(context);
}
