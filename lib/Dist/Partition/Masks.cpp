//===- Masks.cpp - what a rank must not count -----------------------------===//
//
// Padding of a reduced dim, terms that only one rank may add, and look-ups in a
// table of which each rank holds a part. All is written in ONNX operators over
// `dist.axis_index`: offsets are values of the run time.
//
//===----------------------------------------------------------------------===//
#include "Partitioner.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;
using onnx::FactorKind;

/// onnx.Constant with these contents.
static Value makeConstant(OpBuilder &builder, Location loc, DenseElementsAttr value) {
  OperationState state(loc, onnx::ConstantOp::getOperationName());
  state.addAttribute("value", value);
  state.addTypes(value.getType());
  return builder.create(state)->getResult(0);
}

Value dist::makeOp(OpBuilder &builder, Location loc, StringRef name, Type type, ValueRange operands,
                   ArrayRef<NamedAttribute> attributes) {
  OperationState state(loc, name, operands, {type}, attributes);
  return builder.create(state)->getResult(0);
}

/// Numbers of type `type`, or index vectors, as 0-D and 1-D constants.
Value Partitioner::makeScalar(Type type, double value, Location loc) {
  auto tensor = RankedTensorType::get({}, type);
  Attribute element;
  if (auto floating = dyn_cast<FloatType>(type)) {
    // Infinities that the type lacks become its greatest numbers.
    APFloat number(value);
    bool inexact;
    number.convert(floating.getFloatSemantics(), APFloat::rmNearestTiesToEven, &inexact);
    element = FloatAttr::get(floating, number);
  } else {
    auto integer = cast<IntegerType>(type);
    unsigned width = integer.getWidth();
    APInt number(width, 0);
    bool isUnsigned = integer.isUnsigned() || width == 1; // bools are 0 and 1
    if (value == -std::numeric_limits<double>::infinity())
      number = isUnsigned ? APInt::getZero(width) : APInt::getSignedMinValue(width);
    else if (value == std::numeric_limits<double>::infinity())
      number = isUnsigned ? APInt::getMaxValue(width) : APInt::getSignedMaxValue(width);
    else
      number = APInt(width, static_cast<uint64_t>(static_cast<int64_t>(value)), true, true);
    element = IntegerAttr::get(integer, number);
  }
  return makeConstant(builder, loc, DenseElementsAttr::get(tensor, element));
}

Value Partitioner::makeIndexVector(ArrayRef<int64_t> values, Location loc) {
  auto type = RankedTensorType::get({static_cast<int64_t>(values.size())}, builder.getI64Type());
  return makeConstant(builder, loc, DenseElementsAttr::get(type, values));
}

/// An extent as a 0-D i64 tensor.
Value Partitioner::makeExtent(const DimExpr &extent, Location loc) {
  if (std::optional<int64_t> value = extent.constant())
    return makeScalar(builder.getI64Type(), static_cast<double>(*value), loc);
  return onnx::DimsTensorOp::create(builder, loc, RankedTensorType::get({}, builder.getI64Type()),
                                    builder.getArrayAttr(builder.getStringAttr(extent.print())));
}

Value Partitioner::makeAxisIndex(ArrayRef<StringAttr> axes, MeshOp mesh, Location loc) {
  SmallVector<Attribute> list(axes.begin(), axes.end());
  return AxisIndexOp::create(builder, loc, RankedTensorType::get({}, builder.getI64Type()),
                             FlatSymbolRefAttr::get(mesh.getSymNameAttr()),
                             builder.getArrayAttr(list));
}

/// `value` with `fill` in the padding of a dim: element p of it is valid if
/// p < extent - (rank in group) * (local extent).
Value Partitioner::maskTail(Value value, unsigned dim, const DimExpr &extent, const Cut &cut,
                            MeshOp mesh, double fill, Location loc) {
  auto type = cast<RankedTensorType>(value.getType());
  Type i64 = builder.getI64Type(), i1 = builder.getI1Type();
  auto scalar = RankedTensorType::get({}, i64);
  DimExpr localExtent = getLocalExtent(extent, cut.unit, getCount(mesh, cut.axes));
  Value index = makeAxisIndex(cut.axes, mesh, loc);
  Value size = makeExtent(localExtent, loc);
  Value start = makeOp(builder, loc, "onnx.Mul", scalar, {index, size});
  Value limit = makeOp(builder, loc, "onnx.Sub", scalar, {makeExtent(extent, loc), start});
  Value positions = makeOp(builder, loc, "onnx.Range", getTensorType({localExtent}, i64),
                           {makeScalar(i64, 0, loc), size, makeScalar(i64, 1, loc)});
  Value valid =
      makeOp(builder, loc, "onnx.Less", getTensorType({localExtent}, i1), {positions, limit});
  SmallVector<int64_t> axes;
  SmallVector<DimExpr> aligned{localExtent};
  for (int64_t trailing = dim + 1; trailing < type.getRank(); ++trailing) {
    axes.push_back(axes.size() + 1);
    aligned.emplace_back(1);
  }
  if (!axes.empty())
    valid = makeOp(builder, loc, "onnx.Unsqueeze", getTensorType(aligned, i1),
                   {valid, makeIndexVector(axes, loc)});
  Value masked = makeOp(builder, loc, "onnx.Where", type,
                        {valid, value, makeScalar(type.getElementType(), fill, loc)});
  // Where the padding of two dims meets lies `fill`, too.
  Padding filled = limitPadding(std::abs(fill), type.getElementType());
  SmallVector<Padding> padding;
  for (int64_t other = 0; other < type.getRank(); ++other)
    padding.push_back(std::max(getPadding(value, other), filled));
  padding[dim] = filled;
  paddings[masked] = padding;
  return masked;
}

