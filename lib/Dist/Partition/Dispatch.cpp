//===- Dispatch.cpp - rows go to the ranks of their experts ---------------===//
//
// Where the same axes cut rows and experts, a rank sends each of its rows once to
// every rank that has an expert of it, with what those experts count, and adds up
// what comes back. Routing depends on data: the numbers of rows do, buffers have
// room for the most that there can be. All but the two exchanges is written in ONNX
// operators.
//
//===----------------------------------------------------------------------===//
#include "Partitioner.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;

namespace {

/// Makes ONNX operators on tensors of known extents.
class RowMover {
public:
  using Extents = SmallVector<DimExpr>;

  RowMover(Partitioner &partitioner, OpBuilder &builder, Location loc)
      : partitioner(partitioner), builder(builder), loc(loc) {}

  Value make(StringRef name, Extents extents, Type element, ValueRange operands,
             ArrayRef<NamedAttribute> attributes = {}) {
    return makeOp(builder, loc, ("onnx." + name).str(), getTensorType(extents, element), operands,
                  attributes);
  }
  NamedAttribute attribute(StringRef name, int64_t value) {
    return builder.getNamedAttr(name, builder.getI64IntegerAttr(value));
  }
  Value integers(ArrayRef<int64_t> values) { return partitioner.makeIndexVector(values, loc); }
  Value scalar(Type type, double value) { return partitioner.makeScalar(type, value, loc); }
  Value extent(const DimExpr &value) { return partitioner.makeExtent(value, loc); }
  Type elementOf(Value value) { return cast<RankedTensorType>(value.getType()).getElementType(); }

  /// Extents as a vector.
  Value shape(const Extents &extents) {
    SmallVector<Attribute> texts;
    for (const DimExpr &extent : extents)
      texts.push_back(builder.getStringAttr(extent.print()));
    auto type = RankedTensorType::get({static_cast<int64_t>(extents.size())}, builder.getI64Type());
    if (!llvm::all_of(extents, [](const DimExpr &extent) { return extent.constant(); }))
      return onnx::DimsTensorOp::create(builder, loc, type, builder.getArrayAttr(texts));
    SmallVector<int64_t> numbers;
    for (const DimExpr &extent : extents)
      numbers.push_back(*extent.constant());
    return integers(numbers);
  }
  Value reshape(Value value, const Extents &extents) {
    return make("Reshape", extents, elementOf(value), {value, shape(extents)});
  }
  Value zeros(const Extents &extents, Type type) {
    return make("Expand", extents, type, {scalar(type, 0), shape(extents)});
  }

private:
  Partitioner &partitioner;
  OpBuilder &builder;
  Location loc;
};

} // namespace

