//===- MicroBatches.cpp - may parts of the batch go one by one? -----------===//
//
// A micro-batch is a cut of the batch in time, not over ranks: programs stay as they
// are, and see fewer rows. The symbol of the batch tells which dims are rows, so that
// each op can be judged by itself: every dim that depends on the batch must be cut by
// one factor of the op's sharding rule that passes through.
//
//===----------------------------------------------------------------------===//
#include "Automatic.h"

#include "Dist/IR/Layout.h"
#include "dougong/Dist/States.h"
#include "dougong/Dist/Strategy.h"
#include "dougong/Onnx/Sharding.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;
using onnx::DimFactors;
using onnx::FactorKind;

namespace {

class RowCheck {
public:
  RowCheck(func::FuncOp main, StringRef batch, int64_t count)
      : main(main), batch(batch.str()), count(count) {}

  LogicalResult run();

private:
  LogicalResult refuse(Operation *op, const std::string &reason) const;
  bool dependsOnBatch(const DimExpr &extent) const { return extent.symbols().count(batch) != 0; }
  bool dependsOnBatch(Type type) const;
  /// Whether an op of extents holds the batch.
  bool tellsBatch(Operation *op) const;
  bool isInRows(Value value) const;

  std::optional<std::string> checkOp(Operation *op) const;
  std::optional<std::string> checkDims(Value value, ArrayRef<DimFactors> dims,
                                       const onnx::ShardingRule &rule, const std::string &what,
                                       std::optional<unsigned> &rows) const;
  std::optional<unsigned> findBatchDim(Value value) const;
  LogicalResult checkStates();
  LogicalResult checkPort(Value value, StringRef what, StringRef name) const;