LogicalResult Partitioner::maskReductions(Operation *op, const onnx::ShardingRule &rule,
                                          ArrayRef<Cut> factors, MeshOp mesh,
                                          SmallVectorImpl<Value> &operands) {
  for (auto [index, info] : llvm::enumerate(rule.factors)) {
    const Cut &cut = factors[index];
    if (info.kind != FactorKind::Reduction || cut.axes.empty())
      continue;
    Result<DimExpr> size = DimExpr::parse(info.size);
    if (size && isEvenlyCut(*size, cut.unit, getCount(mesh, cut.axes)))
      continue;
    // Operands that run along the factor, and where.
    SmallVector<std::pair<unsigned, unsigned>> carriers;
    for (auto [operand, dims] : llvm::enumerate(rule.operands))
      for (auto [dim, dimFactors] : llvm::enumerate(dims))
        if (!dimFactors.factors.empty() && dimFactors.factors.front() == index)
          carriers.push_back({operand, dim});
    double fill = llvm::StringSwitch<double>(info.combine)
                      .Case("max", -std::numeric_limits<double>::infinity())
                      .Case("min", std::numeric_limits<double>::infinity())
                      .Case("prod", 1)
                      .Default(0);
    bool isSum = info.combine == "sum";
    bool anyZero = false;
    for (auto [operand, dim] : carriers)
      anyZero |= isSum && getPadding(operands[operand], dim) == zeroPadding;
    bool product = carriers.size() > 1;
    for (auto [operand, dim] : carriers) {
      Padding padding = getPadding(operands[operand], dim);
      // In a sum of products one factor must be zero and the others finite.
      if (isSum && (product ? anyZero && padding != unknownPadding : padding == zeroPadding))
        continue;
      auto global = dyn_cast<RankedTensorType>(op->getOperand(operand).getType());
      FailureOr<SmallVector<DimExpr>> extents =
          global ? getExtents(global) : FailureOr<SmallVector<DimExpr>>(failure());
      if (failed(extents) || !isa<FloatType, IntegerType>(global.getElementType()))
        return op->emitError() << "cannot mask operand " << operand << " of type "
                               << op->getOperand(operand).getType();
      Cut dimCut{cut.axes, cut.unit * rule.operands[operand][dim].unit};
      operands[operand] =
          maskTail(operands[operand], dim, (*extents)[dim], dimCut, mesh, fill, op->getLoc());
      anyZero |= isSum;
    }
  }
  return success();
}

/// The operand of an op that is added after its reduction, if any.
static std::optional<unsigned> getAddend(Operation *op) {
  if (isa<onnx::GemmOp>(op))
    return 2;
  if (isa<onnx::MsMatMulNBitsOp, onnx::MsMoEOp>(op))
    return 5;
  if (isa<onnx::MsQMoEOp>(op))
    return 7;
  if (isa<onnx::PartExpertsOp>(op))
    return 9;
  return std::nullopt;
}

