//===- PackedWeights.cpp - matrices of 2, 4 and 8 bit numbers -------------===//
#include "PackedWeights.h"

using namespace mlir;
using namespace dougong::onnx;

Value dougong::onnx::unpackNumbers(Emitter &e, Value packed, ArrayRef<OpFoldResult> shape,
                                   int64_t bytes, unsigned bits) {
  int64_t perByte = 8 / bits;
  bool flat = typeOf(packed).getRank() == 1;
  return e.pointwise(shape, e.getF32Type(), {}, [&](Emitter &e, ValueRange) {
    Value row = e.loopIndex(0), column = e.loopIndex(1), count = e.index(perByte);
    Value byte = arith::DivUIOp::create(e, column, count);
    SmallVector<Value> at{row, byte};
    if (flat)
      at = {e.add(e.mul(row, e.index(bytes)), byte)};
    Value word = e.convert(e.extract(packed, at), e.getI32Type(), true, false);
    Value place = arith::RemUIOp::create(e, column, count);
    Value shift =
        arith::IndexCastOp::create(e, e.getI32Type(), e.mul(place, e.index(int64_t{bits})));
    word = arith::ShRUIOp::create(e, word, shift);
    word = arith::AndIOp::create(e, word, e.constantInt(e.getI32Type(), (1 << bits) - 1));
    return e.convert(word, e.getF32Type(), false, false);
  });
}

/// The number of `bits` bits at `shift` (i32; null: 0) of a byte, as f32.
static Value takeNumber(Emitter &e, Value byte, Value shift, unsigned bits) {
  Type i32 = e.getI32Type();
  Value word = e.convert(byte, i32, true, false);
  if (bits < 8) {
    if (shift)
      word = arith::ShRUIOp::create(e, word, shift);
    word = arith::AndIOp::create(e, word, e.constantInt(i32, (1 << bits) - 1));
  }
  return e.convert(word, e.getF32Type(), false, false);
}

Value dougong::onnx::multiplyPacked(Emitter &e, const PackedWeights &w, Value a,
                                    ArrayRef<OpFoldResult> shape) {
  Type f32 = e.getF32Type(), i32 = e.getI32Type();
  int64_t perByte = 8 / w.bits, blocks = llvm::divideCeil(w.k, w.blockSize);
  int64_t blobBytes = w.blockSize / perByte;
  // Loops: the dims of the result (the last is n), blocks, bytes of a block.
  unsigned rank = shape.size(), row = rank - 1, block = rank, byte = rank + 1, loops = rank + 2;
  Extents planeShape(shape.begin(), shape.end() - 1);
  planeShape.push_back(e.attr(w.k));
  a = e.refine(a, planeShape);
  if (blocks * w.blockSize != w.k) {
    Extents low(rank, e.attr(0)), high(rank, e.attr(0));
    high.back() = e.attr(blocks * w.blockSize - w.k);
    a = e.pad(a, low, high, e.constant(typeOf(a).getElementType(), 0));
  }
  a = e.splitDim(a, rank - 1, {e.attr(blocks), e.attr(blobBytes), e.attr(perByte)});
  planeShape.back() = e.attr(blocks);
  planeShape.push_back(e.attr(blobBytes));

  SmallVector<Operand> inputs{{w.bytes, e.mapOf(loops, {row, block, byte})}};
  Value scales = w.scales;
  if (typeOf(scales).getRank() == 1)
    scales = e.splitDim(scales, 0, {e.attr(w.n), e.attr(blocks)});
  inputs.push_back({scales, e.mapOf(loops, {row, block})});
  bool realZeros = w.zeroPoints && isa<FloatType>(typeOf(w.zeroPoints).getElementType());
  if (realZeros) {
    Value zeros = w.zeroPoints;
    if (typeOf(zeros).getRank() == 1)
      zeros = e.splitDim(zeros, 0, {e.attr(w.n), e.attr(blocks)});
    inputs.push_back({zeros, e.mapOf(loops, {row, block})});
  }
  unsigned firstPlane = inputs.size();
  SmallVector<unsigned> planeLoops = llvm::to_vector(llvm::seq<unsigned>(0, rank - 1));
  planeLoops.append({block, byte});
  for (int64_t place = 0; place < perByte; ++place) {
    SmallVector<AffineExpr> exprs;
    for (unsigned dim = 0; dim <= rank; ++dim)
      exprs.push_back(e.loop(dim));
    exprs.push_back(getAffineConstantExpr(place, e.getContext()));
    Value plane =
        e.pointwise(planeShape, f32, {{a, e.map(rank + 1, exprs)}},
                    [&](Emitter &e, ValueRange args) { return e.toFloatType(args[0], f32); });
    inputs.push_back({plane, e.mapOf(loops, planeLoops)});
  }

  Value init = e.filled(shape, e.constant(f32, 0));
  SmallVector<unsigned> resultLoops = llvm::to_vector(llvm::seq<unsigned>(0, rank));
  return e.generic(
      loops, inputs, Operand{init, e.mapOf(loops, resultLoops)}, {block, byte},
      [&](Emitter &e, ValueRange args) {
        Value zero;
        if (realZeros) {
          zero = e.toFloatType(args[2], f32);
        } else if (w.zeroPoints) {
          Value count = e.index(perByte), at = e.loopIndex(block);
          Value word = arith::DivUIOp::create(e, at, count);
          SmallVector<Value> where{e.loopIndex(row), word};
          if (typeOf(w.zeroPoints).getRank() == 1)
            where = {
                e.add(e.mul(where[0], e.index(int64_t(llvm::divideCeil(blocks, perByte)))), word)};
          Value place = arith::RemUIOp::create(e, at, count);
          Value shift = arith::IndexCastOp::create(e, i32, e.mul(place, e.index(int64_t{w.bits})));
          zero = takeNumber(e, e.extract(w.zeroPoints, where), shift, w.bits);
        } else {
          zero = e.constant(f32, 1 << (w.bits - 1));
        }
        Value scale = e.toFloatType(args[1], f32), sum;
        for (int64_t place = 0; place < perByte; ++place) {
          Value shift = place ? e.constantInt(i32, place * w.bits) : Value();
          Value weight = e.mul(e.sub(takeNumber(e, args[0], shift, w.bits), zero), scale);
          Value term = e.mul(weight, args[firstPlane + place]);
          sum = sum ? e.add(sum, term) : term;
        }
        return e.addReassoc(args.back(), sum);
      });
}

