//===- LayoutRewriter.cpp - moves operators to channels last --------------===//
#include "LayoutRewriter.h"

#include "Grouping.h"

#include "dougong/Conversion/Layout.h"

#include "Onnx/IR/Onnx.h"

using namespace mlir;
using namespace dougong;

namespace {

using Permutation = SmallVector<int64_t>;

/// [n, c, space...] -> [n, space..., c].
Permutation toLast(int64_t rank) {
  Permutation permutation{0};
  for (int64_t dim = 2; dim < rank; ++dim)
    permutation.push_back(dim);
  permutation.push_back(1);
  return permutation;
}

/// [n, space..., c] -> [n, c, space...].
Permutation toFirst(int64_t rank) {
  Permutation permutation{0, rank - 1};
  for (int64_t dim = 1; dim < rank - 1; ++dim)
    permutation.push_back(dim);
  return permutation;
}

RankedTensorType permute(RankedTensorType type, ArrayRef<int64_t> permutation) {
  SmallVector<int64_t> shape;
  SmallVector<StringAttr> exprs;
  auto dims = dyn_cast_or_null<onnx::DimsAttr>(type.getEncoding());
  for (int64_t dim : permutation) {
    shape.push_back(type.getDimSize(dim));
    if (dims)
      exprs.push_back(dims.getExprs()[dim]);
  }
  Attribute encoding = dims ? onnx::DimsAttr::get(type.getContext(), exprs) : type.getEncoding();
  return RankedTensorType::get(shape, type.getElementType(), encoding);
}

/// Whether the permutation leaves the order of all elements as it is: dims of
/// other extents than 1 keep their order.
bool movesOnlyUnitDims(RankedTensorType type, ArrayRef<int64_t> permutation) {
  int64_t last = -1;
  for (int64_t dim : permutation) {
    if (type.getDimSize(dim) == 1)
      continue;
    if (dim < last)
      return false;
    last = dim;
  }
  return true;
}

/// The type of `value` if it has the dims [n, c, space...].
RankedTensorType getSpatialType(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getRank() >= 3 ? type : RankedTensorType();
}

} // namespace

Value LayoutRewriter::create(StringRef name, ValueRange operands, Type type,
                             ArrayRef<NamedAttribute> attributes) {
  OperationState state(loc, name, operands, TypeRange(type), attributes);
  Operation *op = b.create(state);
  made.push_back(op);
  return op->getResult(0);
}

Value LayoutRewriter::reshape(Value value, RankedTensorType type) {
  auto shapeType = RankedTensorType::get({type.getRank()}, b.getI64Type());
  Value shape;
  if (type.hasStaticShape()) {
    shape = create("onnx.Constant", {}, shapeType,
                   b.getNamedAttr("value", DenseIntElementsAttr::get(shapeType, type.getShape())));
  } else {
    SmallVector<Attribute> texts;
    auto dims = cast<onnx::DimsAttr>(type.getEncoding());
    for (auto [extent, expr] : llvm::zip_equal(type.getShape(), dims.getExprs()))
      texts.push_back(expr ? expr : b.getStringAttr(Twine(extent)));
    shape =
        create("onnx.dims_tensor", {}, shapeType, b.getNamedAttr("exprs", b.getArrayAttr(texts)));
  }
  return create("onnx.Reshape", {value, shape}, type, {});
}

Value LayoutRewriter::transpose(Value value, ArrayRef<int64_t> permutation) {
  auto type = cast<RankedTensorType>(value.getType());
  if (llvm::is_sorted(permutation))
    return value;
  RankedTensorType result = permute(type, permutation);
  bool isNamed = type.hasStaticShape() || isa_and_nonnull<onnx::DimsAttr>(type.getEncoding());
  if (isNamed && movesOnlyUnitDims(type, permutation))
    return reshape(value, result);
  return create("onnx.Transpose", value, result,
                b.getNamedAttr("perm", b.getDenseI64ArrayAttr(permutation)));
}

Value LayoutRewriter::getChannelsLast(Value value) {
  if (Value form = lookup(value))
    return form;
  Value &form = brought[value];
  if (!form)
    form = transpose(value, toLast(cast<RankedTensorType>(value.getType()).getRank()));
  return form;
}

