//===- TopK.cpp - the greatest elements along a dim ---------------------===//
#include "TopK.h"

using namespace mlir;
using namespace dougong::onnx;

using Compare = Emitter::Compare;

/// Insertion of each element of a row in a sorted list of k: n k steps, of
/// which most are skipped once the list holds large elements.
std::pair<Value, Value> dougong::onnx::selectTop(Emitter &e, Value x, ArrayRef<OpFoldResult> source,
                                                 unsigned axis, OpFoldResult k, TopOrder order) {
  Extents shape(source.begin(), source.end()), rows;
  for (unsigned dim = 0; dim < source.size(); ++dim)
    if (dim != axis)
      rows.push_back(source[dim]);
  shape[axis] = k;
  Type element = typeOf(x).getElementType(), i64 = e.getI64Type();
  Value worst =
      order.largest ? e.lowest(element, order.isUnsigned) : e.highest(element, order.isUnsigned);
  // Place -1: nothing there yet, anything goes before it.
  Value values = e.filled(shape, worst), places = e.filled(shape, e.constantInt(i64, -1));
  Value last = e.index(e.subSizes(k, e.attr(1)));
  Compare kind = order.largest ? (order.laterFirst ? Compare::GreaterEqual : Compare::Greater)
                               : (order.laterFirst ? Compare::LessEqual : Compare::Less);
  auto isBefore = [&](Emitter &e, Value candidate, Value value, Value place) -> Value {
    Value better = e.compare(kind, candidate, value, order.isUnsigned);
    if (isa<FloatType>(element)) {
      // A NaN is greater than all numbers, as in NumPy's order.
      Value greater = order.largest ? candidate : value, less = order.largest ? value : candidate;
      Value isNumber = e.compare(Compare::Equal, less, less);
      Value isNan = e.compare(Compare::NotEqual, greater, greater);
      Value wins = arith::AndIOp::create(e, isNumber, isNan);
      better = arith::OrIOp::create(e, better, wins);
    }
    Value vacant = e.compare(Compare::Less, place, e.constantInt(i64, 0));
    return arith::OrIOp::create(e, better, vacant);
  };
  auto at = [&](ValueRange row, Value here) {
    SmallVector<Value> indices(row);
    indices.insert(indices.begin() + axis, here);
    return indices;
  };
  auto results =
      e.repeatNest(rows, {values, places}, [&](Emitter &e, ValueRange row, ValueRange lists) {
        return e.repeat(source[axis], lists, [&](Emitter &e, Value j, ValueRange lists) {
          Value candidate = e.extract(x, at(row, j));
          Value place = arith::IndexCastOp::create(e, i64, j);
          Value enters = isBefore(e, candidate, e.extract(lists[0], at(row, last)),
                                  e.extract(lists[1], at(row, last)));
          return e.when(enters, lists, [&](Emitter &e) {
            auto moved = e.repeat(
                shape[axis],
                {lists[0], lists[1], candidate, place, e.constantInt(e.getI1Type(), 0)},
                [&](Emitter &e, Value p, ValueRange carried) -> SmallVector<Value> {
                  SmallVector<Value> here = at(row, p);
                  Value value = e.extract(carried[0], here), old = e.extract(carried[1], here);
                  // What was displaced goes before all that follow, its equals too.
                  Value before = isBefore(e, carried[2], value, old);
                  before = arith::OrIOp::create(e, before, carried[4]);
                  Value newList = tensor::InsertOp::create(e, e.select(before, carried[2], value),
                                                           carried[0], here);
                  Value newPlaces = tensor::InsertOp::create(e, e.select(before, carried[3], old),
                                                             carried[1], here);
                  return {newList, newPlaces, e.select(before, value, carried[2]),
                          e.select(before, old, carried[3]), before};
                });
            return SmallVector<Value>{moved[0], moved[1]};
          });
        });
      });
  return {results[0], results[1]};
}

namespace {

Lowered lowerTopK(TopKOp op, TopKOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  unsigned axis = normalizeAxis(op.getAxis(), type.getRank());
  TopOrder order;
  order.largest = op.getLargest() != 0;
  order.isUnsigned = isUnsigned(op.getX());
  auto [values, places] =
      selectTop(e, in.getX(), e.extents(op.getX().getType()), axis, e.extent(type, axis), order);
  return {values, places};
}

} // namespace

void dougong::onnx::populateTopKPatterns(PatternSet &set) { set.add<TopKOp>(lowerTopK); }