/// A bias that every rank would add to its partial result is zero on all ranks
/// but the first of the group.
void Partitioner::keepOnFirstRank(Operation *op, const onnx::ShardingRule &rule,
                                  ArrayRef<Cut> factors, MeshOp mesh,
                                  SmallVectorImpl<Value> &operands) {
  std::optional<unsigned> addend = getAddend(op);
  if (!addend || *addend >= operands.size() || !isa<RankedTensorType>(operands[*addend].getType()))
    return;
  // Along a factor that cuts the bias itself each rank has its own.
  SmallVector<StringAttr> axes;
  for (auto [index, info] : llvm::enumerate(rule.factors))
    if (info.kind == FactorKind::Reduction &&
        llvm::none_of(rule.operands[*addend], [&](const onnx::DimFactors &dim) {
          return llvm::is_contained(dim.factors, index);
        }))
      axes.append(factors[index].axes.begin(), factors[index].axes.end());
  if (axes.empty())
    return;
  Location loc = op->getLoc();
  auto type = cast<RankedTensorType>(operands[*addend].getType());
  Value isFirst =
      makeOp(builder, loc, "onnx.Equal", RankedTensorType::get({}, builder.getI1Type()),
             {makeAxisIndex(axes, mesh, loc), makeScalar(builder.getI64Type(), 0, loc)});
  Value kept = makeOp(builder, loc, "onnx.Where", type,
                      {isFirst, operands[*addend], makeScalar(type.getElementType(), 0, loc)});
  SmallVector<Padding> padding;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    padding.push_back(getPadding(operands[*addend], dim));
  paddings[kept] = padding;
  operands[*addend] = kept;
}

/// A Gather along a dim of which each rank holds a part: looks up the indices
/// that fall into the part, and gives zero for the others.
FailureOr<Value> Partitioner::gatherByParts(Operation *op, Value data, Value indices,
                                            Type resultType, const Cut &cut, MeshOp mesh) {
  Location loc = op->getLoc();
  auto dataType = cast<RankedTensorType>(data.getType());
  auto indexType = dyn_cast<RankedTensorType>(indices.getType());
  auto wholeType = cast<RankedTensorType>(op->getOperand(0).getType());
  auto axisAttr = op->getAttrOfType<IntegerAttr>("axis");
  int64_t axis = axisAttr ? axisAttr.getInt() : 0;
  if (axis < 0)
    axis += wholeType.getRank();
  FailureOr<SmallVector<DimExpr>> whole = getExtents(wholeType), parts = getExtents(dataType);
  if (!indexType || failed(whole) || failed(parts))
    return op->emitError("cannot be cut along the gathered dim: a shape is not known");
  Type i64 = builder.getI64Type(), i1 = builder.getI1Type();
  auto like = [&](Type element) {
    return RankedTensorType::get(indexType.getShape(), element, indexType.getEncoding());
  };
  Type wide = like(i64), flags = like(i1);
  if (!indexType.getElementType().isInteger(64))
    indices = makeOp(builder, loc, "onnx.Cast", wide, {indices},
                     {builder.getNamedAttr("to", builder.getI64IntegerAttr(7))} /* INT64 */);
  // Negative indices count from the end.
  Value zero = makeScalar(i64, 0, loc);
  Value negative = makeOp(builder, loc, "onnx.Less", flags, {indices, zero});
  Value wrapped =
      makeOp(builder, loc, "onnx.Add", wide, {indices, makeExtent((*whole)[axis], loc)});
  Value positive = makeOp(builder, loc, "onnx.Where", wide, {negative, wrapped, indices});
  Value size = makeExtent((*parts)[axis], loc);
  Value start = makeOp(builder, loc, "onnx.Mul", RankedTensorType::get({}, i64),
                       {makeAxisIndex(cut.axes, mesh, loc), size});
  Value shifted = makeOp(builder, loc, "onnx.Sub", wide, {positive, start});
  Value atLeast = makeOp(builder, loc, "onnx.GreaterOrEqual", flags, {shifted, zero});
  Value below = makeOp(builder, loc, "onnx.Less", flags, {shifted, size});
  Value inside = makeOp(builder, loc, "onnx.And", flags, {atLeast, below});
  Value safe = makeOp(builder, loc, "onnx.Where", wide, {inside, shifted, zero});
  Value gathered = makeOp(builder, loc, "onnx.Gather", resultType, {data, safe},
                          {builder.getNamedAttr("axis", builder.getI64IntegerAttr(axis))});
  SmallVector<int64_t> axes;
  FailureOr<SmallVector<DimExpr>> aligned = getExtents(indexType);
  if (failed(aligned))
    return op->emitError("cannot be cut along the gathered dim: a shape is not known");
  for (int64_t dim = axis + 1; dim < wholeType.getRank(); ++dim) {
    axes.push_back(indexType.getRank() + static_cast<int64_t>(axes.size()));
    aligned->emplace_back(1);
  }
  if (!axes.empty())
    inside = makeOp(builder, loc, "onnx.Unsqueeze", getTensorType(*aligned, i1),
                    {inside, makeIndexVector(axes, loc)});
  Type element = cast<RankedTensorType>(resultType).getElementType();
  return makeOp(builder, loc, "onnx.Where", resultType,
                {inside, gathered, makeScalar(element, 0, loc)});
}
