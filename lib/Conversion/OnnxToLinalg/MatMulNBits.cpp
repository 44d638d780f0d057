//===- MatMulNBits.cpp - products with block-quantised weights ------------===//
#include "MatMulNBits.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace dougong::onnx;

Value dougong::onnx::unpackBits(Emitter &e, Value byte, Value place, int64_t bits) {
  if (bits == 8)
    return byte;
  Type i8 = e.getI8Type();
  Value shift = arith::IndexCastOp::create(e, i8, e.mul(place, e.index(bits)));
  Value shifted = arith::ShRUIOp::create(e, byte, shift);
  return arith::AndIOp::create(e, shifted, e.constantInt(i8, (1 << bits) - 1));
}

/// Zero points of rows x blocks as floats; packed ones are rows x bytes.
static Value unpackZeroPoints(Emitter &e, Value zeroPoints, int64_t rows, int64_t blocks,
                              int64_t bits) {
  int64_t perByte = 8 / bits;
  Extents shape{e.attr(rows), e.attr(blocks)};
  if (typeOf(zeroPoints).getRank() == 1)
    zeroPoints = e.splitDim(zeroPoints, 0, {e.attr(rows), e.attr((blocks + perByte - 1) / perByte)});
  return e.pointwise(shape, e.getF32Type(), {}, [&](Emitter &e, ValueRange) {
    Value block = e.loopIndex(1), per = e.index(perByte);
    Value at[] = {e.loopIndex(0), arith::DivUIOp::create(e, block, per)};
    Value byte = e.extract(zeroPoints, at);
    Value number = unpackBits(e, byte, arith::RemUIOp::create(e, block, per), bits);
    return e.convert(number, e.getF32Type(), true, false);
  });
}

Value dougong::onnx::multiplyBlocks(Emitter &e, Value a, const BlockWeights &w) {
  RankedTensorType aType = typeOf(a);
  unsigned outer = aType.getRank() - 1;
  int64_t perByte = 8 / w.bits, bytes = w.block / perByte;
  Type f32 = e.getF32Type();
  Extents shape = e.extentsOf(a);
  // K is filled up to whole blocks, then seen as [blocks, bytes, per byte].
  int64_t whole = w.blocks * w.block;
  if (!isConstantIntValue(shape[outer], whole)) {
    Extents low(outer + 1, e.attr(0)), high(low);
    high[outer] = e.subSizes(e.attr(whole), shape[outer]);
    a = e.pad(a, low, high, e.constant(aType.getElementType(), 0));
    shape[outer] = e.attr(whole);
    a = e.refine(a, shape);
  }
  a = e.splitDim(a, outer, {e.attr(w.blocks), e.attr(bytes), e.attr(perByte)});
  // Loops: rows of a..., n, then block, byte, place in the byte.
  unsigned n = outer, block = outer + 1, byte = outer + 2, place = outer + 3, loops = outer + 4;
  SmallVector<unsigned> aMap = llvm::to_vector(llvm::seq<unsigned>(0, outer)), yMap = aMap;
  aMap.append({block, byte, place});
  yMap.push_back(n);
  AffineMap perBlock = e.mapOf(loops, {n, block});
  SmallVector<Operand> inputs{{a, e.mapOf(loops, aMap)},
                              {w.values, e.mapOf(loops, {n, block, byte})},
                              {w.scales, perBlock}};
  if (w.zeroPoints)
    inputs.push_back({w.zeroPoints, perBlock});
  Extents out(shape.begin(), shape.begin() + outer);
  out.push_back(e.attr(w.rows));
  Value init = e.filled(out, e.constant(f32, 0));
  return e.generic(loops, inputs, Operand{init, e.mapOf(loops, yMap)}, {block, byte, place},
                   [&](Emitter &e, ValueRange args) {
                     Value number = unpackBits(e, args[1], e.loopIndex(place), w.bits);
                     Value q = e.convert(number, f32, true, false);
                     Value zero = w.zeroPoints ? e.toFloatType(args[3], f32)
                                               : e.constant(f32, double(1 << (w.bits - 1)));
                     Value weight = e.mul(e.sub(q, zero), e.toFloatType(args[2], f32));
                     return e.add(args.back(), e.mul(e.toFloatType(args[0], f32), weight));
                   });
}

namespace {

Lowered lowerMatMulNBits(MsMatMulNBitsOp op, MsMatMulNBitsOp::Adaptor in, Emitter &e) {
  if (present(in.getGIdx()))
    return Lowered::refuse("g_idx is not supported");
  BlockWeights w;
  w.bits = op.getBits();
  w.block = op.getBlockSize();
  w.rows = op.getN();
  if ((w.bits != 2 && w.bits != 4 && w.bits != 8) || w.block <= 0)
    return Lowered::refuse("only 2, 4 and 8 bits are supported");
  w.blocks = (static_cast<int64_t>(op.getK()) + w.block - 1) / w.block;
  w.values = in.getB();
  if (!typeOf(w.values).getElementType().isInteger(8))
    return Lowered::refuse("weights that are not uint8 are not supported");
  w.scales = in.getScales();
  if (typeOf(w.scales).getRank() == 1)
    w.scales = e.splitDim(w.scales, 0, {e.attr(w.rows), e.attr(w.blocks)});
  if (present(in.getZeroPoints())) {
    w.zeroPoints = in.getZeroPoints();
    if (typeOf(w.zeroPoints).getElementType().isInteger(8))
      w.zeroPoints = unpackZeroPoints(e, w.zeroPoints, w.rows, w.blocks, w.bits);
    else if (typeOf(w.zeroPoints).getRank() == 1)
      w.zeroPoints = e.splitDim(w.zeroPoints, 0, {e.attr(w.rows), e.attr(w.blocks)});
  }
  Value product = multiplyBlocks(e, in.getA(), w);
  RankedTensorType type = resultType(op);
  Type element = resultElement(op);
  if (!present(in.getBias()))
    return e.convertTensor(product, element);
  unsigned rank = type.getRank();
  return e.pointwise(e.extents(type), element,
                     {{product, e.identity(rank)}, {in.getBias(), e.mapOf(rank, {rank - 1})}},
                     [&](Emitter &e, ValueRange args) {
                       return e.toFloatType(e.add(args[0], e.widen(args[1])), element);
                     });
}

} // namespace

void dougong::onnx::populateBlockMatMulPatterns(PatternSet &set) {
  set.add<MsMatMulNBitsOp>(lowerMatMulNBits);
}
