//===- Sequence.cpp - shapes around sequences and optionals ---------------===//
//
// What is known of a sequence or an optional value is the shape that all its
// tensors have, an extent in which they may differ being -1.
//
//===----------------------------------------------------------------------===//
#include "Families.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

std::optional<Dims> dougong::onnx::getElementDims(Type type) {
  for (;;) {
    if (auto sequence = dyn_cast<SequenceType>(type))
      type = sequence.getElementType();
    else if (auto optional = dyn_cast<OptionalType>(type))
      type = optional.getElementType();
    else
      break;
  }
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return std::nullopt;
  Dims dims;
  for (int64_t extent : tensor.getShape())
    dims.push_back(DimExpr(ShapedType::isDynamic(extent) ? -1 : extent));
  return dims;
}

bool dougong::onnx::joinElements(ShapeScope &scope, Value a, Value b, Value result) {
  auto isEmpty = [](Value value) { return value.getDefiningOp<SequenceEmptyOp>() != nullptr; };
  if (isEmpty(a) || isEmpty(b)) {
    scope.copy(isEmpty(a) ? b : a, result);
    return scope.isKnown(result);
  }
  if (!scope.isKnown(a) || !scope.isKnown(b))
    return false;
  Dims left = scope.getDims(a), right = scope.getDims(b);
  if (left.size() != right.size())
    return false;
  for (auto [l, r] : llvm::zip_equal(left, right))
    if (!(l == r))
      l = DimExpr(-1);
  scope.setDims(result, left);
  return true;
}

/// Whether `type` is a sequence or optional value, or (after normalize) a scalar of
/// one.
static bool isHolder(Type type) {
  return isa<SequenceType, OptionalType>(getElementTypeOrSelf(type));
}

namespace {

/// Extents that are known of a tensor which is taken out, and new symbols.
void setTaken(Operation *op, ShapeScope &scope, Dims dims) {
  for (auto [d, dim] : llvm::enumerate(dims))
    if (dim.constant() == -1)
      dim = scope.freshDim(op, 0, d);
  scope.setDims(op->getResult(0), dims);
}

/// A value that is taken out of operand 0.
LogicalResult inferElement(Operation *op, ShapeScope &scope) {
  Value from = op->getOperand(0), result = op->getResult(0);
  if (!isa<ShapedType>(result.getType())) {
    scope.copy(from, result);
    return success();
  }
  bool isTensor = isa<ShapedType>(from.getType());
  if (!scope.isKnown(from) || (isTensor && isHolder(from.getType())))
    return scope.useDeclared(op, "the rank of the tensors in the sequence");
  if (isTensor)
    scope.copy(from, result);
  else
    setTaken(op, scope, scope.getDims(from));
  return success();
}

LogicalResult inferConstruct(SequenceConstructOp op, ShapeScope &scope) {
  if (!isa<SequenceType>(op.getType()))
    return success();
  scope.copy(op->getOperand(0), op.getResult());
  for (Value operand : llvm::drop_begin(op->getOperands()))
    if (!scope.isKnown(op.getResult()) ||
        !joinElements(scope, op.getResult(), operand, op.getResult())) {
      scope.forget(op.getResult());
      break;
    }
  return success();
}

LogicalResult inferInsert(SequenceInsertOp op, ShapeScope &scope) {
  if (isa<SequenceType>(op.getType()))
    joinElements(scope, op.getInputSequence(), op.getTensor(), op.getResult());
  return success();
}

/// The sequence (or optional value) of operand 0.
LogicalResult inferSame(Operation *op, ShapeScope &scope) {
  if (!isa<ShapedType>(op->getResult(0).getType()) && op->getNumOperands() > 0)
    scope.copy(op->getOperand(0), op->getResult(0));
  return success();
}

LogicalResult inferSplit(SplitToSequenceOp op, ShapeScope &scope) {
  FailureOr<Dims> dims = scope.getOperandDims(op, 0);
  if (failed(dims))
    return failure();
  FailureOr<int64_t> axis = scope.normalizeAxis(op, op.getAxis(), dims->size());
  if (failed(axis))
    return failure();
  DimExpr &part = (*dims)[*axis];
  if (!isGiven(op, 1)) {
    part = DimExpr(1);
    if (!op.getKeepdims())
      dims->erase(dims->begin() + *axis);
  } else {
    auto lengths = scope.getConstants(op.getSplit());
    bool isScalar = scope.isKnown(op.getSplit()) && scope.getDims(op.getSplit()).empty();
    std::optional<int64_t> whole = part.constant();
    bool isEven = lengths && !lengths->empty() && llvm::all_equal(*lengths) &&
                  (!isScalar || (whole && (*lengths)[0] > 0 && *whole % (*lengths)[0] == 0));
    part = DimExpr(isEven ? (*lengths)[0] : -1);
  }
  if (isa<SequenceType>(op.getType()))
    scope.setDims(op.getResult(), *dims);
  return success();
}

LogicalResult inferConcat(ConcatFromSequenceOp op, ShapeScope &scope) {
  if (!scope.isKnown(op.getInputSequence()) || isa<ShapedType>(op.getInputSequence().getType()))
    return scope.useDeclared(op, "the rank of the tensors in the sequence");
  Dims dims = scope.getDims(op.getInputSequence());
  FailureOr<int64_t> axis =
      scope.normalizeAxis(op, op.getAxis(), dims.size() + (op.getNewAxis() != 0));
  if (failed(axis))
    return failure();
  if (op.getNewAxis())
    dims.insert(dims.begin() + *axis, DimExpr(-1));
  else
    dims[*axis] = DimExpr(-1);
  setTaken(op, scope, dims);
  return success();
}

LogicalResult inferNothing(Operation *, ShapeScope &) { return success(); }

LogicalResult inferScalar(Operation *op, ShapeScope &scope) { return scope.setResult(op, 0, {}); }

} // namespace

void dougong::onnx::attachSequenceShapes(MLIRContext &context) {
  attach<inferNothing, SequenceEmptyOp, SequenceMapOp>(context);
  attach<inferConstruct, SequenceConstructOp>(context);
  attach<inferInsert, SequenceInsertOp>(context);
  attach<inferSame, SequenceEraseOp, OptionalOp>(context);
  attach<inferSplit, SplitToSequenceOp>(context);
  attach<inferConcat, ConcatFromSequenceOp>(context);
  attach<inferElement, SequenceAtOp, OptionalGetElementOp>(context);
  attach<inferScalar, SequenceLengthOp, OptionalHasElementOp>(context);
}
