//===- Cast.cpp - conversions of elements, constants ----------------------===//
#include "NarrowFloat.h"
#include "Patterns.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

/// Strings and complex numbers have no arithmetic here.
bool isNumber(Type element) { return isa<FloatType, IntegerType>(element); }

template <typename OpT> Lowered lowerCast(OpT op, Value converted, Emitter &e) {
  Type from = getElementTypeOrSelf(op->getOperand(0).getType());
  Type to = resultType(op).getElementType();
  if (!isNumber(from) || !isNumber(to)) {
    std::string text;
    llvm::raw_string_ostream(text) << "conversion from " << from << " to " << to;
    return Lowered::refuse(text + " is not supported");
  }
  bool fromUnsigned = isUnsigned(op->getOperand(0)), toUnsigned = isUnsigned(op->getResult(0));
  NarrowRounding rounding{op.getSaturate() != 0, op.getRoundMode()};
  return lowerElementwise(op, op->getOperand(0), converted, e, [&](Emitter &e, ValueRange args) {
    Value x = args[0];
    if (from == to)
      return x;
    if (isNarrowFloat(from))
      x = decodeNarrow(e, x, from);
    if (isNarrowFloat(to))
      return encodeNarrow(e, e.convert(x, e.getF32Type(), fromUnsigned, false), to, rounding);
    if (!isNarrowInteger(to))
      return e.convert(x, to, fromUnsigned, toUnsigned);
    // The low bits of the integer.
    if (isa<FloatType>(x.getType()))
      x = e.convert(x, e.getI32Type(), false, false);
    return truncateNarrow(e, e.convert(x, e.getI32Type(), fromUnsigned, false), to);
  });
}

/// The same bits, read as another type of the same width.
Lowered lowerBitCast(BitCastOp op, BitCastOp::Adaptor in, Emitter &e) {
  Type to = resultType(op).getElementType(), storage = resultElement(op);
  if (!isNumber(to) || !isNumber(getElementTypeOrSelf(op.getInput().getType())))
    return Lowered::refuse("elements other than numbers are not supported");
  return lowerElementwise(op, op->getOperand(0), in.getInput(), e,
                          [&](Emitter &e, ValueRange args) -> Value {
                            if (isNarrowInteger(to))
                              return truncateNarrow(e, args[0], to);
                            if (args[0].getType() == storage)
                              return args[0];
                            // A bool takes a byte.
                            if (args[0].getType().isInteger(1))
                              return arith::ExtUIOp::create(e, storage, args[0]);
                            if (storage.isInteger(1))
                              return arith::TruncIOp::create(e, storage, args[0]);
                            return arith::BitcastOp::create(e, storage, args[0]);
                          });
}

/// A constant as a dense attribute of signless elements, or null.
DenseElementsAttr denseOf(ConstantOp op) {
  Builder builder(op.getContext());
  if (auto value = op.getValueFloat())
    return DenseElementsAttr::get(RankedTensorType::get({}, builder.getF32Type()), *value);
  if (auto values = op.getValueFloats())
    return DenseElementsAttr::get(
        RankedTensorType::get(static_cast<int64_t>(values->size()), builder.getF32Type()), *values);
  if (auto value = op.getValueInt())
    return DenseElementsAttr::get(RankedTensorType::get({}, builder.getI64Type()),
                                  static_cast<int64_t>(*value));
  if (auto values = op.getValueInts())
    return DenseElementsAttr::get(
        RankedTensorType::get(static_cast<int64_t>(values->size()), builder.getI64Type()), *values);
  auto dense = dyn_cast_if_present<DenseElementsAttr>(op.getValueAttr());
  if (!dense || !dense.getElementType().isIntOrFloat())
    return {};
  Type element = dense.getElementType();
  // Types that take less than they lie in: element by element.
  if (isNarrowInteger(element) || isNarrowFloat(element)) {
    SmallVector<APInt> bytes;
    if (isNarrowFloat(element))
      for (APFloat value : dense.getValues<APFloat>())
        bytes.push_back(value.bitcastToAPInt().zextOrTrunc(8));
    else
      for (APInt value : dense.getValues<APInt>())
        bytes.push_back(element.isUnsignedInteger() ? value.zext(8) : value.sext(8));
    return DenseElementsAttr::get(
        RankedTensorType::get(dense.getType().getShape(), builder.getI8Type()), bytes);
  }
  auto integer = dyn_cast<IntegerType>(element);
  if (!integer)
    return DenseElementsAttr::getFromRawBuffer(
        RankedTensorType::get(dense.getType().getShape(), element), dense.getRawData());
  return dense.bitcast(builder.getIntegerType(integer.getWidth()));
}

} // namespace

void dougong::onnx::populateCastPatterns(PatternSet &set) {
  set.add<CastOp>([](CastOp op, CastOp::Adaptor in, Emitter &e) -> Lowered {
    return lowerCast(op, in.getInput(), e);
  });
  set.add<BitCastOp>(lowerBitCast);
  set.add<CastLikeOp>([](CastLikeOp op, CastLikeOp::Adaptor in, Emitter &e) -> Lowered {
    return lowerCast(op, in.getInput(), e);
  });
}

void dougong::onnx::populateConstantPatterns(PatternSet &set) {
  set.add<ConstantOp>([](ConstantOp op, ConstantOp::Adaptor, Emitter &e) -> Lowered {
    DenseElementsAttr dense = denseOf(op);
    if (!dense)
      return Lowered::refuse("a constant of this element type is not supported");
    auto type = RankedTensorType::get(dense.getType().getShape(), dense.getElementType());
    return arith::ConstantOp::create(e, dense.reshape(type)).getResult();
  });
  set.add<DimsTensorOp>([](DimsTensorOp op, DimsTensorOp::Adaptor, Emitter &e) -> Lowered {
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    auto plain = RankedTensorType::get(type.getShape(), resultElement(op));
    SmallVector<Value> elements;
    for (Attribute expr : op.getExprs()) {
      Value size = DimOp::create(e, e.getIndexType(), cast<StringAttr>(expr));
      elements.push_back(arith::IndexCastOp::create(e, plain.getElementType(), size));
    }
    return tensor::FromElementsOp::create(e, plain, elements).getResult();
  });
  set.add<IdentityOp>([](IdentityOp op, IdentityOp::Adaptor in, Emitter &e) -> Lowered {
    if (!isa<RankedTensorType>(op.getInput().getType()))
      return Lowered::refuse("a value that is no tensor is not supported");
    return in.getInput();
  });
}
