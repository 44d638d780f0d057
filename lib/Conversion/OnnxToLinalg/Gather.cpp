//===- Gather.cpp - elements chosen by index tensors ----------------------===//
#include "Patterns.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

using Compare = Emitter::Compare;

/// result[i..., j..., k...] = data[i..., indices[j...], k...]
Lowered lowerGather(GatherOp op, GatherOp::Adaptor in, Emitter &e) {
  Type source = op.getData().getType();
  int64_t rank = typeOf(in.getData()).getRank(), count = typeOf(in.getIndices()).getRank();
  int64_t axis = normalizeAxis(op.getAxis(), rank);
  unsigned loops = resultType(op).getRank();
  SmallVector<unsigned> positions;
  for (int64_t i = 0; i < count; ++i)
    positions.push_back(axis + i);
  OpFoldResult size = e.extent(source, axis);
  return e.pointwise(e.extents(resultType(op)), resultElement(op),
                     {{in.getIndices(), e.mapOf(loops, positions)}},
                     [&](Emitter &e, ValueRange args) {
                       SmallVector<Value> at;
                       for (int64_t dim = 0; dim < axis; ++dim)
                         at.push_back(e.loopIndex(dim));
                       at.push_back(e.wrapIndex(args[0], size));
                       for (int64_t dim = axis + 1; dim < rank; ++dim)
                         at.push_back(e.loopIndex(dim - 1 + count));
                       return e.extract(in.getData(), at);
                     });
}

/// result[i, j, k] = data[i, indices[i, j, k], k] for axis 1
Lowered lowerGatherElements(GatherElementsOp op, GatherElementsOp::Adaptor in, Emitter &e) {
  unsigned rank = resultType(op).getRank();
  int64_t axis = normalizeAxis(op.getAxis(), rank);
  OpFoldResult size = e.extent(op.getData().getType(), axis);
  return e.pointwise(e.extents(resultType(op)), resultElement(op),
                     {{in.getIndices(), e.identity(rank)}}, [&](Emitter &e, ValueRange args) {
                       SmallVector<Value> at;
                       for (unsigned dim = 0; dim < rank; ++dim)
                         at.push_back(dim == axis ? e.wrapIndex(args[0], size) : e.loopIndex(dim));
                       return e.extract(in.getData(), at);
                     });
}

/// The last dim of indices holds index tuples into the dims after batch_dims.
Lowered lowerGatherND(GatherNDOp op, GatherNDOp::Adaptor in, Emitter &e) {
  RankedTensorType indices = typeOf(in.getIndices());
  int64_t rank = typeOf(in.getData()).getRank(), batch = op.getBatchDims();
  int64_t outer = indices.getRank() - 1, tuple = indices.getDimSize(outer);
  if (ShapedType::isDynamic(tuple))
    return Lowered::refuse("index tuples of unknown length are not supported");
  Type source = op.getData().getType();
  return e.pointwise(e.extents(resultType(op)), resultElement(op), {}, [&](Emitter &e, ValueRange) {
    SmallVector<Value> where, at;
    for (int64_t dim = 0; dim < outer; ++dim)
      where.push_back(e.loopIndex(dim));
    for (int64_t dim = 0; dim < batch; ++dim)
      at.push_back(where[dim]);
    where.push_back(Value());
    for (int64_t i = 0; i < tuple; ++i) {
      where.back() = e.index(i);
      Value index = e.extract(in.getIndices(), where);
      at.push_back(e.wrapIndex(index, e.extent(source, batch + i)));
    }
    for (int64_t dim = batch + tuple; dim < rank; ++dim)
      at.push_back(e.loopIndex(outer + dim - batch - tuple));
    return e.extract(in.getData(), at);
  });
}

/// values = [off, on]; an index out of [-depth, depth) makes a row of off.
Lowered lowerOneHot(OneHotOp op, OneHotOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  unsigned rank = type.getRank();
  int64_t axis = normalizeAxis(op.getAxis(), rank);
  SmallVector<unsigned> positions;
  for (unsigned dim = 0; dim < rank; ++dim)
    if (dim != axis)
      positions.push_back(dim);
  Value off = e.extract(in.getValues(), e.index(int64_t{0}));
  Value on = e.extract(in.getValues(), e.index(int64_t{1}));
  OpFoldResult depth = e.extent(type, axis);
  bool unsignedIndex = isUnsigned(op.getIndices());
  return e.pointwise(e.extents(type), resultElement(op),
                     {{in.getIndices(), e.mapOf(rank, positions)}},
                     [&](Emitter &e, ValueRange args) {
                       Value wide = e.convert(args[0], e.getI64Type(), unsignedIndex, false);
                       Value at = e.toIndex(wide);
                       Value negative = e.compare(Compare::Less, at, e.index(int64_t{0}));
                       at = e.select(negative, e.add(at, e.index(depth)), at);
                       return e.select(e.compare(Compare::Equal, at, e.loopIndex(axis)), on, off);
                     });
}

/// The cache with `update` written at `write_indices[b]` along `axis`.
Lowered lowerTensorScatter(TensorScatterOp op, TensorScatterOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  unsigned rank = type.getRank();
  int64_t axis = normalizeAxis(op.getAxis(), rank);
  bool circular = op.getMode() == "circular";
  Value length = e.index(e.extent(op.getUpdate().getType(), axis));
  Value size = e.index(e.extent(type, axis));
  Value none = e.index(int64_t{0});
  SmallVector<Operand> inputs{{in.getPastCache(), e.identity(rank)}};
  bool hasIndices = present(in.getWriteIndices());
  if (hasIndices)
    inputs.push_back({in.getWriteIndices(), e.mapOf(rank, {0})});
  return e.pointwise(e.extents(type), resultElement(op), inputs, [&](Emitter &e, ValueRange args) {
    Value start = hasIndices ? e.toIndex(args[1]) : none;
    Value offset = e.sub(e.loopIndex(axis), start);
    if (circular) {
      Value remainder = arith::RemSIOp::create(e, offset, size);
      offset =
          e.select(e.compare(Compare::Less, remainder, none), e.add(remainder, size), remainder);
    }
    Value inside = e.compare(Compare::Less, offset, length, /*isUnsigned=*/true);
    SmallVector<Value> at;
    for (unsigned dim = 0; dim < rank; ++dim)
      at.push_back(dim == axis ? e.select(inside, offset, none) : e.loopIndex(dim));
    return e.select(inside, e.extract(in.getUpdate(), at), args[0]);
  });
}

} // namespace

void dougong::onnx::populateGatherPatterns(PatternSet &set) {
  set.add<GatherOp>(lowerGather);
  set.add<GatherElementsOp>(lowerGatherElements);
  set.add<GatherNDOp>(lowerGatherND);
  set.add<OneHotOp>(lowerOneHot);
  set.add<TensorScatterOp>(lowerTensorScatter);
}
