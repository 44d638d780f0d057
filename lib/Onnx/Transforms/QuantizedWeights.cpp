//===- QuantizedWeights.cpp - products with weights of 4 and 8 bits -------===//
//
// A matrix of weights that is dequantised for a product of real numbers becomes
// the packed matrix of com.microsoft's MatMulNBits, which is unpacked in
// registers: memory holds and reads the few bits of each weight.
//
//===----------------------------------------------------------------------===//
#include "Quantized.h"

#include "Utils.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

/// A constant matrix [n, k], or [k, n], quantised in blocks along k (one block, if
/// for each n or as a whole).
struct WeightMatrix {
  Dequantized weight;
  bool isTransposed; ///< it is [n, k]
  int64_t n, k, block;

  int64_t getBits() const { return weight.element.getIntOrFloatBitWidth(); }
  int64_t getBlocks() const { return k / block; }
};

/// Whether `value` is made of a weight by a Transpose at most.
bool isWeight(Value value) {
  if (auto transpose = value.getDefiningOp<TransposeOp>())
    value = transpose->getOperand(0);
  return isa_and_nonnull<UseOp, ConstantOp>(value.getDefiningOp());
}

std::optional<WeightMatrix> matchMatrix(Value value, bool isTransposed) {
  std::optional<Dequantized> weight = Dequantized::match(value);
  if (!weight || !isWeight(weight->data))
    return std::nullopt;
  auto type = cast<RankedTensorType>(weight->data.getType());
  if (type.getRank() != 2 || !type.hasStaticShape() || type.getNumElements() == 0)
    return std::nullopt;
  int64_t alongK = isTransposed ? 1 : 0, k = type.getDimSize(alongK);
  WeightMatrix matrix{*weight, isTransposed, type.getDimSize(1 - alongK), k, k};
  bool isBlocked = weight->block && !weight->isUniform() && weight->axis == alongK &&
                   cast<RankedTensorType>(weight->scale.getType()).getRank() == 2;
  if (isBlocked)
    matrix.block = weight->block;
  else if (!weight->isUniform() && !(weight->isPerAxis() && weight->axis == 1 - alongK))
    return std::nullopt;
  int64_t bits = matrix.getBits();
  if ((bits != 4 && bits != 8) || k % matrix.block || matrix.block % (8 / bits))
    return std::nullopt;
  return matrix;
}

/// A parameter (scales or zero points) as [n, blocks].
Value layOutParameter(QuantizedBuilder &b, const WeightMatrix &matrix, Value parameter) {
  int64_t blocks = matrix.getBlocks();
  if (matrix.weight.isUniform()) {
    Type type = RankedTensorType::get({matrix.n, blocks}, getElementTypeOrSelf(parameter));
    return b.make<ExpandOp>(type, {b.toScalar(parameter), b.ints({matrix.n, blocks})});
  }
  if (!matrix.weight.block)
    return b.reshape(parameter, {matrix.n, 1});
  return matrix.isTransposed ? parameter : b.transpose(parameter, {1, 0});
}

/// Elements `place`, `place` + 1 and so on of a dim of two.
Value takeHalf(QuantizedBuilder &b, Value pairs, int64_t place) {
  SmallVector<int64_t> shape(cast<RankedTensorType>(pairs.getType()).getShape());
  int64_t dim = shape.size() - 1;
  shape.back() = 1;
  return b.make<SliceOp>(RankedTensorType::get(shape, getElementTypeOrSelf(pairs)),
                         {pairs, b.ints(place), b.ints(place + 1), b.ints(dim), b.none()});
}

/// A scalar constant of an integer type.
Value makeInteger(QuantizedBuilder &b, Type element, int64_t value) {
  unsigned width = element.getIntOrFloatBitWidth();
  return createConstant(b, b.loc,
                        DenseElementsAttr::get(RankedTensorType::get({}, element),
                                               APInt(width, value, /*isSigned=*/true)));
}