Value LayoutRewriter::getBroadcast(Value value, RankedTensorType result) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type)
    return isa<NoneType>(value.getType()) ? value : Value();
  if (lookup(value) || haveSameShape(type, result))
    return getChannelsLast(value);
  if (!type.hasStaticShape())
    return {};
  if (type.getNumElements() == 1)
    return value;
  // A few numbers for each channel or each row: the order of their elements
  // must stay.
  int64_t rank = result.getRank();
  SmallVector<int64_t> shape(rank - type.getRank(), 1);
  shape.append(type.getShape().begin(), type.getShape().end());
  auto full = RankedTensorType::get(shape, type.getElementType());
  if (!movesOnlyUnitDims(full, toLast(rank)))
    return {};
  RankedTensorType last = permute(full, toLast(rank));
  auto constant = value.getDefiningOp<onnx::ConstantOp>();
  if (!constant)
    return reshape(value, last);
  // (kernels make small constants themselves)
  auto elements = dyn_cast_or_null<DenseElementsAttr>(constant->getAttr("value"));
  if (!elements)
    return {};
  return create("onnx.Constant", {}, last, b.getNamedAttr("value", elements.reshape(last)));
}

void LayoutRewriter::replace(Operation *op, Value last) {
  Value first = transpose(last, toFirst(cast<RankedTensorType>(last.getType()).getRank()));
  moved[first] = last;
  op->getResult(0).replaceAllUsesWith(first);
  op->erase();
}

void LayoutRewriter::replace(Operation *op, ValueRange operands,
                             ArrayRef<NamedAttribute> attributes) {
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  SmallVector<Type> types(op->getResultTypes());
  types[0] = permute(type, toLast(type.getRank()));
  OperationState state(loc, op->getName(), operands, types, attributes);
  replace(op, b.create(state)->getResult(0));
}

//===----------------------------------------------------------------------===//
// Operators
//===----------------------------------------------------------------------===//

static SmallVector<NamedAttribute> withChannelsLast(Operation *op) {
  SmallVector<NamedAttribute> attributes(op->getAttrs());
  attributes.emplace_back(StringAttr::get(op->getContext(), channelsLastAttrName),
                          UnitAttr::get(op->getContext()));
  return attributes;
}

void LayoutRewriter::visitConv(Operation *op) {
  RankedTensorType x = getSpatialType(op->getOperand(0));
  unsigned weight = isa<onnx::QLinearConvOp>(op) ? 3 : 1;
  auto w = dyn_cast<RankedTensorType>(op->getOperand(weight).getType());
  if (!x || !w || !w.hasStaticShape() || !getSpatialType(op->getResult(0)))
    return;
  SmallVector<Value> operands(op->getOperands());
  operands[0] = getChannelsLast(operands[0]);
  replace(op, operands, withChannelsLast(op));
}

void LayoutRewriter::visitPool(Operation *op) {
  Value x = lookup(op->getOperand(0));
  // The indices of MaxPool count in the model's order.
  bool hasIndices = op->getNumResults() > 1 && !isa<NoneType>(op->getResult(1).getType());
  if (!x || hasIndices)
    return;
  replace(op, x, withChannelsLast(op));
}

/// Means over space, with the dims kept.
void LayoutRewriter::visitGlobalPool(Operation *op) {
  Value x = lookup(op->getOperand(0));
  if (!x)
    return;
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  int64_t rank = type.getRank();
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(1, rank - 1));
  auto axesType = RankedTensorType::get({rank - 2}, b.getI64Type());
  Value list = create("onnx.Constant", {}, axesType,
                      b.getNamedAttr("value", DenseIntElementsAttr::get(axesType, axes)));
  replace(op, create("onnx.ReduceMean", {x, list}, permute(type, toLast(rank)),
                     b.getNamedAttr("keepdims", b.getI64IntegerAttr(1))));
}

