//===- Cumulative.cpp - CumSum, CumProd ------------------------------------===//
#include "Patterns.h"
#include "RuntimeAxes.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

/// Running sums or products along an axis that may be known at run time only:
/// each line of the tensor, seen as [outer, size, inner], by itself.
template <typename OpT> Lowered lowerCumulative(OpT op, typename OpT::Adaptor in, Emitter &e) {
  constexpr bool isSum = std::is_same_v<OpT, CumSumOp>;
  RankedTensorType type = resultType(op);
  Type element = resultElement(op), compute = getComputeType(element);
  bool exclusive = op.getExclusive() != 0, reverse = op.getReverse() != 0;
  Extents shape = e.extents(type);
  SmallVector<Value> first(typeOf(in.getAxis()).getRank(), e.index(int64_t{0}));
  AroundAxis around = splitAroundAxis(e, shape, e.toIndex(e.extract(in.getAxis(), first)));
  Value source = flatten(e, in.getX()), one = e.index(int64_t{1});
  Value result = e.empty({e.productOf(shape)}, element);
  Value start = e.constant(compute, isSum ? 0 : 1);
  Value lines = e.repeatNest(
      {around.outer, around.inner}, result,
      [&](Emitter &e, ValueRange line, Value carried) -> Value {
        return e.repeat(around.size, {carried, start}, [&](Emitter &e, Value i, ValueRange state) {
          Value along = reverse ? e.sub(e.sub(around.size, one), i) : i;
          Value at = e.add(e.mul(line[0], around.size), along);
          at = e.add(e.mul(at, around.inner), line[1]);
          Value x = e.widen(e.extract(source, at));
          Value next = isSum ? e.add(state[1], x) : e.mul(state[1], x);
          Value written = e.toFloatType(exclusive ? state[1] : next, element);
          Value whole = tensor::InsertOp::create(e, written, state[0], at);
          return SmallVector<Value>{whole, next};
        })[0];
      });
  return unflatten(e, lines, type);
}

/// Along a constant axis whole rows are added.
Lowered lowerCumSum(CumSumOp op, CumSumOp::Adaptor in, Emitter &e) {
  auto axes = getConstantInts(op.getAxis());
  if (!axes || axes->size() != 1)
    return lowerCumulative(op, in, e);
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
  auto last = e.repeat(shape[axis], {sums, result}, [&](Emitter &e, Value iv, ValueRange carried) {
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
    Value slice = tensor::ExtractSliceOp::create(e, RankedTensorType::get(rowShape, element),
                                                 in.getX(), offsets, sizes, strides);
    // An exclusive sum is written before it is overwritten by the next.
    Value written = carried[1];
    if (exclusive)
      written = tensor::InsertSliceOp::create(e, e.convertTensor(carried[0], element), written,
                                              offsets, sizes, strides);
    Value next =
        e.generic(rank - 1, {{slice, map}}, Operand{carried[0], map}, {},
                  [&](Emitter &e, ValueRange args) { return e.add(args[1], e.widen(args[0])); });
    if (!exclusive)
      written = tensor::InsertSliceOp::create(e, e.convertTensor(next, element), written, offsets,
                                              sizes, strides);
    return SmallVector<Value>{next, written};
  });
  return last[1];
}

} // namespace

void dougong::onnx::populateCumulativePatterns(PatternSet &set) {
  set.add<CumSumOp>(lowerCumSum);
  set.add<CumProdOp>(lowerCumulative<CumProdOp>);
}
