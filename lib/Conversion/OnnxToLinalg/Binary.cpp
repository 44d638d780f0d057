//===- Binary.cpp - element-wise functions of two or more tensors ---------===//
#include "Patterns.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

using Compare = Emitter::Compare;

/// What a body of two elements needs to know beside them.
struct Context {
  bool isUnsigned;
};
using BinaryBody = Value (*)(Emitter &e, Value a, Value b, Context context);

/// Operands 0 and 1 are broadcast, widened, combined, narrowed.
template <typename OpT, BinaryBody body> void addBinary(PatternSet &set) {
  set.add<OpT>([](OpT op, typename OpT::Adaptor in, Emitter &e) -> Lowered {
    Context context{isUnsigned(op->getOperand(0))};
    Type element = resultElement(op);
    return lowerElementwise(op, op->getOperands(), in.getOperands(), e,
                            [&](Emitter &e, ValueRange args) {
                              Value result = body(e, e.widen(args[0]), e.widen(args[1]), context);
                              return e.toFloatType(result, element);
                            });
  });
}

Value addBody(Emitter &e, Value a, Value b, Context) { return e.add(a, b); }
Value subBody(Emitter &e, Value a, Value b, Context) { return e.sub(a, b); }
Value mulBody(Emitter &e, Value a, Value b, Context) { return e.mul(a, b); }
Value divBody(Emitter &e, Value a, Value b, Context c) { return e.div(a, b, c.isUnsigned); }
Value andBody(Emitter &e, Value a, Value b, Context) { return arith::AndIOp::create(e, a, b); }
Value orBody(Emitter &e, Value a, Value b, Context) { return arith::OrIOp::create(e, a, b); }
Value xorBody(Emitter &e, Value a, Value b, Context) { return arith::XOrIOp::create(e, a, b); }
template <Compare kind> Value compareBody(Emitter &e, Value a, Value b, Context c) {
  return e.compare(kind, a, b, c.isUnsigned);
}

void populateArithmetic(PatternSet &set) {
  addBinary<AddOp, addBody>(set);
  addBinary<SubOp, subBody>(set);
  addBinary<MulOp, mulBody>(set);
  addBinary<DivOp, divBody>(set);
  addBinary<AndOp, andBody>(set);
  addBinary<OrOp, orBody>(set);
  addBinary<XorOp, xorBody>(set);
  addBinary<BitwiseAndOp, andBody>(set);
  addBinary<BitwiseOrOp, orBody>(set);
  addBinary<BitwiseXorOp, xorBody>(set);
  addBinary<EqualOp, compareBody<Compare::Equal>>(set);
  addBinary<LessOp, compareBody<Compare::Less>>(set);
  addBinary<LessOrEqualOp, compareBody<Compare::LessEqual>>(set);
  addBinary<GreaterOp, compareBody<Compare::Greater>>(set);
  addBinary<GreaterOrEqualOp, compareBody<Compare::GreaterEqual>>(set);
}

/// Integer power by repeated squaring is not worth a loop: exponents are small
/// integers or floats; integers go by way of f64, exact below 2^53.
Value power(Emitter &e, Value x, Value y, bool xUnsigned, bool yUnsigned, Type element) {
  Type compute = isa<FloatType>(element) ? getComputeType(element) : Type(e.getF64Type());
  Value base = e.convert(x, compute, xUnsigned, false);
  Value exponent = e.convert(y, compute, yUnsigned, false);
  Value result = math::PowFOp::create(e, base, exponent);
  return e.convert(result, element, false, xUnsigned);
}

/// The single element of a constant tensor, if it has one.
std::optional<double> constantScalar(Value value) {
  auto constant = value.getDefiningOp<ConstantOp>();
  auto elements =
      constant ? dyn_cast_if_present<DenseElementsAttr>(constant.getValueAttr()) : nullptr;
  if (!elements || !elements.isSplat())
    return std::nullopt;
  if (auto type = dyn_cast<FloatType>(elements.getElementType()))
    return elements.getSplatValue<FloatAttr>().getValueAsDouble();
  if (elements.getElementType().isSignlessInteger())
    return static_cast<double>(elements.getSplatValue<APInt>().getSExtValue());
  return std::nullopt;
}

