//===- EmitterScalars.cpp - extents and scalar arithmetic -----------------===//
#include "Emitter.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace dougong::onnx;

bool dougong::onnx::isUnsigned(Value value) {
  Type element = getElementTypeOrSelf(value.getType());
  return element.isUnsignedInteger() || element.isInteger(1);
}

std::optional<SmallVector<int64_t>> dougong::onnx::getConstantInts(Value value) {
  auto constant = value ? value.getDefiningOp<ConstantOp>() : ConstantOp();
  if (!constant)
    return std::nullopt;
  if (auto ints = constant.getValueInts())
    return SmallVector<int64_t>(*ints);
  if (auto single = constant.getValueInt())
    return SmallVector<int64_t>{static_cast<int64_t>(*single)};
  auto elements = dyn_cast_if_present<DenseIntElementsAttr>(constant.getValueAttr());
  if (!elements)
    return std::nullopt;
  bool isUnsignedElement = elements.getElementType().isUnsignedInteger();
  SmallVector<int64_t> result;
  for (APInt element : elements.getValues<APInt>())
    result.push_back(isUnsignedElement ? element.getZExtValue() : element.getSExtValue());
  return result;
}

Type dougong::onnx::getStorageType(Type element) {
  if (auto integer = dyn_cast<IntegerType>(element)) {
    unsigned width = integer.getWidth();
    return IntegerType::get(element.getContext(), width == 2 || width == 4 ? 8 : width);
  }
  if (isa<FloatType>(element) && element.getIntOrFloatBitWidth() < 16)
    return IntegerType::get(element.getContext(), 8);
  return element;
}

Type dougong::onnx::getComputeType(Type element) {
  if (isa<FloatType>(element) && element.getIntOrFloatBitWidth() < 32)
    return Float32Type::get(element.getContext());
  if (auto integer = dyn_cast<IntegerType>(element))
    return IntegerType::get(element.getContext(), integer.getWidth());
  return element;
}

//===----------------------------------------------------------------------===//
// Extents
//===----------------------------------------------------------------------===//

Value Emitter::dimValue(StringRef expr) {
  return DimOp::create(*this, getIndexType(), getStringAttr(expr));
}

OpFoldResult Emitter::extent(Type original, int64_t dim) {
  auto type = cast<RankedTensorType>(original);
  if (!type.isDynamicDim(dim))
    return attr(type.getDimSize(dim));
  auto dims = dyn_cast_if_present<DimsAttr>(type.getEncoding());
  // A dynamic dim without an expression: "?" resolves to nothing, and so is
  // reported with the node's name.
  return dimValue(dims ? dims.getExprs()[dim].getValue() : "?");
}

Extents Emitter::extents(Type original) {
  Extents result;
  for (int64_t dim = 0, rank = cast<RankedTensorType>(original).getRank(); dim < rank; ++dim)
    result.push_back(extent(original, dim));
  return result;
}

Extents Emitter::extentsOf(Value tensor) {
  Extents result;
  for (auto [dim, size] : llvm::enumerate(typeOf(tensor).getShape()))
    result.push_back(ShapedType::isDynamic(size)
                         ? OpFoldResult(tensor::DimOp::create(*this, tensor, dim).getResult())
                         : OpFoldResult(attr(size)));
  return result;
}

Value Emitter::index(OpFoldResult size) {
  if (auto value = dyn_cast<Value>(size))
    return value;
  return index(*getConstantIntValue(size));
}

/// Folds when both are constants, or `fold` says what a neutral operand gives.
static std::optional<std::pair<int64_t, int64_t>> bothConstant(OpFoldResult a, OpFoldResult b) {
  auto x = getConstantIntValue(a), y = getConstantIntValue(b);
  if (x && y)
    return std::pair{*x, *y};
  return std::nullopt;
}

OpFoldResult Emitter::addSizes(OpFoldResult a, OpFoldResult b) {
  if (auto both = bothConstant(a, b))
    return attr(both->first + both->second);
  if (isConstantIntValue(a, 0))
    return b;
  if (isConstantIntValue(b, 0))
    return a;
  return arith::AddIOp::create(*this, index(a), index(b)).getResult();
}

