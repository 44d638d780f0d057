//===- Recurrent.cpp - sharding rules of recurrent operators --------------===//
#include "RuleBuilder.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

/// RNN, GRU, LSTM(X, W, R, B?, sequence_lens?, initial_h?, initial_c?, P?): the
/// batch. The state of a step feeds all of the next one: it stays whole.
ShardingRule getRecurrentRule(Operation *op) {
  if (getInt(op, "layout", 0) != 0)
    return makeReplicated("layout 1 of recurrent operators is not cut");
  auto extents = getExtentTexts(op->getOperand(0));
  if (!extents || extents->size() != 3)
    return makeReplicated("the shape of the input is not known");
  RuleBuilder builder(op);
  if ((*extents)[1] == "1")
    return builder.take();
  unsigned batch = builder.addFactor((*extents)[1]);
  builder.mapOperand(0, 1, batch).mapOperand(4, 0, batch);
  builder.mapOperand(5, 1, batch).mapOperand(6, 1, batch);
  builder.mapResult(0, 2, batch).mapResult(1, 1, batch).mapResult(2, 1, batch);
  return builder.take();
}

} // namespace

void dougong::onnx::attachRecurrentRules(MLIRContext *context) {
  attachRule<getRecurrentRule, RNNOp, GRUOp, LSTMOp>(context);
}
