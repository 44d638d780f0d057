//===- Experts.cpp - sharding rules of mixtures of experts ----------------===//
//
// Rows pass through. The inner width of the experts (outputs of fc1 and fc3,
// inputs of fc2) is a reduction: every rank holds a part of each expert, and
// the bias of fc2 is added by one rank only (the partitioner sees to it).
//
//===----------------------------------------------------------------------===//
#include "RuleBuilder.h"

#include <numeric>

using namespace mlir;
using namespace dougong::onnx;

namespace {

/// Operands of MoE and QMoE that carry the inner width: number and dim.
struct InnerDim {
  unsigned operand;
  int64_t dim;
  bool fused;       ///< fc1 holds gate and up projections of a swiglu
  int64_t unit = 1; ///< elements for each unit of the inner width
};

/// `fc2Unit` elements of fc2's last dim are a unit of the inner width.
ShardingRule getExpertRule(Operation *op, ArrayRef<InnerDim> innerDims, unsigned fc2,
                           int64_t fc2Unit) {
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
  if (innerDims.empty() || fusion == 2 || width <= fc2Unit || width % fc2Unit != 0)
    return builder.take();
  unsigned factor = builder.addFactor(width / fc2Unit, FactorKind::Reduction);
  for (InnerDim innerDim : innerDims)
    builder.mapOperand(innerDim.operand, innerDim.dim, factor,
                       innerDim.unit * (innerDim.fused && fusion == 1 ? 2 : 1));
  return builder.take();
}

/// MoE(input, router_probs, fc1, b1, fc2, b2, fc3, b3); fc1 is
/// [experts, inner, hidden], fc2 [experts, hidden, inner].
ShardingRule getMoERule(Operation *op) {
  return getExpertRule(
      op, {{2, 1, true}, {3, 1, true}, {4, 2, false}, {6, 1, false}, {7, 1, false}}, 4, 1);
}

/// QMoE(input, router_probs, q1, s1, b1, q2, s2, b2, q3, s3, b3, zero points ...):
/// q1 is [experts, inner, hidden / pack], q2 [experts, hidden, inner / pack] of
/// `pack` weights to a byte; scales are [experts, outputs] or, with blocks along
/// the inputs, [experts, outputs, blocks]. The inner width is cut where both bytes
/// and blocks of q2 end. A scale over all of it scales each part.
ShardingRule getQMoERule(Operation *op) {
  // Rows of fc1 and fc3 are whole: only the bits of fc2 matter.
  int64_t bits = getInt(op, "fc2_expert_weight_bits", getInt(op, "expert_weight_bits", 4));
  int64_t block = getInt(op, "block_size", 0);
  bool integers = true; // scales of scales and zero points would need rules of their own
  for (unsigned operand = 11; operand < op->getNumOperands(); ++operand)
    integers &= !hasOperand(op, operand);
  auto kind = op->getAttrOfType<StringAttr>("quant_type");
  if (!integers || (kind && kind.getValue() != "int") || (bits != 4 && bits != 8))
    return getExpertRule(op, {}, 5, 1);
  int64_t pack = 8 / bits, unit = std::lcm(pack, std::max<int64_t>(block, 1));
  bool blocks = getRank(op->getOperand(6)) == 3;
  if (blocks && block <= 0)
    return getExpertRule(op, {}, 5, 1);
  SmallVector<InnerDim> innerDims{
      {2, 1, true, unit},  {3, 1, true, unit},  {4, 1, true, unit},  {5, 2, false, unit / pack},
      {8, 1, false, unit}, {9, 1, false, unit}, {10, 1, false, unit}};
  if (blocks)
    innerDims.push_back({6, 2, false, unit / block});
  return getExpertRule(op, innerDims, 5, unit / pack);
}

} // namespace

void dougong::onnx::attachExpertRules(MLIRContext *context) {
  attachRule<getMoERule, MsMoEOp>(context);
  attachRule<getQMoERule, MsQMoEOp>(context);
}
