//===- Pool.cpp - pools ---------------------------------------------------===//
#include "Pool.h"

#include "dougong/Conversion/Layout.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace dougong::onnx;

Value dougong::onnx::reduceWindows(Emitter &e, Window &window, Value padded,
                                   RankedTensorType output, Value init, Emitter::Body body) {
  unsigned spatial = window.rank(), loops = 2 + 2 * spatial;
  AffineExpr channel = e.loop(window.channelDim());
  SmallVector<AffineExpr> xMap{e.loop(0)}, windowMap, yMap;
  for (unsigned i = 0; i < 2 + spatial; ++i)
    yMap.push_back(e.loop(i));
  if (!window.channelsLast)
    xMap.push_back(channel);
  SmallVector<unsigned> reductions;
  Extents windowShape;
  for (unsigned dim = 0; dim < spatial; ++dim) {
    unsigned out = window.firstSpatial() + dim, in = 2 + spatial + dim;
    xMap.push_back(window.access(dim, out, in));
    windowMap.push_back(e.loop(in));
    reductions.push_back(in);
    windowShape.push_back(window.kernel[dim]);
  }
  if (window.channelsLast)
    xMap.push_back(channel);
  // The second input only gives the window's extents, as in linalg.pooling.
  Value shape = e.empty(windowShape, typeOf(padded).getElementType());
  Value filled = e.filled(e.extents(output), init);
  return e.generic(loops, {{padded, e.map(loops, xMap)}, {shape, e.map(loops, windowMap)}},
                   {filled, e.map(loops, yMap)}, reductions, [&](Emitter &e, ValueRange args) {
                     Value pair[] = {args[0], args[2]};
                     return body(e, pair);
                   });
}

Value dougong::onnx::averageWindows(Emitter &e, Window &window, Value sums, RankedTensorType output,
                                    bool includePads, Type element, Emitter::Body finish) {
  unsigned rank = output.getRank();
  Type compute = typeOf(sums).getElementType();
  return e.pointwise(e.extents(output), element, {{sums, e.identity(rank)}},
                     [&](Emitter &e, ValueRange args) {
                       Value divisor;
                       if (auto size = window.size(); size && window.isInside()) {
                         divisor = e.constant(compute, *size);
                       } else {
                         SmallVector<Value> place;
                         for (unsigned dim = 0; dim < window.rank(); ++dim)
                           place.push_back(e.loopIndex(window.firstSpatial() + dim));
                         Value count = window.countInside(e, place, includePads);
                         Value integer = arith::IndexCastOp::create(e, e.getI64Type(), count);
                         divisor = e.convert(integer, compute, false, false);
                       }
                       Value average = e.div(args[0], divisor);
                       return finish(e, average);
                     });
}

