//===- ExpandMath.cpp - f32 math functions as polynomials -----------------===//
#include "Internal.h"

#include "dougong/Target/Cpu/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

#include "llvm/ADT/StringSet.h"

#include <limits>

using namespace mlir;

namespace dougong::cpu {
#define GEN_PASS_DEF_CPUEXPANDMATHPASS
#include "dougong/Target/Cpu/Passes.h.inc"
} // namespace dougong::cpu

namespace {

Type withElementType(Type type, Type element) {
  if (auto shaped = dyn_cast<ShapedType>(type))
    return shaped.clone(element);
  return element;
}

/// A constant of `type` (a scalar or a vector) with every element `value`.
Value createSplat(ImplicitLocOpBuilder &builder, Type type, double value) {
  Type element = getElementTypeOrSelf(type);
  TypedAttr attribute = isa<FloatType>(element)
                            ? TypedAttr(builder.getFloatAttr(element, value))
                            : TypedAttr(builder.getIntegerAttr(element, int64_t(value)));
  if (auto shaped = dyn_cast<ShapedType>(type))
    attribute = DenseElementsAttr::get(shaped, Attribute(attribute));
  return arith::ConstantOp::create(builder, attribute);
}

/// x * y + z, fused where the processor can: a fused op would be a call of libm
/// on one that cannot.
Value createMulAdd(ImplicitLocOpBuilder &builder, Value x, Value y, Value z) {
  auto contract = arith::FastMathFlags::contract;
  Value product = arith::MulFOp::create(builder, x, y, contract);
  return arith::AddFOp::create(builder, product, z, contract);
}

/// The fused multiply-adds of MLIR's polynomials.
template <typename Op> struct ExpandFma : public OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    rewriter.replaceOp(op,
                       createMulAdd(b, op->getOperand(0), op->getOperand(1), op->getOperand(2)));
    return success();
  }
};

/// exp(x) = 2^n * exp(r), n = round(x / ln 2), |r| <= ln 2 / 2.
///
/// n is found by adding 1.5 * 2^23, which leaves it in the low mantissa bits
/// (no conversion of a NaN to an integer). r comes from a two-part ln 2 (Cody
/// and Waite), exp(r) from a polynomial of degree 6 fitted to the
/// interval (least relative error, 3e-9, with float32 coefficients). 2^n is applied as two powers,
/// so that results at both ends of the range (infinity, denormals, 0) come out right.
struct ExpandExp : public OpRewritePattern<math::ExpOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::ExpOp op, PatternRewriter &rewriter) const override {
    Type type = op.getType();
    auto vector = dyn_cast<VectorType>(type);
    if (!getElementTypeOrSelf(type).isF32() || (vector && vector.isScalable()))
      return rewriter.notifyMatchFailure(op, "not f32");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Type intType = withElementType(type, b.getI32Type());
    auto constant = [&](double value) { return createSplat(b, type, value); };
    auto integer = [&](int64_t value) { return createSplat(b, intType, double(value)); };
    auto fma = [&](Value x, Value y, Value z) { return createMulAdd(b, x, y, z); };

    // select(low > x, low, x) keeps a NaN in x and is one max instruction.
    Value x = op.getOperand();
    Value low = constant(-105.0), high = constant(89.5);
    x = arith::SelectOp::create(b, arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, low, x), low,
                                x);
    x = arith::SelectOp::create(b, arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, high, x),
                                high, x);

    Value magic = constant(12582912.0);
    Value shifted = fma(x, constant(1.44269504088896341), magic);
    Value n = arith::SubFOp::create(b, shifted, magic);
    Value r = fma(n, constant(-0.693145751953125), x);
    r = fma(n, constant(-1.428606765330187045e-06), r);
    Value p = constant(0.0013821744360029697);
    for (double c : {0.008368676528334618, 0.041668254882097244, 0.1666652113199234,
                     0.4999999403953552, 1.0, 1.0})
      p = fma(p, r, constant(c));

    Value bits = arith::BitcastOp::create(b, intType, shifted);
    Value whole = arith::SubIOp::create(b, bits, integer(0x4b400000));
    Value half = arith::ShRSIOp::create(b, whole, integer(1));
    Value rest = arith::SubIOp::create(b, whole, half);
    for (Value power : {half, rest}) {
      Value biased = arith::AddIOp::create(b, power, integer(127));
      Value field = arith::ShLIOp::create(b, biased, integer(23));
      p = arith::MulFOp::create(b, p, arith::BitcastOp::create(b, type, field));
    }
    rewriter.replaceOp(op, p);
    return success();
  }
};

/// log(x) = log(m) + n ln 2, x = 2^n * m, sqrt(1/2) <= m < sqrt(2).
///
/// log(1 + r) = r - r^2 / 2 + r^3 p(r) with the polynomial of Cephes' logf, n ln 2 in
/// two parts. MLIR's own takes every denormal for the smallest normal number: here they
/// are scaled into the range before.
struct ExpandLog : public OpRewritePattern<math::LogOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::LogOp op, PatternRewriter &rewriter) const override {
    Type type = op.getType();
    auto vector = dyn_cast<VectorType>(type);
    if (!getElementTypeOrSelf(type).isF32() || (vector && vector.isScalable()))
      return rewriter.notifyMatchFailure(op, "not f32");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Type intType = withElementType(type, b.getI32Type());
    auto constant = [&](double value) { return createSplat(b, type, value); };
    auto integer = [&](int64_t value) { return createSplat(b, intType, double(value)); };
    auto fma = [&](Value x, Value y, Value z) { return createMulAdd(b, x, y, z); };
    auto is = [&](arith::CmpFPredicate predicate, Value x, Value y) -> Value {
      return arith::CmpFOp::create(b, predicate, x, y);
    };
    auto select = [&](Value condition, Value x, Value y) -> Value {
      return arith::SelectOp::create(b, condition, x, y);
    };