/// part.Experts with `dispatch`: `operands` are a rank's rows, their shares of all
/// experts, and the weights of its own experts, which `cut` shares out.
FailureOr<Value> Partitioner::dispatchExperts(Operation *op, ArrayRef<Value> operands,
                                              Type resultType, const Cut &cut, MeshOp mesh) {
  using Extents = RowMover::Extents;
  Location loc = op->getLoc();
  auto inputType = cast<RankedTensorType>(operands[0].getType());
  auto sharesType = cast<RankedTensorType>(operands[1].getType());
  FailureOr<Extents> input = getExtents(inputType);
  if (failed(input) || failed(getExtents(sharesType)))
    return op->emitError("its rows cannot be sent to their experts: a shape is not known");
  RowMover move(*this, builder, loc);
  Type i64 = builder.getI64Type(), i1 = builder.getI1Type(), element = inputType.getElementType();
  Type share = sharesType.getElementType();
  int64_t ranks = getCount(mesh, cut.axes);
  int64_t here = cast<RankedTensorType>(operands[2].getType()).getDimSize(0); // experts of a rank
  int64_t experts = sharesType.getShape().back();
  DimExpr hidden = input->back(), rows(1);
  for (const DimExpr &extent : ArrayRef(*input).drop_back())
    rows = rows * extent;
  int64_t k = op->getAttrOfType<IntegerAttr>("k").getInt();
  DimExpr sentRows = rows * DimExpr(std::min(k, ranks)), gotRows = rows * DimExpr(ranks);
  DimExpr pairs = gotRows; // (rank, row)

  // What the experts of each rank count for each row.
  Value flatRows = move.reshape(operands[0], {rows, hidden});
  Value shares = move.reshape(operands[1], {rows, experts});
  if (here * ranks != experts) {
    Value none = onnx::NoneOp::create(builder, loc, builder.getNoneType());
    shares = move.make("Pad", {rows, here * ranks}, share,
                       {shares, move.integers({0, 0, 0, here * ranks - experts}), none, none});
  }
  shares = move.reshape(shares, {rows, ranks, here});
  shares = move.make("Transpose", {ranks, rows, here}, share, {shares},
                     {builder.getNamedAttr("perm", builder.getDenseI64ArrayAttr({1, 0, 2}))});

  // Which pairs are sent, and where to in the buffer: by rank, then by row.
  Value isZero = move.make("Equal", {ranks, rows, here}, i1, {shares, move.scalar(share, 0)});
  Value isUsed = move.make("Not", {ranks, rows, here}, i1, {isZero});
  Value used =
      move.make("Cast", {ranks, rows, here}, i64, {isUsed}, {move.attribute("to", 7)} /* INT64 */);
  Value wants = move.make("ReduceMax", {ranks, rows}, i64, {used, move.integers({2})},
                          {move.attribute("keepdims", 0)});
  Value counts = move.make("ReduceSum", {ranks}, i64, {wants, move.integers({1})},
                           {move.attribute("keepdims", 0)});
  wants = move.reshape(wants, {pairs});
  Value places = move.make("CumSum", {pairs}, i64, {wants, move.scalar(i64, 0)},
                           {move.attribute("exclusive", 1)});
  Value isSent = move.make("Equal", {pairs}, i1, {wants, move.scalar(i64, 1)});
  // Those that are not go behind the end.
  places = move.make("Where", {pairs}, i64, {isSent, places, move.extent(sentRows)});
  Value numbers = move.make("Range", {pairs}, i64,
                            {move.scalar(i64, 0), move.extent(pairs), move.scalar(i64, 1)});
  DimExpr withEnd = sentRows + DimExpr(1);
  Value pairOf = move.make(
      "ScatterElements", {withEnd}, i64, {move.zeros({withEnd}, i64), places, numbers},
      {move.attribute("axis", 0), builder.getNamedAttr("reduction", builder.getStringAttr("max"))});
  Value none = onnx::NoneOp::create(builder, loc, builder.getNoneType());
  pairOf =
      move.make("Slice", {sentRows}, i64,
                {pairOf, move.integers({0}), move.shape({sentRows}), move.integers({0}), none});
  Value rowOf = move.make("Mod", {sentRows}, i64, {pairOf, move.extent(rows)});

  // Rows and shares travel together.
  Value sent = move.make("Gather", {sentRows, hidden}, element, {flatRows, rowOf},
                         {move.attribute("axis", 0)});
  Value theirs =
      move.make("Gather", {sentRows, here}, share, {move.reshape(shares, {pairs, here}), pairOf},
                {move.attribute("axis", 0)});
  if (share != element)
    theirs = move.make("CastLike", {sentRows, here}, element, {theirs, sent});
  DimExpr width = hidden + DimExpr(here);
  sent =
      move.make("Concat", {sentRows, width}, element, {sent, theirs}, {move.attribute("axis", 1)});
  SmallVector<Attribute> axes(cut.axes.begin(), cut.axes.end());
  auto exchange = [&](Value value, Value lengths, Extents extents) {
    return RaggedAllToAllOp::create(
        builder, loc, getTensorType(extents, element), lengths.getType(), value, lengths,
        FlatSymbolRefAttr::get(mesh.getSymNameAttr()), builder.getArrayAttr(axes));
  };
  auto there = exchange(sent, counts, {gotRows, width});
  OperationState split(
      loc, onnx::SplitOp::getOperationName(),
      {there.getResult(), move.shape({hidden, DimExpr(here)})},
      {getTensorType({gotRows, hidden}, element), getTensorType({gotRows, DimExpr(here)}, element)},
      {move.attribute("axis", 1)});
  Operation *parts = builder.create(split);

  SmallVector<Value> inner(operands);
  inner[0] = parts->getResult(0);
  inner[1] = parts->getResult(1);
  SmallVector<NamedAttribute> attributes = getOwnAttributes(op);
  llvm::erase_if(attributes,
                 [](NamedAttribute attribute) { return attribute.getName() == "dispatch"; });
  Value computed = move.make("part.Experts", {gotRows, hidden}, element, inner, attributes);

  // Back in the order in which they left; rows of no run are zero.
  auto back = exchange(computed, there.getReceived(), {sentRows, hidden});
  Value target = move.make("Unsqueeze", {sentRows, 1}, i64, {rowOf, move.integers({1})});
  Value sum = move.make("ScatterND", {rows, hidden}, element,
                        {move.zeros({rows, hidden}, element), target, back.getResult()},
                        {builder.getNamedAttr("reduction", builder.getStringAttr("add"))});
  FailureOr<Extents> result = getExtents(cast<RankedTensorType>(resultType));
  if (failed(result))
    return op->emitError("its rows cannot be sent to their experts: a shape is not known");
  return move.reshape(sum, *result);
}
