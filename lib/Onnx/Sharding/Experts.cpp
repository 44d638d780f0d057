//===- Experts.cpp - sharding rules of mixtures of experts ----------------===//
//
// Rows pass through. The inner width of the experts (outputs of fc1 and fc3,
// inputs of fc2) is a reduction: every rank holds a part of each expert, and
// the bias of fc2 is added by one rank only (the partitioner sees to it). So are
// the experts themselves, once they are apart from their router (part.Experts).
//
//===----------------------------------------------------------------------===//
#include "RuleBuilder.h"

#include <numeric>

using namespace mlir;
using namespace dougong::onnx;

namespace {

/// Operands that carry the inner width of the experts: number and dim.
struct InnerDim {
  unsigned operand;
  int64_t dim;
  bool fused;       ///< fc1 holds gate and up projections of a swiglu
  int64_t unit = 1; ///< elements for each unit of the inner width
};

/// Where an operator has its layers.
struct LayerOperands {
  unsigned weights, scales, bias;
};
using Layers = std::array<LayerOperands, 3>;

/// A factor for each leading dim of the input, as far as operand 1 (the router's
/// rows, flat or not) has it too. False if the shape of the input is not known.
bool mapRows(RuleBuilder &builder, Operation *op) {
  auto input = getExtentTexts(op->getOperand(0));
  if (!input)
    return false;
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
  return true;
}

/// A factor for the inner width; `fc2Unit` elements of fc2's last dim are a unit of it.
void mapInnerWidth(RuleBuilder &builder, Operation *op, ArrayRef<InnerDim> innerDims, unsigned fc2,
                   int64_t fc2Unit) {
  int64_t fusion = getInt(op, "swiglu_fusion", 0);
  int64_t width = getStaticExtent(op->getOperand(fc2), 2);
  // Gate and up side by side (2) cannot be cut in one run; interleaved (1) can.
  if (fusion == 2 || width <= fc2Unit || width % fc2Unit != 0)
    return;
  unsigned factor = builder.addFactor(width / fc2Unit, FactorKind::Reduction);
  for (InnerDim innerDim : innerDims)
    builder.mapOperand(innerDim.operand, innerDim.dim, factor,
                       innerDim.unit * (innerDim.fused && fusion == 1 ? 2 : 1));
}

/// Weights of floats, fc1 [experts, inner, hidden] and fc2 [experts, hidden, inner].
void mapInnerWidth(RuleBuilder &builder, Operation *op, const Layers &layers) {
  const auto &[fc1, fc2, fc3] = layers;
  mapInnerWidth(builder, op,
                {{fc1.weights, 1, true},
                 {fc1.bias, 1, true},
                 {fc2.weights, 2, false},
                 {fc3.weights, 1, false},
                 {fc3.bias, 1, false}},
                fc2.weights, 1);
}

/// Packed weights, fc1 [experts, inner, hidden / pack] and fc2 [experts, hidden,
/// inner / pack] of `pack` weights to a byte; scales are [experts, outputs] or, with
/// blocks along the inputs, [experts, outputs, blocks]. The inner width is cut where
/// both bytes and blocks of fc2 end. A scale over all of it scales each part. Rows of
/// fc1 and fc3 are whole: only the bits of fc2 matter.
void mapPackedInnerWidth(RuleBuilder &builder, Operation *op, const Layers &layers, int64_t bits) {
  int64_t block = getInt(op, "block_size", 0);
  if (bits != 4 && bits != 8)
    return;
  const auto &[fc1, fc2, fc3] = layers;
  int64_t pack = 8 / bits, unit = std::lcm(pack, std::max<int64_t>(block, 1));
  bool blocks = getRank(op->getOperand(fc2.scales)) == 3;
  if (blocks && block <= 0)
    return;
  SmallVector<InnerDim> innerDims{
      {fc1.weights, 1, true, unit},  {fc1.scales, 1, true, unit},
      {fc1.bias, 1, true, unit},     {fc2.weights, 2, false, unit / pack},
      {fc3.weights, 1, false, unit}, {fc3.scales, 1, false, unit},
      {fc3.bias, 1, false, unit}};
  if (blocks)
    innerDims.push_back({fc2.scales, 2, false, unit / block});
  mapInnerWidth(builder, op, innerDims, fc2.weights, unit / pack);
}

bool hasAny(Operation *op, ArrayRef<unsigned> operands) {
  return llvm::any_of(operands, [&](unsigned operand) { return hasOperand(op, operand); });
}

/// MoE(input, router_probs, fc1, b1, fc2, b2, fc3, b3).
ShardingRule getMoERule(Operation *op) {
  RuleBuilder builder(op);
  if (!mapRows(builder, op))
    return makeReplicated("the shape of the input is not known");
  constexpr unsigned none = ~0u;
  mapInnerWidth(builder, op, {{{2, none, 3}, {4, none, 5}, {6, none, 7}}});
  return builder.take();
}

/// QMoE(input, router_probs, q1, s1, b1, q2, s2, b2, q3, s3, b3, zero points ...).
/// Scales of scales and zero points would need rules of their own.
ShardingRule getQMoERule(Operation *op) {
  RuleBuilder builder(op);
  if (!mapRows(builder, op))
    return makeReplicated("the shape of the input is not known");
  int64_t bits = getInt(op, "fc2_expert_weight_bits", getInt(op, "expert_weight_bits", 4));
  auto kind = op->getAttrOfType<StringAttr>("quant_type");
  if (!hasAny(op, {11, 12, 13, 14}) && (!kind || kind.getValue() == "int"))
    mapPackedInnerWidth(builder, op, {{{2, 3, 4}, {5, 6, 7}, {8, 9, 10}}}, bits);
  return builder.take();
}

/// part.Experts(input, shares, then weights, scales, zero points and bias of fc1, fc2, fc3).
/// Where its rows are dispatched, the experts are a factor beside that of the rows: the
/// partitioner takes rows and shares to the rank of their expert.
ShardingRule getExpertsRule(Operation *op) {
  RuleBuilder builder(op);
  int64_t experts = getStaticExtent(op->getOperand(2), 0);
  if (!mapRows(builder, op) || experts < 1)
    return makeReplicated("the shape of the input is not known");
  bool dispatch = getInt(op, "dispatch", 0) != 0;
  unsigned factor =
      builder.addFactor(experts, dispatch ? FactorKind::Placement : FactorKind::Reduction);
  if (!dispatch)
    builder.mapOperand(1, -1, factor);
  for (unsigned operand = 2; operand < 14; ++operand)
    builder.mapOperand(operand, 0, factor);
  int64_t bits = getInt(op, "fc2_bits", 0);
  Layers layers = {{{2, 3, 5}, {6, 7, 9}, {10, 11, 13}}};
  if (bits == 0)
    mapInnerWidth(builder, op, layers);
  else if (!hasAny(op, {4, 8, 12}))
    mapPackedInnerWidth(builder, op, layers, bits);
  return builder.take();
}

} // namespace

void dougong::onnx::attachExpertRules(MLIRContext *context) {
  attachRule<getMoERule, MsMoEOp>(context);
  attachRule<getQMoERule, MsQMoEOp>(context);
  attachRule<getExpertsRule, PartExpertsOp>(context);
}
