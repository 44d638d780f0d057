//===- QuantizedMatMul.cpp - matrix products of quantised tensors ---------===//
#include "MatMul.h"
#include "PackedWeights.h"
#include "Quantize.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

/// The operands of an integer product, in the onnx dialect and converted.
struct IntegerFactors {
  Value a, aConverted, aZero, aZeroConverted;
  Value b, bConverted, bZero, bZeroConverted;
};

/// An integer product: sums in i32, exact as long as they fit.
struct IntegerProduct {
  Value sums;
  unsigned rank;                       ///< of the result
  std::optional<unsigned> row, column; ///< its dims
};

/// The product of `a`, its zero point taken off, and the second factor. The product
/// itself is a plain contraction of extended integers.
IntegerProduct multiply(Emitter &e, Shifted a, RankedTensorType aType, const IntegerFactors &f,
                        RankedTensorType result) {
  auto bType = cast<RankedTensorType>(f.b.getType());
  // One zero point, or one for each column: taken off the sums. (Others go with
  // batch dims.)
  bool isLate = !isZeroPointNone(f.bZero) && typeOf(f.bZeroConverted).getRank() < 2;
  Shifted b{f.bConverted, isUnsigned(f.b)};
  if (!isLate)
    b = subtractZeroPoint(e, f.b, f.bConverted, f.bZero, f.bZeroConverted, std::nullopt);
  MatrixProduct product(e, a.tensor, aType, b.tensor, bType, result);
  unsigned rank = result.getRank();
  Value sums = product.compute(e.getI32Type(), a.isUnsigned, b.isUnsigned);
  if (isLate) {
    AffineMap rows =
        AffineMap::get(rank, 0, product.left.map.getResults().drop_back(), e.getContext());
    sums = takeOffZeroPoint(e, sums, {sumRows(e, product.left.tensor, a.isUnsigned), rows},
                            placeParameter(e, f.bZeroConverted, e.extentsOf(sums), product.column),
                            b.isUnsigned);
  }
  return {sums, rank, product.row, product.column};
}

IntegerProduct multiply(Emitter &e, const IntegerFactors &f, RankedTensorType result) {
  auto aType = cast<RankedTensorType>(f.a.getType());
  std::optional<unsigned> rows;
  if (aType.getRank() > 1)
    rows = aType.getRank() - 2;
  Shifted a = subtractZeroPoint(e, f.a, f.aConverted, f.aZero, f.aZeroConverted, rows);
  return multiply(e, a, aType, f, result);
}

Lowered lowerMatMulInteger(MatMulIntegerOp op, MatMulIntegerOp::Adaptor in, Emitter &e) {
  IntegerFactors factors{op.getA(), in.getA(), op.getAZeroPoint(), in.getAZeroPoint(),
                         op.getB(), in.getB(), op.getBZeroPoint(), in.getBZeroPoint()};
  return multiply(e, factors, resultType(op)).sums;
}

/// The sums times aScale bScale / yScale, quantised.
Lowered lowerQLinearMatMul(QLinearMatMulOp op, QLinearMatMulOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  if (!isQuantizedInteger(getElementTypeOrSelf(op.getA().getType())))
    return Lowered::refuse("products of elements other than integers are not supported");
  IntegerFactors factors{op.getA(), in.getA(), op.getAZeroPoint(), in.getAZeroPoint(),
                         op.getB(), in.getB(), op.getBZeroPoint(), in.getBZeroPoint()};
  IntegerProduct product = multiply(e, factors, type);
  Type element = resultElement(op), f32 = e.getF32Type();
  bool toUnsigned = isUnsigned(op->getResult(0));
  Extents shape = e.extents(type);
  return e.pointwise(shape, element,
                     {{product.sums, e.identity(product.rank)},
                      placeParameter(e, in.getAScale(), shape, product.row),
                      placeParameter(e, in.getBScale(), shape, product.column),
                      placeParameter(e, in.getYScale(), shape, product.row),
                      placeParameter(e, in.getYZeroPoint(), shape, product.row)},
                     [&](Emitter &e, ValueRange args) {
                       Value sum = e.convert(args[0], f32, false, false);
                       Value factor =
                           e.mul(e.toFloatType(args[1], f32), e.toFloatType(args[2], f32));
                       factor = e.div(factor, e.toFloatType(args[3], f32));
                       return e.quantize(e.mul(sum, factor), args[4], element, toUnsigned);
                     });
}

