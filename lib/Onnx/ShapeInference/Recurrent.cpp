//===- Recurrent.cpp - shapes of RNN, GRU and LSTM ------------------------===//
#include "Families.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

namespace {

/// Result 0 is all hidden states, results 1 and 2 the last state(s).
///   layout 0: X [seq, batch, in]; Y [seq, dirs, batch, hidden]; state [dirs, batch, hidden]
///   layout 1: X [batch, seq, in]; Y [batch, seq, dirs, hidden]; state [batch, dirs, hidden]
LogicalResult inferRnn(Operation *op, ShapeScope &scope, ArrayRef<unsigned> initialStates) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0, 3), weights = scope.getOperandDims(op, 1, 3),
                  recurrent = scope.getOperandDims(op, 2, 3);
  if (failed(input) || failed(weights) || failed(recurrent))
    return failure();
  auto layout = op->getAttrOfType<IntegerAttr>("layout");
  bool batchFirst = layout && layout.getInt() != 0;
  auto direction = op->getAttrOfType<StringAttr>("direction");
  DimExpr directions(direction && direction.getValue() == "bidirectional" ? 2 : 1);
  DimExpr sequence = (*input)[batchFirst ? 1 : 0], batch = (*input)[batchFirst ? 0 : 1];
  DimExpr hidden = (*recurrent)[2];
  // com.microsoft lays W and R down transposed, with the gates last.
  if (auto size = op->getAttrOfType<IntegerAttr>("hidden_size"))
    hidden = DimExpr(size.getInt());
  if (failed(scope.unify(op, (*weights)[0], directions, "directions and dim 0 of W")))
    return failure();
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

LogicalResult inferOneState(Operation *op, ShapeScope &scope) { return inferRnn(op, scope, {5}); }
LogicalResult inferTwoStates(Operation *op, ShapeScope &scope) {
  return inferRnn(op, scope, {5, 6});
}

} // namespace

void dougong::onnx::attachRecurrentShapes(MLIRContext &context) {
  attach<inferOneState, RNNOp, GRUOp>(context);
  attach<inferTwoStates, LSTMOp, MsDynamicQuantizeLSTMOp>(context);
}
