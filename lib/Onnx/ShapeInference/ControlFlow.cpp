//===- ControlFlow.cpp - shapes of If, Loop and Scan ----------------------===//
#include "Families.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

namespace {

/// The values that a graph attribute yields.
OperandRange getYielded(Region &region) { return region.front().getTerminator()->getOperands(); }

/// Takes the shape of both branches' values for a result, with new symbols where
/// they differ. Nothing is known if the ranks differ.
LogicalResult inferIf(IfOp op, ShapeScope &scope) {
  // A branch that is never taken need not even be valid.
  if (auto condition = scope.getScalar(op.getCond()); condition && condition->constant()) {
    Region &taken = *condition->constant() ? op.getThenBranch() : op.getElseBranch();
    if (failed(scope.inferBlock(taken.front())))
      return failure();
    for (auto [result, value] : llvm::zip(op.getResults(), getYielded(taken)))
      scope.copy(value, result);
    return success();
  }
  for (Region *region : {&op.getThenBranch(), &op.getElseBranch()})
    if (failed(scope.inferBlock(region->front())))
      return failure();
  OperandRange thenValues = getYielded(op.getThenBranch()),
               elseValues = getYielded(op.getElseBranch());
  for (auto [index, result] : llvm::enumerate(op.getResults())) {
    if (!isa<ShapedType>(result.getType())) {
      joinElements(scope, thenValues[index], elseValues[index], result);
      continue;
    }
    if (!scope.isKnown(thenValues[index]) || !scope.isKnown(elseValues[index]))
      continue;
    Dims a = scope.getDims(thenValues[index]), b = scope.getDims(elseValues[index]);
    if (a.size() != b.size())
      continue;
    for (size_t d = 0; d < a.size(); ++d)
      if (!(a[d] == b[d]))
        a[d] = scope.freshDim(op, index, d);
    if (failed(scope.setResult(op, index, a)))
      return failure();
  }
  return success();
}

/// Makes a carried sequence what holds for it before and after an iteration. Whether
/// it has changed.
bool joinCarried(ShapeScope &scope, Value argument, Value initial, Value next) {
  bool wasKnown = scope.isKnown(argument);
  Dims before = wasKnown ? scope.getDims(argument) : Dims();
  if (!joinElements(scope, wasKnown ? argument : initial, next, argument))
    scope.forget(argument);
  return scope.isKnown(argument) != wasKnown || (wasKnown && !(scope.getDims(argument) == before));
}

/// Infers a loop body until the shapes of the carried values no longer change:
/// a dim that the body changes gets a symbol of its own.
LogicalResult inferBody(Operation *op, ShapeScope &scope, Block &body, size_t firstCarried,
                        size_t firstYielded, OperandRange initial) {
  Operation *yield = body.getTerminator();
  for (unsigned round = 0;; ++round) {
    if (failed(scope.inferBlock(body)))
      return failure();
    bool changed = false;
    for (size_t i = 0; i < initial.size(); ++i) {
      Value argument = body.getArgument(firstCarried + i);
      Value next = yield->getOperand(firstYielded + i);
      if (!isa<ShapedType>(argument.getType())) {
        changed |= joinCarried(scope, argument, initial[i], next);
        continue;
      }
      if (!scope.isKnown(argument) || !scope.isKnown(next))
        continue;
      Dims before = scope.getDims(argument), after = scope.getDims(next);
      if (before.size() != after.size())
        return op->emitOpError() << "carried value " << i << " changes its rank, from "
                                 << toString(before) << " to " << toString(after);
      for (size_t d = 0; d < before.size(); ++d) {
        DimExpr own = scope.freshDim(op, i, d);
        if (before[d] == after[d] || before[d] == own)
          continue;
        before[d] = own;
        changed = true;
      }
      if (changed)
        scope.setDims(argument, before);
    }
    if (!changed || round > 16)
      return success();
  }
}

/// Whether a loop with this condition runs all its iterations.
bool isAlwaysTrue(ShapeScope &scope, LoopOp op, Block &body) {
  Value next = body.getTerminator()->getOperand(0);
  auto isTrue = [&](Value value) {
    auto content = scope.getScalar(value);
    return content && content->constant() == 1;
  };
  bool start = !isGiven(op, 1) || isTrue(op.getCond());
  auto identity = next.getDefiningOp<IdentityOp>();
  Value source = identity ? identity.getInput() : next;
  return start && (source == body.getArgument(1) || isTrue(next));
}

LogicalResult inferLoop(LoopOp op, ShapeScope &scope) {
  Block &body = op.getBody().front();
  size_t carried = op.getVInitial().size();
  if (body.getNumArguments() != carried + 2 || body.getTerminator()->getNumOperands() < carried + 1)
    return op.emitOpError() << "body has " << body.getNumArguments() << " inputs for " << carried
                            << " carried values";
  for (Value argument : body.getArguments().take_front(2))
    scope.setDims(argument, Dims());
  for (auto [argument, initial] : llvm::zip(body.getArguments().drop_front(2), op.getVInitial()))
    if (scope.isKnown(initial))
      scope.setDims(argument, scope.getDims(initial));
  if (failed(inferBody(op, scope, body, 2, 1, op.getVInitial())))
    return failure();
  OperandRange yielded = body.getTerminator()->getOperands();
  std::optional<DimExpr> trips;
  if (isGiven(op, 0) && isAlwaysTrue(scope, op, body))
    trips = scope.getScalar(op.getM());
  for (auto [index, result] : llvm::enumerate(op.getResults())) {
    Value value = index < carried ? Value(body.getArgument(2 + index)) : Value(yielded[index + 1]);
    if (!scope.isKnown(value))
      continue;
    Dims dims = scope.getDims(value);
    if (index >= carried)
      dims.insert(dims.begin(), trips ? scope.getSolver().greater(*trips, DimExpr(0))
                                      : scope.freshDim(op, carried, 0));
    if (failed(scope.setResult(op, index, dims)))
      return failure();
  }
  return success();
}

LogicalResult inferScan(ScanOp op, ShapeScope &scope) {
  Block &body = op.getBody().front();
  OperandRange inputs = op.getInitialStateAndScanInputs();
  int64_t scans = op.getNumScanInputs(), carried = int64_t(inputs.size()) - scans;
  if (scans < 1 || carried < 0 || body.getNumArguments() != inputs.size() ||
      int64_t(body.getTerminator()->getNumOperands()) < carried)
    return op.emitOpError() << "body has " << body.getNumArguments() << " inputs for "
                            << inputs.size() << " operands";
  std::optional<DimExpr> length;
  for (auto [index, pair] : llvm::enumerate(llvm::zip(body.getArguments(), inputs))) {
    auto [argument, input] = pair;
    FailureOr<Dims> dims = scope.getOperandDims(op, index);
    if (failed(dims))
      return failure();
    int64_t scan = int64_t(index) - carried;
    if (scan >= 0) {
      auto axes = op.getScanInputAxes();
      FailureOr<int64_t> axis = scope.normalizeAxis(
          op, axes && scan < int64_t(axes->size()) ? (*axes)[scan] : 0, dims->size());
      if (failed(axis))
        return failure();
      FailureOr<DimExpr> merged =
          length ? scope.unify(op, *length, (*dims)[*axis], "lengths of the scan inputs")
                 : FailureOr<DimExpr>((*dims)[*axis]);
      if (failed(merged))
        return failure();
      length = *merged;
      dims->erase(dims->begin() + *axis);
    }
    scope.setDims(argument, *dims);
  }
  if (failed(inferBody(op, scope, body, 0, 0, inputs.take_front(carried))))
    return failure();
  OperandRange yielded = body.getTerminator()->getOperands();
  for (auto [index, result] : llvm::enumerate(op.getResults())) {
    int64_t scan = int64_t(index) - carried;
    Value value = scan < 0 ? Value(body.getArgument(index)) : Value(yielded[index]);
    if (!scope.isKnown(value))
      continue;
    Dims dims = scope.getDims(value);
    if (scan >= 0) {
      auto axes = op.getScanOutputAxes();
      FailureOr<int64_t> axis = scope.normalizeAxis(
          op, axes && scan < int64_t(axes->size()) ? (*axes)[scan] : 0, dims.size() + 1);
      if (failed(axis))
        return failure();
      dims.insert(dims.begin() + *axis, *length);
    }
    if (failed(scope.setResult(op, index, dims)))
      return failure();
  }
  return success();
}

} // namespace

void dougong::onnx::attachControlFlowShapes(MLIRContext &context) {
  attach<inferIf, IfOp>(context);
  attach<inferLoop, LoopOp>(context);
  attach<inferScan, ScanOp>(context);
}
