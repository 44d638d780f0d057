//===- Tensor.cpp - shapes of operators that make and rearrange tensors ---===//
#include "Families.h"

#include <cmath>

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

/// The products of what is left of two shapes without the extents that both have: an
/// extent that a reshape keeps may be 0, and is nothing to divide by.
static std::pair<DimExpr, DimExpr> cancelCommonDims(ArrayRef<DimExpr> from, ArrayRef<DimExpr> to) {
  Dims rest(from.begin(), from.end()), added;
  for (const DimExpr &dim : to)
    if (auto *same = llvm::find(rest, dim); same != rest.end())
      rest.erase(same);
    else
      added.push_back(dim);
  return {ShapeScope::product(rest), ShapeScope::product(added)};
}

FailureOr<std::optional<int64_t>> dougong::onnx::getListLength(Operation *op, ShapeScope &scope,
                                                               unsigned index) {
  FailureOr<Dims> list = scope.getOperandDims(op, index, 1);
  if (failed(list))
    return failure();
  std::optional<int64_t> length = list->front().constant();
  if (length && *length > ShapeScope::maxContents)
    return op->emitOpError() << "operand " << index << ", a list with an element for each dim, has "
                             << *length << " elements, expected at most "
                             << ShapeScope::maxContents;
  return length;
}

FailureOr<DimExpr> dougong::onnx::divideDim(Operation *op, ShapeScope &scope, const DimExpr &whole,
                                            const DimExpr &parts, const Twine &what) {
  if (auto quotient = divideExactly(whole, parts))
    return *quotient;
  if (whole.constant() && parts.constant())
    return op->emitOpError() << what << ": " << whole.print() << " is not a multiple of "
                             << parts.print();
  if (scope.isStrict())
    scope.getSolver().requireEqual(mod(whole, parts), DimExpr(0), ShapeScope::getNodeLabel(op));
  else
    scope.leaveOpen();
  return floorDiv(whole, parts);
}

FailureOr<Dims> dougong::onnx::inferReshape(Operation *op, ShapeScope &scope,
                                            ArrayRef<DimExpr> input, ArrayRef<DimExpr> target,
                                            bool allowZero) {
  Dims result;
  std::optional<size_t> inferred;
  for (auto [index, dim] : llvm::enumerate(target)) {
    result.push_back(dim);
    if (dim.constant() == 0 && !allowZero) {
      if (index >= input.size())
        return op->emitOpError() << "dim " << index << " of the new shape is 0, but the input "
                                 << toString(input) << " has no such dim";
      result.back() = input[index];
    } else if (dim.constant() == -1) {
      if (inferred)
        return op->emitOpError() << "new shape " << toString(target) << " has more than one -1";
      inferred = index;
      result.back() = DimExpr(1);
    }
  }
  DimExpr from = ShapeScope::product(input), to = ShapeScope::product(result);
  if (inferred) {
    auto [dividend, divisor] = cancelCommonDims(input, result);
    FailureOr<DimExpr> quotient =
        divideDim(op, scope, dividend, divisor,
                  "shape " + toString(input) + " cannot be reshaped to " + toString(target));
    if (failed(quotient))
      return failure();
    result[*inferred] = *quotient;
    return result;
  }
  if (from.constant() && to.constant() && !(from == to))
    return op->emitOpError() << "shape " << toString(input) << " of " << from.print()
                             << " elements cannot be reshaped to " << toString(target) << " of "
                             << to.print();
  if (failed(scope.unify(op, from, to,
                         "numbers of elements before and after (" + toString(input) + " to " +
                             toString(target) + ")")))
    return failure();
  return result;
}

