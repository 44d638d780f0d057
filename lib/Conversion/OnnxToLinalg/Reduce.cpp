//===- Reduce.cpp - reductions and scans along dims -----------------------===//
#include "Patterns.h"

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
constexpr Reduction prodReduction{
    nullptr, [](Emitter &e, Value x, Value s, bool) { return e.mul(s, x); },
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
    given = type && type.getNumElements() == 0 ? SmallVector<int64_t>() : getConstantInts(op.getAxes());
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

template <typename OpT, const Reduction &reduction> void addReduce(PatternSet &set) {
  set.add<OpT>([](OpT op, typename OpT::Adaptor in, Emitter &e) -> Lowered {
    auto axes = getAxes(op);
    if (!axes)
      return Lowered::refuse("axes that are not constant are not supported");
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

/// log(sum(exp(x))) from the greatest element, so that nothing overflows.
Lowered lowerLogSumExp(ReduceLogSumExpOp op, ReduceLogSumExpOp::Adaptor in, Emitter &e) {
  auto axes = getAxes(op);
  Type element = resultElement(op);
  if (!axes)
    return Lowered::refuse("axes that are not constant are not supported");
  if (!isa<FloatType>(element))
    return Lowered::refuse("integers are not supported");
  Extents shape = e.extents(op.getData().getType());
  unsigned rank = shape.size();
  Type compute = getComputeType(element);
  Value top = e.reduce(in.getData(), shape, *axes, e.lowest(compute, false),
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
    auto results = e.generic(
        rank, {{in.getData(), e.identity(rank)}}, {{values, map}, {places, map}}, {axis},
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

Lowered lowerCumSum(CumSumOp op, CumSumOp::Adaptor in, Emitter &e) {
  auto axes = getConstantInts(op.getAxis());
  if (!axes || axes->size() != 1)
    return Lowered::refuse("an axis that is not constant is not supported");
  RankedTensorType type = resultType(op);
  unsigned rank = type.getRank(), axis = normalizeAxis(axes->front(), rank);
  Type element = resultElement(op), compute = getComputeType(element);
  bool exclusive = op.getExclusive() != 0, reverse = op.getReverse() != 0;
  Extents shape = e.extents(type), row;
  for (unsigned dim = 0; dim < rank; ++dim)
    if (dim != axis)
      row.push_back(shape[dim]);
  AffineMap map = e.identity(rank - 1);
  Value sums = e.filled(row, e.constant(compute, 0)), result = e.empty(shape, element);
  auto last = e.repeat(
      shape[axis], {sums, result}, [&](Emitter &e, Value iv, ValueRange carried) {
        Value at = iv;
        if (reverse)
          at = e.sub(e.sub(e.index(shape[axis]), e.index(int64_t{1})), iv);
        Extents offsets(rank, e.attr(0)), sizes(shape), strides(rank, e.attr(1));
        offsets[axis] = at;
        sizes[axis] = e.attr(1);
        SmallVector<int64_t> rowShape;
        for (unsigned dim = 0; dim < rank; ++dim)
          if (dim != axis)
            rowShape.push_back(type.getDimSize(dim));
        Value slice = tensor::ExtractSliceOp::create(
            e, RankedTensorType::get(rowShape, element), in.getX(), offsets, sizes, strides);
        // An exclusive sum is written before it is overwritten by the next.
        Value written = carried[1];
        if (exclusive)
          written = tensor::InsertSliceOp::create(e, e.convertTensor(carried[0], element), written,
                                                  offsets, sizes, strides);
        Value next = e.generic(rank - 1, {{slice, map}}, Operand{carried[0], map}, {},
                               [&](Emitter &e, ValueRange args) {
                                 return e.add(args[1], e.widen(args[0]));
                               });
        if (!exclusive)
          written = tensor::InsertSliceOp::create(e, e.convertTensor(next, element), written,
                                                  offsets, sizes, strides);
        return SmallVector<Value>{next, written};
      });
  return last[1];
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
  set.add<CumSumOp>(lowerCumSum);
  addGlobalPool<GlobalAveragePoolOp, meanReduction>(set);
  addGlobalPool<GlobalMaxPoolOp, maxReduction>(set);
}
