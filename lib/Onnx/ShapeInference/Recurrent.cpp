//===- Recurrent.cpp - shapes of RNN, GRU and LSTM ------------------------===//
#include "Families.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

namespace {

/// Result 0 is all hidden states, results 1 and 2 the last state(s).
///   layout 0: X [seq, batch, in]; Y [seq, dirs, batch, hidden]; state [dirs, batch, hidden]
///   layout 1: X [batch, seq, in]; Y [batch, seq, dirs, hidden]; state [batch, dirs, hidden]
/// W is [dirs, gates * hidden, in], R [dirs, gates * hidden, hidden]; com.microsoft lays
/// the two down transposed, with the gates last. B is [dirs, 2 * gates * hidden].
LogicalResult inferRnn(Operation *op, ShapeScope &scope, int64_t gates,
                       ArrayRef<unsigned> initialStates) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0, 3), weights = scope.getOperandDims(op, 1, 3),
                  recurrent = scope.getOperandDims(op, 2, 3);
  if (failed(input) || failed(weights) || failed(recurrent))
    return failure();
  auto layout = op->getAttrOfType<IntegerAttr>("layout");
  bool batchFirst = layout && layout.getInt() != 0;
  auto direction = op->getAttrOfType<StringAttr>("direction");
  DimExpr directions(direction && direction.getValue() == "bidirectional" ? 2 : 1);
  DimExpr sequence = (*input)[batchFirst ? 1 : 0], batch = (*input)[batchFirst ? 0 : 1];
  bool gatesLast = isa<MsDynamicQuantizeLSTMOp>(op);
  unsigned gatesDim = gatesLast ? 2 : 1, inputDim = gatesLast ? 1 : 2;
  DimExpr hidden = (*recurrent)[inputDim];
  if (auto size = op->getAttrOfType<IntegerAttr>("hidden_size")) {
    FailureOr<DimExpr> same =
        scope.unify(op, hidden, DimExpr(size.getInt()), "hidden_size and its dim of R");
    if (failed(same))
      return failure();
    hidden = *same;
  }
  DimExpr units = hidden * DimExpr(gates);
  if (failed(scope.unify(op, (*weights)[0], directions, "directions and dim 0 of W")) ||
      failed(scope.unify(op, (*recurrent)[0], directions, "directions and dim 0 of R")) ||
      failed(
          scope.unify(op, (*weights)[gatesDim], units, "units of all gates and their dim of W")) ||
      failed(scope.unify(op, (*recurrent)[gatesDim], units,
                         "units of all gates and their dim of R")) ||
      failed(scope.unify(op, (*weights)[inputDim], input->back(), "dim 2 of X and its dim of W")))
    return failure();
  if (isGiven(op, 3)) {
    FailureOr<Dims> bias = scope.getOperandDims(op, 3, 2);
    if (failed(bias) ||
        failed(scope.unify(op, (*bias)[0], directions, "directions and dim 0 of B")) ||
        failed(
            scope.unify(op, (*bias)[1], units * DimExpr(2), "units of all gates and dim 1 of B")))
      return failure();
  }
  if (isGiven(op, 4)) {
    FailureOr<Dims> lengths = scope.getOperandDims(op, 4, 1);
    if (failed(lengths) ||
        failed(scope.unify(op, lengths->front(), batch, "batch and sequence_lens")))
      return failure();
  }
  Dims state = batchFirst ? Dims{batch, directions, hidden} : Dims{directions, batch, hidden};
  for (unsigned index : initialStates) {
    if (!isGiven(op, index))
      continue;
    FailureOr<Dims> initial = scope.getOperandDims(op, index, 3);
    if (failed(initial))
      return failure();
    for (size_t i = 0; i < 3; ++i)
      if (failed(scope.unify(op, state[i], (*initial)[i],
                             "dim " + Twine(i) + " of the states and of operand " + Twine(index))))
        return failure();
  }
  Dims all = batchFirst ? Dims{batch, sequence, directions, hidden}
                        : Dims{sequence, directions, batch, hidden};
  if (failed(scope.setResult(op, 0, all)))
    return failure();
  for (unsigned i = 1; i < op->getNumResults(); ++i)
    if (failed(scope.setResult(op, i, state)))
      return failure();
  return success();
}

LogicalResult inferRNN(RNNOp op, ShapeScope &scope) { return inferRnn(op, scope, 1, {5}); }
LogicalResult inferGRU(GRUOp op, ShapeScope &scope) { return inferRnn(op, scope, 3, {5}); }
/// LSTM, also of com.microsoft. The peepholes P are [dirs, 3 * hidden].
LogicalResult inferLSTM(Operation *op, ShapeScope &scope) {
  if (failed(inferRnn(op, scope, 4, {5, 6})))
    return failure();
  if (!isGiven(op, 7))
    return success();
  FailureOr<Dims> recurrent = scope.getOperandDims(op, 2, 3),
                  holes = scope.getOperandDims(op, 7, 2);
  if (failed(recurrent) || failed(holes) ||
      failed(scope.unify(op, (*holes)[0], (*recurrent)[0], "directions and dim 0 of P")))
    return failure();
  DimExpr hidden = (*recurrent)[isa<MsDynamicQuantizeLSTMOp>(op) ? 1 : 2];
  return LogicalResult(scope.unify(op, (*holes)[1], hidden * DimExpr(3),
                                   "three times the hidden size and dim 1 of P"));
}

} // namespace

void dougong::onnx::attachRecurrentShapes(MLIRContext &context) {
  attach<inferRNN, RNNOp>(context);
  attach<inferGRU, GRUOp>(context);
  attach<inferLSTM, LSTMOp, MsDynamicQuantizeLSTMOp>(context);
}