namespace {

template <typename OpT> WindowAttributes getPoolAttributes(OpT op, Emitter &e) {
  WindowAttributes attributes;
  llvm::append_range(attributes.kernel,
                     getAsIndexOpFoldResult(e.getContext(), op.getKernelShape()));
  attributes.strides = op.getStrides();
  attributes.dilations = op.getDilations();
  attributes.pads = op.getPads();
  attributes.autoPad = op.getAutoPad();
  attributes.ceilMode = op.getCeilMode() != 0;
  attributes.channelsLast = op->hasAttr(dougong::channelsLastAttrName);
  return attributes;
}

/// Row-major place of the greatest element of each window (the first of equals).
Value findMaxima(Emitter &e, Window &window, Value input, RankedTensorType inputType,
                 RankedTensorType output, bool columnMajor, bool isUnsigned) {
  unsigned spatial = window.rank();
  Extents sizes = e.extents(inputType);
  return e.pointwise(e.extents(output), e.getI64Type(), {}, [&](Emitter &e, ValueRange) -> Value {
    Type element = typeOf(input).getElementType();
    SmallVector<Value> place;
    for (unsigned dim = 0; dim < spatial + 2; ++dim)
      place.push_back(e.loopIndex(dim));
    Value none = e.index(int64_t{0});
    SmallVector<Value> state{e.lowest(element, isUnsigned), e.index(int64_t{-1})};
    SmallVector<Value> at(place.begin(), place.begin() + 2);
    std::function<SmallVector<Value>(Emitter &, SmallVector<Value>, Value)> nest =
        [&](Emitter &e, SmallVector<Value> carried, Value inside) -> SmallVector<Value> {
      unsigned dim = at.size() - 2;
      if (dim == spatial) {
        SmallVector<Value> safe(at);
        for (unsigned i = 0; i < spatial; ++i)
          safe[i + 2] =
              e.max(e.min(at[i + 2], e.sub(e.index(sizes[i + 2]), e.index(int64_t{1}))), none);
        Value value = e.extract(input, safe);
        Value first = e.compare(Emitter::Compare::Less, carried[1], none);
        Value better = e.compare(Emitter::Compare::Greater, value, carried[0], isUnsigned);
        Value take = arith::AndIOp::create(e, inside, arith::OrIOp::create(e, first, better));
        Value linear = e.add(e.mul(at[0], e.index(sizes[1])), at[1]);
        Value last;
        for (unsigned i = 0; i < spatial; ++i) {
          unsigned d = columnMajor ? spatial - 1 - i : i;
          Value step = e.index(sizes[d + 2]);
          last = last ? e.add(e.mul(last, step), at[d + 2]) : at[d + 2];
        }
        Value area = e.index(e.productOf(ArrayRef<OpFoldResult>(sizes).drop_front(2)));
        linear = e.add(e.mul(linear, area), last);
        return {e.select(take, value, carried[0]), e.select(take, linear, carried[1])};
      }
      Value start =
          e.sub(e.mul(place[dim + 2], e.index(window.strides[dim])), e.index(window.low[dim]));
      return e.repeat(window.kernel[dim], carried, [&](Emitter &e, Value iv, ValueRange args) {
        Value here = e.add(start, e.mul(iv, e.index(window.dilations[dim])));
        Value within = e.compare(Emitter::Compare::Less, here, e.index(sizes[dim + 2]),
                                 /*isUnsigned=*/true);
        Value all = inside ? arith::AndIOp::create(e, inside, within).getResult() : within;
        at.push_back(here);
        SmallVector<Value> result = nest(e, SmallVector<Value>(args), all);
        at.pop_back();
        return result;
      });
    };
    Value best = nest(e, state, Value())[1];
    return arith::IndexCastOp::create(e, e.getI64Type(), best);
  });
}

Lowered lowerMaxPool(MaxPoolOp op, MaxPoolOp::Adaptor in, Emitter &e) {
  RankedTensorType output = resultType(op);
  auto input = cast<RankedTensorType>(op.getX().getType());
  bool unsignedElement = isUnsigned(op.getX());
  Window window(e, input, output, getPoolAttributes(op, e));
  Value lowest = e.lowest(resultElement(op), unsignedElement);
  Value result = reduceWindows(
      e, window, window.pad(in.getX(), lowest), output, lowest,
      [&](Emitter &e, ValueRange args) { return e.max(args[1], args[0], unsignedElement); });
  Value indices;
  if (present(op->getResult(1)))
    indices =
        findMaxima(e, window, in.getX(), input, output, op.getStorageOrder() != 0, unsignedElement);
  return {result, indices};
}

Lowered lowerAveragePool(AveragePoolOp op, AveragePoolOp::Adaptor in, Emitter &e) {
  RankedTensorType output = resultType(op);
  Type element = resultElement(op), compute = getComputeType(element);
  Window window(e, cast<RankedTensorType>(op.getX().getType()), output, getPoolAttributes(op, e));
  Value padded = window.pad(in.getX(), e.constant(element, 0));
  Value sums =
      reduceWindows(e, window, padded, output, e.constant(compute, 0),
                    [](Emitter &e, ValueRange args) { return e.add(args[1], e.widen(args[0])); });
  return averageWindows(
      e, window, sums, output, op.getCountIncludePad() != 0, element,
      [&](Emitter &e, ValueRange args) { return e.toFloatType(args[0], element); });
}

/// |x|^p of an element, widened.
Value raise(Emitter &e, Value element, double p) {
  Value x = math::AbsFOp::create(e, e.widen(element));
  if (p == 1)
    return x;
  return p == 2 ? e.mul(x, x) : math::PowFOp::create(e, x, e.constant(x.getType(), p)).getResult();
}

/// The p-th roots of sums, in the element type.
Value takeRoots(Emitter &e, Value sums, Type element, double p) {
  return e.pointwise(
      e.extentsOf(sums), element, {{sums, e.identity(typeOf(sums).getRank())}},
      [&](Emitter &e, ValueRange args) {
        Value s = args[0];
        if (p != 1)
          s = p == 2 ? math::SqrtOp::create(e, s).getResult()
                     : math::PowFOp::create(e, s, e.constant(s.getType(), 1 / p)).getResult();
        return e.toFloatType(s, element);
      });
}

Lowered lowerLpPool(LpPoolOp op, LpPoolOp::Adaptor in, Emitter &e) {
  RankedTensorType output = resultType(op);
  Type element = resultElement(op), compute = getComputeType(element);
  Window window(e, cast<RankedTensorType>(op.getX().getType()), output, getPoolAttributes(op, e));
  Value padded = window.pad(in.getX(), e.constant(element, 0));
  double p = static_cast<double>(op.getP());
  Value sums = reduceWindows(
      e, window, padded, output, e.constant(compute, 0),
      [&](Emitter &e, ValueRange args) { return e.add(args[1], raise(e, args[0], p)); });
  return takeRoots(e, sums, element, p);
}

Lowered lowerGlobalLpPool(GlobalLpPoolOp op, GlobalLpPoolOp::Adaptor in, Emitter &e) {
  Extents shape = e.extents(op.getX().getType());
  Type element = resultElement(op);
  SmallVector<unsigned> axes = llvm::to_vector(llvm::seq<unsigned>(2, shape.size()));
  double p = static_cast<double>(op.getP());
  Value sums = e.reduce(
      in.getX(), shape, axes, e.constant(getComputeType(element), 0),
      [&](Emitter &e, ValueRange args) { return e.addReassoc(args[1], raise(e, args[0], p)); });
  return e.keepDims(takeRoots(e, sums, element, p), axes);
}

} // namespace

void dougong::onnx::populatePoolPatterns(PatternSet &set) {
  set.add<MaxPoolOp>(lowerMaxPool);
  set.add<AveragePoolOp>(lowerAveragePool);
  set.add<LpPoolOp>(lowerLpPool);
  set.add<GlobalLpPoolOp>(lowerGlobalLpPool);
}