OpFoldResult Emitter::subSizes(OpFoldResult a, OpFoldResult b) {
  if (auto both = bothConstant(a, b))
    return attr(both->first - both->second);
  if (isConstantIntValue(b, 0))
    return a;
  return arith::SubIOp::create(*this, index(a), index(b)).getResult();
}

OpFoldResult Emitter::mulSizes(OpFoldResult a, OpFoldResult b) {
  if (auto both = bothConstant(a, b))
    return attr(both->first * both->second);
  if (isConstantIntValue(a, 1))
    return b;
  if (isConstantIntValue(b, 1))
    return a;
  return arith::MulIOp::create(*this, index(a), index(b)).getResult();
}

OpFoldResult Emitter::floorDivSizes(OpFoldResult a, OpFoldResult b) {
  if (auto both = bothConstant(a, b); both && both->second > 0)
    return attr(both->first / both->second);
  if (isConstantIntValue(b, 1))
    return a;
  return arith::DivUIOp::create(*this, index(a), index(b)).getResult();
}

OpFoldResult Emitter::ceilDivSizes(OpFoldResult a, OpFoldResult b) {
  return floorDivSizes(subSizes(addSizes(a, b), attr(1)), b);
}

OpFoldResult Emitter::minSizes(OpFoldResult a, OpFoldResult b) {
  if (auto both = bothConstant(a, b))
    return attr(std::min(both->first, both->second));
  return arith::MinSIOp::create(*this, index(a), index(b)).getResult();
}

OpFoldResult Emitter::maxSizes(OpFoldResult a, OpFoldResult b) {
  if (auto both = bothConstant(a, b))
    return attr(std::max(both->first, both->second));
  return arith::MaxSIOp::create(*this, index(a), index(b)).getResult();
}

OpFoldResult Emitter::productOf(ArrayRef<OpFoldResult> sizes) {
  OpFoldResult product = attr(1);
  for (OpFoldResult size : sizes)
    product = mulSizes(product, size);
  return product;
}

//===----------------------------------------------------------------------===//
// Scalars
//===----------------------------------------------------------------------===//

Value Emitter::constant(Type type, double value) {
  if (isa<FloatType>(type))
    return arith::ConstantOp::create(*this, getFloatAttr(type, value));
  return constantInt(type, static_cast<int64_t>(value));
}

Value Emitter::constantInt(Type type, int64_t value) {
  if (isa<FloatType>(type))
    return constant(type, static_cast<double>(value));
  if (type.isIndex())
    return index(value);
  unsigned width = type.getIntOrFloatBitWidth();
  APInt bits(width, static_cast<uint64_t>(value), /*isSigned=*/true, /*implicitTrunc=*/true);
  return arith::ConstantOp::create(*this, IntegerAttr::get(type, bits));
}

Value Emitter::lowest(Type type, bool isUnsigned) {
  if (auto floatType = dyn_cast<FloatType>(type))
    return arith::ConstantOp::create(
        *this, FloatAttr::get(type, APFloat::getInf(floatType.getFloatSemantics(), true)));
  unsigned width = type.getIntOrFloatBitWidth();
  return arith::ConstantOp::create(
      *this,
      IntegerAttr::get(type, isUnsigned ? APInt::getZero(width) : APInt::getSignedMinValue(width)));
}

Value Emitter::highest(Type type, bool isUnsigned) {
  if (auto floatType = dyn_cast<FloatType>(type))
    return arith::ConstantOp::create(
        *this, FloatAttr::get(type, APFloat::getInf(floatType.getFloatSemantics(), false)));
  unsigned width = type.getIntOrFloatBitWidth();
  return arith::ConstantOp::create(
      *this, IntegerAttr::get(type, isUnsigned ? APInt::getMaxValue(width)
                                               : APInt::getSignedMaxValue(width)));
}

static constexpr auto contractFlag = arith::FastMathFlags::contract;

Value Emitter::add(Value a, Value b) {
  if (isa<FloatType>(a.getType()))
    return arith::AddFOp::create(*this, a, b, contractFlag);
  return arith::AddIOp::create(*this, a, b);
}

Value Emitter::sub(Value a, Value b) {
  if (isa<FloatType>(a.getType()))
    return arith::SubFOp::create(*this, a, b, contractFlag);
  return arith::SubIOp::create(*this, a, b);
}