/// sum * aScale * bScale + bias
Value scaleProduct(Emitter &e, const IntegerProduct &product, Value aScale, Value bScale,
                   Value bias, RankedTensorType type, Type element) {
  Type f32 = e.getF32Type();
  Extents shape = e.extents(type);
  SmallVector<Operand> inputs{{product.sums, e.identity(product.rank)},
                              placeParameter(e, aScale, shape, product.row),
                              placeParameter(e, bScale, shape, product.column)};
  if (present(bias))
    inputs.push_back(placeParameter(e, bias, shape, product.column));
  return e.pointwise(shape, element, inputs, [&](Emitter &e, ValueRange args) {
    Value factor = e.mul(e.toFloatType(args[1], f32), e.toFloatType(args[2], f32));
    Value y = e.mul(e.convert(args[0], f32, false, false), factor);
    if (args.size() > 3)
      y = e.add(y, e.toFloatType(args[3], f32));
    return e.toFloatType(y, element);
  });
}

Lowered lowerMatMulIntegerToFloat(MsMatMulIntegerToFloatOp op, MsMatMulIntegerToFloatOp::Adaptor in,
                                  Emitter &e) {
  RankedTensorType type = resultType(op);
  IntegerFactors factors{op.getA(), in.getA(), op.getAZeroPoint(), in.getAZeroPoint(),
                         op.getB(), in.getB(), op.getBZeroPoint(), in.getBZeroPoint()};
  IntegerProduct product = multiply(e, factors, type);
  return scaleProduct(e, product, in.getAScale(), in.getBScale(), in.getBias(), type,
                      resultElement(op));
}

Lowered lowerDynamicQuantizeMatMul(MsDynamicQuantizeMatMulOp op,
                                   MsDynamicQuantizeMatMulOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  QuantizedInput a = quantizeInput(e, in.getA());
  IntegerFactors factors;
  factors.b = op.getB(), factors.bConverted = in.getB();
  factors.bZero = op.getBZeroPoint(), factors.bZeroConverted = in.getBZeroPoint();
  IntegerProduct product =
      multiply(e, {a.numbers, false}, cast<RankedTensorType>(op.getA().getType()), factors, type);
  return scaleProduct(e, product, a.scale, in.getBScale(), in.getBias(), type, resultElement(op));
}

/// `a` (of extents `shape`, the last one `k`) rounded to signed bytes in blocks
/// along its last dim, each with the scale max(|a|) / 127: what accuracy_level 4
/// stands for in onnxruntime. The result is real again, as f32.
Value roundToBytes(Emitter &e, Value a, Extents shape, int64_t k, int64_t block) {
  Type f32 = e.getF32Type();
  unsigned rank = shape.size();
  int64_t blocks = llvm::divideCeil(k, block);
  shape.back() = e.attr(k);
  a = e.refine(e.convertTensor(a, f32), shape);
  Extents low(rank, e.attr(0)), high(rank, e.attr(0));
  high.back() = e.attr(blocks * block - k);
  a = e.pad(a, low, high, e.constant(f32, 0));
  Value parts = e.splitDim(a, rank - 1, {e.attr(blocks), e.attr(block)});
  Extents grid(shape.begin(), shape.end() - 1);
  grid.append({e.attr(blocks), e.attr(block)});
  AffineMap all = e.identity(rank + 1), kept = e.keptMap(rank + 1, {rank});
  Value tops = e.reduce(parts, grid, {rank}, e.constant(f32, 0), [](Emitter &e, ValueRange args) {
    return e.maxNum(args[1], math::AbsFOp::create(e, args[0]));
  });
  Value rounded =
      e.pointwise(grid, f32, {{parts, all}, {tops, kept}}, [&](Emitter &e, ValueRange args) {
        Value zero = e.constant(f32, 0), most = e.constant(f32, 127);
        Value isZero = e.compare(Emitter::Compare::Equal, args[1], zero);
        Value inverse = e.select(isZero, zero, e.div(most, args[1]));
        Value number = math::RoundEvenOp::create(e, e.mul(args[0], inverse));
        return e.mul(number, e.div(args[1], most));
      });
  Value rows = e.joinDims(rounded, rank - 1, rank);
  return blocks * block == k ? rows : e.slice(rows, rank - 1, e.attr(0), e.attr(k));
}