namespace {

/// Result 0 with fresh extents, as many as operand `index`, a list of extents,
/// has elements.
LogicalResult setFresh(Operation *op, ShapeScope &scope, unsigned index) {
  auto rank = getListLength(op, scope, index);
  if (failed(rank))
    return failure();
  if (!*rank)
    return scope.useDeclared(op, "the rank of the result");
  Dims dims;
  for (int64_t i = 0; i < **rank; ++i)
    dims.push_back(scope.freshDim(op, 0, i));
  return scope.setResult(op, 0, dims);
}

LogicalResult inferShape(ShapeOp op, ShapeScope &scope) {
  FailureOr<Dims> dims = scope.getOperandDims(op, 0);
  if (failed(dims))
    return failure();
  int64_t rank = dims->size();
  auto clamp = [&](int64_t bound) {
    return std::clamp<int64_t>(bound < 0 ? bound + rank : bound, 0, rank);
  };
  int64_t start = clamp(op.getStart()), end = clamp(op.getEnd().value_or(rank));
  ArrayRef<DimExpr> part = ArrayRef<DimExpr>(*dims).slice(start, std::max<int64_t>(0, end - start));
  if (failed(scope.setResult(op, 0, {DimExpr(int64_t(part.size()))})))
    return failure();
  scope.setContents(op.getResult(), part);
  return success();
}

LogicalResult inferSize(SizeOp op, ShapeScope &scope) {
  FailureOr<Dims> dims = scope.getOperandDims(op, 0);
  if (failed(dims) || failed(scope.setResult(op, 0, {})))
    return failure();
  scope.setContents(op.getResult(), {ShapeScope::product(*dims)});
  return success();
}

LogicalResult inferReshapeOp(ReshapeOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  auto target = scope.getContents(op.getShape());
  if (!target)
    return setFresh(op, scope, 1);
  FailureOr<Dims> dims = inferReshape(op, scope, *input, *target, op.getAllowzero() != 0);
  if (failed(dims) || failed(scope.setResult(op, 0, *dims)))
    return failure();
  if (auto contents = scope.getContents(op.getData()))
    scope.setContents(op.getResult(), *contents);
  return success();
}

LogicalResult inferFlatten(FlattenOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  int64_t rank = input->size(), axis = op.getAxis();
  if (axis < -rank || axis > rank)
    return op.emitOpError() << "axis " << axis << " is out of range for rank " << rank;
  axis = axis < 0 ? axis + rank : axis;
  ArrayRef<DimExpr> dims(*input);
  return scope.setResult(
      op, 0,
      {ShapeScope::product(dims.take_front(axis)), ShapeScope::product(dims.drop_front(axis))});
}

/// The axes operand of Squeeze and Unsqueeze, made non-negative for `rank`.
FailureOr<SmallVector<bool>> getAxisSet(Operation *op, ShapeScope &scope, int64_t rank) {
  auto axes = scope.getConstants(op->getOperand(1));
  if (!axes)
    return failure();
  SmallVector<bool> set(rank, false);
  for (int64_t axis : *axes) {
    FailureOr<int64_t> normal = scope.normalizeAxis(op, axis, rank);
    if (failed(normal))
      return failure();
    set[*normal] = true;
  }
  return set;
}

LogicalResult inferSqueeze(SqueezeOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  Dims result;
  if (!isGiven(op, 1)) {
    for (const DimExpr &dim : *input)
      if (dim.constant() != 1)
        result.push_back(dim);
  } else {
    if (!scope.getConstants(op.getAxes()))
      return scope.useDeclared(op, "the list of axes");
    FailureOr<SmallVector<bool>> axes = getAxisSet(op, scope, input->size());
    if (failed(axes))
      return failure();
    for (auto [index, dim] : llvm::enumerate(*input)) {
      if (!(*axes)[index])
        result.push_back(dim);
      else if (failed(scope.unify(op, dim, DimExpr(1), "squeezed dim " + Twine(index) + " and 1")))
        return failure();
    }
  }
  if (failed(scope.setResult(op, 0, result)))
    return failure();
  if (auto contents = scope.getContents(op.getData()))
    scope.setContents(op.getResult(), *contents);
  return success();
}

LogicalResult inferUnsqueeze(UnsqueezeOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  auto axes = scope.getConstants(op.getAxes());
  if (!axes)
    return scope.useDeclared(op, "the list of axes");
  int64_t rank = input->size() + axes->size();
  FailureOr<SmallVector<bool>> set = getAxisSet(op, scope, rank);
  if (failed(set))
    return failure();
  if (llvm::count(*set, true) != int64_t(axes->size()))
    return op.emitOpError() << "an axis is listed twice";
  Dims result;
  size_t next = 0;
  for (int64_t i = 0; i < rank; ++i)
    result.push_back((*set)[i] ? DimExpr(1) : (*input)[next++]);
  if (failed(scope.setResult(op, 0, result)))
    return failure();
  if (auto contents = scope.getContents(op.getData()))
    scope.setContents(op.getResult(), *contents);
  return success();
}

LogicalResult inferExpand(ExpandOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  auto target = scope.getContents(op.getShape());
  if (!target) {
    auto count = getListLength(op, scope, 1);
    if (failed(count))
      return failure();
    if (int64_t(input->size()) >= count->value_or(INT64_MAX) &&
        llvm::all_of(*input, [](const DimExpr &dim) { return dim.constant().value_or(1) != 1; }))
      return scope.setResult(op, 0, *input);
    if (!*count)
      return scope.useDeclared(op, "the rank of the result");
    Dims result;
    for (size_t dim = 0; dim < std::max<size_t>(**count, input->size()); ++dim)
      result.push_back(scope.freshDim(op, 0, dim));
    return scope.setResult(op, 0, result);
  }
  // Extents that the target states are extents: it is a shape of something.
  FailureOr<Dims> result = scope.broadcast(op, *input, *target);
  if (failed(result) || failed(scope.setResult(op, 0, *result)))
    return failure();
  auto contents = scope.getContents(op.getInput());
  auto extents = getStatic(*result);
  auto own = getStatic(*input);
  if (contents && extents && own &&
      ShapeScope::product(*result).constant().value_or(INT64_MAX) <= ShapeScope::maxContents) {
    SmallVector<int64_t> strides = getStrides(*own);
    size_t lead = extents->size() - own->size();
    scope.setContents(op.getResult(),
                      permuteContents(*contents, *extents, [&](ArrayRef<int64_t> coordinate) {
                        int64_t position = 0;
                        for (size_t d = 0; d < own->size(); ++d)
                          position += (*own)[d] == 1 ? 0 : coordinate[lead + d] * strides[d];
                        return position;
                      }));
  }
  return success();
}

LogicalResult inferTile(TileOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  auto repeats = scope.getContents(op.getRepeats());
  if (repeats && repeats->size() != input->size())
    return op.emitOpError() << "has " << repeats->size() << " repeats for an input of rank "
                            << input->size();
  Dims result;
  for (auto [index, dim] : llvm::enumerate(*input))
    result.push_back(repeats ? dim * (*repeats)[index] : scope.freshDim(op, 0, index));
  return scope.setResult(op, 0, result);
}

LogicalResult inferTranspose(TransposeOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  size_t rank = input->size();
  SmallVector<int64_t> permutation;
  if (auto perm = op.getPerm())
    permutation.assign(perm->begin(), perm->end());
  else
    for (size_t i = rank; i-- > 0;)
      permutation.push_back(i);
  SmallVector<bool> seen(rank, false);
  Dims result;
  for (int64_t source : permutation) {
    if (source < 0 || source >= int64_t(rank) || seen[source] || permutation.size() != rank)
      return op.emitOpError() << "perm is not a permutation of the dims of " << toString(*input);
    seen[source] = true;
    result.push_back((*input)[source]);
  }
  if (permutation.size() != rank)
    return op.emitOpError() << "perm has " << permutation.size() << " entries for rank " << rank;
  if (failed(scope.setResult(op, 0, result)))
    return failure();
  auto contents = scope.getContents(op.getData());
  auto extents = getStatic(result);
  if (contents && extents) {
    SmallVector<int64_t> strides = getStrides(*getStatic(*input));
    scope.setContents(op.getResult(),
                      permuteContents(*contents, *extents, [&](ArrayRef<int64_t> coordinate) {
                        int64_t position = 0;
                        for (size_t d = 0; d < rank; ++d)
                          position += coordinate[d] * strides[permutation[d]];
                        return position;
                      }));
  }
  return success();
}

LogicalResult inferConcat(ConcatOp op, ShapeScope &scope) {
  FailureOr<Dims> first = scope.getOperandDims(op, 0);
  if (failed(first))
    return failure();
  FailureOr<int64_t> axis = scope.normalizeAxis(op, op.getAxis(), first->size());
  if (failed(axis))
    return failure();
  Dims result = *first;
  for (unsigned i = 1; i < op->getNumOperands(); ++i) {
    FailureOr<Dims> dims = scope.getOperandDims(op, i, first->size());
    if (failed(dims))
      return failure();
    for (size_t d = 0; d < dims->size(); ++d) {
      if (int64_t(d) == *axis) {
        result[d] = result[d] + (*dims)[d];
        continue;
      }
      FailureOr<DimExpr> dim = scope.unify(op, result[d], (*dims)[d],
                                           "dim " + Twine(d) + " of operands 0 and " + Twine(i));
      if (failed(dim))
        return failure();
      result[d] = *dim;
    }
  }
  if (failed(scope.setResult(op, 0, result)))
    return failure();
  // Contents: interleave the operands' rows.
  auto extents = getStatic(result);
  if (!extents)
    return success();
  int64_t outer = 1;
  for (int64_t d = 0; d < *axis; ++d)
    outer *= (*extents)[d];
  Dims contents;
  for (int64_t row = 0; row < outer; ++row) {
    for (Value operand : op->getOperands()) {
      auto own = scope.getContents(operand);
      if (!own || outer == 0)
        return success();
      size_t length = own->size() / outer;
      contents.append(own->begin() + row * length, own->begin() + (row + 1) * length);
    }
  }
  scope.setContents(op.getResult(), contents);
  return success();
}

LogicalResult inferConstant(ConstantOp op, ShapeScope &scope) {
  Value result = op.getResult();
  if (auto value = op.getValue()) {
    auto type = cast<ShapedType>(value->getType());
    Dims dims;
    for (int64_t extent : type.getShape())
      dims.push_back(DimExpr(extent));
    if (failed(scope.setResult(op, 0, dims)))
      return failure();
    auto dense = dyn_cast<DenseIntElementsAttr>(*value);
    if (!dense || dense.getNumElements() > ShapeScope::maxContents)
      return success();
    bool isSigned =
        !type.getElementType().isUnsignedInteger() && !type.getElementType().isInteger(1);
    Dims contents;
    for (const APInt &element : dense.getValues<APInt>())
      contents.push_back(
          DimExpr(isSigned ? element.getSExtValue() : int64_t(element.getZExtValue())));
    scope.setContents(result, contents);
    return success();
  }
  if (auto value = op.getValueInt()) {
    if (failed(scope.setResult(op, 0, {})))
      return failure();
    scope.setContents(result, {DimExpr(*value)});
    return success();
  }
  if (auto values = op.getValueInts()) {
    if (failed(scope.setResult(op, 0, {DimExpr(int64_t(values->size()))})))
      return failure();
    Dims contents;
    for (int64_t value : *values)
      contents.push_back(DimExpr(value));
    scope.setContents(result, contents);
    return success();
  }
  if (auto values = op.getValueFloats())
    return scope.setResult(op, 0, {DimExpr(int64_t(values->size()))});
  if (auto values = op.getValueStrings())
    return scope.setResult(op, 0, {DimExpr(int64_t(values->size()))});
  if (op.getValueFloat() || op.getValueString())
    return scope.setResult(op, 0, {});
  return op.emitOpError() << "has no value, or a sparse one, which is not supported";
}

LogicalResult inferConstantOfShape(ConstantOfShapeOp op, ShapeScope &scope) {
  auto shape = scope.getContents(op.getInput());
  if (!shape)
    return setFresh(op, scope, 0);
  if (failed(scope.setResult(op, 0, *shape)))
    return failure();
  auto count = ShapeScope::product(*shape).constant();
  if (!count || *count > ShapeScope::maxContents)
    return success();
  int64_t value = 0;
  if (auto attribute = dyn_cast_if_present<DenseIntElementsAttr>(op.getValueAttr()))
    value = (*attribute.getValues<APInt>().begin()).getSExtValue();
  else if (op.getValueAttr())
    return success();
  scope.setContents(op.getResult(), Dims(*count, DimExpr(value)));
  return success();
}

/// The one element of a constant of floats.
std::optional<double> getFloatConstant(Value value) {
  auto constant = value.getDefiningOp<ConstantOp>();
  if (!constant)
    return std::nullopt;
  if (auto scalar = constant.getValueFloat())
    return scalar->convertToDouble();
  auto dense = dyn_cast_if_present<DenseFPElementsAttr>(constant.getValueAttr());
  if (!dense || dense.getNumElements() != 1)
    return std::nullopt;
  APFloat element = *dense.getValues<APFloat>().begin();
  bool lossy;
  element.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lossy);
  return element.convertToDouble();
}

