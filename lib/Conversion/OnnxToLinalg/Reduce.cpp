//===- Reduce.cpp - reductions and scans along dims -----------------------===//
#include "Patterns.h"
#include "RuntimeAxes.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

using Compare = Emitter::Compare;

/// A reduction: what is done to an element before, how two are combined, and
/// what is done to the result; `count` is how many elements it covers.
struct Reduction {
  Value (*before)(Emitter &e, Value x) = nullptr;
  Value (*combine)(Emitter &e, Value element, Value sum, bool isUnsigned);
  Value (*init)(Emitter &e, Type type, bool isUnsigned);
  Value (*after)(Emitter &e, Value sum, Value count) = nullptr;
};

Value sum(Emitter &e, Value x, Value s, bool) { return e.addReassoc(s, x); }
Value zeroOf(Emitter &e, Type type, bool) { return e.constant(type, 0); }
Value square(Emitter &e, Value x) { return e.mul(x, x); }
Value magnitude(Emitter &e, Value x) {
  if (isa<FloatType>(x.getType()))
    return math::AbsFOp::create(e, x);
  return math::AbsIOp::create(e, x);
}
/// Integers go by way of f64.
Value viaFloat(Emitter &e, Value x, function_ref<Value(Value)> body) {
  if (isa<FloatType>(x.getType()))
    return body(x);
  Value wide = e.convert(x, e.getF64Type(), false, false);
  return e.convert(body(wide), x.getType(), false, false);
}
Value root(Emitter &e, Value s, Value) {
  return viaFloat(e, s, [&](Value x) -> Value { return math::SqrtOp::create(e, x); });
}
Value logarithm(Emitter &e, Value s, Value) {
  return viaFloat(e, s, [&](Value x) -> Value { return math::LogOp::create(e, x); });
}
Value average(Emitter &e, Value s, Value count) {
  return e.div(s, e.convert(count, s.getType(), false, false));
}

constexpr Reduction sumReduction{nullptr, sum, zeroOf};
constexpr Reduction meanReduction{nullptr, sum, zeroOf, average};
constexpr Reduction l1Reduction{magnitude, sum, zeroOf};
constexpr Reduction l2Reduction{square, sum, zeroOf, root};
constexpr Reduction sumSquareReduction{square, sum, zeroOf};
constexpr Reduction logSumReduction{nullptr, sum, zeroOf, logarithm};
constexpr Reduction prodReduction{nullptr,
                                  [](Emitter &e, Value x, Value s, bool) { return e.mul(s, x); },
                                  [](Emitter &e, Type type, bool) { return e.constant(type, 1); }};
constexpr Reduction maxReduction{
    nullptr, [](Emitter &e, Value x, Value s, bool isUnsigned) { return e.max(s, x, isUnsigned); },
    [](Emitter &e, Type type, bool isUnsigned) { return e.lowest(type, isUnsigned); }};
constexpr Reduction minReduction{
    nullptr, [](Emitter &e, Value x, Value s, bool isUnsigned) { return e.min(s, x, isUnsigned); },
    [](Emitter &e, Type type, bool isUnsigned) { return e.highest(type, isUnsigned); }};

/// The axes to reduce, sorted; nothing if they are not constant.
template <typename OpT> std::optional<SmallVector<unsigned>> getAxes(OpT op) {
  int64_t rank = cast<RankedTensorType>(op.getData().getType()).getRank();
  SmallVector<unsigned> axes;
  std::optional<SmallVector<int64_t>> given = SmallVector<int64_t>();
  if (present(op.getAxes())) {
    auto type = dyn_cast<RankedTensorType>(op.getAxes().getType());
    given = type && type.hasStaticShape() && type.getNumElements() == 0
                ? SmallVector<int64_t>()
                : getConstantInts(op.getAxes());
  }
  if (!given)
    return std::nullopt;
  if (given->empty() && op.getNoopWithEmptyAxes())
    return axes;
  for (int64_t axis : *given)
    axes.push_back(normalizeAxis(axis, rank));
  if (given->empty())
    axes = llvm::to_vector(llvm::seq<unsigned>(0, rank));
  llvm::sort(axes);
  axes.erase(llvm::unique(axes), axes.end());
  return axes;
}

