//===- Reshard.cpp - from one sharding to another -------------------------===//
#include "Partitioner.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;

/// Shardings are equal for what they do: same axes and same local extents.
bool Partitioner::isSameLayout(RankedTensorType global, ShardingAttr a, ShardingAttr b) {
  if (a == b)
    return true;
  if (a.getMesh() != b.getMesh())
    return false;
  for (auto [left, right] : llvm::zip_equal(a.getDims(), b.getDims()))
    if (left.getAxes() != right.getAxes())
      return false;
  MeshOp mesh = getMesh(a);
  FailureOr<RankedTensorType> left = getLocalType(global, a, mesh),
                              right = getLocalType(global, b, mesh);
  return succeeded(left) && succeeded(right) && *left == *right;
}

FailureOr<Value> Partitioner::reshard(Value value, RankedTensorType global, ShardingAttr from,
                                      ShardingAttr to, Location loc) {
  if (isSameLayout(global, from, to))
    return value;
  MeshOp mesh = getMesh(from);
  FailureOr<SmallVector<DimExpr>> extents = getExtents(global);
  if (failed(extents))
    return emitError(loc) << "cannot move a value of type " << global << " from " << from << " to "
                          << to << ": an extent is not known";
  Cuts current = getCuts(from), target = getCuts(to);
  auto getType = [&](const Cuts &cuts) {
    SmallVector<DimExpr> local = *extents;
    for (auto [extent, cut] : llvm::zip_equal(local, cuts))
      extent = getLocalExtent(extent, cut.unit, getCount(mesh, cut.axes));
    return getTensorType(local, global.getElementType());
  };
  auto isSameCut = [&](unsigned dim) {
    const Cut &a = current[dim], &b = target[dim];
    int64_t count = getCount(mesh, a.axes);
    return a.axes == b.axes && getLocalExtent((*extents)[dim], a.unit, count) ==
                                   getLocalExtent((*extents)[dim], b.unit, count);
  };
  auto getAxes = [&](const Cut &cut) {
    SmallVector<Attribute> axes(cut.axes.begin(), cut.axes.end());
    return builder.getArrayAttr(axes);
  };
  auto keepPadding = [&](Value made, std::initializer_list<unsigned> touched) {
    SmallVector<Padding> padding(global.getRank(), zeroPadding);
    for (unsigned dim = 0; dim < padding.size(); ++dim)
      if (!llvm::is_contained(touched, dim))
        padding[dim] = getPadding(value, dim);
    paddings[made] = padding;
    value = made;
  };

  // A cut that only moves to another dim.
  for (unsigned split = 0; split < target.size(); ++split)
    for (unsigned concat = 0; concat < target.size(); ++concat) {
      if (split == concat || target[split].axes.empty() || !current[split].axes.empty() ||
          current[concat].axes != target[split].axes || !target[concat].axes.empty())
        continue;
      Cut moved = current[concat];
      int64_t concatUnit = moved.unit;
      current[split] = target[split];
      current[concat] = Cut();
      keepPadding(AllToAllOp::create(builder, loc, getType(current), value, to.getMesh(),
                                     getAxes(moved), builder.getI64IntegerAttr(split),
                                     builder.getI64IntegerAttr(target[split].unit),
                                     builder.getI64IntegerAttr(concat),
                                     builder.getI64IntegerAttr(concatUnit)),
                  {split, concat});
    }
  // Slices of dims that are whole come first: they make the rest smaller.
  auto slice = [&](unsigned dim) {
    current[dim] = target[dim];
    keepPadding(SliceOp::create(builder, loc, getType(current), value, to.getMesh(),
                                getAxes(target[dim]), builder.getI64IntegerAttr(dim),
                                builder.getI64IntegerAttr(target[dim].unit)),
                {dim});
  };
  auto isFree = [&](const Cut &cut) {
    return llvm::none_of(current, [&](const Cut &other) {
      return llvm::any_of(other.axes,
                          [&](StringAttr axis) { return llvm::is_contained(cut.axes, axis); });
    });
  };
  for (unsigned dim = 0; dim < target.size(); ++dim)
    if (!isSameCut(dim) && current[dim].axes.empty() && isFree(target[dim]))
      slice(dim);
  for (unsigned dim = 0; dim < target.size(); ++dim) {
    if (isSameCut(dim) || current[dim].axes.empty())
      continue;
    Cut gathered = current[dim];
    current[dim] = Cut();
    keepPadding(AllGatherOp::create(builder, loc, getType(current), value, to.getMesh(),
                                    getAxes(gathered), builder.getI64IntegerAttr(dim),
                                    builder.getI64IntegerAttr(gathered.unit)),
                {dim});
  }
  for (unsigned dim = 0; dim < target.size(); ++dim)
    if (!isSameCut(dim) && !target[dim].axes.empty())
      slice(dim);
  return value;
}
