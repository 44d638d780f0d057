//===- Reshard.cpp - from one sharding to another -------------------------===//
//
// A value that users of a stage want in several ways is made from copies that are
// there already, if that is cheaper: the ways are chosen together.
//
//===----------------------------------------------------------------------===//
#include "Partitioner.h"

#include "dougong/Onnx/DimRanges.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;

/// The layout of a sharding, with axes as numbers in the mesh. An axis of one rank
/// cuts nothing.
static Layout getLayout(ShardingAttr sharding, MeshOp mesh) {
  auto getAxis = [&](StringAttr axis) -> unsigned {
    return llvm::find(mesh.getAxes(), axis) - mesh.getAxes().begin();
  };
  Layout layout;
  for (CutAttr cut : sharding.getDims()) {
    DimLayout dim;
    for (StringAttr axis : cut.getAxes())
      if (mesh.getAxisSize(axis) != 1)
        dim.axes.push_back(getAxis(axis));
    dim.unit = cut.getUnit();
    layout.dims.push_back(std::move(dim));
  }
  for (PartialAttr partial : sharding.getPartial())
    layout.partial.push_back({getAxis(partial.getAxis()), partial.getReduction()});
  return layout;
}

FailureOr<RouteFinder> Partitioner::getRouteFinder(RankedTensorType global, MeshOp mesh) {
  FailureOr<SmallVector<DimExpr>> extents = getExtents(global);
  if (failed(extents))
    return failure();
  SymbolValues nominal;
  for (const auto &[symbol, range] : ranges)
    if (range.max != onnx::unboundedDim)
      nominal[symbol] = range.max;
  Type element = global.getElementType();
  int64_t bytes = element.isIntOrFloat() ? llvm::divideCeil(element.getIntOrFloatBitWidth(), 8) : 1;
  return RouteFinder(mesh.getSizes(), *extents, bytes, std::move(nominal));
}

//===----------------------------------------------------------------------===//
// Ops of a route
//===----------------------------------------------------------------------===//

namespace {

/// Makes the ops of a route, one after the other.
class RouteBuilder {
public:
  RouteBuilder(OpBuilder &builder, Location loc, MeshOp mesh, RouteFinder &finder, Layout held)
      : builder(builder), loc(loc), mesh(mesh), finder(finder), held(std::move(held)) {}

  Value create(const Move &move, Value value) {
    auto before = cast<RankedTensorType>(value.getType());
    auto meshName = FlatSymbolRefAttr::get(mesh.getSymNameAttr());
    ArrayAttr axes = getAxes(move.axes);
    auto reduction = ReductionAttr::get(builder.getContext(), move.reduction);
    SmallVector<DimExpr> extents;
    for (auto [dim, layout] : llvm::enumerate(move.after.dims))
      extents.push_back(finder.getExtent(dim, layout));
    RankedTensorType after = getTensorType(extents, before.getElementType());
    auto getDim = [&](unsigned dim) { return builder.getI64IntegerAttr(dim); };
    auto getUnit = [&](unsigned dim, bool isJoined) {
      return isJoined ? getBlocks(move, after, before, dim, held.dims[dim])
                      : getBlocks(move, before, after, dim, move.after.dims[dim]);
    };
    Value made;
    switch (move.kind) {
    case MoveKind::Slice:
      made = SliceOp::create(builder, loc, after, value, meshName, axes, getDim(move.dim),
                             getUnit(move.dim, false));
      break;
    case MoveKind::AllGather:
      made = AllGatherOp::create(builder, loc, after, value, meshName, axes, getDim(move.dim),
                                 getUnit(move.dim, true));
      break;
    case MoveKind::AllToAll:
      made = AllToAllOp::create(builder, loc, after, value, meshName, axes, getDim(move.dim),
                                getUnit(move.dim, false), getDim(move.concat),
                                getUnit(move.concat, true));
      break;
    case MoveKind::ReduceScatter:
      made = ReduceScatterOp::create(builder, loc, after, value, meshName, axes, getDim(move.dim),
                                     getUnit(move.dim, false), reduction);
      break;
    case MoveKind::AllReduce:
      made = AllReduceOp::create(builder, loc, before, value, meshName, axes, reduction);
      break;
    case MoveKind::Permute:
      made = PermuteOp::create(builder, loc, before, value, meshName, axes, getAxes(move.from));
      break;
    }
    held = move.after;
    return made;
  }

private:
  ArrayAttr getAxes(ArrayRef<unsigned> axes) {
    SmallVector<Attribute> names;
    for (unsigned axis : axes)
      names.push_back(mesh.getAxes()[axis]);
    return builder.getArrayAttr(names);
  }

  /// The blocks in which a dim of `whole` makes the parts of `part`. A dim that is
  /// cut already is cut further into equal parts.
  IntegerAttr getBlocks(const Move &move, RankedTensorType whole, RankedTensorType part,
                        unsigned dim, const DimLayout &cut) {
    int64_t count = 1;
    for (unsigned axis : move.axes)
      count *= mesh.getSizes()[axis];
    bool isWhole = cut.axes.size() == move.axes.size();
    DimExpr from = (*getExtents(whole))[dim], to = (*getExtents(part))[dim];
    bool fits = isWhole && getLocalExtent(from, cut.unit, count) == to;
    return builder.getI64IntegerAttr(fits ? cut.unit : 1);
  }