Value Emitter::addReassoc(Value a, Value b) {
  if (isa<FloatType>(a.getType()))
    return arith::AddFOp::create(*this, a, b, contractFlag | arith::FastMathFlags::reassoc);
  return arith::AddIOp::create(*this, a, b);
}

Value Emitter::mul(Value a, Value b) {
  if (isa<FloatType>(a.getType()))
    return arith::MulFOp::create(*this, a, b, contractFlag);
  return arith::MulIOp::create(*this, a, b);
}

Value Emitter::div(Value a, Value b, bool isUnsigned) {
  if (isa<FloatType>(a.getType()))
    return arith::DivFOp::create(*this, a, b);
  Type type = a.getType();
  Value none = constantInt(type, 0), one = constantInt(type, 1);
  Value isZero = compare(Compare::Equal, b, none);
  if (isUnsigned) {
    Value quotient = arith::DivUIOp::create(*this, a, select(isZero, one, b));
    return select(isZero, none, quotient);
  }
  // x / 0 and the least integer / -1 trap on some hosts.
  Value isMinusOne = compare(Compare::Equal, b, constantInt(type, -1));
  Value safe = select(arith::OrIOp::create(*this, isZero, isMinusOne), one, b);
  Value quotient = arith::DivSIOp::create(*this, a, safe);
  quotient = select(isMinusOne, sub(none, a), quotient);
  return select(isZero, none, quotient);
}

Value Emitter::max(Value a, Value b, bool isUnsigned) {
  if (isa<FloatType>(a.getType()))
    return arith::MaximumFOp::create(*this, a, b);
  if (isUnsigned)
    return arith::MaxUIOp::create(*this, a, b);
  return arith::MaxSIOp::create(*this, a, b);
}

Value Emitter::min(Value a, Value b, bool isUnsigned) {
  if (isa<FloatType>(a.getType()))
    return arith::MinimumFOp::create(*this, a, b);
  if (isUnsigned)
    return arith::MinUIOp::create(*this, a, b);
  return arith::MinSIOp::create(*this, a, b);
}

Value Emitter::maxNum(Value a, Value b) { return arith::MaxNumFOp::create(*this, a, b); }

Value Emitter::compare(Compare kind, Value a, Value b, bool isUnsigned) {
  if (isa<FloatType>(a.getType())) {
    static constexpr arith::CmpFPredicate predicates[] = {
        arith::CmpFPredicate::OEQ, arith::CmpFPredicate::UNE, arith::CmpFPredicate::OLT,
        arith::CmpFPredicate::OLE, arith::CmpFPredicate::OGT, arith::CmpFPredicate::OGE};
    return arith::CmpFOp::create(*this, predicates[static_cast<int>(kind)], a, b);
  }
  using P = arith::CmpIPredicate;
  static constexpr P signedPredicates[] = {P::eq, P::ne, P::slt, P::sle, P::sgt, P::sge};
  static constexpr P unsignedPredicates[] = {P::eq, P::ne, P::ult, P::ule, P::ugt, P::uge};
  P predicate = (isUnsigned ? unsignedPredicates : signedPredicates)[static_cast<int>(kind)];
  return arith::CmpIOp::create(*this, predicate, a, b);
}

Value Emitter::select(Value condition, Value a, Value b) {
  return arith::SelectOp::create(*this, condition, a, b);
}

Value Emitter::logicalNot(Value a) {
  return arith::XOrIOp::create(*this, a, constantInt(a.getType(), -1));
}

Value Emitter::sigmoid(Value x) {
  // By exp(-|x|), which cannot overflow: 1 / (1 + e), or e / (1 + e) below 0.
  Value one = constant(x.getType(), 1), magnitude = math::AbsFOp::create(*this, x);
  Value e = math::ExpOp::create(*this, arith::NegFOp::create(*this, magnitude).getResult());
  Value isBelow = compare(Compare::Less, x, constant(x.getType(), 0));
  return div(select(isBelow, e, one), add(one, e));
}

