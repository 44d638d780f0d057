//===- RuntimeAxes.cpp - lists of axes that are read at run time ----------===//
#include "RuntimeAxes.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace dougong::onnx;

using Compare = Emitter::Compare;

RuntimeAxes::RuntimeAxes(Emitter &e, Value axes, int64_t rank) {
  bool isScalar = typeOf(axes).getRank() == 0;
  count = isScalar ? OpFoldResult(e.attr(1)) : e.extentsOf(axes).front();
  auto known = getConstantIntValue(count);
  for (int64_t i = 0, end = known.value_or(rank); i < end; ++i) {
    Entry entry;
    SmallVector<Value> at;
    if (!isScalar)
      at.push_back(e.index(i));
    if (!known) {
      entry.valid = e.compare(Compare::Less, at[0], e.index(count));
      at[0] = e.select(entry.valid, at[0], e.index(int64_t{0}));
    }
    Value axis = e.toIndex(e.extract(axes, at));
    Value negative = e.compare(Compare::Less, axis, e.index(int64_t{0}));
    entry.axis = e.select(negative, e.add(axis, e.index(rank)), axis);
    entries.push_back(entry);
  }
}

Value RuntimeAxes::matches(Emitter &e, int64_t i, int64_t dim) const {
  Value same = e.compare(Compare::Equal, entries[i].axis, e.index(dim));
  return entries[i].valid ? arith::AndIOp::create(e, same, entries[i].valid).getResult() : same;
}

Value RuntimeAxes::contains(Emitter &e, int64_t dim) const {
  Value result = e.constantInt(e.getI1Type(), 0);
  for (int64_t i = 0; i < getMaxEntries(); ++i)
    result = arith::OrIOp::create(e, result, matches(e, i, dim));
  return result;
}

Value RuntimeAxes::isEmpty(Emitter &e) const {
  if (auto known = getConstantIntValue(count))
    return *known == 0 ? e.constantInt(e.getI1Type(), 1) : Value();
  return e.compare(Compare::Equal, e.index(count), e.index(int64_t{0}));
}

AroundAxis dougong::onnx::splitAroundAxis(Emitter &e, ArrayRef<OpFoldResult> shape, Value axis) {
  Value one = e.index(int64_t{1});
  AroundAxis result{one, one, one};
  Value negative = e.compare(Compare::Less, axis, e.index(int64_t{0}));
  axis = e.select(negative, e.add(axis, e.index(static_cast<int64_t>(shape.size()))), axis);
  for (auto [dim, extent] : llvm::enumerate(shape)) {
    Value size = e.index(extent), here = e.index(static_cast<int64_t>(dim));
    auto times = [&](Compare kind, Value product) {
      return e.mul(product, e.select(e.compare(kind, here, axis), size, one));
    };
    result.outer = times(Compare::Less, result.outer);
    result.size = times(Compare::Equal, result.size);
    result.inner = times(Compare::Greater, result.inner);
  }
  return result;
}

Value dougong::onnx::flatten(Emitter &e, Value tensor) {
  int64_t rank = typeOf(tensor).getRank();
  if (rank == 0)
    return e.expand(tensor, {e.attr(1)}, {});
  return rank == 1 ? tensor : e.joinDims(tensor, 0, rank - 1);
}

Value dougong::onnx::unflatten(Emitter &e, Value flat, RankedTensorType type) {
  auto source = RankedTensorType::get(typeOf(flat).getShape(), typeOf(flat).getElementType());
  if (type.getRank() == 0)
    return e.reshape(e.castTo(flat, RankedTensorType::get({1}, source.getElementType())),
                     RankedTensorType::get({1}, source.getElementType()), type);
  if (type.getRank() == 1)
    return flat;
  ReassociationIndices all = llvm::to_vector<2>(llvm::seq<int64_t>(type.getRank()));
  return e.expand(flat, e.extents(type), {all});
}