void populatePower(PatternSet &set) {
  set.add<PowOp>([](PowOp op, PowOp::Adaptor in, Emitter &e) -> Lowered {
    bool xUnsigned = isUnsigned(op.getX()), yUnsigned = isUnsigned(op.getY());
    Type element = resultElement(op);
    std::optional<double> exponent = constantScalar(op.getY());
    return lowerElementwise(
        op, op->getOperands(), in.getOperands(), e, [&](Emitter &e, ValueRange args) -> Value {
          if (exponent == 2.0 || exponent == 3.0) {
            Value x = e.widen(args[0]), square = e.mul(x, x);
            return e.toFloatType(exponent == 2.0 ? square : e.mul(square, x), element);
          }
          return power(e, args[0], args[1], xUnsigned, yUnsigned, element);
        });
  });

  // fmod = 0: the sign of the divisor (Python's %); fmod = 1: of the dividend.
  set.add<ModOp>([](ModOp op, ModOp::Adaptor in, Emitter &e) -> Lowered {
    bool unsignedElement = isUnsigned(op.getA());
    bool truncating = op.getFmod() != 0 || unsignedElement;
    Type element = resultElement(op);
    return lowerElementwise(
        op, op->getOperands(), in.getOperands(), e, [&](Emitter &e, ValueRange args) -> Value {
          Value a = e.widen(args[0]), b = e.widen(args[1]), none = e.constant(a.getType(), 0);
          Value remainder;
          if (isa<FloatType>(a.getType()))
            remainder = arith::RemFOp::create(e, a, b);
          else
            remainder = e.sub(a, e.mul(e.div(a, b, unsignedElement), b));
          if (!truncating) {
            Value apart = arith::XOrIOp::create(e, e.compare(Compare::Less, remainder, none),
                                                e.compare(Compare::Less, b, none));
            Value notZero = e.compare(Compare::NotEqual, remainder, none);
            Value adjust = arith::AndIOp::create(e, apart, notZero);
            remainder = e.select(adjust, e.add(remainder, b), remainder);
          }
          return e.toFloatType(remainder, element);
        });
  });

  set.add<BitShiftOp>([](BitShiftOp op, BitShiftOp::Adaptor in, Emitter &e) -> Lowered {
    bool left = op.getDirection() == "LEFT";
    return lowerElementwise(
        op, op->getOperands(), in.getOperands(), e, [&](Emitter &e, ValueRange args) -> Value {
          Type type = args[0].getType();
          // A shift by the width or more gives 0; the instruction would not.
          Value width = e.constantInt(type, type.getIntOrFloatBitWidth());
          Value fits = e.compare(Compare::Less, args[1], width, /*isUnsigned=*/true);
          Value none = e.constantInt(type, 0), amount = e.select(fits, args[1], none);
          Value shifted = left ? arith::ShLIOp::create(e, args[0], amount).getResult()
                               : arith::ShRUIOp::create(e, args[0], amount).getResult();
          return e.select(fits, shifted, none);
        });
  });

  set.add<PReluOp>([](PReluOp op, PReluOp::Adaptor in, Emitter &e) -> Lowered {
    bool unsignedElement = isUnsigned(op.getX());
    Type element = resultElement(op);
    return lowerElementwise(
        op, op->getOperands(), in.getOperands(), e, [&](Emitter &e, ValueRange args) {
          Value x = e.widen(args[0]), slope = e.widen(args[1]);
          Value negative = e.compare(Compare::Less, x, e.constant(x.getType(), 0), unsignedElement);
          return e.toFloatType(e.select(negative, e.mul(slope, x), x), element);
        });
  });
}