    Value x = op.getOperand(), zero = constant(0), one = constant(1);
    Value denormal = is(arith::CmpFPredicate::OLT, x, constant(0x1p-126));
    Value scaled = arith::MulFOp::create(b, x, constant(0x1p23));
    Value bits = arith::BitcastOp::create(b, intType, select(denormal, scaled, x));
    // Counted from sqrt(1/2), so that the exponent is that of the nearest power.
    Value shifted = arith::SubIOp::create(b, bits, integer(0x3f3504f3));
    Value power = arith::ShRSIOp::create(b, shifted, integer(23));
    Value field = arith::ShLIOp::create(b, power, integer(23));
    Value m = arith::BitcastOp::create(b, type, arith::SubIOp::create(b, bits, field));
    Value n = arith::SIToFPOp::create(b, type, power);
    n = arith::SubFOp::create(b, n, select(denormal, constant(23), zero));

    Value r = arith::SubFOp::create(b, m, one), square = arith::MulFOp::create(b, r, r);
    Value p = constant(7.0376836292e-2);
    for (double c : {-1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
                     -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1})
      p = fma(p, r, constant(c));
    Value y = arith::MulFOp::create(b, arith::MulFOp::create(b, p, r), square);
    y = fma(n, constant(-2.12194440e-4), y);
    y = fma(square, constant(-0.5), y);
    y = fma(n, constant(0.693359375), arith::AddFOp::create(b, r, y));

    // Infinity and NaN are their own logarithms.
    double infinity = std::numeric_limits<double>::infinity();
    y = select(is(arith::CmpFPredicate::OLT, x, constant(infinity)), y, x);
    y = select(is(arith::CmpFPredicate::OEQ, x, zero), constant(-infinity), y);
    y = select(is(arith::CmpFPredicate::OLT, x, zero),
               constant(std::numeric_limits<double>::quiet_NaN()), y);
    rewriter.replaceOp(op, y);
    return success();
  }
};

/// atan(x) by Cephes' atanf: |x| above tan(pi/8) is turned by pi/4, above tan(3 pi/8)
/// by pi/2, with one division for both; the turn is added in two parts. (MLIR's own is up
/// to 39 floats off.)
struct ExpandAtan : public OpRewritePattern<math::AtanOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::AtanOp op, PatternRewriter &rewriter) const override {
    Type type = op.getType();
    auto vector = dyn_cast<VectorType>(type);
    if (!getElementTypeOrSelf(type).isF32() || (vector && vector.isScalable()))
      return rewriter.notifyMatchFailure(op, "not f32");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    auto constant = [&](double value) { return createSplat(b, type, value); };
    auto fma = [&](Value x, Value y, Value z) { return createMulAdd(b, x, y, z); };
    Value x = math::AbsFOp::create(b, op.getOperand()), one = constant(1), zero = constant(0);
    auto isAbove = [&](double bound) -> Value {
      return arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x, constant(bound));
    };
    Value turned = isAbove(0.4142135623730950), inverted = isAbove(2.414213562373095);
    // `inverted` holds for some of `turned` only.
    auto choose = [&](Value far, Value middle, Value near) -> Value {
      middle = arith::SelectOp::create(b, turned, middle, near);
      return arith::SelectOp::create(b, inverted, far, middle);
    };
    Value numerator = choose(constant(-1), arith::SubFOp::create(b, x, one), x);
    Value denominator = choose(x, arith::AddFOp::create(b, x, one), one);
    Value r = arith::DivFOp::create(b, numerator, denominator);
    Value square = arith::MulFOp::create(b, r, r);
    Value p = constant(8.05374449538e-2);
    for (double c : {-1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1})
      p = fma(p, square, constant(c));
    p = fma(arith::MulFOp::create(b, p, square), r, r);
    p = arith::AddFOp::create(b, p,
                              choose(constant(-4.37113900e-8), constant(-2.18556950e-8), zero));
    p = arith::AddFOp::create(
        b, p,
        choose(constant(1.57079637050628662109375), constant(0.785398185253143310546875), zero));
    rewriter.replaceOp(op, math::CopySignOp::create(b, p, op.getOperand()).getResult());
    return success();
  }
};

/// The functions for which MLIR's polynomials are exact to about 1e-7.
bool hasPolynomial(StringRef name) {
  static const llvm::StringSet<> names = {
      math::TanhOp::getOperationName(),  math::ErfOp::getOperationName(),
      math::ErfcOp::getOperationName(),  math::Log2Op::getOperationName(),
      math::Log1pOp::getOperationName(), math::ExpM1Op::getOperationName(),
      math::AcosOp::getOperationName(),  math::AsinOp::getOperationName()};
  return names.contains(name);
}

struct CpuExpandMathPass : public dougong::cpu::impl::CpuExpandMathPassBase<CpuExpandMathPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateMathF32ExpansionPatterns(patterns, [](StringRef name) {
      return hasPolynomial(name) || name == math::ExpOp::getOperationName() ||
             name == math::LogOp::getOperationName() || name == math::AtanOp::getOperationName();
    });
    populateMathPolynomialApproximationPatterns(patterns, hasPolynomial);
    patterns
        .add<ExpandExp, ExpandLog, ExpandAtan, ExpandFma<math::FmaOp>, ExpandFma<vector::FMAOp>>(
            &getContext());
    (void)applyPatternsGreedily(getOperation(), std::move(patterns));
  }
};

} // namespace