LogicalResult inferRange(RangeOp op, ShapeScope &scope) {
  auto start = scope.getScalar(op.getStart()), limit = scope.getScalar(op.getLimit()),
       delta = scope.getScalar(op.getDelta());
  if (start && limit && delta) {
    if (delta->constant() == 0)
      return op.emitOpError() << "delta is 0";
    DimExpr count = scope.getSolver().greater(ceilDiv(*limit - *start, *delta), DimExpr(0));
    if (failed(scope.setResult(op, 0, {count})))
      return failure();
    if (auto extent = count.constant(); extent && *extent <= ShapeScope::maxContents) {
      Dims contents;
      for (int64_t i = 0; i < *extent; ++i)
        contents.push_back(*start + DimExpr(i) * *delta);
      scope.setContents(op.getResult(), contents);
    }
    return success();
  }
  auto first = getFloatConstant(op.getStart()), last = getFloatConstant(op.getLimit()),
       step = getFloatConstant(op.getDelta());
  if (first && last && step && *step != 0) {
    double count = std::ceil((*last - *first) / *step);
    if (count >= 0x1p62)
      return op.emitOpError() << "has too many elements";
    return scope.setResult(op, 0, {DimExpr(count > 0 ? int64_t(count) : 0)});
  }
  return scope.setResult(op, 0, {scope.freshDim(op, 0, 0)});
}

