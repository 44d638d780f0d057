//===- Image.cpp - shapes of image operators ------------------------------===//
#include "Families.h"

#include <cmath>

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

namespace {

/// The floats of a constant operand.
std::optional<SmallVector<double>> getFloats(Value value) {
  auto constant = value.getDefiningOp<ConstantOp>();
  if (!constant)
    return std::nullopt;
  SmallVector<double> result;
  if (auto list = constant.getValueFloats()) {
    result.assign(list->begin(), list->end());
    return result;
  }
  auto dense = dyn_cast_if_present<DenseFPElementsAttr>(constant.getValueAttr());
  if (!dense || dense.getNumElements() > ShapeScope::maxContents)
    return std::nullopt;
  for (APFloat element : dense.getValues<APFloat>()) {
    bool lossy;
    element.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lossy);
    result.push_back(element.convertToDouble());
  }
  return result;
}

/// floor(dim * scale); symbolic dims need an integer scale.
DimExpr scaleDim(Operation *op, ShapeScope &scope, const DimExpr &dim, double scale,
                 unsigned axis) {
  if (auto extent = dim.constant())
    return DimExpr(int64_t(std::floor(double(*extent) * scale)));
  if (scale == std::floor(scale))
    return dim * DimExpr(int64_t(scale));
  if (1 / scale == std::floor(1 / scale))
    return floorDiv(dim, DimExpr(int64_t(1 / scale)));
  return scope.freshDim(op, 0, axis);
}

LogicalResult inferResize(ResizeOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  SmallVector<int64_t> axes;
  if (auto listed = op.getAxes()) {
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
  Dims result = *input;
  if (isGiven(op, 3)) {
    auto sizes = scope.getContents(op.getSizes());
    if (sizes && sizes->size() != axes.size())
      return op.emitOpError() << "has " << sizes->size() << " sizes for " << axes.size() << " axes";
    bool stretch = op.getKeepAspectRatioPolicy() == "stretch";
    double factor = 0;
    if (!stretch) {
      // One scale for all axes: the smallest or greatest of the quotients.
      auto wanted = scope.getConstants(op.getSizes());
      auto given = getStatic(*input);
      if (!wanted || !given)
        return scope.useDeclared(op, "the scale that keep_aspect_ratio_policy asks for");
      bool larger = op.getKeepAspectRatioPolicy() == "not_larger";
      for (auto [index, axis] : llvm::enumerate(axes)) {
        double quotient = double((*wanted)[index]) / double((*given)[axis]);
        factor = index == 0 ? quotient
                            : (larger ? std::min(factor, quotient) : std::max(factor, quotient));
      }
    }
    for (auto [index, axis] : llvm::enumerate(axes)) {
      if (!stretch)
        result[axis] = DimExpr(int64_t(std::round(double(*result[axis].constant()) * factor)));
      else
        result[axis] = sizes ? (*sizes)[index] : scope.freshDim(op, 0, axis);
    }
    return scope.setResult(op, 0, result);
  }
  auto scales = isGiven(op, 2) ? getFloats(op.getScales()) : std::nullopt;
  if (scales && scales->size() != axes.size())
    return op.emitOpError() << "has " << scales->size() << " scales for " << axes.size() << " axes";
  for (auto [index, axis] : llvm::enumerate(axes))
    result[axis] = scales ? scaleDim(op, scope, result[axis], (*scales)[index], axis)
                          : scope.freshDim(op, 0, axis);
  return scope.setResult(op, 0, result);
}

LogicalResult inferUpsample(UpsampleOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  auto scales = getFloats(op.getScales());
  if (scales && scales->size() != input->size())
    return op.emitOpError() << "has " << scales->size() << " scales for rank " << input->size();
  for (size_t i = 0; i < input->size(); ++i)
    (*input)[i] =
        scales ? scaleDim(op, scope, (*input)[i], (*scales)[i], i) : scope.freshDim(op, 0, i);
  return scope.setResult(op, 0, *input);
}

LogicalResult inferGridSample(GridSampleOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  FailureOr<Dims> grid = scope.getOperandDims(op, 1, input->size());
  if (failed(grid))
    return failure();
  if (input->size() < 3)
    return op.emitOpError() << "X must have rank 3 or more, got shape " << toString(*input);
  if (failed(scope.unify(op, (*input)[0], (*grid)[0], "batch dims of X and grid")))
    return failure();
  Dims result = {(*input)[0], (*input)[1]};
  result.append(grid->begin() + 1, grid->end() - 1);
  return scope.setResult(op, 0, result);
}

LogicalResult inferRoiAlign(RoiAlignOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0, 4), rois = scope.getOperandDims(op, 1, 2);
  if (failed(input) || failed(rois))
    return failure();
  return scope.setResult(op, 0,
                         {(*rois)[0], (*input)[1], DimExpr(int64_t(op.getOutputHeight())),
                          DimExpr(int64_t(op.getOutputWidth()))});
}