/// A reduction over axes that are read at run time: every element is combined
/// into the place of the result that its kept coordinates name.
Value reduceAtRuntime(Emitter &e, const Reduction &reduction, Value data, Value axesTensor,
                      bool noopIfEmpty, Operation *op, bool isUnsigned) {
  RankedTensorType type = resultType(op);
  Extents shape = e.extents(op->getOperand(0).getType());
  Type element = resultElement(op), compute = getComputeType(element);
  RuntimeAxes axes(e, axesTensor, shape.size());
  Value yes = e.constantInt(e.getI1Type(), 1), none = e.index(int64_t{0}),
        one = e.index(int64_t{1});
  // The place in the result is the sum of coordinate * stride; 0 for reduced dims.
  SmallVector<Value> strides(shape.size());
  Value size = one, count = one;
  for (size_t dim = shape.size(); dim-- > 0;) {
    Value reduced = axes.contains(e, dim);
    if (Value empty = axes.isEmpty(e); empty && !noopIfEmpty)
      reduced = e.select(empty, yes, reduced);
    Value extent = e.index(shape[dim]);
    strides[dim] = e.select(reduced, none, size);
    size = e.mul(size, e.select(reduced, one, extent));
    count = e.mul(count, e.select(reduced, extent, one));
  }
  OpFoldResult length = e.productOf(e.extents(type));
  Value totals = e.filled({length}, reduction.init(e, compute, isUnsigned));
  totals = e.repeatNest(shape, totals, [&](Emitter &e, ValueRange at, Value carried) -> Value {
    Value place = none;
    for (auto [index, stride] : llvm::zip_equal(at, strides))
      place = e.add(place, e.mul(index, stride));
    Value x = e.widen(e.extract(data, at));
    if (reduction.before)
      x = reduction.before(e, x);
    x = reduction.combine(e, x, e.extract(carried, place), isUnsigned);
    return tensor::InsertOp::create(e, x, carried, place);
  });
  Value elements = arith::IndexCastOp::create(e, e.getI64Type(), count);
  totals =
      e.pointwise({length}, element, {{totals, e.identity(1)}}, [&](Emitter &e, ValueRange args) {
        Value x = args[0];
        if (reduction.after)
          x = reduction.after(e, x, elements);
        return e.toFloatType(x, element);
      });
  return unflatten(e, totals, type);
}

template <typename OpT, const Reduction &reduction> void addReduce(PatternSet &set) {
  set.add<OpT>([](OpT op, typename OpT::Adaptor in, Emitter &e) -> Lowered {
    auto axes = getAxes(op);
    if (!axes)
      return reduceAtRuntime(e, reduction, in.getData(), in.getAxes(),
                             op.getNoopWithEmptyAxes() != 0, op, isUnsigned(op.getData()));
    Extents shape = e.extents(op.getData().getType());
    Type element = resultElement(op), compute = getComputeType(element);
    bool unsignedElement = isUnsigned(op.getData());
    Value init = reduction.init(e, compute, unsignedElement);
    Value result = e.reduce(in.getData(), shape, *axes, init, [&](Emitter &e, ValueRange args) {
      Value x = e.widen(args[0]);
      if (reduction.before)
        x = reduction.before(e, x);
      return reduction.combine(e, x, args[1], unsignedElement);
    });
    if (reduction.after || compute != element) {
      OpFoldResult size = e.attr(1);
      for (unsigned axis : *axes)
        size = e.mulSizes(size, shape[axis]);
      Value count = arith::IndexCastOp::create(e, e.getI64Type(), e.index(size));
      result = e.pointwise(e.extentsOf(result), element,
                           {{result, e.identity(typeOf(result).getRank())}},
                           [&](Emitter &e, ValueRange args) {
                             Value x = args[0];
                             if (reduction.after)
                               x = reduction.after(e, x, count);
                             return e.toFloatType(x, element);
                           });
    }
    return op.getKeepdims() ? e.keepDims(result, *axes) : result;
  });
}

