//===- Unary.cpp - element-wise functions of one tensor -------------------===//
#include "Patterns.h"

#include <numbers>

using namespace mlir;
using namespace dougong::onnx;

Value dougong::onnx::lowerElementwise(Operation *op, ValueRange originals, ValueRange converted,
                                      Emitter &e, Emitter::Body body) {
  RankedTensorType result = resultType(op);
  SmallVector<Operand> inputs;
  for (auto [original, tensor] : llvm::zip_equal(originals, converted))
    inputs.push_back(e.broadcast(tensor, original.getType(), result));
  return e.pointwise(e.extents(result), resultElement(op), inputs, body);
}

namespace {

using Compare = Emitter::Compare;

/// A function of one float: the argument is widened, the result narrowed.
template <typename OpT> using FloatBody = Value (*)(OpT op, Emitter &e, Value x);

/// The operand 0 of `op` mapped through `body` in the compute type; the result
/// is converted to the type of result 0.
Value mapFloat(Operation *op, ValueRange operands, Emitter &e,
               function_ref<Value(Emitter &, Value)> body) {
  Type element = resultElement(op);
  return lowerElementwise(op, op->getOperand(0), operands[0], e, [&](Emitter &e, ValueRange args) {
    return e.toFloatType(body(e, e.widen(args[0])), element);
  });
}

/// `OpT` is the function `MathOp`.
template <typename OpT, typename MathOp> void addMath(PatternSet &set) {
  set.add<OpT>([](OpT op, typename OpT::Adaptor in, Emitter &e) -> Lowered {
    return mapFloat(op, in.getOperands(), e,
                    [](Emitter &e, Value x) -> Value { return MathOp::create(e, x).getResult(); });
  });
}

/// max(x, y) where NaN in x wins and y is a constant.
Value maxConstant(Emitter &e, Value x, double y) { return e.max(x, e.constant(x.getType(), y)); }

Value exp(Emitter &e, Value x) { return math::ExpOp::create(e, x); }
Value tanh(Emitter &e, Value x) { return math::TanhOp::create(e, x); }
Value abs(Emitter &e, Value x) { return math::AbsFOp::create(e, x); }
Value negate(Emitter &e, Value x) { return arith::NegFOp::create(e, x); }
Value number(Emitter &e, Value like, double value) { return e.constant(like.getType(), value); }
Value isNegative(Emitter &e, Value x) { return e.compare(Compare::Less, x, number(e, x, 0)); }

/// log(1 + exp(x)) without overflow: max(x, 0) + log1p(exp(-|x|)).
Value softplus(Emitter &e, Value x) {
  Value tail = math::Log1pOp::create(e, exp(e, negate(e, abs(e, x))));
  return e.add(maxConstant(e, x, 0), tail);
}

/// 0.5 x (1 + erf(x / sqrt 2)).
Value geluErf(Emitter &e, Value x) {
  Value erf = math::ErfOp::create(e, e.mul(x, number(e, x, 1 / std::numbers::sqrt2)));
  return e.mul(e.mul(number(e, x, 0.5), x), e.add(number(e, x, 1), erf));
}

/// 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).
Value geluTanh(Emitter &e, Value x) {
  Value cube = e.mul(e.mul(x, x), x);
  Value inner = e.add(x, e.mul(number(e, x, 0.044715), cube));
  Value scaled = e.mul(number(e, x, std::sqrt(2 / std::numbers::pi)), inner);
  return e.mul(e.mul(number(e, x, 0.5), x), e.add(number(e, x, 1), tanh(e, scaled)));
}

double real(const APFloat &value) { return value.convertToFloat(); }

void populateMath(PatternSet &set) {
  addMath<AcosOp, math::AcosOp>(set);
  addMath<AcoshOp, math::AcoshOp>(set);
  addMath<AsinOp, math::AsinOp>(set);
  addMath<AsinhOp, math::AsinhOp>(set);
  addMath<AtanOp, math::AtanOp>(set);
  addMath<AtanhOp, math::AtanhOp>(set);
  addMath<CeilOp, math::CeilOp>(set);
  addMath<CosOp, math::CosOp>(set);
  addMath<CoshOp, math::CoshOp>(set);
  addMath<ErfOp, math::ErfOp>(set);
  addMath<ExpOp, math::ExpOp>(set);
  addMath<FloorOp, math::FloorOp>(set);
  addMath<LogOp, math::LogOp>(set);
  addMath<RoundOp, math::RoundEvenOp>(set);
  addMath<SinOp, math::SinOp>(set);
  addMath<SinhOp, math::SinhOp>(set);
  addMath<SqrtOp, math::SqrtOp>(set);
  addMath<TanOp, math::TanOp>(set);
  addMath<TanhOp, math::TanhOp>(set);
}

/// Activations: piecewise and sigmoid-like functions.
void populateActivations(PatternSet &set) {
  set.add<SigmoidOp>([](SigmoidOp op, SigmoidOp::Adaptor in, Emitter &e) -> Lowered {
    return mapFloat(op, in.getOperands(), e, [](Emitter &e, Value x) { return e.sigmoid(x); });
  });
  set.add<ReciprocalOp>([](ReciprocalOp op, ReciprocalOp::Adaptor in, Emitter &e) -> Lowered {
    return mapFloat(op, in.getOperands(), e,
                    [](Emitter &e, Value x) { return e.div(number(e, x, 1), x); });
  });
  set.add<SoftplusOp>([](SoftplusOp op, SoftplusOp::Adaptor in, Emitter &e) -> Lowered {
    return mapFloat(op, in.getOperands(), e, softplus);
  });
  set.add<SoftsignOp>([](SoftsignOp op, SoftsignOp::Adaptor in, Emitter &e) -> Lowered {
    return mapFloat(op, in.getOperands(), e, [](Emitter &e, Value x) {
      return e.div(x, e.add(number(e, x, 1), abs(e, x)));
    });
  });
  set.add<MishOp>([](MishOp op, MishOp::Adaptor in, Emitter &e) -> Lowered {
    return mapFloat(op, in.getOperands(), e, [](Emitter &e, Value x) {
      // x tanh(log(1 + p)), p = exp(x): tanh is n / (n + 2), n = p (p + 2), and 1 from 20 on.
      Value p = exp(e, e.min(x, number(e, x, 20))), two = number(e, x, 2);
      Value n = e.mul(p, e.add(p, two));
      return e.mul(x, e.div(n, e.add(n, two)));
    });
  });
  set.add<HardSwishOp>([](HardSwishOp op, HardSwishOp::Adaptor in, Emitter &e) -> Lowered {
    return mapFloat(op, in.getOperands(), e, [](Emitter &e, Value x) {
      Value ramp = e.add(e.mul(x, number(e, x, 1.0 / 6)), number(e, x, 0.5));
      return e.mul(x, e.min(maxConstant(e, ramp, 0), number(e, x, 1)));
    });
  });
  set.add<HardSigmoidOp>([](HardSigmoidOp op, HardSigmoidOp::Adaptor in, Emitter &e) -> Lowered {
    double alpha = real(op.getAlpha()), beta = real(op.getBeta());
    return mapFloat(op, in.getOperands(), e, [&](Emitter &e, Value x) {
      Value ramp = e.add(e.mul(x, number(e, x, alpha)), number(e, x, beta));
      return e.min(maxConstant(e, ramp, 0), number(e, x, 1));
    });
  });
  set.add<LeakyReluOp>([](LeakyReluOp op, LeakyReluOp::Adaptor in, Emitter &e) -> Lowered {
    double alpha = real(op.getAlpha());
    return mapFloat(op, in.getOperands(), e, [&](Emitter &e, Value x) {
      return e.select(isNegative(e, x), e.mul(x, number(e, x, alpha)), x);
    });
  });
  set.add<ThresholdedReluOp>(
      [](ThresholdedReluOp op, ThresholdedReluOp::Adaptor in, Emitter &e) -> Lowered {
        double alpha = real(op.getAlpha());
        return mapFloat(op, in.getOperands(), e, [&](Emitter &e, Value x) {
          return e.select(e.compare(Compare::Greater, x, number(e, x, alpha)), x, number(e, x, 0));
        });
      });
  set.add<EluOp>([](EluOp op, EluOp::Adaptor in, Emitter &e) -> Lowered {
    double alpha = real(op.getAlpha());
    return mapFloat(op, in.getOperands(), e, [&](Emitter &e, Value x) {
      Value below = e.mul(number(e, x, alpha), math::ExpM1Op::create(e, x));
      return e.select(isNegative(e, x), below, x);
    });
  });
  set.add<CeluOp>([](CeluOp op, CeluOp::Adaptor in, Emitter &e) -> Lowered {
    double alpha = real(op.getAlpha());
    return mapFloat(op, in.getOperands(), e, [&](Emitter &e, Value x) {
      Value inner = math::ExpM1Op::create(e, e.div(x, number(e, x, alpha)));
      return e.select(isNegative(e, x), e.mul(number(e, x, alpha), inner), x);
    });
  });
  set.add<SeluOp>([](SeluOp op, SeluOp::Adaptor in, Emitter &e) -> Lowered {
    double alpha = real(op.getAlpha()), gamma = real(op.getGamma());
    return mapFloat(op, in.getOperands(), e, [&](Emitter &e, Value x) {
      Value below = e.mul(number(e, x, alpha), math::ExpM1Op::create(e, x));
      return e.mul(number(e, x, gamma), e.select(isNegative(e, x), below, x));
    });
  });
  set.add<GeluOp>([](GeluOp op, GeluOp::Adaptor in, Emitter &e) -> Lowered {
    return mapFloat(op, in.getOperands(), e, op.getApproximate() == "tanh" ? geluTanh : geluErf);
  });
  set.add<MsGeluOp>([](MsGeluOp op, MsGeluOp::Adaptor in, Emitter &e) -> Lowered {
    return mapFloat(op, in.getOperands(), e, geluErf);
  });
  set.add<SwishOp>([](SwishOp op, SwishOp::Adaptor in, Emitter &e) -> Lowered {
    double alpha = real(op.getAlpha());
    return mapFloat(op, in.getOperands(), e, [&](Emitter &e, Value x) {
      return e.mul(x, e.sigmoid(e.mul(number(e, x, alpha), x)));
    });
  });
  set.add<MsQuickGeluOp>([](MsQuickGeluOp op, MsQuickGeluOp::Adaptor in, Emitter &e) -> Lowered {
    double alpha = real(op.getAlpha());
    return mapFloat(op, in.getOperands(), e, [&](Emitter &e, Value x) {
      return e.mul(x, e.sigmoid(e.mul(number(e, x, alpha), x)));
    });
  });
}

/// Functions that integers have too.
void populateNumeric(PatternSet &set) {
  set.add<ReluOp>([](ReluOp op, ReluOp::Adaptor in, Emitter &e) -> Lowered {
    return lowerElementwise(op, op.getX(), in.getX(), e, [](Emitter &e, ValueRange args) {
      return e.max(args[0], e.constant(args[0].getType(), 0));
    });
  });
  set.add<NegOp>([](NegOp op, NegOp::Adaptor in, Emitter &e) -> Lowered {
    return lowerElementwise(op, op.getX(), in.getX(), e, [](Emitter &e, ValueRange args) -> Value {
      if (isa<FloatType>(args[0].getType()))
        return negate(e, args[0]);
      return e.sub(e.constantInt(args[0].getType(), 0), args[0]);
    });
  });
  set.add<AbsOp>([](AbsOp op, AbsOp::Adaptor in, Emitter &e) -> Lowered {
    bool unsignedElement = isUnsigned(op.getX());
    return lowerElementwise(op, op.getX(), in.getX(), e, [&](Emitter &e, ValueRange args) -> Value {
      if (isa<FloatType>(args[0].getType()))
        return abs(e, args[0]);
      if (unsignedElement)
        return args[0];
      return math::AbsIOp::create(e, args[0]);
    });
  });
  set.add<SignOp>([](SignOp op, SignOp::Adaptor in, Emitter &e) -> Lowered {
    bool unsignedElement = isUnsigned(op.getInput());
    return lowerElementwise(op, op.getInput(), in.getInput(), e, [&](Emitter &e, ValueRange args) {
      Type type = args[0].getType();
      Value none = e.constant(type, 0);
      Value positive = e.compare(Compare::Greater, args[0], none, unsignedElement);
      Value result = e.select(positive, e.constant(type, 1), none);
      if (unsignedElement)
        return result;
      if (isa<FloatType>(type)) // a NaN is neither, and stays
        result = e.select(e.compare(Compare::Equal, args[0], none), none,
                          e.select(positive, result, args[0]));
      Value negative = e.compare(Compare::Less, args[0], none);
      return e.select(negative, e.constant(type, -1), result);
    });
  });
  set.add<NotOp>([](NotOp op, NotOp::Adaptor in, Emitter &e) -> Lowered {
    return lowerElementwise(op, op.getX(), in.getX(), e,
                            [](Emitter &e, ValueRange args) { return e.logicalNot(args[0]); });
  });
  set.add<BitwiseNotOp>([](BitwiseNotOp op, BitwiseNotOp::Adaptor in, Emitter &e) -> Lowered {
    return lowerElementwise(op, op.getX(), in.getX(), e,
                            [](Emitter &e, ValueRange args) { return e.logicalNot(args[0]); });
  });
  set.add<IsNaNOp>([](IsNaNOp op, IsNaNOp::Adaptor in, Emitter &e) -> Lowered {
    return lowerElementwise(op, op.getX(), in.getX(), e, [](Emitter &e, ValueRange args) -> Value {
      return arith::CmpFOp::create(e, arith::CmpFPredicate::UNO, args[0], args[0]);
    });
  });
  set.add<IsInfOp>([](IsInfOp op, IsInfOp::Adaptor in, Emitter &e) -> Lowered {
    bool positive = op.getDetectPositive() != 0, negative = op.getDetectNegative() != 0;
    return lowerElementwise(op, op.getX(), in.getX(), e, [&](Emitter &e, ValueRange args) -> Value {
      Type type = args[0].getType();
      Value result = arith::ConstantIntOp::create(e, 0, 1);
      if (positive)
        result = e.compare(Compare::Equal, args[0], e.highest(type, false));
      if (negative)
        result = arith::OrIOp::create(e, result,
                                      e.compare(Compare::Equal, args[0], e.lowest(type, false)));
      return result;
    });
  });
  set.add<ShrinkOp>([](ShrinkOp op, ShrinkOp::Adaptor in, Emitter &e) -> Lowered {
    double bias = real(op.getBias()), lambda = real(op.getLambd());
    bool unsignedElement = isUnsigned(op.getInput());
    Type element = resultElement(op);
    return lowerElementwise(op, op.getInput(), in.getInput(), e, [&](Emitter &e, ValueRange args) {
      Type compute = isa<FloatType>(element) ? getComputeType(element) : Type(e.getF64Type());
      Value x = e.convert(args[0], compute, unsignedElement, false);
      Value below = e.compare(Compare::Less, x, number(e, x, -lambda));
      Value above = e.compare(Compare::Greater, x, number(e, x, lambda));
      Value result = e.select(above, e.sub(x, number(e, x, bias)), number(e, x, 0));
      result = e.select(below, e.add(x, number(e, x, bias)), result);
      return e.convert(result, element, false, unsignedElement);
    });
  });
}

} // namespace

void dougong::onnx::populateUnaryPatterns(PatternSet &set) {
  populateMath(set);
  populateActivations(set);
  populateNumeric(set);
}