  func::FuncOp main;
  std::string batch;
  int64_t count;
};

bool RowCheck::dependsOnBatch(Type type) const {
  auto tensor = dyn_cast<RankedTensorType>(type);
  FailureOr<SmallVector<DimExpr>> extents =
      tensor ? getExtents(tensor) : FailureOr<SmallVector<DimExpr>>(failure());
  return succeeded(extents) &&
         llvm::any_of(*extents, [&](const DimExpr &extent) { return dependsOnBatch(extent); });
}

bool RowCheck::tellsBatch(Operation *op) const {
  auto tensor = dyn_cast_or_null<onnx::DimsTensorOp>(op);
  return tensor &&
         llvm::any_of(tensor.getExprs().getAsValueRange<StringAttr>(), [&](StringRef text) {
           Result<DimExpr> extent = DimExpr::parse(text);
           return extent && dependsOnBatch(*extent);
         });
}

/// Whether the operand says the shape of the result, which follows the rows.
bool isShape(OpOperand &use) {
  Operation *op = use.getOwner();
  return (isa<onnx::ReshapeOp, onnx::ExpandOp>(op) && use.getOperandNumber() == 1) ||
         (isa<onnx::ConstantOfShapeOp>(op) && use.getOperandNumber() == 0);
}

bool isRandom(Operation *op) {
  return isa<onnx::RandomNormalOp, onnx::RandomNormalLikeOp, onnx::RandomUniformOp,
             onnx::RandomUniformLikeOp, onnx::MultinomialOp, onnx::BernoulliOp, onnx::DropoutOp>(
      op);
}

/// Whether a tensor is rows one after the other in memory: its first dim that is not 1 is
/// the batch, or a multiple of it, and no other dim depends on it.
bool RowCheck::isInRows(Value value) const {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  FailureOr<SmallVector<DimExpr>> extents =
      type ? getExtents(type) : FailureOr<SmallVector<DimExpr>>(failure());
  if (failed(extents))
    return false;
  auto first =
      llvm::find_if(*extents, [](const DimExpr &extent) { return !(extent == DimExpr(1)); });
  if (first == extents->end() ||
      !(first->substitute({{batch, DimExpr(1)}}) * DimExpr::symbol(batch) == *first))
    return false;
  return std::none_of(first + 1, extents->end(),
                      [&](const DimExpr &extent) { return dependsOnBatch(extent); });
}

/// Every dim of a value that depends on the batch must be cut by `rows`, the one factor
/// of the op that is the rows (set by the first such dim), and no other dim by it.
std::optional<std::string> RowCheck::checkDims(Value value, ArrayRef<DimFactors> dims,
                                               const onnx::ShardingRule &rule,
                                               const std::string &what,
                                               std::optional<unsigned> &rows) const {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  FailureOr<SmallVector<DimExpr>> extents =
      type ? getExtents(type) : FailureOr<SmallVector<DimExpr>>(failure());
  if (failed(extents))
    return std::nullopt;
  for (auto [dim, extent] : llvm::enumerate(*extents)) {
    std::string where = "dim " + std::to_string(dim) + " (" + extent.print() + ") of " + what;
    bool isCut = dim < dims.size() && !dims[dim].factors.empty();
    if (!dependsOnBatch(extent)) {
      if (isCut && rows && dims[dim].factors.front() == *rows)
        return where + " goes with the rows, but is not of the batch";
      continue;
    }
    if (!isCut)
      return "it needs " + where + " whole";
    unsigned factor = dims[dim].factors.front();
    if (rows && *rows != factor)
      return "it brings rows together with other rows, in " + where;
    rows = factor;
    if (rule.factors[factor].kind == FactorKind::Reduction)
      return "it reduces (" + rule.factors[factor].combine + ") " + where;
    if (rule.factors[factor].kind != FactorKind::PassThrough)
      return "it needs " + where + " whole";
  }
  return std::nullopt;
}

/// Why the op cannot run on a part of the rows; none if it can.
std::optional<std::string> RowCheck::checkOp(Operation *op) const {
  if (isRandom(op))
    return "each micro-batch would get random values of its own";
  // Equal for all rows.
  if (isa<onnx::ConstantOfShapeOp>(op))
    return std::nullopt;
  // A row keeps its elements, in their order, though no factor may say so: the extent of
  // [batch * tokens] in rows is no number.
  if (isa<onnx::ReshapeOp, onnx::FlattenOp>(op) && isInRows(op->getOperand(0)) &&
      isInRows(op->getResult(0)))
    return std::nullopt;
  const onnx::ShardingRule rule = onnx::getShardingRule(op);
  bool isOpaque = false, touches = false;
  auto look = [&](Type type) {
    touches |= dependsOnBatch(type);
    isOpaque |= !isa<RankedTensorType, NoneType>(type);
  };
  op->walk([&](Operation *nested) {
    llvm::for_each(nested->getOperandTypes(), look);
    llvm::for_each(nested->getResultTypes(), look);
    touches |= nested != op && tellsBatch(nested);
  });
  if (!rule.replicated.empty())
    return touches || isOpaque ? std::optional(rule.replicated) : std::nullopt;
  if (!touches)
    return std::nullopt;
  std::optional<unsigned> rows;
  // Twice: the first round finds the factor of the rows.
  for (int round = 0; round < 2; ++round) {
    for (auto [index, operand] : llvm::enumerate(op->getOperands()))
      if (auto reason = checkDims(operand,
                                  index < rule.operands.size() ? ArrayRef(rule.operands[index])
                                                               : ArrayRef<DimFactors>(),
                                  rule, "operand " + std::to_string(index), rows))
        return reason;
    for (auto [index, result] : llvm::enumerate(op->getResults()))
      if (auto reason = checkDims(result,
                                  index < rule.results.size() ? ArrayRef(rule.results[index])
                                                              : ArrayRef<DimFactors>(),
                                  rule, "result " + std::to_string(index), rows))
        return reason;
  }
  return std::nullopt;
}

LogicalResult RowCheck::checkPort(Value value, StringRef what, StringRef name) const {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  FailureOr<SmallVector<DimExpr>> extents =
      type ? getExtents(type) : FailureOr<SmallVector<DimExpr>>(failure());
  if (failed(extents))
    return success();
  unsigned found = 0;
  for (const DimExpr &extent : *extents) {
    if (!dependsOnBatch(extent))
      continue;
    if (extent.kind() != DimExpr::Kind::Symbol || ++found > 1)
      return func::FuncOp(main).emitError()
             << "cannot be cut into " << count << " micro-batches: " << what << " \"" << name
             << "\" is " << type << ", expected \"" << batch
             << "\" as one dim, or none that depends on it; leave out mb";
  }
  return success();
}

/// The dim of a value that is the batch.
std::optional<unsigned> RowCheck::findBatchDim(Value value) const {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  for (int64_t dim = 0; type && dim < type.getRank(); ++dim)
    if (getExtentText(value, dim) == DimExpr::symbol(batch).print())
      return dim;
  return std::nullopt;
}

/// A part of a state stays with its rows: one that all rows share has no part.
LogicalResult RowCheck::checkStates() {
  FailureOr<SmallVector<StatePair>> states = getStates(main->getParentOfType<ModuleOp>(), main);
  if (failed(states))
    return failure();
  for (StatePair state : *states) {
    std::optional<unsigned> dim = findBatchDim(main.getArgument(state.argument));
    if (!dim)
      return main.emitError() << "cannot be cut into " << count
                              << " micro-batches: all rows share state \""
                              << getArgumentName(main, state.argument)
                              << "\", which does not have the batch \"" << batch
                              << "\"; leave out mb";
    if (dim != findBatchDim(main.front().getTerminator()->getOperand(state.result)))
      return main.emitError() << "cannot be cut into " << count << " micro-batches: the batch \""
                              << batch << "\" is not the same dim of state \""
                              << getArgumentName(main, state.argument) << "\" and of output \""
                              << getResultName(main, state.result) << "\"; leave out mb";
  }
  return success();
}

LogicalResult RowCheck::refuse(Operation *op, const std::string &reason) const {
  InFlightDiagnostic diagnostic = op->emitError() << "cannot run on a part of the batch \"" << batch
                                                  << "\": " << reason;
  diagnostic.attachNote(func::FuncOp(main).getLoc())
      << "the strategy cuts the batch into " << count
      << " micro-batches, for which rows must not depend on each other; leave mb out for this "
         "model";
  return diagnostic;
}

LogicalResult RowCheck::run() {
  for (BlockArgument argument : main.getArguments())
    if (failed(checkPort(argument, "input", getArgumentName(main, argument.getArgNumber()))))
      return failure();
  for (auto [index, result] : llvm::enumerate(main.front().getTerminator()->getOperands()))
    if (failed(checkPort(result, "output", getResultName(main, index))))
      return failure();
  if (failed(checkStates()))
    return failure();
  for (Operation &op : main.front()) {
    if (op.hasTrait<OpTrait::IsTerminator>())
      continue;
    for (OpOperand &use : op.getUses())
      if (tellsBatch(&op) && !isShape(use))
        return refuse(use.getOwner(), "the number of rows is data for it");
    if (isSource(&op))
      continue;
    if (std::optional<std::string> reason = checkOp(&op))
      return refuse(&op, *reason);
  }
  return success();
}

} // namespace

LogicalResult dist::cutIntoMicroBatches(ModuleOp module, func::FuncOp main, int64_t count) {
  std::string batch = getBatch(main);
  Result<DimExpr> extent = DimExpr::parse(batch);
  if (batch.empty() || !extent)
    return main.emitError() << "cannot be cut into " << count
                            << " micro-batches: no input has a batch in dim 0; leave out mb";
  if (extent->kind() != DimExpr::Kind::Symbol)
    return main.emitError() << "cannot be cut into " << count << " micro-batches: the batch is "
                            << batch
                            << ", expected a name; export the model with a named dim 0, of "
                            << "which --dim NAME=" << batch << " says the extent";
  if (failed(RowCheck(main, extent->name(), count).run()))
    return failure();
  Builder builder(module.getContext());
  module->setAttr(microBatchesAttrName,
                  builder.getDictionaryAttr(
                      {builder.getNamedAttr("batch", builder.getStringAttr(extent->name())),
                       builder.getNamedAttr("count", builder.getI64IntegerAttr(count))}));
  return success();
}