Value Emitter::convert(Value x, Type to, bool fromUnsigned, bool toUnsigned) {
  Type from = x.getType();
  if (auto integer = dyn_cast<IntegerType>(to))
    to = IntegerType::get(getContext(), integer.getWidth());
  if (from == to)
    return x;
  if (to.isInteger(1)) // any number but zero is true, NaN too
    return compare(Compare::NotEqual, x, constant(from, 0));
  if (isa<FloatType>(from) && isa<FloatType>(to))
    return toFloatType(x, to);
  if (isa<FloatType>(from)) {
    if (from.getIntOrFloatBitWidth() < 32)
      x = arith::ExtFOp::create(*this, getF32Type(), x);
    if (toUnsigned)
      return arith::FPToUIOp::create(*this, to, x);
    return arith::FPToSIOp::create(*this, to, x);
  }
  if (isa<FloatType>(to)) {
    // By way of f32 or f64 for the narrower floats: int to f16 is one rounding
    // then, as long as the integer is exact in the wider type.
    Type wide = to;
    if (to.getIntOrFloatBitWidth() < 32)
      wide = from.getIntOrFloatBitWidth() > 24 ? Type(getF64Type()) : Type(getF32Type());
    Value result = fromUnsigned ? arith::UIToFPOp::create(*this, wide, x).getResult()
                                : arith::SIToFPOp::create(*this, wide, x).getResult();
    return toFloatType(result, to);
  }
  if (from.getIntOrFloatBitWidth() > to.getIntOrFloatBitWidth())
    return arith::TruncIOp::create(*this, to, x);
  if (fromUnsigned)
    return arith::ExtUIOp::create(*this, to, x);
  return arith::ExtSIOp::create(*this, to, x);
}

Value Emitter::widen(Value x) {
  return isa<FloatType>(x.getType()) ? toFloatType(x, getComputeType(x.getType())) : x;
}

Value Emitter::toFloatType(Value x, Type to) {
  Type from = x.getType();
  if (from == to || !isa<FloatType>(from) || !isa<FloatType>(to))
    return x;
  unsigned fromWidth = from.getIntOrFloatBitWidth(), toWidth = to.getIntOrFloatBitWidth();
  if (fromWidth < toWidth)
    return arith::ExtFOp::create(*this, to, x);
  if (fromWidth > toWidth)
    return arith::TruncFOp::create(*this, to, x);
  // f16 and bf16 are no subsets of each other.
  Value wide = arith::ExtFOp::create(*this, getF32Type(), x);
  return arith::TruncFOp::create(*this, to, wide);
}

Value Emitter::toIndex(Value x) {
  if (x.getType().isIndex())
    return x;
  return arith::IndexCastOp::create(*this, getIndexType(), x);
}

Value Emitter::wrapIndex(Value x, OpFoldResult size) {
  Value at = toIndex(x), extent = index(size), none = index(int64_t{0});
  at = select(compare(Compare::Less, at, none), add(at, extent), at);
  Value last = sub(extent, index(int64_t{1}));
  return max(min(at, last), none);
}

Value Emitter::quantize(Value scaled, Value zeroPoint, Type to, bool toUnsigned) {
  Type compute = scaled.getType();
  unsigned width = to.getIntOrFloatBitWidth();
  double low = toUnsigned ? 0.0 : -static_cast<double>(int64_t{1} << (width - 1));
  double high =
      static_cast<double>(toUnsigned ? (int64_t{1} << width) - 1 : (int64_t{1} << (width - 1)) - 1);
  Value rounded = math::RoundEvenOp::create(*this, scaled);
  if (zeroPoint)
    rounded = add(rounded, convert(zeroPoint, compute, toUnsigned, false));
  // maxnum first: a NaN becomes the lowest value instead of poison.
  rounded = arith::MaxNumFOp::create(*this, rounded, constant(compute, low));
  rounded = arith::MinNumFOp::create(*this, rounded, constant(compute, high));
  // The signed conversion to a wider integer is exact here and the fast one.
  Value integer = arith::FPToSIOp::create(*this, getI32Type(), rounded);
  if (width == 32)
    return integer;
  return arith::TruncIOp::create(*this, IntegerType::get(getContext(), width), integer);
}

Value Emitter::extract(Value tensor, ValueRange indices) {
  return tensor::ExtractOp::create(*this, tensor, indices);
}
