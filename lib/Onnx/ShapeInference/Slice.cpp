//===- Slice.cpp - shapes of operators that cut and pad -------------------===//
#include "Broadcast.h"
#include "Families.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

namespace {

/// Exporters write "to the end" as some very big number.
constexpr int64_t endless = INT32_MAX;

/// A bound of a slice, counted from the front and clamped to [low, high].
DimExpr clampBound(Operation *op, ShapeScope &scope, const DimExpr &bound, const DimExpr &extent,
                   const DimExpr &low, const DimExpr &high) {
  DimSolver &solver = scope.getSolver();
  if (auto value = bound.constant()) {
    if (*value >= endless)
      return high;
    if (*value <= -endless)
      return low;
  }
  DimExpr position = bound;
  auto least = solver.lowerBound(bound), most = solver.upperBound(bound);
  if (most && *most < 0) {
    position = bound + extent;
  } else if (most && *most <= 0 && !bound.constant()) {
    // -n, where n is an extent: taken to be an offset from the end, so n is not 0.
    solver.assumeLessOrEqual(DimExpr(1), -bound, ShapeScope::getNodeLabel(op));
    position = bound + extent;
  } else if (!least || *least < 0) {
    if (!scope.isStrict())
      scope.leaveOpen();
    else
      solver.assumeLessOrEqual(DimExpr(0), bound, ShapeScope::getNodeLabel(op));
  }
  return solver.greater(low, solver.smaller(position, high));
}

LogicalResult inferSlice(SliceOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  auto bounds = getListLength(op, scope, 1);
  if (failed(input) || failed(bounds))
    return failure();
  auto starts = scope.getContents(op.getStarts()), ends = scope.getContents(op.getEnds());
  std::optional<SmallVector<int64_t>> axes, steps;
  if (isGiven(op, 3)) {
    axes = scope.getConstants(op.getAxes());
    if (!axes)
      return scope.useDeclared(op, "the list of axes");
  } else if (*bounds) {
    axes.emplace();
    for (int64_t i = 0; i < **bounds; ++i)
      axes->push_back(i);
  } else {
    return scope.useDeclared(op, "the number of starts");
  }
  if (isGiven(op, 4))
    steps = scope.getConstants(op.getSteps());
  else
    steps = SmallVector<int64_t>(axes->size(), 1);
  if ((starts && starts->size() != axes->size()) || (ends && ends->size() != axes->size()) ||
      (steps && steps->size() != axes->size()))
    return op.emitOpError() << "starts, ends, axes and steps differ in length";

  DimSolver &solver = scope.getSolver();
  Dims result = *input;
  SmallVector<int64_t> begins(input->size(), 0), strides(input->size(), 1);
  bool isStatic = true;
  for (auto [index, listed] : llvm::enumerate(*axes)) {
    FailureOr<int64_t> axis = scope.normalizeAxis(op, listed, input->size());
    if (failed(axis))
      return failure();
    if (!starts || !ends || !steps) {
      result[*axis] = scope.freshDim(op, 0, *axis);
      isStatic = false;
      continue;
    }
    int64_t step = (*steps)[index];
    if (step == 0)
      return op.emitOpError() << "step of axis " << *axis << " is 0";
    DimExpr extent = (*input)[*axis], one(1);
    DimExpr low(step > 0 ? 0 : -1), high = step > 0 ? extent : extent - one;
    DimExpr start = clampBound(op, scope, (*starts)[index], extent, DimExpr(0), high);
    if (step < 0) // the last element of nothing is at -1, behind which nothing begins
      start = solver.smaller(start, high);
    DimExpr end = clampBound(op, scope, (*ends)[index], extent, low, high);
    result[*axis] = solver.greater(ceilDiv(end - start, DimExpr(step)), DimExpr(0));
    isStatic &= start.constant().has_value();
    begins[*axis] = start.constant().value_or(0);
    strides[*axis] = step;
  }
  if (failed(scope.setResult(op, 0, result)))
    return failure();
  auto contents = scope.getContents(op.getData());
  auto extents = getStatic(scope.getDims(op.getResult()));
  auto own = getStatic(*input);
  if (contents && extents && own && isStatic) {
    SmallVector<int64_t> weights = getStrides(*own);
    scope.setContents(op.getResult(),
                      permuteContents(*contents, *extents, [&](ArrayRef<int64_t> coordinate) {
                        int64_t position = 0;
                        for (size_t d = 0; d < own->size(); ++d)
                          position += (begins[d] + coordinate[d] * strides[d]) * weights[d];
                        return position;
                      }));
  }
  return success();
}

LogicalResult inferSplit(SplitOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  FailureOr<int64_t> axis = scope.normalizeAxis(op, op.getAxis(), input->size());
  if (failed(axis))
    return failure();
  int64_t parts = op->getNumResults();
  DimExpr extent = (*input)[*axis];
  Dims sizes;
  if (isGiven(op, 1)) {
    auto split = scope.getContents(op.getSplit());
    if (split && int64_t(split->size()) != parts)
      return op.emitOpError() << "has " << split->size() << " sizes for " << parts << " results";
    if (!split && failed(unifyDims(op, scope, 1, {DimExpr(parts)}, "split")))
      return failure();
    DimExpr sum(0);
    for (int64_t i = 0; i < parts; ++i) {
      sizes.push_back(split ? (*split)[i] : scope.freshDim(op, i, *axis));
      sum = sum + sizes.back();
    }
    if (failed(scope.unify(op, extent, sum, "the split dim and the sum of its parts")))
      return failure();
  } else {
    DimExpr chunk = extent;
    if (auto exact = divideExactly(extent, DimExpr(parts)))
      chunk = *exact;
    else
      chunk = ceilDiv(extent, DimExpr(parts));
    // The last parts may be shorter, or empty.
    DimSolver &solver = scope.getSolver();
    for (int64_t i = 0; i + 1 < parts; ++i)
      sizes.push_back(
          extent.constant()
              ? solver.greater(solver.smaller(chunk, extent - chunk * DimExpr(i)), DimExpr(0))
              : chunk);
    sizes.push_back(solver.greater(extent - chunk * DimExpr(parts - 1), DimExpr(0)));
  }
  auto contents = input->size() == 1 ? scope.getContents(op.getInput()) : std::nullopt;
  int64_t offset = 0;
  for (int64_t i = 0; i < parts; ++i) {
    Dims result = *input;
    result[*axis] = sizes[i];
    if (failed(scope.setResult(op, i, result)))
      return failure();
    auto size = sizes[i].constant();
    if (!contents || !size)
      continue;
    scope.setContents(op->getResult(i), ArrayRef<DimExpr>(*contents).slice(offset, *size));
    offset += *size;
  }
  return success();
}

LogicalResult inferPad(PadOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  SmallVector<int64_t> axes;
  if (isGiven(op, 3)) {
    auto listed = scope.getConstants(op.getAxes());
    if (!listed)
      return scope.useDeclared(op, "the list of axes");
    for (int64_t axis : *listed) {
      FailureOr<int64_t> normal = scope.normalizeAxis(op, axis, input->size());
      if (failed(normal))
        return failure();
      axes.push_back(*normal);
    }
  } else {
    for (size_t i = 0; i < input->size(); ++i)
      axes.push_back(i);
  }
  auto pads = scope.getContents(op.getPads());
  if (pads && pads->size() != 2 * axes.size())
    return op.emitOpError() << "has " << pads->size() << " pads for " << axes.size() << " axes";
  Dims result = *input;
  for (auto [index, axis] : llvm::enumerate(axes))
    result[axis] = pads ? result[axis] + (*pads)[index] + (*pads)[axes.size() + index]
                        : scope.freshDim(op, 0, axis);
  return scope.setResult(op, 0, result);
}

LogicalResult inferCenterCropPad(CenterCropPadOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  SmallVector<int64_t> axes;
  if (auto listed = op.getAxes())
    axes.assign(listed->begin(), listed->end());
  else
    for (size_t i = 0; i < input->size(); ++i)
      axes.push_back(i);
  auto shape = scope.getContents(op.getShape());
  if (shape && shape->size() != axes.size())
    return op.emitOpError() << "has " << shape->size() << " extents for " << axes.size() << " axes";
  Dims result = *input;
  for (auto [index, listed] : llvm::enumerate(axes)) {
    FailureOr<int64_t> axis = scope.normalizeAxis(op, listed, input->size());
    if (failed(axis))
      return failure();
    result[*axis] = shape ? (*shape)[index] : scope.freshDim(op, 0, *axis);
  }
  return scope.setResult(op, 0, result);
}

} // namespace

void dougong::onnx::attachSliceShapes(MLIRContext &context) {
  attach<inferSlice, SliceOp>(context);
  attach<inferSplit, SplitOp>(context);
  attach<inferPad, PadOp>(context);
  attach<inferCenterCropPad, CenterCropPadOp>(context);
}