/// The numbers as [n, blocks, bytes of a block], from 0 on, the lowest bits first.
Value packNumbers(QuantizedBuilder &b, const WeightMatrix &matrix) {
  Type byte = b.getIntegerType(8, /*isSigned=*/false), word = b.getIntegerType(16);
  int64_t bits = matrix.getBits(), n = matrix.n, blocks = matrix.getBlocks();
  Value numbers = matrix.weight.data;
  if (!matrix.isTransposed)
    numbers = b.transpose(numbers, {1, 0});
  if (!matrix.weight.element.isUnsignedInteger()) {
    numbers = b.cast(numbers, word);
    numbers = b.make<AddOp>(numbers.getType(), {numbers, makeInteger(b, word, 1 << (bits - 1))});
  }
  numbers = b.cast(numbers, byte);
  if (bits == 8)
    return b.reshape(numbers, {n, blocks, matrix.block});
  numbers = b.reshape(numbers, {n, blocks, matrix.block / 2, 2});
  Value low = takeHalf(b, numbers, 0), high = takeHalf(b, numbers, 1);
  high = b.make<MulOp>(high.getType(), {high, makeInteger(b, byte, 16)});
  return b.reshape(b.make<AddOp>(low.getType(), {low, high}), {n, blocks, matrix.block / 2});
}

/// The product of `a` with the matrix, at location `at`.
Value multiply(QuantizedBuilder &b, Location at, Value a, const WeightMatrix &matrix, Type result) {
  // Without zero points MatMulNBits takes the middle of the range off, which is
  // what signed numbers were moved by.
  const Dequantized &weight = matrix.weight;
  bool isUnsigned = weight.element.isUnsignedInteger();
  Value zeros = b.none();
  if (weight.zero || isUnsigned) {
    Type f32 = b.getF32Type();
    zeros = weight.zero
                ? layOutParameter(b, matrix, b.cast(weight.zero, f32))
                : b.make<ExpandOp>(RankedTensorType::get({matrix.n, matrix.getBlocks()}, f32),
                                   {b.real(0), b.ints({matrix.n, matrix.getBlocks()})});
    if (!isUnsigned)
      zeros = b.make<AddOp>(zeros.getType(), {zeros, b.real(1 << (matrix.getBits() - 1))});
  }
  auto number = [&](StringRef name, int64_t value) {
    return b.getNamedAttr(name, b.getI64IntegerAttr(value));
  };
  return b.makeAt<MsMatMulNBitsOp>(
      at, result,
      {a, packNumbers(b, matrix), layOutParameter(b, matrix, weight.scale), zeros, b.none(),
       b.none()},
      {number("K", matrix.k), number("N", matrix.n), number("bits", matrix.getBits()),
       number("block_size", matrix.block)});
}

/// Whether the product is known to have so many rows that the arithmetic decides, not
/// the reading of weights: each weight would be unpacked for every few rows.
bool hasManyRows(Type result) {
  constexpr int64_t manyRows = 32;
  auto type = cast<RankedTensorType>(result);
  int64_t rows = 1;
  for (int64_t extent : type.getShape().drop_back()) {
    if (ShapedType::isDynamic(extent))
      return false;
    if (llvm::MulOverflow(rows, extent, rows))
      return true;
  }
  return rows >= manyRows;
}

bool fuseMatMul(MatMulOp op) {
  std::optional<WeightMatrix> matrix = matchMatrix(op.getB(), /*isTransposed=*/false);
  auto a = dyn_cast<RankedTensorType>(op.getA().getType());
  if (!matrix || !a || a.getRank() < 2 || hasManyRows(op.getType()))
    return false;
  QuantizedBuilder builder(op);
  Value result = multiply(builder, op.getLoc(), op.getA(), *matrix, op.getType());
  op->replaceAllUsesWith(ValueRange(result));
  op->erase();
  return true;
}

bool fuseGemm(GemmOp op) {
  std::optional<WeightMatrix> matrix = matchMatrix(op.getB(), op.getTransB() != 0);
  if (!matrix || hasManyRows(op.getType()) || op.getTransA() != 0 ||
      !op.getAlpha().isExactlyValue(1) || !op.getBeta().isExactlyValue(1))
    return false;
  QuantizedBuilder builder(op);
  bool hasC = !isa<NoneType>(op.getC().getType());
  Value result =
      multiply(builder, hasC ? builder.loc : op.getLoc(), op.getA(), *matrix, op.getType());
  if (hasC)
    result = builder.makeAt<AddOp>(op.getLoc(), op.getType(), {result, op.getC()});
  op->replaceAllUsesWith(ValueRange(result));
  op->erase();
  return true;
}

} // namespace

bool dougong::onnx::fuseQuantizedWeight(Operation *op) {
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case([](MatMulOp op) { return fuseMatMul(op); })
      .Case([](GemmOp op) { return fuseGemm(op); })
      .Default([](Operation *) { return false; });
}
