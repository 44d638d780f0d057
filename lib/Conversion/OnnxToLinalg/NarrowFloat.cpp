//===- NarrowFloat.cpp - floats of 8 and 4 bits ---------------------------===//
#include "NarrowFloat.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

using Compare = Emitter::Compare;

/// How the bits of a type are read: sign, exponent, mantissa from the top.
struct Format {
  unsigned bits, mantissa;
  int bias;
  uint8_t greatest; ///< bits of the greatest finite number
  std::optional<uint8_t> nan;
  std::optional<uint8_t> infinity; ///< numbers above it are NaN
  bool negativeZero = true;
};

Format formatOf(Type element) {
  if (isa<Float8E4M3FNType>(element))
    return {8, 3, 7, 0x7E, 0x7F, std::nullopt};
  if (isa<Float8E5M2Type>(element))
    return {8, 2, 15, 0x7B, 0x7F, 0x7C};
  if (isa<Float8E4M3FNUZType>(element))
    return {8, 3, 8, 0x7F, 0x80, std::nullopt, /*negativeZero=*/false};
  if (isa<Float8E5M2FNUZType>(element))
    return {8, 2, 16, 0x7F, 0x80, std::nullopt, /*negativeZero=*/false};
  return {4, 1, 1, 0x7, std::nullopt, std::nullopt}; // f4E2M1FN
}

Value bitsOf(Emitter &e, Value x) { return arith::BitcastOp::create(e, e.getI32Type(), x); }
Value floatOf(Emitter &e, Value bits) { return arith::BitcastOp::create(e, e.getF32Type(), bits); }
Value int32(Emitter &e, int64_t value) { return e.constantInt(e.getI32Type(), value); }
Value shiftRight(Emitter &e, Value x, int64_t by) {
  return arith::ShRUIOp::create(e, x, int32(e, by));
}
Value shiftLeft(Emitter &e, Value x, int64_t by) {
  return arith::ShLIOp::create(e, x, int32(e, by));
}
Value mask(Emitter &e, Value x, int64_t bits) {
  return arith::AndIOp::create(e, x, int32(e, bits));
}

constexpr int64_t nanBits = 0x7FC00000, infinityBits = 0x7F800000, magnitudeBits = 0x7FFFFFFF;

/// 2^(x - 127); no sign, no zero.
Value decodeScale(Emitter &e, Value x) {
  Value code = mask(e, e.convert(x, e.getI32Type(), true, false), 0xFF);
  // 2^-127 is no normal f32.
  Value power = e.select(e.compare(Compare::Equal, code, int32(e, 0)), int32(e, 0x00400000),
                         shiftLeft(e, code, 23));
  return floatOf(
      e, e.select(e.compare(Compare::Equal, code, int32(e, 0xFF)), int32(e, nanBits), power));
}

Value encodeScale(Emitter &e, Value x, const NarrowRounding &rounding) {
  Value bits = bitsOf(e, x);
  Value exponent = mask(e, shiftRight(e, bits, 23), 0xFF);
  Value fraction = mask(e, bits, 0x7FFFFF);
  Value none = int32(e, 0);
  Value increment = e.constantInt(e.getI1Type(), 0);
  if (rounding.mode == "up") {
    increment = e.compare(Compare::NotEqual, fraction, none);
  } else if (rounding.mode == "nearest") {
    // From the middle on; exactly there, unless the exponent is the least.
    Value above = e.compare(Compare::Greater, fraction, int32(e, 0x400000));
    Value middle = e.compare(Compare::Equal, fraction, int32(e, 0x400000));
    Value notLeast = e.compare(Compare::NotEqual, exponent, none);
    increment = arith::OrIOp::create(e, above, arith::AndIOp::create(e, middle, notLeast));
  }
  Value next = e.add(exponent, arith::ExtUIOp::create(e, e.getI32Type(), increment));
  if (rounding.saturate)
    next = e.min(next, int32(e, 0xFE));
  Value special = e.compare(Compare::Equal, exponent, int32(e, 0xFF));
  return arith::TruncIOp::create(e, e.getI8Type(), e.select(special, int32(e, 0xFF), next));
}

} // namespace

bool dougong::onnx::isNarrowFloat(Type element) {
  return isa<FloatType>(element) && element.getIntOrFloatBitWidth() < 16;
}