Lowered lowerMatMulNBits(MsMatMulNBitsOp op, MsMatMulNBitsOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  unsigned bits = op.getBits();
  if (bits != 2 && bits != 4 && bits != 8)
    return Lowered::refuse("weights of " + Twine(bits) + " bits are not supported");
  PackedWeights weights;
  weights.n = op.getN();
  weights.k = op.getK();
  weights.blockSize = op.getBlockSize();
  weights.bits = bits;
  int64_t perByte = 8 / bits;
  if (weights.n <= 0 || weights.k <= 0 || weights.blockSize <= 0 || weights.blockSize % perByte)
    return Lowered::refuse("block_size " + Twine(weights.blockSize) + " is not supported");
  RankedTensorType packed = typeOf(in.getB());
  int64_t blocks = llvm::divideCeil(weights.k, weights.blockSize);
  if (!packed.getElementType().isInteger(8))
    return Lowered::refuse("weights in words other than bytes are not supported");
  weights.bytes = in.getB();
  if (packed.getRank() == 2)
    weights.bytes = e.splitDim(in.getB(), 1, {e.attr(blocks), e.attr(weights.blockSize / perByte)});
  else if (packed.getRank() != 3)
    return Lowered::refuse("weights of rank " + Twine(packed.getRank()) + " are not supported");
  weights.scales = in.getScales();
  if (present(in.getZeroPoints())) {
    weights.zeroPoints = in.getZeroPoints();
    Type element = typeOf(weights.zeroPoints).getElementType();
    if (!element.isInteger(8) && !isa<FloatType>(element))
      return Lowered::refuse("zero points in words other than bytes are not supported");
  }
  if (present(in.getGIdx()))
    weights.groups = e.slice(in.getGIdx(), 0, e.attr(0), e.attr(weights.k));

  unsigned rank = type.getRank();
  Extents shape = e.extents(type);
  Type f32 = e.getF32Type(), element = resultElement(op);
  Value a = in.getA(), product;
  bool packedZeros =
      !weights.zeroPoints || !isa<FloatType>(typeOf(weights.zeroPoints).getElementType());
  if (op.getAccuracyLevel() == 4 && bits >= 4 && !weights.groups && packedZeros)
    a = roundToBytes(e, a, e.extents(op.getA().getType()), weights.k, weights.blockSize);
  if (weights.groups) {
    // Loops are the dims of the result, then k.
    unsigned loops = rank + 1;
    SmallVector<unsigned> aPositions = llvm::to_vector(llvm::seq<unsigned>(0, rank - 1)),
                          yPositions = llvm::to_vector(llvm::seq<unsigned>(0, rank));
    aPositions.push_back(rank);
    Value init = e.filled(shape, e.constant(f32, 0));
    product = e.contract(loops, {a, e.mapOf(loops, aPositions)},
                         {dequantizeWeights(e, weights), e.mapOf(loops, {rank - 1, rank})},
                         {init, e.mapOf(loops, yPositions)}, {rank});
  } else {
    product = multiplyPacked(e, weights, a, shape);
  }
  if (!present(in.getBias()))
    return e.convertTensor(product, element);
  return e.pointwise(shape, element,
                     {{product, e.identity(rank)}, {in.getBias(), e.mapOf(rank, {rank - 1})}},
                     [&](Emitter &e, ValueRange args) {
                       return e.toFloatType(e.add(args[0], e.widen(args[1])), element);
                     });
}

} // namespace

void dougong::onnx::populateQuantizedMatMulPatterns(PatternSet &set) {
  set.add<MatMulIntegerOp>(lowerMatMulInteger);
  set.add<QLinearMatMulOp>(lowerQLinearMatMul);
  set.add<MsMatMulIntegerToFloatOp>(lowerMatMulIntegerToFloat);
  set.add<MsDynamicQuantizeMatMulOp>(lowerDynamicQuantizeMatMul);
  set.add<MsMatMulNBitsOp>(lowerMatMulNBits);
}
