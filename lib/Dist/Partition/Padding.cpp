//===- Padding.cpp - what lies in the padding of local values -------------===//
//
// A conservative analysis, dim by dim: zeros stay zeros through operators with
// f(0) = 0 and through products; most others keep numbers finite. What is not
// known is masked before a reduction reads it.
//
//===----------------------------------------------------------------------===//
#include "Partitioner.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;

Padding Partitioner::getPadding(Value value, unsigned dim) const {
  auto it = paddings.find(value);
  return it == paddings.end() || dim >= it->second.size() ? Padding::Unknown : it->second[dim];
}

void Partitioner::setPadding(Value value, Padding padding) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  paddings[value].assign(type ? type.getRank() : 0, padding);
}

namespace {
/// How an operator treats padding.
enum class Behaviour {
  KeepsZero, ///< f(0) = 0, finite stays finite; moves of elements
  Product,   ///< zero if one operand is
  Sum,       ///< zero if all operands are and none is broadcast
  Quotient,  ///< like its first operand, if the second has no padding there
  Bounded,   ///< finite for finite operands
  Unknown
};
} // namespace

static Behaviour getBehaviour(Operation *op) {
  using namespace onnx;
  if (isAnyOf<IdentityOp, CastOp, NegOp, AbsOp, ReluOp, LeakyReluOp, TanhOp, ErfOp, GeluOp, SinOp,
              SqrtOp, SignOp, FloorOp, CeilOp, RoundOp, SwishOp, MsGeluOp, MsQuickGeluOp,
              TransposeOp, ReshapeOp, FlattenOp, SqueezeOp, UnsqueezeOp, onnx::SliceOp, ConcatOp,
              SplitOp, ExpandOp, TileOp, RotaryEmbeddingOp, MsRotaryEmbeddingOp, CumSumOp,
              ReduceSumOp, ReduceMeanOp, ReduceMaxOp, ReduceMinOp, AveragePoolOp, MaxPoolOp,
              GlobalAveragePoolOp, GlobalMaxPoolOp, RMSNormalizationOp,
              MsSimplifiedLayerNormalizationOp>(op))
    return Behaviour::KeepsZero;
  if (isAnyOf<MulOp, MatMulOp, AndOp>(op))
    return Behaviour::Product;
  if (isAnyOf<AddOp, SubOp, MaxOp, MinOp, SumOp, MeanOp, OrOp>(op))
    return Behaviour::Sum;
  if (isAnyOf<DivOp>(op))
    return Behaviour::Quotient;
  if (isAnyOf<SigmoidOp, SoftplusOp, CosOp, ExpOp, SoftmaxOp, LayerNormalizationOp, AttentionOp,
              MsGroupQueryAttentionOp, MsMultiHeadAttentionOp, WhereOp, GemmOp, MsMatMulNBitsOp,
              ConvOp, EqualOp, LessOp, GreaterOp, LessOrEqualOp, GreaterOrEqualOp, NotOp, ClipOp,
              MsFusedMatMulOp, MsBiasGeluOp, MsFastGeluOp, HardSigmoidOp, HardSwishOp, EluOp,
              TensorScatterOp, GatherOp, MsSkipLayerNormalizationOp,
              MsSkipSimplifiedLayerNormalizationOp>(op))
    return Behaviour::Bounded;
  return Behaviour::Unknown;
}

void Partitioner::derivePadding(Operation *op, Operation *local, const onnx::ShardingRule &rule,
                                ArrayRef<Cut> factors, MeshOp mesh) {
  Behaviour behaviour = getBehaviour(op);
  for (auto [index, result] : llvm::enumerate(local->getResults())) {
    auto type = dyn_cast<RankedTensorType>(result.getType());
    if (!type)
      continue;
    SmallVector<Padding> padding(type.getRank(), Padding::Zero);
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      std::optional<unsigned> factor = getFactor(rule.results, index, dim);
      if (!factor || factors[*factor].axes.empty())
        continue;
      Result<DimExpr> size = DimExpr::parse(rule.factors[*factor].size);
      const Cut &cut = factors[*factor];
      if (size && isEvenlyCut(*size, cut.unit, getCount(mesh, cut.axes)))
        continue;
      // The padding of all operands that run along the factor.
      bool anyZero = false, allZero = true, allFinite = true, broadcast = false;
      bool divisorCarries = false;
      for (auto [operand, dims] : llvm::enumerate(rule.operands)) {
        if (!isa<RankedTensorType>(local->getOperand(operand).getType()))
          continue;
        bool carries = false;
        for (auto [operandDim, dimFactors] : llvm::enumerate(dims)) {
          if (dimFactors.factors.empty() || dimFactors.factors.front() != *factor)
            continue;
          carries = true;
          Padding at = getPadding(local->getOperand(operand), operandDim);
          anyZero |= at == Padding::Zero;
          allZero &= at == Padding::Zero;
          allFinite &= at != Padding::Unknown;
        }
        broadcast |= !carries;
        divisorCarries |= carries && operand == 1;
      }
      if (!allFinite || behaviour == Behaviour::Unknown)
        padding[dim] = Padding::Unknown;
      else if (behaviour == Behaviour::KeepsZero)
        padding[dim] = allZero ? Padding::Zero : Padding::Finite;
      else if (behaviour == Behaviour::Product)
        padding[dim] = anyZero ? Padding::Zero : Padding::Finite;
      else if (behaviour == Behaviour::Sum)
        padding[dim] = allZero && !broadcast ? Padding::Zero : Padding::Finite;
      else if (behaviour == Behaviour::Quotient)
        padding[dim] = divisorCarries ? Padding::Unknown : allZero ? Padding::Zero : Padding::Finite;
      else
        padding[dim] = Padding::Finite;
    }
    paddings[result] = padding;
  }
}