LogicalResult inferMaxRoiPool(MaxRoiPoolOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0, 4), rois = scope.getOperandDims(op, 1, 2);
  if (failed(input) || failed(rois))
    return failure();
  const DimExpr &numbers = (*rois)[1];
  if (numbers.constant() && numbers.constant() != 5)
    return op.emitOpError() << "a region of rois is " << numbers.print()
                            << " numbers, expected 5: image, x1, y1, x2, y2";
  if (failed(scope.unify(op, numbers, DimExpr(5), "the numbers of a region of rois, and 5,")))
    return failure();
  ArrayRef<int64_t> shape = op.getPooledShape();
  if (shape.size() != 2 || shape[0] < 1 || shape[1] < 1)
    return op.emitOpError() << "pooled_shape is [" << shape << "], expected two positive numbers";
  Dims result = {(*rois)[0], (*input)[1], DimExpr(shape[0]), DimExpr(shape[1])};
  return scope.setResult(op, 0, result);
}

/// theta [n, k, k + 1] and size [n, c, (d,) h, w] give [n, (d,) h, w, k], k = 2 or 3.
LogicalResult inferAffineGrid(AffineGridOp op, ShapeScope &scope) {
  FailureOr<Dims> theta = scope.getOperandDims(op, 0, 3), list = scope.getOperandDims(op, 1, 1);
  if (failed(theta) || failed(list))
    return failure();
  // Any of these tells k; the rank of the result does as well.
  std::optional<int64_t> spatial;
  if (auto count = list->front().constant())
    spatial = *count - 2;
  else if (auto rows = (*theta)[1].constant())
    spatial = *rows;
  else if (auto columns = (*theta)[2].constant())
    spatial = *columns - 1;
  else if (auto rank = ShapeScope::getDeclaredRank(op.getResult()))
    spatial = *rank - 2;
  if (!spatial)
    return op.emitOpError() << "the number of spatial dims is not known at compile time; fix "
                            << (*theta)[1].print() << " with --dim";
  if (*spatial != 2 && *spatial != 3)
    return op.emitOpError() << "grids of " << *spatial << " dims, expected 2 or 3: theta "
                            << toString(*theta) << ", " << list->front().print() << " sizes";
  DimExpr k(*spatial);
  if (failed(scope.unify(op, list->front(), k + DimExpr(2), "the number of sizes, and of dims")) ||
      failed(scope.unify(op, (*theta)[1], k, "rows of theta and spatial dims")) ||
      failed(scope.unify(op, (*theta)[2], k + DimExpr(1), "columns of theta and spatial dims + 1")))
    return failure();
  auto size = scope.getContents(op.getSize());
  DimExpr batch = (*theta)[0];
  if (size) {
    FailureOr<DimExpr> same = scope.unify(op, batch, (*size)[0], "batch dims of theta and size");
    if (failed(same))
      return failure();
    batch = *same;
  }
  Dims result = {batch};
  for (int64_t dim = 0; dim < *spatial; ++dim)
    result.push_back(size ? (*size)[2 + dim] : scope.freshDim(op, 0, 1 + dim));
  result.push_back(k);
  return scope.setResult(op, 0, result);
}

} // namespace

void dougong::onnx::attachImageShapes(MLIRContext &context) {
  attach<inferResize, ResizeOp>(context);
  attach<inferUpsample, UpsampleOp>(context);
  attach<inferGridSample, GridSampleOp>(context);
  attach<inferRoiAlign, RoiAlignOp>(context);
  attach<inferMaxRoiPool, MaxRoiPoolOp>(context);
  attach<inferAffineGrid, AffineGridOp>(context);
}
