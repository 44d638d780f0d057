//===- ExpandCollectives.cpp - collectives to the form the host has -------===//
#include "dougong/Conversion/KernelPasses.h"

#include "Dist/IR/Dist.h"
#include "Dist/IR/Layout.h"
#include "Onnx/IR/Onnx.h"

#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace dougong;

namespace dougong {
#define GEN_PASS_DEF_EXPANDCOLLECTIVESPASS
#include "dougong/Conversion/KernelPasses.h.inc"
} // namespace dougong

namespace {

using Extents = SmallVector<DimExpr>;

/// Makes the data movement around a collective out of onnx ops.
class Mover {
public:
  Mover(OpBuilder &builder, Location loc) : builder(builder), loc(loc) {}

  Value reshape(Value value, const Extents &extents) {
    return create("onnx.Reshape", {value, makeIntegers(extents)}, getType(value, extents), {});
  }

  /// Moves dim `from` to position `to`.
  Value moveDim(Value value, int64_t from, int64_t to) {
    if (from == to)
      return value;
    Extents extents = getExtents(value), moved;
    SmallVector<int64_t> permutation;
    for (int64_t dim = 0; dim < static_cast<int64_t>(extents.size()); ++dim)
      if (dim != from)
        permutation.push_back(dim);
    permutation.insert(permutation.begin() + to, from);
    for (int64_t dim : permutation)
      moved.push_back(extents[dim]);
    return create("onnx.Transpose", {value}, getType(value, moved),
                  {builder.getNamedAttr("perm", builder.getDenseI64ArrayAttr(permutation))});
  }

  /// Fills dim `dim` up with zeros to `extent`.
  Value pad(Value value, int64_t dim, const DimExpr &extent) {
    Extents extents = getExtents(value);
    if (extents[dim] == extent)
      return value;
    Extents pads(2 * extents.size(), DimExpr(0));
    pads[extents.size() + dim] = extent - extents[dim];
    extents[dim] = extent;
    Value none = onnx::NoneOp::create(builder, loc, builder.getNoneType());
    return create("onnx.Pad", {value, makeIntegers(pads), none, none}, getType(value, extents), {});
  }

  /// The first `extent` elements of dim `dim`.
  Value truncate(Value value, int64_t dim, const DimExpr &extent) {
    Extents extents = getExtents(value);
    if (extents[dim] == extent)
      return value;
    extents[dim] = extent;
    Value none = onnx::NoneOp::create(builder, loc, builder.getNoneType());
    return create("onnx.Slice",
                  {value, makeIntegers({DimExpr(0)}), makeIntegers({extent}),
                   makeIntegers({DimExpr(dim)}), none},
                  getType(value, extents), {});
  }

  /// Element `index` (a scalar) of dim `dim`, which goes away.
  Value select(Value value, int64_t dim, Value index) {
    Extents extents = getExtents(value);
    extents.erase(extents.begin() + dim);
    return create("onnx.Gather", {value, index}, getType(value, extents),
                  {builder.getNamedAttr("axis", builder.getI64IntegerAttr(dim))});
  }

  /// [.., n * l, ..] as [.., n, l, ..], filled up with zeros.
  Value split(Value value, int64_t dim, int64_t count, const DimExpr &part) {
    value = pad(value, dim, part * count);
    Extents extents = getExtents(value);
    extents[dim] = count;
    extents.insert(extents.begin() + dim + 1, part);
    return reshape(value, extents);
  }

  /// [.., n, l, ..] as [.., n * l, ..], cut off at `extent`.
  Value join(Value value, int64_t dim, const DimExpr &extent) {
    Extents extents = getExtents(value);
    extents[dim] = extents[dim] * extents[dim + 1];
    extents.erase(extents.begin() + dim + 1);
    return truncate(reshape(value, extents), dim, extent);
  }

  Extents getExtents(Value value) {
    // Known: the verifiers of dist ops demand it.
    return *dist::getExtents(cast<RankedTensorType>(value.getType()));
  }

  RankedTensorType getType(Value like, const Extents &extents) {
    return dist::getTensorType(extents, cast<RankedTensorType>(like.getType()).getElementType());
  }

private:
  Value create(StringRef name, ValueRange operands, Type type,
               ArrayRef<NamedAttribute> attributes) {
    OperationState state(loc, name, operands, type, attributes);
    return builder.create(state)->getResult(0);
  }

  Value makeIntegers(const Extents &values) {
    auto type = RankedTensorType::get({static_cast<int64_t>(values.size())}, builder.getI64Type());
    if (llvm::all_of(values, [](const DimExpr &value) { return value.constant(); })) {
      SmallVector<int64_t> constants;
      for (const DimExpr &value : values)
        constants.push_back(*value.constant());
      return create("onnx.Constant", {}, type,
                    {builder.getNamedAttr("value", DenseIntElementsAttr::get(type, constants))});
    }
    SmallVector<Attribute> texts;
    for (const DimExpr &value : values)
      texts.push_back(builder.getStringAttr(value.print()));
    return create("onnx.dims_tensor", {}, type,
                  {builder.getNamedAttr("exprs", builder.getArrayAttr(texts))});
  }

