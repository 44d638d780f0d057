//===- Elementwise.cpp - sharding rules of element-wise operators ---------===//
#include "RuleBuilder.h"

#include "dougong/Support/DimExpr.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

/// Every result dim is a factor; operands are broadcast.
static ShardingRule getElementwiseRule(Operation *op) {
  RuleBuilder builder(op);
  SmallVector<unsigned> operands = llvm::to_vector(llvm::seq<unsigned>(0, op->getNumOperands()));
  SmallVector<unsigned> results;
  for (auto [index, result] : llvm::enumerate(op->getResults()))
    if (getRank(result) >= 0)
      results.push_back(index);
  if (results.empty())
    return makeReplicated("the shape of the result is not known");
  builder.mapBroadcast(operands, results);
  return builder.take();
}

/// Of the form f(x, scalars...): only the first operand has dims.
static ShardingRule getFirstOperandRule(Operation *op) {
  RuleBuilder builder(op);
  builder.mapBroadcast({0}, {0});
  return builder.take();
}

/// X with a slope that is broadcast to it, or a bias along the last dim.
static ShardingRule getTwoOperandRule(Operation *op) {
  RuleBuilder builder(op);
  builder.mapBroadcast({0, 1}, {0});
  return builder.take();
}

/// QuantizeLinear and DequantizeLinear: scale and zero point are scalars,
/// vectors along `axis`, or have one entry for each block along `axis`.
static ShardingRule getQuantizeRule(Operation *op) {
  RuleBuilder builder(op);
  auto extents = getExtentTexts(op->getResult(0));
  if (!extents)
    return makeReplicated("the shape of the result is not known");
  int64_t rank = extents->size(), axis = normalizeAxis(getInt(op, "axis", 1), rank);
  int64_t block = getInt(op, "block_size", 0);
  int64_t scaleRank = getRank(op->getOperand(1));
  for (int64_t dim = 0; dim < rank; ++dim) {
    if ((*extents)[dim] == "1")
      continue;
    int64_t unit = block > 0 && dim == axis ? block : 1;
    Result<DimExpr> extent = DimExpr::parse((*extents)[dim]);
    if (!extent)
      continue;
    unsigned factor = builder.addFactor(ceilDiv(*extent, unit).print());
    builder.mapOperand(0, dim, factor, unit).mapResult(0, dim, factor, unit);
    for (unsigned operand : {1u, 2u}) {
      if (scaleRank == 1 && dim == axis)
        builder.mapOneOrAll(operand, 0, factor);
      else if (scaleRank == rank && block > 0)
        builder.mapOperand(operand, dim, factor);
    }
  }
  return builder.take();
}

/// C = A + B (or *) on quantised tensors: data operands are 0 and 3.
static ShardingRule getQLinearBinaryRule(Operation *op) {
  RuleBuilder builder(op);
  builder.mapBroadcast({0, 3}, {0});
  return builder.take();
}

void dougong::onnx::attachElementwiseRules(MLIRContext *context) {
  attachRule<getElementwiseRule, AbsOp, AcosOp, AcoshOp, AddOp, AndOp, AsinOp, AsinhOp, AtanOp,
             AtanhOp, BitShiftOp, BitwiseAndOp, BitwiseNotOp, BitwiseOrOp, BitwiseXorOp, CastOp,
             CeilOp, CeluOp, CosOp, CoshOp, DivOp, EluOp, EqualOp, ErfOp, ExpOp, FloorOp, GeluOp,
             GreaterOp, GreaterOrEqualOp, HardSigmoidOp, HardSwishOp, IdentityOp, IsInfOp, IsNaNOp,
             LeakyReluOp, LessOp, LessOrEqualOp, LogOp, MaxOp, MeanOp, MinOp, MishOp, ModOp, MulOp,
             NegOp, NotOp, OrOp, PowOp, ReciprocalOp, ReluOp, RoundOp, SeluOp, ShrinkOp, SigmoidOp,
             SignOp, SinOp, SinhOp, SoftplusOp, SoftsignOp, SqrtOp, SubOp, SumOp, SwishOp, TanOp,
             TanhOp, ThresholdedReluOp, WhereOp, XorOp, MsGeluOp, MsQuickGeluOp>(context);
  attachRule<getFirstOperandRule, CastLikeOp, ClipOp, MsQLinearSigmoidOp, MsQLinearLeakyReluOp>(
      context);
  attachRule<getTwoOperandRule, PReluOp, MsBiasGeluOp, MsFastGeluOp>(context);
  attachRule<getQuantizeRule, QuantizeLinearOp, DequantizeLinearOp, MsQuantizeLinearOp,
             MsDequantizeLinearOp>(context);
  attachRule<getQLinearBinaryRule, MsQLinearAddOp, MsQLinearMulOp>(context);
}