  OpBuilder &builder;
  Location loc;
  MeshOp mesh;
  RouteFinder &finder;
  Layout held;
};

} // namespace

/// What the padding of a value is after a move.
SmallVector<Padding> Partitioner::getMovedPadding(const Move &move, const Layout &before,
                                                  Value value, int64_t count) {
  Type element = cast<RankedTensorType>(value.getType()).getElementType();
  bool reduces = move.kind == MoveKind::AllReduce || move.kind == MoveKind::ReduceScatter;
  SmallVector<Padding> padding;
  for (unsigned dim = 0; dim < before.dims.size(); ++dim) {
    Padding held = getPadding(value, dim);
    if (reduces && held != zeroPadding && move.reduction == Reduction::Sum)
      held = limitPadding(held * count, element);
    else if (reduces && held != zeroPadding && move.reduction == Reduction::Prod)
      held = limitPadding(unknownPadding, element);
    bool isTouched = before.dims[dim].axes != move.after.dims[dim].axes;
    // A whole dim has none before it is cut, nor after it is joined.
    bool isWhole = before.dims[dim].axes.empty() || move.after.dims[dim].axes.empty();
    padding.push_back(isTouched && isWhole ? zeroPadding : held);
  }
  return padding;
}

FailureOr<Value> Partitioner::reshard(Value value, RankedTensorType global, ShardingAttr from,
                                      ShardingAttr to, Location loc) {
  if (from == to)
    return value;
  MeshOp mesh = getMesh(from);
  FailureOr<RouteFinder> finder = getRouteFinder(global, mesh);
  if (failed(finder))
    return emitError(loc) << "cannot move a value of type " << global << " from " << from << " to "
                          << to << ": an extent is not known";
  Layout held = getLayout(from, mesh);
  Route route = finder->find(held, getLayout(to, mesh));
  RouteBuilder routeBuilder(builder, loc, mesh, *finder, held);
  for (const Move &move : route.moves) {
    int64_t count = 1;
    for (unsigned axis : move.axes)
      count *= mesh.getSizes()[axis];
    SmallVector<Padding> padding = getMovedPadding(move, held, value, count);
    value = routeBuilder.create(move, value);
    paddings[value] = std::move(padding);
    held = move.after;
  }
  return value;
}

//===----------------------------------------------------------------------===//
// Several ways to hold one value
//===----------------------------------------------------------------------===//

ShardingAttr Partitioner::getReduced(ShardingAttr sharding) {
  return makeSharding(getMesh(sharding), getCuts(sharding));
}

/// How the ops of a stage want `value`, in their order.
llvm::SetVector<ShardingAttr> Partitioner::getWanted(Value value, ShardingAttr held,
                                                     int64_t stage) {
  struct Wish {
    Operation *user;
    unsigned operand;
    ShardingAttr sharding;
  };
  SmallVector<Wish> wishes;
  bool leaves = false;
  for (OpOperand &use : value.getUses()) {
    Operation *user = main.front().findAncestorOpInBlock(*use.getOwner());
    unsigned operand = use.getOperandNumber();
    if (user->hasTrait<OpTrait::IsTerminator>() || getStage(user) != stage)
      leaves = true;
    else if (user->getNumRegions() != 0)
      wishes.push_back({user, operand, makeWhole(getMesh(held), value.getType())});
    else if (ShardingAttr in = getListed(user, inAttrName, operand))
      wishes.push_back({user, operand, in});
  }
  llvm::sort(wishes, [](const Wish &a, const Wish &b) {
    return a.user == b.user ? a.operand < b.operand : a.user->isBeforeInBlock(b.user);
  });
  llvm::SetVector<ShardingAttr> wanted;
  for (const Wish &wish : wishes)
    wanted.insert(wish.sharding);
  if (leaves && !held.getPartial().empty())
    wanted.insert(getReduced(held));
  return wanted;
}

FailureOr<Value> Partitioner::makeCopy(Value value, std::pair<Value, ShardingAttr> made,
                                       int64_t stage, ShardingAttr wanted, Location loc) {
  auto [source, held] = made;
  // A sum belongs to the node that makes its terms.
  if (!held.getPartial().empty())
    loc = value.getLoc();
  auto global = cast<RankedTensorType>(value.getType());
  auto [it, isNew] = copies.try_emplace({value, stage});
  CopyPlan &plan = it->second;
  FailureOr<RouteFinder> finder = getRouteFinder(global, getMesh(held));
  if (isNew && succeeded(finder)) {
    llvm::SetVector<ShardingAttr> sinks = getWanted(value, held, stage);
    sinks.remove(held);
    // A reduction that nobody asked for may serve several users.
    bool isOptional = !held.getPartial().empty() && sinks.insert(getReduced(held));
    SmallVector<Layout> layouts;
    for (ShardingAttr sink : sinks)
      layouts.push_back(getLayout(sink, getMesh(held)));
    plan.targets = sinks.takeVector();
    plan.tree = findRouteTree(*finder, getLayout(held, getMesh(held)), layouts, isOptional);
  }
  auto found = llvm::find(plan.targets, wanted);
  if (found != plan.targets.end())
    if (std::optional<unsigned> parent = plan.tree.parents[found - plan.targets.begin()]) {
      ShardingAttr other = plan.targets[*parent];
      FailureOr<Value> copy = materialize(value, stage, other, loc);
      return failed(copy) ? copy : reshard(*copy, global, other, wanted, loc);
    }
  return reshard(source, global, held, wanted, loc);
}

