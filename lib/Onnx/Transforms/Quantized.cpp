//===- Quantized.cpp - quantised values and their parameters --------------===//
#include "Quantized.h"

#include "Utils.h"

using namespace mlir;
using namespace dougong::onnx;

/// The only element of a constant, or null.
static Attribute getOnlyElement(Value value) {
  auto dense = dyn_cast_if_present<DenseElementsAttr>(value ? getConstantValue(value) : nullptr);
  if (!dense || dense.getNumElements() != 1)
    return {};
  return *dense.getValues<Attribute>().begin();
}

bool Quantization::isUniform() const {
  auto type = cast<RankedTensorType>(scale.getType());
  return type.hasStaticShape() && type.getNumElements() == 1 && block == 0;
}

bool Quantization::isPerAxis() const {
  return block == 0 && !isUniform() && cast<RankedTensorType>(scale.getType()).getRank() == 1;
}

/// The zero point of all elements, if it is known.
static std::optional<int64_t> getZeroPoint(const Quantization &q) {
  if (!q.zero)
    return 0;
  auto dense = dyn_cast_if_present<DenseIntElementsAttr>(getConstantValue(q.zero));
  if (!dense || dense.empty())
    return std::nullopt;
  auto values = dense.getValues<APInt>();
  if (!llvm::all_of(values, [&](const APInt &value) { return value == *values.begin(); }))
    return std::nullopt;
  bool isUnsigned = q.element.isUnsignedInteger();
  return isUnsigned ? int64_t((*values.begin()).getZExtValue()) : (*values.begin()).getSExtValue();
}

bool Quantization::equals(const Quantization &other) const {
  if (!isUniform() || !other.isUniform() || element != other.element)
    return false;
  Attribute mine = getOnlyElement(scale), theirs = getOnlyElement(other.scale);
  if (scale != other.scale && (!mine || mine != theirs))
    return false;
  auto zeroPoint = getZeroPoint(*this);
  return zero == other.zero || (zeroPoint && zeroPoint == getZeroPoint(other));
}

bool Quantization::isInvertible() const {
  auto value = dyn_cast_if_present<FloatAttr>(isUniform() ? getOnlyElement(scale) : nullptr);
  return value && value.getValueAsDouble() > 1e-30 && value.getValueAsDouble() < 1e30;
}

int64_t Quantization::getReach() const {
  unsigned width = element.getIntOrFloatBitWidth();
  int64_t least = element.isUnsignedInteger() ? 0 : -(int64_t(1) << (width - 1));
  int64_t greatest = least + (int64_t(1) << width) - 1;
  std::optional<int64_t> zeroPoint = getZeroPoint(*this);
  return zeroPoint ? std::max(greatest - *zeroPoint, *zeroPoint - least) : greatest - least;
}

/// The parameters of a DequantizeLinear or QuantizeLinear on `data`; none where its
/// elements are no integers or the other side is not float32.
template <typename OpT>
static std::optional<Quantization> readParameters(OpT op, Value quantized, Value real, Value scale,
                                                  Value zero) {
  auto type = dyn_cast<RankedTensorType>(quantized.getType()),
       realType = dyn_cast<RankedTensorType>(real.getType()),
       scaleType = dyn_cast<RankedTensorType>(scale.getType());
  if (!type || !realType || !scaleType || !isa<IntegerType>(type.getElementType()) ||
      !realType.getElementType().isF32() || !scaleType.getElementType().isF32())
    return std::nullopt;
  Quantization q{scale, isa<NoneType>(zero.getType()) ? Value() : zero, type.getElementType()};
  if (getZeroPoint(q) == 0)
    q.zero = nullptr;
  q.axis = std::max<int64_t>(0, normalizeAxis(int64_t(op.getAxis()), type.getRank()));
  // (ignored where there is one scale for all, or one for each place of the axis)
  if (scaleType.getRank() > 1 || (scaleType.getRank() == 1 && type.getRank() == 1))
    q.block = int64_t(op.getBlockSize());
  return q;
}

std::optional<Dequantized> Dequantized::match(Value real) {
  auto op = real.getDefiningOp<DequantizeLinearOp>();
  if (!op)
    return std::nullopt;
  auto q = readParameters(op, op.getX(), real, op.getXScale(), op.getXZeroPoint());
  if (!q)
    return std::nullopt;
  return Dequantized{*q, op.getX()};
}