Value dougong::onnx::decodeNarrow(Emitter &e, Value x, Type element) {
  if (isa<Float8E8M0FNUType>(element))
    return decodeScale(e, x);
  Format format = formatOf(element);
  Value code = e.convert(x, e.getI32Type(), true, false);
  int64_t signBit = int64_t(1) << (format.bits - 1);
  Value size = mask(e, code, signBit - 1);
  Value fraction = mask(e, size, (1 << format.mantissa) - 1);
  // Normal numbers: the fields move to those of f32.
  Value normal =
      e.add(shiftLeft(e, size, 23 - format.mantissa), int32(e, int64_t(127 - format.bias) << 23));
  Value small =
      e.mul(arith::UIToFPOp::create(e, e.getF32Type(), fraction).getResult(),
            e.constant(e.getF32Type(), std::ldexp(1.0, 1 - format.bias - int(format.mantissa))));
  Value isSmall = e.compare(Compare::Equal, size, fraction);
  Value result = e.select(isSmall, bitsOf(e, small), normal);
  if (format.infinity) {
    Value infinity = int32(e, *format.infinity);
    result = e.select(e.compare(Compare::Equal, size, infinity), int32(e, infinityBits), result);
    result = e.select(e.compare(Compare::Greater, size, infinity), int32(e, nanBits), result);
  } else if (format.nan && format.negativeZero) {
    Value isNan = e.compare(Compare::Equal, size, int32(e, *format.nan));
    result = e.select(isNan, int32(e, nanBits), result);
  }
  Value sign = shiftLeft(e, mask(e, code, signBit), 32 - format.bits);
  result = arith::OrIOp::create(e, result, sign);
  if (!format.negativeZero) {
    Value isNan = e.compare(Compare::Equal, mask(e, code, 0xFF), int32(e, *format.nan));
    result = e.select(isNan, int32(e, nanBits), result);
  }
  return floatOf(e, result);
}

Value dougong::onnx::encodeNarrow(Emitter &e, Value x, Type element,
                                  const NarrowRounding &rounding) {
  if (isa<Float8E8M0FNUType>(element))
    return encodeScale(e, x, rounding);
  Format format = formatOf(element);
  Value bits = bitsOf(e, x), size = mask(e, bits, magnitudeBits);
  // Normal numbers: the mantissa is rounded half to even, its carry runs into
  // the exponent.
  unsigned dropped = 23 - format.mantissa;
  Value odd = mask(e, shiftRight(e, size, dropped), 1);
  Value rounded = e.add(e.add(size, int32(e, (1 << (dropped - 1)) - 1)), odd);
  Value code = e.sub(shiftRight(e, rounded, dropped),
                     int32(e, int64_t(127 - format.bias) << format.mantissa));
  // Below the least normal number: multiples of the least number. Larger ones
  // are kept out of the conversion, which they would overflow.
  Value limit = int32(e, int64_t(127 + 1 - format.bias) << 23);
  Value isSmall = e.compare(Compare::Less, size, limit);
  Value smallSize = floatOf(e, e.select(isSmall, size, int32(e, 0)));
  Value scaled =
      e.mul(smallSize,
            e.constant(e.getF32Type(), std::ldexp(1.0, format.bias - 1 + int(format.mantissa))));
  Value steps = math::RoundEvenOp::create(e, scaled);
  code = e.select(isSmall, arith::FPToSIOp::create(e, e.getI32Type(), steps).getResult(), code);

  Value greatest = int32(e, format.greatest);
  Value beyond = e.compare(Compare::Greater, code, greatest);
  bool saturate = rounding.saturate || !format.nan;
  Value overflow = saturate ? greatest : int32(e, format.infinity.value_or(*format.nan));
  code = e.select(beyond, overflow, code);
  Value sign = mask(e, shiftRight(e, bits, 32 - format.bits), int64_t(1) << (format.bits - 1));
  if (!format.negativeZero) {
    Value isZero = e.compare(Compare::Equal, code, int32(e, 0));
    sign = e.select(isZero, int32(e, 0), sign);
  }
  code = arith::OrIOp::create(e, code, sign);
  if (format.nan) {
    Value isNan = e.compare(Compare::Greater, size, int32(e, infinityBits));
    Value nan = int32(e, *format.nan);
    if (format.negativeZero)
      nan = arith::OrIOp::create(e, nan, sign);
    code = e.select(isNan, nan, code);
  }
  if (!format.nan) {
    // Not stated by the operator; the stored outputs of the ONNX suite have -0.
    Value isNan = e.compare(Compare::Greater, size, int32(e, infinityBits));
    code = e.select(isNan, int32(e, int64_t(1) << (format.bits - 1)), code);
  }
  return arith::TruncIOp::create(e, e.getI8Type(), code);
}

bool dougong::onnx::isNarrowInteger(Type element) {
  auto integer = dyn_cast<IntegerType>(element);
  return integer && (integer.getWidth() == 2 || integer.getWidth() == 4);
}

Value dougong::onnx::truncateNarrow(Emitter &e, Value x, Type element) {
  Type low = e.getIntegerType(element.getIntOrFloatBitWidth());
  Value bits = x.getType() == low ? x : arith::TruncIOp::create(e, low, x).getResult();
  if (element.isUnsignedInteger())
    return arith::ExtUIOp::create(e, e.getI8Type(), bits);
  return arith::ExtSIOp::create(e, e.getI8Type(), bits);
}
