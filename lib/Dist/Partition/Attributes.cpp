//===- Attributes.cpp - attributes and shape operands of local ops --------===//
//
// Attributes that repeat an extent (numbers of heads, K and N, groups) and
// operands that hold a target shape must say what is local.
//
//===----------------------------------------------------------------------===//
#include "Partitioner.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;

LogicalResult Partitioner::adjustAttributes(Operation *op, Operation *local,
                                            const onnx::ShardingRule &rule, ArrayRef<Cut> factors,
                                            MeshOp mesh) {
  // Scales `attributes` as the factor of (operand, dim) is scaled.
  auto scale = [&](unsigned operand, int64_t dim,
                   std::initializer_list<StringRef> attributes) -> LogicalResult {
    std::optional<unsigned> factor = getFactor(rule.operands, operand, dim);
    if (!factor || factors[*factor].axes.empty())
      return success();
    Result<DimExpr> size = DimExpr::parse(rule.factors[*factor].size);
    DimExpr part =
        size ? getLocalExtent(*size, factors[*factor].unit, getCount(mesh, factors[*factor].axes))
             : DimExpr();
    std::optional<int64_t> whole = size ? size->constant() : std::nullopt, units = part.constant();
    for (StringRef name : attributes) {
      auto attribute = op->getAttrOfType<IntegerAttr>(name);
      if (!attribute || attribute.getInt() <= 0)
        continue;
      if (!whole || !units || attribute.getInt() % *whole != 0)
        return op->emitError() << "cannot scale attribute " << name << " = " << attribute.getInt()
                               << " to the local part of a factor of size "
                               << rule.factors[*factor].size;
      local->setAttr(name,
                     IntegerAttr::get(attribute.getType(), attribute.getInt() / *whole * *units));
    }
    return success();
  };
  auto type = cast<RankedTensorType>(op->getOperands().empty() ? op->getResult(0).getType()
                                     : isa<RankedTensorType>(op->getOperand(0).getType())
                                         ? op->getOperand(0).getType()
                                         : op->getResult(0).getType());
  if (isAnyOf<onnx::AttentionOp, onnx::LinearAttentionOp, onnx::MsLinearAttentionOp>(op))
    return type.getRank() == 3 ? scale(0, 2, {"q_num_heads", "kv_num_heads"}) : success();
  if (isAnyOf<onnx::MsGroupQueryAttentionOp>(op))
    return scale(0, 2, {"num_heads", "kv_num_heads"});
  if (isAnyOf<onnx::MsMultiHeadAttentionOp>(op))
    return scale(0, 2, {"num_heads"});
  if (isAnyOf<onnx::RotaryEmbeddingOp, onnx::MsRotaryEmbeddingOp>(op))
    return scale(0, type.getRank() == 3 ? 2 : 1, {"num_heads"});
  if (isAnyOf<onnx::MsMatMulNBitsOp>(op)) {
    auto set = [&](StringRef name, Type of) {
      auto tensor = cast<RankedTensorType>(of);
      if (int64_t extent = tensor.getShape().back(); !ShapedType::isDynamic(extent))
        local->setAttr(name, IntegerAttr::get(IntegerType::get(op->getContext(), 64), extent));
    };
    set("K", local->getOperand(0).getType());
    set("N", local->getResult(0).getType());
    return success();
  }
  if (isAnyOf<onnx::ConvOp, onnx::MsFusedConvOp, onnx::QLinearConvOp, onnx::ConvIntegerOp>(op)) {
    auto group = op->getAttrOfType<IntegerAttr>("group");
    return group && group.getInt() > 1 ? scale(0, 1, {"group"}) : success();
  }
  return success();
}

LogicalResult Partitioner::adjustShapeOperand(Operation *op, SmallVectorImpl<Value> &operands,
                                              ArrayRef<Type> resultTypes) {
  if (op->getNumResults() != 1 || resultTypes[0] == op->getResult(0).getType())
    return success();
  // Without axes, Squeeze would also drop a dim of which each rank holds 1.
  if (isAnyOf<onnx::SqueezeOp>(op) && isa<NoneType>(operands[1].getType())) {
    SmallVector<int64_t> axes;
    for (auto [dim, extent] :
         llvm::enumerate(cast<RankedTensorType>(op->getOperand(0).getType()).getShape()))
      if (extent == 1)
        axes.push_back(dim);
    operands[1] = makeIndexVector(axes, op->getLoc());
    return success();
  }
  if (!isAnyOf<onnx::ReshapeOp, onnx::ExpandOp>(op))
    return success();
  auto type = dyn_cast<RankedTensorType>(resultTypes[0]);
  FailureOr<SmallVector<DimExpr>> extents =
      type ? getExtents(type) : FailureOr<SmallVector<DimExpr>>(failure());
  if (failed(extents))
    return op->emitError("cannot be cut: the shape of its result is not known");
  SmallVector<int64_t> numbers;
  SmallVector<Attribute> texts;
  for (const DimExpr &extent : *extents) {
    numbers.push_back(extent.constant().value_or(0));
    texts.push_back(builder.getStringAttr(extent.print()));
  }
  if (llvm::all_of(*extents, [](const DimExpr &extent) { return extent.constant().has_value(); })) {
    operands[1] = makeIndexVector(numbers, op->getLoc());
    return success();
  }
  auto shapeType =
      RankedTensorType::get({static_cast<int64_t>(texts.size())}, builder.getI64Type());
  operands[1] =
      onnx::DimsTensorOp::create(builder, op->getLoc(), shapeType, builder.getArrayAttr(texts));
  return success();
}