std::optional<Quantization> dougong::onnx::getQuantization(QuantizeLinearOp op) {
  return readParameters(op, op.getResult(), op.getX(), op.getYScale(), op.getYZeroPoint());
}

RankedTensorType dougong::onnx::withElement(Type type, Type element) {
  auto ranked = cast<RankedTensorType>(type);
  return RankedTensorType::get(ranked.getShape(), element, ranked.getEncoding());
}

static NameLoc getNodeLoc(Operation *op) {
  return NameLoc::get(StringAttr::get(op->getContext(), getNodeName(op->getLoc())));
}

Location dougong::onnx::getResultLoc(Operation *op, unsigned index) {
  StringRef name = getOutputName(op->getLoc(), index);
  if (op->getNumResults() == 1 || name.empty())
    return op->getNumResults() == 1 ? op->getLoc() : Location(getNodeLoc(op));
  Builder b(op->getContext());
  auto notes =
      b.getDictionaryAttr(b.getNamedAttr("outputs", b.getArrayAttr(b.getStringAttr(name))));
  return NameLoc::get(getNodeLoc(op).getName(),
                      FusedLoc::get(op->getContext(), b.getUnknownLoc(), notes));
}

//===----------------------------------------------------------------------===//
// Building
//===----------------------------------------------------------------------===//

QuantizedBuilder::QuantizedBuilder(Operation *op) : OpBuilder(op), loc(getNodeLoc(op)) {}

Value QuantizedBuilder::none() { return make<NoneOp>(getNoneType(), {}); }

Value QuantizedBuilder::ints(ArrayRef<int64_t> values) {
  auto type = RankedTensorType::get({int64_t(values.size())}, getI64Type());
  return createConstant(*this, loc, DenseElementsAttr::get(type, values));
}

Value QuantizedBuilder::real(float value) {
  return createConstant(*this, loc,
                        DenseElementsAttr::get(RankedTensorType::get({}, getF32Type()), value));
}

Value QuantizedBuilder::reshape(Value value, ArrayRef<int64_t> shape) {
  auto type = RankedTensorType::get(shape, getElementTypeOrSelf(value.getType()));
  if (type == value.getType())
    return value;
  return make<ReshapeOp>(type, {value, ints(shape)});
}

Value QuantizedBuilder::toScalar(Value value) {
  auto dense = dyn_cast_if_present<DenseElementsAttr>(getConstantValue(value));
  auto type = RankedTensorType::get({}, getElementTypeOrSelf(value.getType()));
  if (dense && type != value.getType())
    return createConstant(*this, loc, dense.reshape(type));
  return reshape(value, {});
}

Value QuantizedBuilder::cast(Value value, Type element) {
  if (getElementTypeOrSelf(value.getType()) == element)
    return value;
  return make<CastOp>(withElement(value.getType(), element), value,
                      getNamedAttr("to", getI64IntegerAttr(*getOnnxElementType(element))));
}

Value QuantizedBuilder::transpose(Value value, ArrayRef<int64_t> permutation) {
  auto type = mlir::cast<RankedTensorType>(value.getType());
  SmallVector<int64_t> shape;
  SmallVector<StringAttr> exprs;
  auto dims = dyn_cast_or_null<DimsAttr>(type.getEncoding());
  for (int64_t dim : permutation) {
    shape.push_back(type.getDimSize(dim));
    if (dims)
      exprs.push_back(dims.getExprs()[dim]);
  }
  Attribute encoding = dims ? DimsAttr::get(getContext(), exprs) : type.getEncoding();
  return make<TransposeOp>(RankedTensorType::get(shape, type.getElementType(), encoding), value,
                           getNamedAttr("perm", getDenseI64ArrayAttr(permutation)));
}

Value QuantizedBuilder::dequantize(Location at, Value data, const Quantization &q) {
  SmallVector<NamedAttribute> attributes;
  if (!q.isUniform())
    attributes.push_back(getNamedAttr("axis", getI64IntegerAttr(q.axis)));
  if (q.block)
    attributes.push_back(getNamedAttr("block_size", getI64IntegerAttr(q.block)));
  return makeAt<DequantizeLinearOp>(at, withElement(data.getType(), getF32Type()),
                                    {data, q.scale, q.zero ? q.zero : none()}, attributes);
}
