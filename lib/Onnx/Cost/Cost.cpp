//===- Cost.cpp - arithmetic of all operators -----------------------------===//
#include "CostModels.h"

#include "dougong/Onnx/Cost.h"

#include "mlir/IR/DialectRegistry.h"

#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

std::optional<SmallVector<DimExpr>> onnx::getCostExtents(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type)
    return std::nullopt;
  auto dims = dyn_cast_or_null<DimsAttr>(type.getEncoding());
  SmallVector<DimExpr> extents;
  for (auto [index, extent] : llvm::enumerate(type.getShape())) {
    if (!ShapedType::isDynamic(extent)) {
      extents.emplace_back(extent);
      continue;
    }
    if (!dims || !dims.getExprs()[index])
      return std::nullopt;
    Result<DimExpr> expr = DimExpr::parse(dims.getExprs()[index].getValue());
    if (!expr)
      return std::nullopt;
    extents.push_back(*expr);
  }
  return extents;
}

DimExpr onnx::getElements(Value value) {
  auto extents = getCostExtents(value);
  if (!extents)
    return DimExpr(0);
  DimExpr count(1);
  for (const DimExpr &extent : *extents)
    count = count * extent;
  return count;
}

DimExpr onnx::getTraffic(Operation *op) {
  DimExpr bytes(0);
  llvm::SmallPtrSet<Value, 8> seen;
  auto add = [&](Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type || !type.getElementType().isIntOrFloat() || !seen.insert(value).second)
      return;
    unsigned bits = type.getElementTypeBitWidth();
    DimExpr elements = getElements(value);
    // i1 is a byte in memory; 2 and 4 bits are packed.
    bytes = bytes + (bits == 1 || bits >= 8 ? elements * DimExpr(std::max(bits / 8, 1u))
                                            : ceilDiv(elements, 8 / bits));
  };
  // A look-up reads as many elements of its table as it writes.
  bool isLookup = isa<GatherOp, GatherElementsOp, GatherNDOp>(op);
  for (Value operand : isLookup ? op->getOperands().drop_front() : op->getOperands())
    add(operand);
  for (Value result : op->getResults())
    add(result);
  if (isLookup) {
    seen.clear();
    add(op->getResult(0));
  }
  return bytes;
}

/// Operations for each result element of a cheap operator; transcendental
/// functions count 1, as they do in most roofline models.
static DimExpr getElementFlops(Operation *op) {
  if (isa<ReshapeOp, FlattenOp, SqueezeOp, UnsqueezeOp, IdentityOp, TransposeOp, ConcatOp, SplitOp,
          SliceOp, ExpandOp, TileOp, GatherOp, GatherElementsOp, GatherNDOp, ScatterElementsOp,
          ScatterNDOp, TensorScatterOp, PadOp, CastOp, CastLikeOp, ConstantOp, UseOp, NoneOp,
          DimsTensorOp>(op))
    return DimExpr(0);
  // Reductions and scans touch each element of the operand.
  if (isa<ReduceSumOp, ReduceMeanOp, ReduceMaxOp, ReduceMinOp, ReduceProdOp, ReduceL1Op, CumSumOp,
          ArgMaxOp, ArgMinOp, TopKOp>(op))
    return getElements(op->getOperand(0));
  if (isa<ReduceL2Op, ReduceSumSquareOp, ReduceLogSumOp, ReduceLogSumExpOp>(op))
    return DimExpr(2) * getElements(op->getOperand(0));
  // x - max, exp, sum, divide, and the max itself.
  if (isa<SoftmaxOp, LogSoftmaxOp>(op))
    return DimExpr(5) * getElements(op->getResult(0));
  // Mean, variance (2), scale and shift; without the mean for RMS.
  if (isa<LayerNormalizationOp, MsSkipLayerNormalizationOp, InstanceNormalizationOp,
          GroupNormalizationOp>(op))
    return DimExpr(6) * getElements(op->getResult(0));
  if (isa<RMSNormalizationOp, MsSimplifiedLayerNormalizationOp,
          MsSkipSimplifiedLayerNormalizationOp>(op))
    return DimExpr(4) * getElements(op->getResult(0));
  if (isa<RotaryEmbeddingOp, MsRotaryEmbeddingOp>(op))
    return DimExpr(3) * getElements(op->getResult(0));
  // A row of theta [n, k, k + 1] times a place: as many products and sums.
  if (isa<AffineGridOp>(op))
    return DimExpr(2) * getElements(op->getResult(0)) *
           getCostExtents(op->getResult(0)).value_or(SmallVector<DimExpr>{DimExpr(0)}).back();
  if (op->getNumResults() == 0)
    return DimExpr(0);
  return getElements(op->getResult(0));
}

OpCost onnx::getOpCost(Operation *op) {
  OpCost cost;
  cost.bytes = getTraffic(op).print();
  if (std::optional<DimExpr> flops = getProductFlops(op)) {
    cost.flops = flops->print();
    cost.matrix = true;
  } else {
    cost.flops = getElementFlops(op).print();
  }
  return cost;
}

namespace {
/// All operators share one function: it looks at the op's class itself.
template <typename OpTy> struct CostModel : CostOpInterface::ExternalModel<CostModel<OpTy>, OpTy> {
  OpCost getCost(Operation *op) const { return getOpCost(op); }
};

template <typename... OpTys> void attachCost(MLIRContext *context) {
  (OpTys::template attachInterface<CostModel<OpTys>>(*context), ...);
}
} // namespace

void onnx::registerCostModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, OnnxDialect *) {
    attachCost<
        // Products.
        MatMulOp, MatMulIntegerOp, QLinearMatMulOp, GemmOp, ConvOp, ConvIntegerOp, QLinearConvOp,
        AttentionOp, MsMatMulNBitsOp, MsDynamicQuantizeMatMulOp, MsMatMulIntegerToFloatOp,
        MsFusedMatMulOp, MsFusedConvOp, MsGroupQueryAttentionOp, MsMultiHeadAttentionOp,
        MsAttentionOp, MsMoEOp, MsQMoEOp, PartExpertsOp,
        // Rows.
        SoftmaxOp, LogSoftmaxOp, LayerNormalizationOp, RMSNormalizationOp, InstanceNormalizationOp,
        GroupNormalizationOp, MsSimplifiedLayerNormalizationOp, MsSkipLayerNormalizationOp,
        MsSkipSimplifiedLayerNormalizationOp, RotaryEmbeddingOp, MsRotaryEmbeddingOp, ReduceSumOp,
        ReduceMeanOp, ReduceMaxOp, ReduceMinOp, ReduceProdOp, ReduceL1Op, ReduceL2Op,
        ReduceSumSquareOp, ReduceLogSumOp, ReduceLogSumExpOp, CumSumOp, ArgMaxOp, ArgMinOp, TopKOp,
        // Moves.
        ReshapeOp, FlattenOp, SqueezeOp, UnsqueezeOp, IdentityOp, TransposeOp, ConcatOp, SplitOp,
        SliceOp, ExpandOp, TileOp, GatherOp, GatherElementsOp, GatherNDOp, ScatterElementsOp,
        ScatterNDOp, TensorScatterOp, PadOp, CastOp, CastLikeOp,
        // Element by element.
        AddOp, SubOp, MulOp, DivOp, PowOp, WhereOp, MaxOp, MinOp, ReluOp, SigmoidOp, TanhOp, GeluOp,
        ErfOp, ExpOp, LogOp, SqrtOp, NegOp, EqualOp, LessOp, GreaterOp, AndOp, OrOp, NotOp>(
        context);
  });
}