/// log(sum(exp(x - m))) + m with m the greatest element of all.
Lowered logSumExpAtRuntime(ReduceLogSumExpOp op, ReduceLogSumExpOp::Adaptor in, Emitter &e) {
  Extents shape = e.extents(op.getData().getType());
  unsigned rank = shape.size();
  Type element = resultElement(op), compute = getComputeType(element);
  Value top = e.reduce(
      in.getData(), shape, llvm::to_vector(llvm::seq<unsigned>(rank)), e.lowest(compute, false),
      [](Emitter &e, ValueRange args) { return e.max(args[1], e.widen(args[0])); });
  Value highest = e.extract(top);
  Value finite = e.compare(Compare::Less, math::AbsFOp::create(e, highest).getResult(),
                           e.highest(compute, false));
  Value base = e.select(finite, highest, e.constant(compute, 0));
  Value powers = e.pointwise(shape, compute, {{in.getData(), e.identity(rank)}},
                             [&](Emitter &e, ValueRange args) -> Value {
                               return math::ExpOp::create(e, e.sub(e.widen(args[0]), base));
                             });
  Value sums = reduceAtRuntime(e, logSumReduction, powers, in.getAxes(),
                               op.getNoopWithEmptyAxes() != 0, op, false);
  unsigned kept = typeOf(sums).getRank();
  return e.pointwise(e.extentsOf(sums), element, {{sums, e.identity(kept)}},
                     [&](Emitter &e, ValueRange args) {
                       return e.toFloatType(e.add(e.widen(args[0]), base), element);
                     });
}

/// log(sum(exp(x))) from the greatest element, so that nothing overflows.
Lowered lowerLogSumExp(ReduceLogSumExpOp op, ReduceLogSumExpOp::Adaptor in, Emitter &e) {
  auto axes = getAxes(op);
  Type element = resultElement(op);
  if (!isa<FloatType>(element))
    return Lowered::refuse("integers are not supported");
  if (!axes)
    return logSumExpAtRuntime(op, in, e);
  Extents shape = e.extents(op.getData().getType());
  unsigned rank = shape.size();
  Type compute = getComputeType(element);
  Value top =
      e.reduce(in.getData(), shape, *axes, e.lowest(compute, false),
               [](Emitter &e, ValueRange args) { return e.max(args[1], e.widen(args[0])); });
  AffineMap kept = e.keptMap(rank, *axes);
  // Infinite maxima are not subtracted: inf - inf would be NaN.
  auto base = [&](Emitter &e, Value m) {
    Value size = math::AbsFOp::create(e, m);
    Value finite = e.compare(Compare::Less, size, e.highest(compute, false));
    return e.select(finite, m, e.constant(compute, 0));
  };
  Value init = e.filled(e.extentsOf(top), e.constant(compute, 0));
  Value total = e.generic(rank, {{in.getData(), e.identity(rank)}, {top, kept}},
                          Operand{init, kept}, *axes, [&](Emitter &e, ValueRange args) {
                            Value x = e.sub(e.widen(args[0]), base(e, args[1]));
                            return e.addReassoc(args[2], math::ExpOp::create(e, x));
                          });
  AffineMap same = e.identity(typeOf(top).getRank());
  Value result = e.pointwise(e.extentsOf(top), element, {{total, same}, {top, same}},
                             [&](Emitter &e, ValueRange args) {
                               Value y = math::LogOp::create(e, args[0]);
                               return e.toFloatType(e.add(y, base(e, args[1])), element);
                             });
  return op.getKeepdims() ? e.keepDims(result, *axes) : result;
}

