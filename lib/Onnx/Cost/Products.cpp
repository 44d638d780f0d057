//===- Products.cpp - flops of matrix products and their kin --------------===//
#include "CostModels.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

namespace {

int64_t getInt(Operation *op, StringRef name, int64_t defaultValue) {
  auto attribute = op->getAttrOfType<IntegerAttr>(name);
  return attribute ? attribute.getInt() : defaultValue;
}

/// Result elements times what is summed for each: 2 * |Y| * K.
std::optional<DimExpr> getDotFlops(Operation *op, unsigned a, int64_t dimFromEnd) {
  auto extents = getCostExtents(op->getOperand(a));
  if (!extents || static_cast<int64_t>(extents->size()) < dimFromEnd)
    return std::nullopt;
  return DimExpr(2) * getElements(op->getResult(0)) * (*extents)[extents->size() - dimFromEnd];
}

/// Convolution: each result element sums channels / group * window products.
std::optional<DimExpr> getConvFlops(Operation *op, unsigned w) {
  auto extents = getCostExtents(op->getOperand(w));
  if (!extents || extents->size() < 2)
    return std::nullopt;
  DimExpr window(1);
  for (const DimExpr &extent : ArrayRef(*extents).drop_front())
    window = window * extent;
  return DimExpr(2) * getElements(op->getResult(0)) * window;
}

/// Attention: scores and weighted values, over all keys:
/// 2 * batch * heads * queries * keys * (key size + value size).
std::optional<DimExpr> getAttentionFlops(Operation *op, unsigned pastKey) {
  // Query, key and value in one tensor: as many keys as queries.
  bool together = isa<NoneType>(op->getOperand(1).getType());
  auto query = getCostExtents(op->getOperand(0)), key = getCostExtents(op->getOperand(!together));
  auto result = getCostExtents(op->getResult(0));
  if (!query || !key || !result || query->size() != key->size() || query->size() < 3)
    return std::nullopt;
  bool packed = query->size() == 3;
  DimExpr keys = packed ? (*key)[1] : (*key)[2];
  if (pastKey < op->getNumOperands())
    if (auto past = getCostExtents(op->getOperand(pastKey)); past && past->size() == 4)
      keys = keys + (*past)[2];
  // Both products have as many multiply-adds as (elements of query or result)
  // times keys.
  return DimExpr(2) *
         (getElements(together ? op->getResult(0) : op->getOperand(0)) +
          getElements(op->getResult(0))) *
         keys;
}

/// MoE: k experts of each row; each has one, or with fc3 (or a fused swiglu) two
/// products into the inner width, and one out of it.
std::optional<DimExpr> getExpertFlops(Operation *op, unsigned fc1, unsigned fc3) {
  auto input = getCostExtents(op->getOperand(0)), first = getCostExtents(op->getOperand(fc1));
  if (!input || input->empty() || !first || first->size() < 2)
    return std::nullopt;
  DimExpr hidden = input->back(), rows(1);
  for (const DimExpr &extent : ArrayRef(*input).drop_back())
    rows = rows * extent;
  DimExpr outputs = (*first)[1]; // of fc1, gate and up together if they are fused
  bool fused = getInt(op, "swiglu_fusion", 0) != 0;
  DimExpr inner = fused ? floorDiv(outputs, 2) : outputs;
  DimExpr columns = outputs + inner;
  if (fc3 < op->getNumOperands() && !isa<NoneType>(op->getOperand(fc3).getType()))
    columns = columns + inner;
  return DimExpr(2) * DimExpr(getInt(op, "k", 1)) * rows * hidden * columns;
}

/// part.Experts: as MoE, of those of the k experts of each row that are here if the
/// router shares rows out evenly.
std::optional<DimExpr> getPartialExpertFlops(Operation *op) {
  auto weights = getCostExtents(op->getOperand(2));
  std::optional<DimExpr> flops = getExpertFlops(op, 2, 10);
  if (!weights || !flops)
    return std::nullopt;
  return floorDiv(*flops * weights->front(), getInt(op, "num_experts", 1));
}

/// ms.Attention: the projection of the input to query, key and value, and their attention.
std::optional<DimExpr> getProjectedAttentionFlops(Operation *op) {
  auto input = getCostExtents(op->getOperand(0)), result = getCostExtents(op->getResult(0));
  if (!input || !result || input->size() != 3)
    return std::nullopt;
  DimExpr rows = (*input)[0] * (*input)[1], keys = (*input)[1];
  if (auto past = getCostExtents(op->getOperand(4)); past && past->size() == 5)
    keys = keys + (*past)[3];
  DimExpr projections = rows * getElements(op->getOperand(1));
  return DimExpr(2) * (projections + DimExpr(2) * getElements(op->getResult(0)) * keys);
}

} // namespace

std::optional<DimExpr> onnx::getProductFlops(Operation *op) {
  if (isa<MatMulOp, MatMulIntegerOp, QLinearMatMulOp, MsMatMulNBitsOp, MsDynamicQuantizeMatMulOp,
          MsMatMulIntegerToFloatOp>(op))
    return getDotFlops(op, 0, 1);
  if (isa<GemmOp, MsFusedMatMulOp>(op))
    return getDotFlops(op, 0, getInt(op, "transA", 0) ? 2 : 1);
  if (isa<ConvOp, MsFusedConvOp, ConvIntegerOp>(op))
    return getConvFlops(op, 1);
  if (isa<QLinearConvOp>(op))
    return getConvFlops(op, 3);
  if (isa<AttentionOp>(op))
    return getAttentionFlops(op, 4);
  if (isa<MsGroupQueryAttentionOp>(op))
    return getAttentionFlops(op, 3);
  if (isa<MsMultiHeadAttentionOp>(op))
    return getAttentionFlops(op, 6);
  if (isa<MsAttentionOp>(op))
    return getProjectedAttentionFlops(op);
  if (isa<MsMoEOp>(op))
    return getExpertFlops(op, 2, 6);
  if (isa<MsQMoEOp>(op))
    return getExpertFlops(op, 2, 8);
  if (isa<PartExpertsOp>(op))
    return getPartialExpertFlops(op);
  return std::nullopt;
}