  OpBuilder &builder;
  Location loc;
};

int64_t countRanks(Operation *op, FlatSymbolRefAttr mesh, ArrayAttr axes) {
  auto meshOp = SymbolTable::lookupNearestSymbolFrom<dist::MeshOp>(op, mesh);
  SmallVector<StringAttr> names;
  for (Attribute axis : axes)
    names.push_back(cast<StringAttr>(axis));
  return *meshOp.getNumShards(names);
}

struct ExpandCollectives : dougong::impl::ExpandCollectivesPassBase<ExpandCollectives> {
  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if (isa<dist::AllGatherOp, dist::ReduceScatterOp, dist::AllToAllOp, dist::SliceOp>(op))
        ops.push_back(op);
    });
    for (Operation *op : ops) {
      OpBuilder builder(op);
      Mover mover(builder, op->getLoc());
      Value result = llvm::TypeSwitch<Operation *, Value>(op)
                         .Case([&](dist::AllGatherOp op) { return expand(op, builder, mover); })
                         .Case([&](dist::ReduceScatterOp op) { return expand(op, builder, mover); })
                         .Case([&](dist::AllToAllOp op) { return expand(op, builder, mover); })
                         .Case([&](dist::SliceOp op) { return expand(op, builder, mover); });
      op->getResult(0).replaceAllUsesWith(result);
      op->erase();
    }
  }

  Value expand(dist::AllGatherOp op, OpBuilder &builder, Mover &mover) {
    int64_t ranks = countRanks(op, op.getMeshAttr(), op.getAxes());
    int64_t dim = op.getDim();
    Value input = op.getInput();
    DimExpr extent = mover.getExtents(op.getResult())[dim];
    // The host joins along a leading dim: give the operand one.
    Extents lead = mover.getExtents(input);
    lead.insert(lead.begin(), DimExpr(1));
    input = mover.reshape(input, lead);
    lead[0] = ranks;
    Value gathered = dist::AllGatherOp::create(
        builder, op.getLoc(), mover.getType(input, lead), input, op.getMeshAttr(), op.getAxesAttr(),
        builder.getI64IntegerAttr(0), builder.getI64IntegerAttr(1));
    return mover.join(mover.moveDim(gathered, 0, dim), dim, extent);
  }

  Value expand(dist::ReduceScatterOp op, OpBuilder &builder, Mover &mover) {
    int64_t ranks = countRanks(op, op.getMeshAttr(), op.getAxes());
    int64_t dim = op.getDim();
    Extents local = mover.getExtents(op.getResult());
    Value parts = mover.moveDim(mover.split(op.getInput(), dim, ranks, local[dim]), dim, 0);
    Extents lead = local;
    lead.insert(lead.begin(), DimExpr(1));
    Value scattered = dist::ReduceScatterOp::create(
        builder, op.getLoc(), mover.getType(parts, lead), parts, op.getMeshAttr(), op.getAxesAttr(),
        builder.getI64IntegerAttr(0), builder.getI64IntegerAttr(1), op.getReductionAttr());
    return mover.reshape(scattered, local);
  }

  Value expand(dist::AllToAllOp op, OpBuilder &builder, Mover &mover) {
    int64_t ranks = countRanks(op, op.getMeshAttr(), op.getAxes());
    int64_t split = op.getSplit(), concat = op.getConcat();
    Extents result = mover.getExtents(op.getResult());
    Value parts = mover.moveDim(mover.split(op.getInput(), split, ranks, result[split]), split, 0);
    // [n, ...]: part r goes to rank r, and what comes from rank r takes its place.
    Extents whole = mover.getExtents(parts), sent = whole, received = whole;
    sent.insert(sent.begin() + 1, DimExpr(1));
    received.insert(received.begin(), DimExpr(1));
    auto zero = builder.getI64IntegerAttr(0), one = builder.getI64IntegerAttr(1);
    Value exchanged = dist::AllToAllOp::create(builder, op.getLoc(), mover.getType(parts, received),
                                               mover.reshape(parts, sent), op.getMeshAttr(),
                                               op.getAxesAttr(), zero, one, one, one);
    exchanged = mover.reshape(exchanged, whole);
    return mover.join(mover.moveDim(exchanged, 0, concat), concat, result[concat]);
  }

  Value expand(dist::SliceOp op, OpBuilder &builder, Mover &mover) {
    int64_t ranks = countRanks(op, op.getMeshAttr(), op.getAxes());
    int64_t dim = op.getDim();
    DimExpr part = mover.getExtents(op.getResult())[dim];
    Value index = dist::AxisIndexOp::create(builder, op.getLoc(),
                                            RankedTensorType::get({}, builder.getI64Type()),
                                            op.getMeshAttr(), op.getAxesAttr());
    return mover.select(mover.split(op.getInput(), dim, ranks, part), dim, index);
  }
};

} // namespace
