//===- Resize.cpp - Resize, Upsample --------------------------------------===//
//
// One dim after the other: each element is a weighted sum of its neighbours along
// the dim. Coordinates are computed in f64, as their floors decide.
//
//===----------------------------------------------------------------------===//
#include "Patterns.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

using Compare = Emitter::Compare;

/// What Resize's attributes say.
struct ResizeOptions {
  StringRef mode = "nearest", coordinates = "asymmetric", nearest = "floor";
  double cubic = -0.75, extrapolation = 0;
  bool excludeOutside = false, antialias = false;
};

/// One dim that is resized: sizes and scale as f64.
struct ResizedDim {
  unsigned dim;
  OpFoldResult from, to;
  Value scale;                      ///< output extent / input extent, not rounded
  double leastScale = 0;            ///< a bound known at compile time, or 0
  Value roiStart = {}, roiEnd = {}; ///< for tf_crop_and_resize
};

Value real(Emitter &e, double value) { return e.constant(e.getF64Type(), value); }
Value toReal(Emitter &e, Value index) {
  Value wide = arith::IndexCastOp::create(e, e.getI64Type(), index);
  return arith::SIToFPOp::create(e, e.getF64Type(), wide);
}
Value toReal(Emitter &e, OpFoldResult size) { return toReal(e, e.index(size)); }
Value toInteger(Emitter &e, Value x) {
  return e.toIndex(arith::FPToSIOp::create(e, e.getI64Type(), x));
}

/// Where place `at` of the result lies in the source (ONNX, Resize,
/// coordinate_transformation_mode).
Value sourceOf(Emitter &e, const ResizedDim &dim, StringRef mode, Value at) {
  Value x = toReal(e, at), from = toReal(e, dim.from), one = real(e, 1), half = real(e, 0.5);
  Value length = e.mul(dim.scale, from); // of the result, not rounded
  auto unlessSingle = [&](Value single, Value value) {
    return e.select(e.compare(Compare::Equal, length, one), single, value);
  };
  Value span = e.sub(from, one);
  if (mode == "align_corners")
    return unlessSingle(real(e, 0), e.div(e.mul(x, span), e.sub(length, one)));
  if (mode == "asymmetric")
    return e.div(x, dim.scale);
  if (mode == "tf_crop_and_resize") {
    Value part = e.sub(dim.roiEnd, dim.roiStart);
    Value inside = unlessSingle(e.mul(e.mul(part, span), half),
                                e.div(e.mul(e.mul(x, part), span), e.sub(length, one)));
    return e.add(inside, e.mul(dim.roiStart, span));
  }
  Value middle = e.sub(e.div(e.add(x, half), dim.scale), half);
  if (mode == "pytorch_half_pixel")
    return unlessSingle(real(e, -0.5), middle);
  if (mode == "half_pixel_symmetric") {
    Value adjustment = e.div(toReal(e, dim.to), length);
    return e.add(e.mul(e.mul(from, half), e.sub(one, adjustment)), middle);
  }
  return middle; // half_pixel
}

Value floorOf(Emitter &e, Value x) { return math::FloorOp::create(e, x); }

Value nearestOf(Emitter &e, StringRef mode, Value x) {
  if (mode == "floor")
    return floorOf(e, x);
  if (mode == "ceil")
    return math::CeilOp::create(e, x);
  Value half = real(e, 0.5);
  if (mode == "round_prefer_ceil")
    return floorOf(e, e.add(x, half));
  return math::CeilOp::create(e, e.sub(x, half)); // round_prefer_floor
}

/// Keys' cubic kernel at distance `t` (any sign), 0 from 2 on.
Value cubicKernel(Emitter &e, Value t, double a) {
  t = math::AbsFOp::create(e, t);
  auto number = [&](double value) { return real(e, value); };
  // ((a + 2) t - (a + 3)) t^2 + 1  and  a (((t - 5) t + 8) t - 4)
  Value near = e.add(e.mul(e.mul(e.sub(e.mul(number(a + 2), t), number(a + 3)), t), t), number(1));
  Value far = e.sub(e.mul(e.add(e.mul(e.sub(t, number(5)), t), number(8)), t), number(4));
  Value isNear = e.compare(Compare::LessEqual, t, number(1));
  Value isFar = e.compare(Compare::Less, t, number(2));
  return e.select(isNear, near, e.select(isFar, e.mul(number(a), far), number(0)));
}