LogicalResult inferOneHot(OneHotOp op, ShapeScope &scope) {
  FailureOr<Dims> indices = scope.getOperandDims(op, 0);
  if (failed(indices))
    return failure();
  FailureOr<int64_t> axis = scope.normalizeAxis(op, op.getAxis(), indices->size() + 1);
  if (failed(axis))
    return failure();
  auto depth = scope.getScalar(op.getDepth());
  Dims result = *indices;
  result.insert(result.begin() + *axis, depth ? *depth : scope.freshDim(op, 0, *axis));
  return scope.setResult(op, 0, result);
}

/// CumSum and CumProd, whose axis is an operand.
LogicalResult inferCumulative(Operation *op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  std::optional<DimExpr> axis = scope.getScalar(op->getOperand(1));
  if (axis && axis->constant() && failed(scope.normalizeAxis(op, *axis->constant(), input->size())))
    return failure();
  return inferSameShape(op, scope);
}

/// DepthToSpace (`up`) and SpaceToDepth.
LogicalResult inferBlocks(Operation *op, ShapeScope &scope, int64_t block, bool up) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0, 4);
  if (failed(input))
    return failure();
  int64_t square;
  if (block <= 0 || llvm::MulOverflow(block, block, square))
    return op->emitOpError() << "blocksize must be positive, and its square fit 64 bits, got "
                             << block;
  DimExpr factor(block), area(square);
  auto divide = [&](const DimExpr &dim, const DimExpr &by) -> FailureOr<DimExpr> {
    if (dim.constant() && by.constant() && *dim.constant() % *by.constant() != 0)
      return op->emitOpError() << "extent " << dim.print() << " is not a multiple of "
                               << by.print();
    return floorDiv(dim, by);
  };
  Dims &in = *input;
  FailureOr<DimExpr> c = up ? divide(in[1], area) : FailureOr<DimExpr>(in[1] * area);
  FailureOr<DimExpr> h = up ? FailureOr<DimExpr>(in[2] * factor) : divide(in[2], factor);
  FailureOr<DimExpr> w = up ? FailureOr<DimExpr>(in[3] * factor) : divide(in[3], factor);
  if (failed(c) || failed(h) || failed(w))
    return failure();
  return scope.setResult(op, 0, {in[0], *c, *h, *w});
}

