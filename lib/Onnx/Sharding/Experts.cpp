//===- Experts.cpp - sharding rules of mixtures of experts ----------------===//
//
// Rows pass through. The inner width of the experts (outputs of fc1 and fc3,
// inputs of fc2) is a reduction: every rank holds a part of each expert, and
// the bias of fc2 is added by one rank only (the partitioner sees to it).
//
//===----------------------------------------------------------------------===//
#include "RuleBuilder.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

/// Operands of MoE and QMoE that carry the inner width: number and dim.
struct InnerDim {
  unsigned operand;
  int64_t dim;
  bool fused; ///< fc1 holds gate and up projections of a swiglu
};

ShardingRule getExpertRule(Operation *op, ArrayRef<InnerDim> innerDims, unsigned fc2, bool inner) {
  auto input = getExtentTexts(op->getOperand(0));
  if (!input)
    return makeReplicated("the shape of the input is not known");
  RuleBuilder builder(op);
  // The router's rows are the input's leading dims, flat or not.
  auto router = getExtentTexts(op->getOperand(1));
  for (size_t dim = 0; dim + 1 < input->size(); ++dim) {
    if ((*input)[dim] == "1")
      continue;
    bool sameRank = router && router->size() == input->size();
    if (!sameRank && input->size() != 2)
      continue;
    unsigned factor = builder.addFactor((*input)[dim]);
    builder.mapOperand(0, dim, factor).mapOperand(1, dim, factor).mapResult(0, dim, factor);
  }
  int64_t fusion = getInt(op, "swiglu_fusion", 0);
  int64_t width = getStaticExtent(op->getOperand(fc2), 2);
  // Gate and up side by side (2) cannot be cut in one run; interleaved (1) can.
  if (!inner || fusion == 2 || width <= 1)
    return builder.take();
  unsigned factor = builder.addFactor(width, FactorKind::Reduction);
  for (InnerDim innerDim : innerDims)
    builder.mapOperand(innerDim.operand, innerDim.dim, factor,
                       innerDim.fused && fusion == 1 ? 2 : 1);
  return builder.take();
}

/// MoE(input, router_probs, fc1, b1, fc2, b2, fc3, b3); fc1 is
/// [experts, inner, hidden], fc2 [experts, hidden, inner].
ShardingRule getMoERule(Operation *op) {
  return getExpertRule(op, {{2, 1, true}, {3, 1, true}, {4, 2, false}, {6, 1, false}, {7, 1, false}},
                       4, true);
}

/// QMoE: fc2's inner dim is packed, and its scale may span all of it: rows only.
ShardingRule getQMoERule(Operation *op) { return getExpertRule(op, {}, 5, false); }

} // namespace

void dougong::onnx::attachExpertRules(MLIRContext *context) {
  attachRule<getMoERule, MsMoEOp>(context);
  attachRule<getQMoERule, MsQMoEOp>(context);
}