/// ArgMax and ArgMin: the greatest value so far, and its place.
template <typename OpT, bool isMax> void addArg(PatternSet &set) {
  set.add<OpT>([](OpT op, typename OpT::Adaptor in, Emitter &e) -> Lowered {
    Extents shape = e.extents(op.getData().getType()), kept;
    unsigned rank = shape.size();
    unsigned axis = normalizeAxis(op.getAxis(), rank);
    bool unsignedElement = isUnsigned(op.getData()), last = op.getSelectLastIndex() != 0;
    for (unsigned dim = 0; dim < rank; ++dim)
      if (dim != axis)
        kept.push_back(shape[dim]);
    Type type = typeOf(in.getData()).getElementType();
    Value start = isMax ? e.lowest(type, unsignedElement) : e.highest(type, unsignedElement);
    AffineMap map = e.keptMap(rank, {axis});
    Value values = e.filled(kept, start);
    Value places = e.filled(kept, e.constantInt(e.getI64Type(), 0));
    auto results =
        e.generic(rank, {{in.getData(), e.identity(rank)}}, {{values, map}, {places, map}}, {axis},
                  [&](Emitter &e, ValueRange args) -> SmallVector<Value> {
                    Compare kind = isMax ? (last ? Compare::GreaterEqual : Compare::Greater)
                                         : (last ? Compare::LessEqual : Compare::Less);
                    Value better = e.compare(kind, args[0], args[1], unsignedElement);
                    Value here = arith::IndexCastOp::create(e, e.getI64Type(), e.loopIndex(axis));
                    return {e.select(better, args[0], args[1]), e.select(better, here, args[2])};
                  });
    return op.getKeepdims() ? e.keepDims(results[1], {axis}) : results[1];
  });
}

/// Mean, maximum over all spatial dims of [n, c, spatial...].
template <typename OpT, const Reduction &reduction> void addGlobalPool(PatternSet &set) {
  set.add<OpT>([](OpT op, typename OpT::Adaptor in, Emitter &e) -> Lowered {
    Extents shape = e.extents(op.getX().getType());
    Type element = resultElement(op), compute = getComputeType(element);
    SmallVector<unsigned> axes = llvm::to_vector(llvm::seq<unsigned>(2, shape.size()));
    Value result = e.reduce(in.getX(), shape, axes, reduction.init(e, compute, false),
                            [&](Emitter &e, ValueRange args) {
                              return reduction.combine(e, e.widen(args[0]), args[1], false);
                            });
    Value size = e.index(e.productOf(ArrayRef<OpFoldResult>(shape).drop_front(2)));
    Value count = arith::IndexCastOp::create(e, e.getI64Type(), size);
    if (reduction.after || compute != element)
      result = e.pointwise(e.extentsOf(result), element, {{result, e.identity(2)}},
                           [&](Emitter &e, ValueRange args) {
                             Value x = args[0];
                             if (reduction.after)
                               x = reduction.after(e, x, count);
                             return e.toFloatType(x, element);
                           });
    return e.keepDims(result, axes);
  });
}

} // namespace

void dougong::onnx::populateReducePatterns(PatternSet &set) {
  addReduce<ReduceSumOp, sumReduction>(set);
  addReduce<ReduceMeanOp, meanReduction>(set);
  addReduce<ReduceL1Op, l1Reduction>(set);
  addReduce<ReduceL2Op, l2Reduction>(set);
  addReduce<ReduceSumSquareOp, sumSquareReduction>(set);
  addReduce<ReduceLogSumOp, logSumReduction>(set);
  addReduce<ReduceProdOp, prodReduction>(set);
  addReduce<ReduceMaxOp, maxReduction>(set);
  addReduce<ReduceMinOp, minReduction>(set);
  set.add<ReduceLogSumExpOp>(lowerLogSumExp);
  addArg<ArgMaxOp, true>(set);
  addArg<ArgMinOp, false>(set);
  addGlobalPool<GlobalAveragePoolOp, meanReduction>(set);
  addGlobalPool<GlobalMaxPoolOp, maxReduction>(set);
}
