//===- Reduction.cpp - sharding rules of reductions -----------------------===//
#include "RuleBuilder.h"

#include "llvm/ADT/SmallSet.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

/// Reduced dims are reduction factors where partial results can be combined
/// element-wise (`combine` not empty), else they stay whole.
ShardingRule getReductionRule(Operation *op, StringRef combine) {
  auto extents = getExtentTexts(op->getOperand(0));
  if (!extents)
    return makeReplicated("the shape of the input is not known");
  int64_t rank = extents->size();
  llvm::SmallSet<int64_t, 4> reduced;
  if (hasOperand(op, 1)) {
    auto axes = getConstantIntegers(op->getOperand(1));
    if (!axes)
      return makeReplicated("the axes are not known");
    for (int64_t axis : *axes)
      reduced.insert(normalizeAxis(axis, rank));
  }
  if (reduced.empty()) {
    if (getInt(op, "noop_with_empty_axes", 0) == 0)
      for (int64_t dim = 0; dim < rank; ++dim)
        reduced.insert(dim);
  }
  bool keep = getInt(op, "keepdims", 1) != 0;
  RuleBuilder builder(op);
  for (int64_t dim = 0, target = 0; dim < rank; ++dim) {
    bool isReduced = reduced.contains(dim);
    int64_t resultDim = target;
    target += keep || !isReduced;
    if ((*extents)[dim] == "1")
      continue;
    if (!isReduced) {
      unsigned factor = builder.addFactor((*extents)[dim]);
      builder.mapOperand(0, dim, factor).mapResult(0, resultDim, factor);
    } else if (!combine.empty()) {
      builder.mapOperand(0, dim,
                         builder.addFactor((*extents)[dim], FactorKind::Reduction, combine));
    }
  }
  return builder.take();
}

ShardingRule getSumRule(Operation *op) { return getReductionRule(op, "sum"); }
ShardingRule getMaxRule(Operation *op) { return getReductionRule(op, "max"); }
ShardingRule getMinRule(Operation *op) { return getReductionRule(op, "min"); }
ShardingRule getProdRule(Operation *op) { return getReductionRule(op, "prod"); }
ShardingRule getWholeRule(Operation *op) { return getReductionRule(op, ""); }

} // namespace

void dougong::onnx::attachReductionRules(MLIRContext *context) {
  attachRule<getSumRule, ReduceSumOp, ReduceSumSquareOp, ReduceL1Op>(context);
  attachRule<getMaxRule, ReduceMaxOp>(context);
  attachRule<getMinRule, ReduceMinOp>(context);
  attachRule<getProdRule, ReduceProdOp>(context);
  attachRule<getWholeRule, ReduceMeanOp, ReduceL2Op, ReduceLogSumOp, ReduceLogSumExpOp>(context);
}