LogicalResult inferDepthToSpace(DepthToSpaceOp op, ShapeScope &scope) {
  return inferBlocks(op, scope, op.getBlocksize(), true);
}

LogicalResult inferSpaceToDepth(SpaceToDepthOp op, ShapeScope &scope) {
  return inferBlocks(op, scope, op.getBlocksize(), false);
}

/// RandomNormal and RandomUniform: the shape is an attribute.
template <typename OpTy> LogicalResult inferRandom(OpTy op, ShapeScope &scope) {
  Dims dims;
  for (int64_t extent : op.getShape())
    dims.push_back(DimExpr(extent));
  return scope.setResult(op, 0, dims);
}

LogicalResult inferMultinomial(MultinomialOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0, 2);
  if (failed(input))
    return failure();
  return scope.setResult(op, 0, {(*input)[0], DimExpr(int64_t(op.getSampleSize()))});
}

} // namespace

void dougong::onnx::attachTensorShapes(MLIRContext &context) {
  attach<inferShape, ShapeOp>(context);
  attach<inferSize, SizeOp>(context);
  attach<inferReshapeOp, ReshapeOp>(context);
  attach<inferFlatten, FlattenOp>(context);
  attach<inferSqueeze, SqueezeOp>(context);
  attach<inferUnsqueeze, UnsqueezeOp>(context);
  attach<inferExpand, ExpandOp>(context);
  attach<inferTile, TileOp>(context);
  attach<inferTranspose, TransposeOp>(context);
  attach<inferConcat, ConcatOp>(context);
  attach<inferConstant, ConstantOp>(context);
  attach<inferConstantOfShape, ConstantOfShapeOp>(context);
  attach<inferRange, RangeOp>(context);
  attach<inferOneHot, OneHotOp>(context);
  attach<inferDepthToSpace, DepthToSpaceOp>(context);
  attach<inferSpaceToDepth, SpaceToDepthOp>(context);
  attach<inferRandom<RandomNormalOp>, RandomNormalOp>(context);
  attach<inferRandom<RandomUniformOp>, RandomUniformOp>(context);
  attach<inferMultinomial, MultinomialOp>(context);
  attach<inferCumulative, CumSumOp, CumProdOp>(context);
  attach<inferSameShape, EyeLikeOp, RandomNormalLikeOp, RandomUniformLikeOp, ReverseSequenceOp,
         TriluOp>(context);
}