void LayoutRewriter::visitElementwise(Operation *op) {
  RankedTensorType type = getSpatialType(op->getResult(0));
  if (!type || llvm::none_of(op->getOperands(), [&](Value operand) {
        return lookup(operand) && haveSameShape(operand.getType(), type);
      }))
    return;
  SmallVector<Value> operands;
  for (Value operand : op->getOperands()) {
    Value last = getBroadcast(operand, type);
    if (!last)
      return;
    operands.push_back(last);
  }
  replace(op, operands, op->getAttrs());
}

/// Scales along an axis stay along it.
void LayoutRewriter::visitQuantize(Operation *op) {
  Value x = lookup(op->getOperand(0));
  auto block = op->getAttrOfType<IntegerAttr>("block_size");
  if (!x || (block && block.getInt() != 0))
    return;
  int64_t rank = cast<RankedTensorType>(x.getType()).getRank();
  auto given = op->getAttrOfType<IntegerAttr>("axis");
  int64_t axis = given ? given.getInt() : 1;
  axis = axis < 0 ? axis + rank : axis;
  SmallVector<NamedAttribute> attributes;
  for (NamedAttribute attribute : op->getAttrs())
    if (attribute.getName() != "axis")
      attributes.push_back(attribute);
  int64_t last = axis == 0 ? 0 : axis == 1 ? rank - 1 : axis - 1;
  attributes.push_back(b.getNamedAttr("axis", b.getI64IntegerAttr(last)));
  SmallVector<Value> operands(op->getOperands());
  operands[0] = x;
  replace(op, operands, attributes);
}

void LayoutRewriter::visitConcat(Operation *op) {
  RankedTensorType type = getSpatialType(op->getResult(0));
  if (!type || !llvm::all_of(op->getOperands(), [&](Value operand) { return lookup(operand); }))
    return;
  int64_t rank = type.getRank(), axis = op->getAttrOfType<IntegerAttr>("axis").getInt();
  axis = axis < 0 ? axis + rank : axis;
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(lookup(operand));
  int64_t last = axis == 0 ? 0 : axis == 1 ? rank - 1 : axis - 1;
  SmallVector<NamedAttribute> attributes;
  for (NamedAttribute attribute : op->getAttrs())
    attributes.push_back(
        attribute.getName() == "axis"
            ? b.getNamedAttr(
                  "axis", IntegerAttr::get(cast<IntegerAttr>(attribute.getValue()).getType(), last))
            : attribute);
  replace(op, operands, attributes);
}

/// Reads the channels-last form by the permutation of both.
void LayoutRewriter::visitTranspose(Operation *op) {
  Value x = lookup(op->getOperand(0));
  if (!x)
    return;
  int64_t rank = cast<RankedTensorType>(x.getType()).getRank();
  Permutation first = toFirst(rank), both;
  if (auto perm = op->getAttrOfType<DenseI64ArrayAttr>("perm"))
    for (int64_t dim : perm.asArrayRef())
      both.push_back(first[dim]);
  else
    both.assign(first.rbegin(), first.rend());
  Value result = transpose(x, both);
  if (result.getType() != op->getResult(0).getType())
    return;
  op->getResult(0).replaceAllUsesWith(result);
  op->erase();
}

void LayoutRewriter::visit(Operation *op) {
  if (op->getNumResults() == 0 || op->getNumRegions() != 0)
    return;
  loc = op->getLoc();
  b.setInsertionPoint(op);
  if (isa<onnx::ConvOp, onnx::ConvIntegerOp, onnx::QLinearConvOp>(op))
    visitConv(op);
  else if (isa<onnx::QuantizeLinearOp, onnx::DequantizeLinearOp>(op))
    visitQuantize(op);
  else if (isa<onnx::MaxPoolOp, onnx::AveragePoolOp, onnx::LpPoolOp>(op))
    visitPool(op);
  else if (isa<onnx::GlobalAveragePoolOp>(op))
    visitGlobalPool(op);
  else if (isa<onnx::ConcatOp>(op))
    visitConcat(op);
  else if (isa<onnx::TransposeOp>(op))
    visitTranspose(op);
  else if (isElementwise(op) && op->getNumResults() == 1)
    visitElementwise(op);
}

void LayoutRewriter::eraseUnused() {
  for (Operation *op : llvm::reverse(made))
    if (op->use_empty())
      op->erase();
}
