//===- Layout.cpp - extents of local parts --------------------------------===//
#include "Dist/IR/Layout.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;

FailureOr<SmallVector<DimExpr>> dist::getExtents(RankedTensorType type) {
  auto dims = dyn_cast_or_null<onnx::DimsAttr>(type.getEncoding());
  SmallVector<DimExpr> extents;
  for (auto [index, extent] : llvm::enumerate(type.getShape())) {
    if (!ShapedType::isDynamic(extent)) {
      extents.emplace_back(extent);
      continue;
    }
    if (!dims || index >= dims.getExprs().size() || !dims.getExprs()[index])
      return failure();
    Result<DimExpr> expr = DimExpr::parse(dims.getExprs()[index].getValue());
    if (!expr)
      return failure();
    extents.push_back(*expr);
  }
  return extents;
}

RankedTensorType dist::getTensorType(ArrayRef<DimExpr> extents, Type elementType) {
  MLIRContext *context = elementType.getContext();
  SmallVector<int64_t> shape;
  SmallVector<StringAttr> exprs;
  bool dynamic = false;
  for (const DimExpr &extent : extents) {
    if (std::optional<int64_t> value = extent.constant(); value && *value >= 0) {
      shape.push_back(*value);
      exprs.push_back(StringAttr());
      continue;
    }
    dynamic = true;
    shape.push_back(ShapedType::kDynamic);
    exprs.push_back(StringAttr::get(context, extent.print()));
  }
  Attribute encoding = dynamic ? onnx::DimsAttr::get(context, exprs) : Attribute();
  return RankedTensorType::get(shape, elementType, encoding);
}

DimExpr dist::getLocalExtent(const DimExpr &extent, int64_t unit, int64_t count) {
  if (count == 1)
    return extent;
  // The same for any extent: unit * ceil(extent / (unit * count)). The fraction is
  // reduced, so that parts of parts print as parts of the whole do.
  DimExpr numerator = extent;
  int64_t denominator = unit * count;
  for (int64_t factor = 2; factor <= denominator; ++factor)
    while (denominator % factor == 0 && ceilDiv(numerator, factor) * factor == numerator) {
      numerator = ceilDiv(numerator, factor);
      denominator /= factor;
    }
  return ceilDiv(numerator, denominator) * DimExpr(unit);
}

bool dist::isEvenlyCut(const DimExpr &extent, int64_t unit, int64_t count) {
  if (count == 1)
    return true;
  return getLocalExtent(extent, unit, count) * DimExpr(count) == extent;
}

FailureOr<RankedTensorType> dist::getLocalType(RankedTensorType global, ShardingAttr sharding,
                                               MeshOp mesh) {
  if (sharding.getDims().size() != static_cast<size_t>(global.getRank()))
    return failure();
  FailureOr<SmallVector<DimExpr>> extents = getExtents(global);
  if (failed(extents))
    return failure();
  for (auto [extent, cut] : llvm::zip_equal(*extents, sharding.getDims())) {
    std::optional<int64_t> count = mesh.getNumShards(cut.getAxes());
    if (!count)
      return failure();
    extent = getLocalExtent(extent, cut.getUnit(), *count);
  }
  return getTensorType(*extents, global.getElementType());
}