Value linearKernel(Emitter &e, Value t) {
  Value weight = e.sub(real(e, 1), math::AbsFOp::create(e, t));
  return arith::MaximumFOp::create(e, weight, real(e, 0));
}

/// Number of neighbours on each side whose weight may not be 0; -1 if only the scale
/// of the run tells.
int64_t reachOf(const ResizedDim &dim, const ResizeOptions &options) {
  int64_t reach = options.mode == "cubic" ? 2 : 1;
  if (!options.antialias || dim.leastScale >= 1)
    return reach;
  return dim.leastScale > 0 ? static_cast<int64_t>(std::ceil(reach / dim.leastScale)) : -1;
}

/// Resizes one dim. Elements are f32 or f64, except in mode nearest.
Value resizeDim(Emitter &e, Value x, const ResizedDim &dim, const ResizeOptions &options) {
  Extents shape = e.extentsOf(x);
  unsigned rank = shape.size();
  shape[dim.dim] = dim.to;
  Type element = typeOf(x).getElementType();
  int64_t reach = reachOf(dim, options);
  return e.pointwise(shape, element, {}, [&](Emitter &e, ValueRange) -> Value {
    SmallVector<Value> at;
    for (unsigned i = 0; i < rank; ++i)
      at.push_back(e.loopIndex(i));
    Value source = sourceOf(e, dim, options.coordinates, at[dim.dim]);
    Value none = e.index(int64_t{0}), last = e.sub(e.index(dim.from), e.index(int64_t{1}));
    auto load = [&](Emitter &e, Value place) {
      at[dim.dim] = e.max(e.min(place, last), none);
      return e.extract(x, at);
    };
    Value result;
    if (options.mode == "nearest") {
      result = load(e, toInteger(e, nearestOf(e, options.nearest, source)));
    } else {
      Value base = floorOf(e, source), ratio = e.sub(source, base), first = toInteger(e, base);
      // Shrinking with antialias stretches the kernel.
      Value stretch = options.antialias
                          ? arith::MinimumFOp::create(e, dim.scale, real(e, 1)).getResult()
                          : real(e, 1);
      Value sum = real(e, 0), total = real(e, 0);
      // Adds neighbour `k`, as a float and as an index.
      auto addNeighbour = [&](Emitter &e, Value number, Value k) {
        Value distance = e.mul(e.sub(number, ratio), stretch);
        Value weight = options.mode == "cubic" ? cubicKernel(e, distance, options.cubic)
                                               : linearKernel(e, distance);
        Value place = e.add(first, k);
        if (options.excludeOutside) {
          Value inside = e.compare(Compare::Less, place, e.index(dim.from), /*isUnsigned=*/true);
          weight = e.select(inside, weight, real(e, 0));
        }
        Value value = e.toFloatType(load(e, place), e.getF64Type());
        sum = e.add(sum, e.mul(weight, value));
        total = e.add(total, weight);
      };
      for (int64_t k = 1 - reach; k <= reach; ++k)
        addNeighbour(e, real(e, static_cast<double>(k)), e.index(k));
      if (reach < 0) {
        Value plain = real(e, options.mode == "cubic" ? 2 : 1);
        Value side = toInteger(e, math::CeilOp::create(e, e.div(plain, stretch)));
        auto sums = e.repeat(e.add(side, side), {sum, total},
                             [&](Emitter &e, Value i, ValueRange carried) -> SmallVector<Value> {
                               Value k = e.add(e.sub(i, side), e.index(int64_t{1}));
                               sum = carried[0], total = carried[1];
                               addNeighbour(e, toReal(e, k), k);
                               return {sum, total};
                             });
        sum = sums[0], total = sums[1];
      }
      if (options.excludeOutside || options.antialias)
        sum = e.div(sum, total);
      result = e.toFloatType(sum, element);
    }
    if (options.coordinates == "tf_crop_and_resize") {
      Value below = e.compare(Compare::Less, source, real(e, 0));
      Value above = e.compare(Compare::Greater, source, toReal(e, last));
      result = e.select(arith::OrIOp::create(e, below, above),
                        e.constant(element, options.extrapolation), result);
    }
    return result;
  });
}

/// Number `i` of a tensor of floats or integers, as f64.
Value numberAt(Emitter &e, Value original, Value tensor, int64_t i) {
  Value number = e.extract(tensor, e.index(i));
  return e.convert(number, e.getF64Type(), isUnsigned(original), false);
}