/// Max, Min, Sum, Mean: any number of operands.
template <typename OpT, BinaryBody body> void addVariadic(PatternSet &set) {
  set.add<OpT>([](OpT op, typename OpT::Adaptor in, Emitter &e) -> Lowered {
    Context context{isUnsigned(op->getOperand(0))};
    Type element = resultElement(op);
    constexpr bool isMean = std::is_same_v<OpT, MeanOp>;
    return lowerElementwise(op, op->getOperands(), in.getOperands(), e,
                            [&](Emitter &e, ValueRange args) {
                              Value result = e.widen(args[0]);
                              for (Value next : args.drop_front())
                                result = body(e, result, e.widen(next), context);
                              if (isMean)
                                result = e.div(result, e.constant(result.getType(), args.size()));
                              return e.toFloatType(result, element);
                            });
  });
}

Value maxBody(Emitter &e, Value a, Value b, Context c) { return e.max(a, b, c.isUnsigned); }
Value minBody(Emitter &e, Value a, Value b, Context c) { return e.min(a, b, c.isUnsigned); }

void populateSelection(PatternSet &set) {
  addVariadic<MaxOp, maxBody>(set);
  addVariadic<MinOp, minBody>(set);
  addVariadic<SumOp, addBody>(set);
  addVariadic<MeanOp, addBody>(set);

  set.add<WhereOp>([](WhereOp op, WhereOp::Adaptor in, Emitter &e) -> Lowered {
    return lowerElementwise(
        op, op->getOperands(), in.getOperands(), e,
        [](Emitter &e, ValueRange args) { return e.select(args[0], args[1], args[2]); });
  });

  set.add<ClipOp>([](ClipOp op, ClipOp::Adaptor in, Emitter &e) -> Lowered {
    bool unsignedElement = isUnsigned(op.getInput()), low = present(in.getMin());
    SmallVector<Value> originals{op.getInput()}, converted{in.getInput()};
    if (low) {
      originals.push_back(op.getMin());
      converted.push_back(in.getMin());
    }
    if (present(in.getMax())) {
      originals.push_back(op.getMax());
      converted.push_back(in.getMax());
    }
    return lowerElementwise(op, originals, converted, e, [&](Emitter &e, ValueRange args) {
      Value x = args[0];
      if (low)
        x = e.max(x, args[1], unsignedElement);
      if (args.size() > 1u + low)
        x = e.min(x, args.back(), unsignedElement);
      return x;
    });
  });
}

/// The operators of com.microsoft that add a bias first.
template <typename OpT, bool tanhForm> void addBiasGelu(PatternSet &set) {
  set.add<OpT>([](OpT op, typename OpT::Adaptor in, Emitter &e) -> Lowered {
    SmallVector<Value> originals, converted;
    for (auto [original, value] : llvm::zip_equal(op->getOperands(), in.getOperands()))
      if (present(original)) {
        originals.push_back(original);
        converted.push_back(value);
      }
    Type element = resultElement(op);
    return lowerElementwise(op, originals, converted, e, [&](Emitter &e, ValueRange args) {
      Value x = e.widen(args[0]);
      if (args.size() > 1)
        x = e.add(x, e.widen(args[1]));
      auto number = [&](double value) { return e.constant(x.getType(), value); };
      Value curve;
      if (tanhForm) {
        Value cube = e.mul(e.mul(x, x), x);
        Value inner = e.add(x, e.mul(number(0.044715), cube));
        curve = math::TanhOp::create(e, e.mul(number(0.7978845608028654), inner));
      } else {
        curve = math::ErfOp::create(e, e.mul(x, number(0.7071067811865476)));
      }
      Value result = e.mul(e.mul(number(0.5), x), e.add(number(1), curve));
      return e.toFloatType(result, element);
    });
  });
}

} // namespace

void dougong::onnx::populateBinaryPatterns(PatternSet &set) {
  populateArithmetic(set);
  populatePower(set);
  populateSelection(set);
  addBiasGelu<MsFastGeluOp, true>(set);
  addBiasGelu<MsBiasGeluOp, false>(set);
}
