//===- TopK.cpp - the greatest elements of rows, scatters -----------------===//
#include "Patterns.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

using Compare = Emitter::Compare;

/// Insertion of each element of a row in a sorted list of k: n k steps, of
/// which most are skipped once the list holds large elements.
Lowered lowerTopK(TopKOp op, TopKOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  unsigned rank = type.getRank(), axis = normalizeAxis(op.getAxis(), rank);
  Extents source = e.extents(op.getX().getType()), shape = e.extents(type), rows;
  for (unsigned dim = 0; dim < rank; ++dim)
    if (dim != axis)
      rows.push_back(shape[dim]);
  Type element = resultElement(op), i64 = e.getI64Type();
  bool largest = op.getLargest() != 0, unsignedElement = isUnsigned(op.getX());
  Value worst = largest ? e.lowest(element, unsignedElement) : e.highest(element, unsignedElement);
  // Place -1: nothing there yet, anything goes before it.
  Value values = e.filled(shape, worst), places = e.filled(shape, e.constantInt(i64, -1));
  Value last = e.index(e.subSizes(shape[axis], e.attr(1)));
  auto isBefore = [&](Emitter &e, Value x, Value value, Value place) -> Value {
    Value better = e.compare(largest ? Compare::Greater : Compare::Less, x, value, unsignedElement);
    Value vacant = e.compare(Compare::Less, place, e.constantInt(i64, 0));
    return arith::OrIOp::create(e, better, vacant);
  };
  auto at = [&](ValueRange row, Value here) {
    SmallVector<Value> indices(row);
    indices.insert(indices.begin() + axis, here);
    return indices;
  };
  auto results = e.repeatNest(
      rows, {values, places}, [&](Emitter &e, ValueRange row, ValueRange lists) {
        return e.repeat(source[axis], lists, [&](Emitter &e, Value j, ValueRange lists) {
          Value x = e.extract(in.getX(), at(row, j));
          Value place = arith::IndexCastOp::create(e, i64, j);
          Value enters = isBefore(e, x, e.extract(lists[0], at(row, last)),
                                  e.extract(lists[1], at(row, last)));
          return e.when(enters, lists, [&](Emitter &e) {
            auto moved = e.repeat(
                shape[axis], {lists[0], lists[1], x, place},
                [&](Emitter &e, Value p, ValueRange carried) -> SmallVector<Value> {
                  SmallVector<Value> here = at(row, p);
                  Value value = e.extract(carried[0], here), old = e.extract(carried[1], here);
                  Value before = isBefore(e, carried[2], value, old);
                  Value newList = tensor::InsertOp::create(
                      e, e.select(before, carried[2], value), carried[0], here);
                  Value newPlaces = tensor::InsertOp::create(
                      e, e.select(before, carried[3], old), carried[1], here);
                  return {newList, newPlaces, e.select(before, value, carried[2]),
                          e.select(before, old, carried[3])};
                });
            return SmallVector<Value>{moved[0], moved[1]};
          });
        });
      });
  return {results[0], results[1]};
}

/// What a scatter does where it writes.
Value combine(Emitter &e, StringRef reduction, Value old, Value update, bool isUnsigned) {
  if (reduction == "none")
    return update;
  Type type = old.getType();
  Value a = e.widen(old), b = e.widen(update), result;
  if (reduction == "add")
    result = e.add(a, b);
  else if (reduction == "mul")
    result = e.mul(a, b);
  else if (reduction == "max")
    result = e.max(a, b, isUnsigned);
  else
    result = e.min(a, b, isUnsigned);
  return e.toFloatType(result, type);
}

Lowered lowerScatterElements(ScatterElementsOp op, ScatterElementsOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  int64_t axis = normalizeAxis(op.getAxis(), type.getRank());
  OpFoldResult size = e.extent(type, axis);
  bool unsignedElement = isUnsigned(op.getData());
  return e.repeatNest(e.extents(op.getUpdates().getType()), in.getData(),
                      [&](Emitter &e, ValueRange here, ValueRange carried) -> SmallVector<Value> {
                        SmallVector<Value> at(here);
                        at[axis] = e.wrapIndex(e.extract(in.getIndices(), here), size);
                        Value update = e.extract(in.getUpdates(), here);
                        if (op.getReduction() != "none")
                          update = combine(e, op.getReduction(), e.extract(carried[0], at), update,
                                           unsignedElement);
                        return {tensor::InsertOp::create(e, update, carried[0], at)};
                      });
}

Lowered lowerScatterND(ScatterNDOp op, ScatterNDOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op), indices = typeOf(in.getIndices());
  int64_t outer = indices.getRank() - 1, tuple = indices.getDimSize(outer);
  if (ShapedType::isDynamic(tuple))
    return Lowered::refuse("index tuples of unknown length are not supported");
  bool unsignedElement = isUnsigned(op.getData());
  return e.repeatNest(e.extents(op.getUpdates().getType()), in.getData(),
                      [&](Emitter &e, ValueRange here, ValueRange carried) -> SmallVector<Value> {
                        SmallVector<Value> where(here.take_front(outer)), at;
                        where.push_back(Value());
                        for (int64_t i = 0; i < tuple; ++i) {
                          where.back() = e.index(i);
                          Value index = e.extract(in.getIndices(), where);
                          at.push_back(e.wrapIndex(index, e.extent(type, i)));
                        }
                        at.append(here.begin() + outer, here.end());
                        Value update = e.extract(in.getUpdates(), here);
                        if (op.getReduction() != "none")
                          update = combine(e, op.getReduction(), e.extract(carried[0], at), update,
                                           unsignedElement);
                        return {tensor::InsertOp::create(e, update, carried[0], at)};
                      });
}

} // namespace

void dougong::onnx::populateTopKPatterns(PatternSet &set) {
  set.add<TopKOp>(lowerTopK);
  set.add<ScatterElementsOp>(lowerScatterElements);
  set.add<ScatterNDOp>(lowerScatterND);
}