Value dougong::onnx::dequantizeWeights(Emitter &e, const PackedWeights &w) {
  Type f32 = e.getF32Type(), i32 = e.getI32Type();
  int64_t perByte = 8 / w.bits, blocks = llvm::divideCeil(w.k, w.blockSize);
  int64_t blobBytes = w.blockSize / perByte;
  Extents grid{e.attr(w.n), e.attr(blocks)};
  auto square = [&](Value tensor) {
    return typeOf(tensor).getRank() == 1 ? e.splitDim(tensor, 0, grid) : tensor;
  };
  Value scales = square(w.scales), zeros;
  if (w.zeroPoints && isa<FloatType>(typeOf(w.zeroPoints).getElementType()))
    zeros = e.convertTensor(square(w.zeroPoints), f32);
  else if (w.zeroPoints)
    zeros = unpackNumbers(e, w.zeroPoints, grid, llvm::divideCeil(blocks, perByte), w.bits);
  double middle = 1 << (w.bits - 1);
  auto numberOf = [&](Emitter &e, Value byte, Value place) {
    Value shift =
        arith::IndexCastOp::create(e, i32, e.mul(place, e.index(static_cast<int64_t>(w.bits))));
    return takeNumber(e, byte, shift, w.bits);
  };
  if (w.groups)
    return e.pointwise({grid[0], e.attr(w.k)}, f32, {{w.groups, e.mapOf(2, {1})}},
                       [&](Emitter &e, ValueRange args) {
                         Value k = e.loopIndex(1), per = e.index(perByte);
                         Value byte = arith::DivUIOp::create(e, k, per);
                         Value blob = e.index(blobBytes);
                         Value at[] = {e.loopIndex(0), arith::DivUIOp::create(e, byte, blob),
                                       arith::RemUIOp::create(e, byte, blob)};
                         Value number =
                             numberOf(e, e.extract(w.bytes, at), arith::RemUIOp::create(e, k, per));
                         Value group[] = {at[0], e.wrapIndex(args[0], grid[1])};
                         Value zero = zeros ? e.extract(zeros, group) : e.constant(f32, middle);
                         Value scale = e.toFloatType(e.extract(scales, group), f32);
                         return e.mul(e.sub(number, zero), scale);
                       });
  Extents shape{grid[0], grid[1], e.attr(blobBytes), e.attr(perByte)};
  SmallVector<Operand> inputs{{w.bytes, e.mapOf(4, {0, 1, 2})}, {scales, e.mapOf(4, {0, 1})}};
  if (zeros)
    inputs.push_back({zeros, e.mapOf(4, {0, 1})});
  Value numbers = e.pointwise(shape, f32, inputs, [&](Emitter &e, ValueRange args) {
    Value number = numberOf(e, args[0], e.loopIndex(3));
    Value zero = zeros ? args[2] : e.constant(f32, middle);
    return e.mul(e.sub(number, zero), e.toFloatType(args[1], f32));
  });
  Value rows = e.joinDims(numbers, 1, 3);
  return blocks * w.blockSize == w.k ? rows : e.slice(rows, 1, e.attr(0), e.attr(w.k));
}