Value resizeAll(Emitter &e, Value x, ArrayRef<ResizedDim> dims, const ResizeOptions &options,
                Type element, bool unsignedElement) {
  Type compute = isa<FloatType>(element) ? getComputeType(element) : Type(e.getF64Type());
  bool isNearest = options.mode == "nearest";
  if (!isNearest)
    x = e.convertTensor(x, compute, unsignedElement, false);
  for (const ResizedDim &dim : dims)
    x = resizeDim(e, x, dim, options);
  return isNearest ? x : e.convertTensor(x, element, false, unsignedElement);
}

Lowered lowerResize(ResizeOp op, ResizeOp::Adaptor in, Emitter &e) {
  auto source = cast<RankedTensorType>(op.getX().getType());
  RankedTensorType type = resultType(op);
  int64_t rank = type.getRank();
  ResizeOptions options;
  options.mode = op.getMode();
  options.coordinates = op.getCoordinateTransformationMode();
  options.nearest = op.getNearestMode();
  options.cubic = op.getCubicCoeffA().convertToDouble();
  options.extrapolation = op.getExtrapolationValue().convertToDouble();
  options.excludeOutside = op.getExcludeOutside() != 0;
  options.antialias = op.getAntialias() != 0 && options.mode != "nearest";
  SmallVector<int64_t> axes;
  if (auto given = op.getAxes())
    for (int64_t axis : *given)
      axes.push_back(normalizeAxis(axis, rank));
  else
    axes = llvm::to_vector(llvm::seq<int64_t>(rank));
  bool crops = options.coordinates == "tf_crop_and_resize";
  auto isGiven = [](Value value) {
    return present(value) &&
           !(typeOf(value).hasStaticShape() && typeOf(value).getNumElements() == 0);
  };
  if (crops && !isGiven(in.getRoi()))
    return Lowered::refuse("tf_crop_and_resize needs a roi");
  bool bySizes = isGiven(in.getSizes());
  StringRef policy = op.getKeepAspectRatioPolicy();

  SmallVector<ResizedDim> dims;
  Value common; // one scale for all axes
  for (auto [i, axis] : llvm::enumerate(axes)) {
    ResizedDim dim{static_cast<unsigned>(axis), e.extent(source, axis), e.extent(type, axis), {}};
    if (bySizes)
      dim.scale = e.div(numberAt(e, op.getSizes(), in.getSizes(), i), toReal(e, dim.from));
    else
      dim.scale = numberAt(e, op.getScales(), in.getScales(), i);
    if (bySizes && policy == "not_larger")
      common = common ? arith::MinimumFOp::create(e, common, dim.scale).getResult() : dim.scale;
    else if (bySizes && policy == "not_smaller")
      common = common ? arith::MaximumFOp::create(e, common, dim.scale).getResult() : dim.scale;
    auto from = getConstantIntValue(dim.from), to = getConstantIntValue(dim.to);
    if (from && to && *from > 0) {
      // A common scale may be rounded up by half an element.
      double length = bySizes && policy == "stretch" ? *to : std::max(*to - 0.5, 0.5);
      dim.leastScale = length / *from;
    }
    if (crops) {
      dim.roiStart = numberAt(e, op.getRoi(), in.getRoi(), i);
      dim.roiEnd = numberAt(e, op.getRoi(), in.getRoi(), i + axes.size());
    }
    // Dims that keep their extent are no work, unless they are moved.
    bool kept = from && to && from == to && !crops &&
                (options.coordinates != "half_pixel_symmetric" || bySizes);
    if (!kept)
      dims.push_back(dim);
  }
  if (common)
    for (ResizedDim &dim : dims)
      dim.scale = common;
  return resizeAll(e, in.getX(), dims, options, resultElement(op), isUnsigned(op.getX()));
}

/// The form of Resize before opset 11.
Lowered lowerUpsample(UpsampleOp op, UpsampleOp::Adaptor in, Emitter &e) {
  auto source = cast<RankedTensorType>(op.getX().getType());
  ResizeOptions options;
  options.mode = op.getMode();
  SmallVector<ResizedDim> dims;
  for (int64_t axis = 0; axis < source.getRank(); ++axis)
    dims.push_back({static_cast<unsigned>(axis), e.extent(source, axis),
                    e.extent(resultType(op), axis),
                    numberAt(e, op.getScales(), in.getScales(), axis)});
  return resizeAll(e, in.getX(), dims, options, resultElement(op), isUnsigned(op.getX()));
}

} // namespace

void dougong::onnx::populateResizePatterns(PatternSet &set) {
  set.add<ResizeOp>(lowerResize);
  set.add<UpsampleOp>(lowerUpsample);
}
