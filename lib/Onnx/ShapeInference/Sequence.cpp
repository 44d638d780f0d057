//===- Sequence.cpp - shapes around sequences and optionals ---------------===//
//
// The tensors of a sequence may differ in shape: what is taken out has the shape
// that the type states, or none that is known.
//
//===----------------------------------------------------------------------===//
#include "Families.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

namespace {

/// Results that are no tensors, or have the shape that their type states.
LogicalResult inferDeclared(Operation *op, ShapeScope &scope) {
  for (Value result : op->getResults())
    if (auto dims = getTypeDims(result.getType()))
      scope.setDims(result, *dims);
  return success();
}

LogicalResult inferScalar(Operation *op, ShapeScope &scope) { return scope.setResult(op, 0, {}); }

/// A tensor that is taken out of operand 0.
LogicalResult inferElement(Operation *op, ShapeScope &scope) {
  Type element;
  if (auto sequence = dyn_cast<SequenceType>(op->getOperand(0).getType()))
    element = sequence.getElementType();
  else if (auto optional = dyn_cast<OptionalType>(op->getOperand(0).getType()))
    element = optional.getElementType();
  else if (scope.isKnown(op->getOperand(0)))
    return scope.setResult(op, 0, scope.getDims(op->getOperand(0)));
  if (auto dims = element ? getTypeDims(element) : std::nullopt)
    return scope.setResult(op, 0, *dims);
  return inferDeclared(op, scope);
}

} // namespace

void dougong::onnx::attachSequenceShapes(MLIRContext &context) {
  attach<inferDeclared, ConcatFromSequenceOp, OptionalOp, SequenceConstructOp, SequenceEmptyOp,
         SequenceEraseOp, SequenceInsertOp, SequenceMapOp, SplitToSequenceOp>(context);
  attach<inferElement, SequenceAtOp, OptionalGetElementOp>(context);
  attach<inferScalar, SequenceLengthOp, OptionalHasElementOp>(context);
}
