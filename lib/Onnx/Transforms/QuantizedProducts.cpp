//===- QuantizedProducts.cpp - products of dequantised factors ------------===//
//
// sum (a - za) sa * (b - zb) sb = (sum (a - za) (b - zb)) * (sa sb): the sum is
// one of integers, exact in 32 bits, and is dequantised once, by the product of
// the scales. What follows (bias, activation, quantisation) stays as it is.
//
//===----------------------------------------------------------------------===//
#include "Quantized.h"

#include "Utils.h"

#include "dougong/Onnx/DimRanges.h"
#include "dougong/Onnx/ShapeScope.h"

#include <set>

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

namespace {

/// A factor whose numbers fit in 8 bits.
std::optional<Dequantized> matchFactor(Value value) {
  std::optional<Dequantized> factor = Dequantized::match(value);
  return factor && factor->element.getIntOrFloatBitWidth() <= 8 && !factor->element.isInteger(1)
             ? factor
             : std::nullopt;
}

/// How many products of the two are sure to stay within 32 bits.
int64_t getMostProducts(const Dequantized &a, const Dequantized &b) {
  return std::numeric_limits<int32_t>::max() / std::max<int64_t>(a.getReach() * b.getReach(), 1);
}

/// Whether as many products of the two as dim `dim` of `value` has extents stay within
/// 32 bits. An extent without a bound becomes a condition that a step is checked for.
bool fitsSum(Operation *op, const Dequantized &a, const Dequantized &b, Value value, int64_t dim) {
  int64_t most = getMostProducts(a, b);
  std::optional<Dims> dims = getTypeDims(value.getType());
  if (!dims)
    return false;
  const DimExpr &extent = (*dims)[dim < 0 ? dim + dims->size() : dim];
  if (extent.constant())
    return *extent.constant() <= most;
  auto function = op->getParentOfType<func::FuncOp>();
  FailureOr<SymbolRanges> ranges = getDimRanges(function);
  if (failed(ranges))
    return false;
  if (Result<DimRange> range = extent.range(*ranges); range && range->max <= most)
    return true;
  std::set<std::string> known;
  for (Type type : function.getArgumentTypes())
    if (std::optional<Dims> argument = getTypeDims(type))
      for (const DimExpr &expr : *argument)
        known.merge(expr.symbols());
  for (const std::string &symbol : extent.symbols())
    if (!known.count(symbol))
      return false; // only data tell it
  Builder builder(op->getContext());
  auto text = [&](StringRef key, const Twine &value) {
    return builder.getNamedAttr(key, builder.getStringAttr(value));
  };
  Attribute check = builder.getDictionaryAttr({text("lhs", extent.print()), text("op", "<="),
                                               text("rhs", Twine(most)),
                                               text("node", ShapeScope::getNodeLabel(op))});
  SmallVector<Attribute> checks;
  if (auto present = function->getAttrOfType<ArrayAttr>("onnx.checks"))
    llvm::append_range(checks, present);
  if (!llvm::is_contained(checks, check))
    checks.push_back(check);
  function->setAttr("onnx.checks", builder.getArrayAttr(checks));
  return true;
}

/// The factor with 8-bit numbers.
Dequantized toBytes(QuantizedBuilder &b, Dequantized factor) {
  Type byte =
      factor.element.isUnsignedInteger() ? b.getIntegerType(8, /*isSigned=*/false) : b.getI8Type();
  factor.data = b.cast(factor.data, byte);
  if (factor.zero)
    factor.zero = b.cast(factor.zero, byte);
  factor.element = byte;
  return factor;
}

/// How the sums of a product of `a` (uniform) and `b` are dequantised, `b`'s scales
/// being along `axis` of the result.
Quantization getSumQuantization(QuantizedBuilder &builder, const Dequantized &a,
                                const Dequantized &b, int64_t axis, float alpha) {
  Type f32 = builder.getF32Type();
  Value scale = builder.toScalar(a.scale);
  if (alpha != 1)
    scale = builder.make<MulOp>(scale.getType(), {scale, builder.real(alpha)});
  Value other = b.isUniform() ? builder.toScalar(b.scale) : b.scale;
  scale = builder.make<MulOp>(withElement(other.getType(), f32), {other, scale});
  return {scale, Value(), builder.getI32Type(), axis};
}

int64_t getRank(Value value) { return cast<RankedTensorType>(value.getType()).getRank(); }

/// The product of matrices, dequantised, at location `at`.
Value multiply(QuantizedBuilder &builder, Location at, Dequantized a, Dequantized b, Type result,
               float alpha = 1) {
  a = toBytes(builder, a);
  b = toBytes(builder, b);
  Value sums = builder.make<MatMulIntegerOp>(
      withElement(result, builder.getI32Type()),
      {a.data, b.data, a.zero ? a.zero : builder.none(), b.zero ? b.zero : builder.none()});
  int64_t axis = cast<RankedTensorType>(result).getRank() - 1;
  return builder.dequantize(at, sums, getSumQuantization(builder, a, b, axis, alpha));
}

bool fuseMatMul(MatMulOp op) {
  std::optional<Dequantized> a = matchFactor(op.getA()), b = matchFactor(op.getB());
  if (!a || !b || !a->isUniform() || getRank(op.getA()) == 0 || getRank(op.getB()) == 0)
    return false;
  int64_t rank = getRank(b->data);
  if (!b->isUniform() && !(b->isPerAxis() && rank > 1 && b->axis == rank - 1))
    return false;
  if (!fitsSum(op, *a, *b, a->data, -1))
    return false;
  QuantizedBuilder builder(op);
  Value result = multiply(builder, op.getLoc(), *a, *b, op.getType());
  op->replaceAllUsesWith(ValueRange(result));
  op->erase();
  return true;
}

bool fuseGemm(GemmOp op) {
  std::optional<Dequantized> a = matchFactor(op.getA()), b = matchFactor(op.getB());
  if (!a || !b || !a->isUniform())
    return false;
  bool transA = op.getTransA() != 0, transB = op.getTransB() != 0;
  if (!b->isUniform() && !(b->isPerAxis() && b->axis == (transB ? 0 : 1)))
    return false;
  if (!fitsSum(op, *a, *b, a->data, transA ? 0 : 1))
    return false;
  QuantizedBuilder builder(op);
  if (transA)
    a->data = builder.transpose(a->data, {1, 0});
  if (transB)
    b->data = builder.transpose(b->data, {1, 0});
  float beta = op.getBeta().convertToFloat();
  bool hasC = !isa<NoneType>(op.getC().getType()) && beta != 0;
  Value result = multiply(builder, hasC ? builder.loc : op.getLoc(), *a, *b, op.getType(),
                          op.getAlpha().convertToFloat());
  if (hasC) {
    Value c = op.getC();
    if (beta != 1)
      c = builder.make<MulOp>(c.getType(), {c, builder.real(beta)});
    result = builder.makeAt<AddOp>(op.getLoc(), op.getType(), {result, c});
  }
  op->replaceAllUsesWith(ValueRange(result));
  op->erase();
  return true;
}

bool fuseConv(ConvOp op) {
  std::optional<Dequantized> x = matchFactor(op.getX()), w = matchFactor(op.getW());
  if (!x || !w || !x->isUniform() || (!w->isUniform() && !(w->isPerAxis() && w->axis == 0)))
    return false;
  auto weight = cast<RankedTensorType>(w->data.getType());
  if (!weight.hasStaticShape() ||
      ShapedType::getNumElements(weight.getShape().drop_front()) > getMostProducts(*x, *w))
    return false;
  QuantizedBuilder builder(op);
  *x = toBytes(builder, *x);
  *w = toBytes(builder, *w);
  Type result = op.getType();
  Value sums = builder.make<ConvIntegerOp>(
      withElement(result, builder.getI32Type()),
      {x->data, w->data, x->zero ? x->zero : builder.none(), w->zero ? w->zero : builder.none()},
      op->getAttrs());
  Value bias = op.getB();
  bool hasBias = !isa<NoneType>(bias.getType());
  Value real = builder.dequantize(hasBias ? builder.loc : op.getLoc(), sums,
                                  getSumQuantization(builder, *x, *w, 1, 1));
  if (hasBias) {
    SmallVector<int64_t> shape(weight.getRank() - 1, 1);
    shape.front() = weight.getDimSize(0);
    real = builder.makeAt<AddOp>(op.getLoc(), result, {real, builder.reshape(bias, shape)});
  }
  op->replaceAllUsesWith(ValueRange(real));
  op->erase();
  return true;
}

} // namespace

bool dougong::onnx::fuseQuantizedProduct(Operation *op) {
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case([](MatMulOp op) { return fuseMatMul(op); })
      .Case([](GemmOp op) { return fuseGemm(op); })
      .Case([](ConvOp op) { return fuseConv(op); })
      .Default([](Operation *) { return false; });
}
