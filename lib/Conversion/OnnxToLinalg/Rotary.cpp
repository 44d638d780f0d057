//===- Rotary.cpp - rotary position embeddings ----------------------------===//
#include "Rotary.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace dougong::onnx;

Value dougong::onnx::gatherPositions(Emitter &e, Value cache, Value positions,
                                     ArrayRef<OpFoldResult> shape) {
  Extents cacheShape = e.extentsOf(cache);
  return e.pointwise(shape, typeOf(cache).getElementType(), {{positions, e.mapOf(3, {0, 1})}},
                     [&](Emitter &e, ValueRange args) {
                       Value row = e.wrapIndex(args[0], cacheShape[0]);
                       Value at[] = {row, e.loopIndex(2)};
                       return e.extract(cache, at);
                     });
}

/// Half number `half` of the dim `dim` (of extent 2) of a tensor of five dims.
static Value takeHalf(Emitter &e, Value pairs, unsigned dim, int64_t half) {
  Extents sizes = e.extentsOf(pairs), offsets(5, e.attr(0)), strides(5, e.attr(1));
  offsets[dim] = e.attr(half);
  sizes[dim] = e.attr(1);
  SmallVector<int64_t> shape(typeOf(pairs).getShape());
  shape.erase(shape.begin() + dim);
  auto type = RankedTensorType::get(shape, typeOf(pairs).getElementType());
  return tensor::ExtractSliceOp::create(e, type, pairs, offsets, sizes, strides);
}

static Value putHalf(Emitter &e, Value part, Value pairs, unsigned dim, int64_t half) {
  Extents sizes = e.extentsOf(pairs), offsets(5, e.attr(0)), strides(5, e.attr(1));
  offsets[dim] = e.attr(half);
  sizes[dim] = e.attr(1);
  return tensor::InsertSliceOp::create(e, part, pairs, offsets, sizes, strides);
}

Value dougong::onnx::rotate(Emitter &e, Value x, ArrayRef<OpFoldResult> shape, unsigned sequenceDim,
                            Value cosines, Value sines, bool interleaved) {
  Type element = typeOf(x).getElementType();
  OpFoldResult half = e.extentsOf(cosines)[2];
  OpFoldResult rotated = e.mulSizes(half, e.attr(2));
  OpFoldResult head = shape[3], rest = e.subSizes(head, rotated);
  bool whole = isConstantIntValue(rest, 0);
  Value turned = whole ? x : e.slice(x, 3, e.attr(0), rotated);
  unsigned pairDim = interleaved ? 4 : 3;
  SmallVector<OpFoldResult> split{e.attr(2), half};
  if (interleaved)
    std::swap(split[0], split[1]);
  Value pairs = e.splitDim(turned, 3, split);
  Value first = takeHalf(e, pairs, pairDim, 0), second = takeHalf(e, pairs, pairDim, 1);

  Extents halfShape(shape.begin(), shape.begin() + 3), pairShape(halfShape);
  halfShape.push_back(half);
  pairShape.append(split.begin(), split.end());
  AffineMap all = e.identity(4), angle = e.mapOf(4, {0, sequenceDim, 3});
  auto parts =
      e.pointwiseMulti(halfShape, {element, element},
                       {{first, all}, {second, all}, {cosines, angle}, {sines, angle}},
                       [&](Emitter &e, ValueRange args) -> SmallVector<Value> {
                         Value a = e.widen(args[0]), b = e.widen(args[1]);
                         Value c = e.widen(args[2]), s = e.widen(args[3]);
                         Value real = e.sub(e.mul(c, a), e.mul(s, b)),
                               imaginary = e.add(e.mul(s, a), e.mul(c, b));
                         return {e.toFloatType(real, element), e.toFloatType(imaginary, element)};
                       });
  Value result = e.empty(pairShape, element);
  result = putHalf(e, parts[0], result, pairDim, 0);
  result = putHalf(e, parts[1], result, pairDim, 1);
  result = e.joinDims(result, 3, 4);
  if (whole)
    return result;
  return e.concat({result, e.slice(x, 3, rotated, rest)}, 3, shape);
}

namespace {

Lowered lowerRotary(RotaryEmbeddingOp op, RotaryEmbeddingOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  Value x = in.getX(), cosines = in.getCosCache(), sines = in.getSinCache();
  bool heads = type.getRank() == 4; // [batch, heads, seq, size]
  Extents shape = e.extents(type);
  unsigned sequenceDim = heads ? 2 : 1;
  if (!heads) {
    int64_t count = op.getNumHeads().value_or(0);
    if (count <= 0)
      return Lowered::refuse("an input of three dims needs num_heads");
    OpFoldResult size = e.floorDivSizes(shape[2], e.attr(count));
    x = e.splitDim(x, 2, {e.attr(count), size});
    shape[2] = e.attr(count);
    shape.push_back(size);
  }
  if (present(in.getPositionIds())) {
    Extents rows{shape[0], shape[sequenceDim], e.extentsOf(cosines)[1]};
    cosines = gatherPositions(e, cosines, in.getPositionIds(), rows);
    sines = gatherPositions(e, sines, in.getPositionIds(), rows);
  }
  Value result = rotate(e, x, shape, sequenceDim, cosines, sines, op.getInterleaved() != 0);
  return heads ? result : e.joinDims(result, 2, 3);
}

/// com.microsoft: position_ids are [batch, seq], or the first position alone.
Lowered lowerMsRotary(MsRotaryEmbeddingOp op, MsRotaryEmbeddingOp::Adaptor in, Emitter &e) {
  if (op.getIsPackedBatching())
    return Lowered::refuse("is_packed_batching is not supported");
  RankedTensorType type = resultType(op);
  Value x = in.getInput();
  bool heads = type.getRank() == 4;
  Extents shape = e.extents(type);
  unsigned sequenceDim = heads ? 2 : 1;
  OpFoldResult half = e.extentsOf(in.getCosCache())[1];
  if (!heads) {
    int64_t count = op.getNumHeads();
    OpFoldResult size =
        count > 0 ? e.floorDivSizes(shape[2], e.attr(count)) : e.mulSizes(half, e.attr(2));
    OpFoldResult number = count > 0 ? OpFoldResult(e.attr(count)) : e.floorDivSizes(shape[2], size);
    x = e.splitDim(x, 2, {number, size});
    shape[2] = number;
    shape.push_back(size);
  }
  Value positions = in.getPositionIds();
  if (typeOf(positions).getRank() == 1) {
    Value first = e.extract(positions, e.index(int64_t{0}));
    positions = e.pointwise(
        {shape[0], shape[sequenceDim]}, e.getI64Type(), {}, [&](Emitter &e, ValueRange) {
          Value s = arith::IndexCastOp::create(e, e.getI64Type(), e.loopIndex(1));
          return e.add(first, s);
        });
  }
  Extents rows{shape[0], shape[sequenceDim], half};
  Value cosines = gatherPositions(e, in.getCosCache(), positions, rows);
  Value sines = gatherPositions(e, in.getSinCache(), positions, rows);
  Value result = rotate(e, x, shape, sequenceDim, cosines, sines, op.getInterleaved() != 0);
  return heads ? result : e.joinDims(result, 2, 3);
}

} // namespace

void dougong::onnx::populateRotaryPatterns(PatternSet &set) {
  set.add<RotaryEmbeddingOp>(lowerRotary);
  set.add<MsRotaryEmbeddingOp>(lowerMsRotary);
}