//===----------------------------------------------------------------------===//
// From stage to stage
//===----------------------------------------------------------------------===//

/// `sharding` with its copies cut apart, along the first dim that the axes without
/// a use cut into equal parts. Null if there is none.
static ShardingAttr spreadCopies(ShardingAttr sharding, RankedTensorType global, MeshOp mesh) {
  SmallVector<StringAttr> used, free;
  for (CutAttr cut : sharding.getDims())
    used.append(cut.getAxes().begin(), cut.getAxes().end());
  for (StringAttr axis : mesh.getAxes().getAsRange<StringAttr>())
    if (!llvm::is_contained(used, axis))
      free.push_back(axis);
  int64_t parts = *mesh.getNumShards(free);
  SmallVector<DimExpr> extents = *getExtents(global);
  for (unsigned dim = 0; parts > 1 && dim < extents.size(); ++dim) {
    Cuts cuts = getCuts(sharding);
    Cut &cut = cuts[dim];
    DimExpr before = getLocalExtent(extents[dim], cut.unit, *mesh.getNumShards(cut.axes));
    cut.axes.append(free.begin(), free.end());
    if (cut.unit % parts == 0)
      cut.unit /= parts;
    DimExpr after = getLocalExtent(extents[dim], cut.unit, *mesh.getNumShards(cut.axes));
    if (after * DimExpr(parts) == before && !(after == before))
      return makeSharding(mesh, cuts);
  }
  return {};
}

/// How a value best comes to a stage, for all that the stage wants of it. All ranks
/// of the source share in sending. Where more ranks want it than have it, each is
/// sent a part, and they gather the rest among themselves.
ShardingAttr Partitioner::chooseArrival(Value value, ShardingAttr held, int64_t stage,
                                        ShardingAttr wanted) {
  auto global = cast<RankedTensorType>(value.getType());
  MeshOp source = getMesh(held), target = getMesh(wanted);
  FailureOr<RouteFinder> finder = getRouteFinder(global, target);
  if (failed(finder))
    return wanted;
  llvm::SetVector<ShardingAttr> sinks = getWanted(value, wanted, stage);
  sinks.insert(wanted);
  SmallVector<ShardingAttr> candidates(sinks.begin(), sinks.end());
  if (target.getNumRanks() > source.getNumRanks())
    for (ShardingAttr sink : sinks)
      if (ShardingAttr spread = spreadCopies(sink, global, target))
        candidates.push_back(spread);
  ShardingAttr best;
  MoveCost least;
  for (ShardingAttr candidate : candidates) {
    Layout arrival = getLayout(candidate, target);
    SmallVector<Layout> layouts;
    for (ShardingAttr sink : sinks)
      if (sink != candidate)
        layouts.push_back(getLayout(sink, target));
    int64_t sent =
        llvm::divideCeil(finder->getBytes(arrival) * target.getNumRanks(), source.getNumRanks());
    MoveCost cost = MoveCost{sent, 1, 1} +
                    findRouteTree(*finder, arrival, layouts, /*lastIsOptional=*/false).cost;
    if (!best || cost < least) {
      best = candidate;
      least = cost;
    }
  }
  return best;
}

/// Brings a value from the stage that makes it to the current one, once.
FailureOr<std::pair<Value, ShardingAttr>> Partitioner::transfer(Value value, int64_t stage,
                                                                ShardingAttr wanted, Location loc) {
  auto known = arrivals.find({value, stage});
  if (known != arrivals.end())
    return known->second;
  auto [from, held] = made[value];
  if (!held.getPartial().empty()) {
    currentStage = getStage(value.getDefiningOp());
    held = getReduced(held);
    FailureOr<Value> reduced = materialize(value, currentStage, held, value.getLoc());
    currentStage = stage;
    if (failed(reduced))
      return failure();
    from = *reduced;
  }
  ShardingAttr arrival = chooseArrival(value, held, stage, wanted);
  FailureOr<Type> type = getLocal(value.getType(), arrival, loc);
  if (failed(type))
    return failure();
  Value moved =
      TransferOp::create(builder, loc, *type, from, held, arrival, TypeAttr::get(value.getType()));
  setPadding(moved, zeroPadding);
  arrivals[{value, stage}] = {moved, arrival};
  return std::pair(moved, arrival);
}
