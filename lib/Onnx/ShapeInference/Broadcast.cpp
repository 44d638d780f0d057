//===- Broadcast.cpp - one-way broadcasting of shapes ---------------------===//
#include "Broadcast.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

LogicalResult dougong::onnx::broadcastTo(Operation *op, ShapeScope &scope, ArrayRef<DimExpr> dims,
                                         ArrayRef<DimExpr> target, const Twine &what) {
  if (dims.size() > target.size())
    return op->emitOpError() << what << " of shape " << toString(dims) << " does not broadcast to "
                             << toString(target);
  DimSolver &solver = scope.getSolver();
  ArrayRef<DimExpr> trailing = target.take_back(dims.size());
  for (auto [index, pair] : llvm::enumerate(llvm::zip(dims, trailing))) {
    DimExpr dim = solver.canonical(std::get<0>(pair)), full = solver.canonical(std::get<1>(pair));
    if (dim == full || dim.constant() == 1)
      continue;
    if (dim.constant() && full.constant())
      return op->emitOpError() << what << " of shape " << toString(dims)
                               << " does not broadcast to " << toString(target) << ": dim " << index
                               << " is " << dim.print() << ", expected 1 or " << full.print();
    // Only an extent of an input has two meanings: another one is that of a tensor
    // that was made to fit.
    bool mayBeOne = dim.kind() == DimExpr::Kind::Symbol && !scope.isDataDependent(dim) &&
                    solver.lowerBound(dim).value_or(0) < 2;
    if (!mayBeOne) {
      if (failed(
              scope.unify(op, dim, full,
                          "dim " + Twine(index) + " of " + what + " and what it is broadcast to")))
        return failure();
      continue;
    }
    if (failed(
            scope.requireEither(op, dim, DimExpr(1), full, "dim " + Twine(index) + " of " + what)))
      return failure();
  }
  return success();
}

LogicalResult dougong::onnx::checkParameter(Operation *op, ShapeScope &scope, unsigned index,
                                            ArrayRef<DimExpr> data, std::optional<unsigned> dim) {
  if (!isGiven(op, index))
    return success();
  FailureOr<Dims> dims = scope.getOperandDims(op, index);
  if (failed(dims))
    return failure();
  if (dims->size() > 1)
    return broadcastTo(op, scope, *dims, data, "operand " + Twine(index));
  if (dims->empty())
    return success();
  return scope.requireEither(op, dims->front(), DimExpr(1), dim ? data[*dim] : DimExpr(1),
                             "the extent of operand " + Twine(index));
}

LogicalResult dougong::onnx::unifyDims(Operation *op, ShapeScope &scope, unsigned index,
                                       ArrayRef<DimExpr> expected, StringRef name) {
  FailureOr<Dims> dims = scope.getOperandDims(op, index, expected.size());
  if (failed(dims))
    return failure();
  for (auto [axis, dim] : llvm::enumerate(*dims))
    if (failed(scope.unify(op, dim, expected[axis],
                           "dim " + Twine(axis) + " of " + name + " " + toString(*dims))))
      return failure();
  return success();
}
