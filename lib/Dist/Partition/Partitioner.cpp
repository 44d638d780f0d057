//===- Partitioner.cpp - from whole values to parts -----------------------===//
#include "Partitioner.h"

#include "dougong/Onnx/DimRanges.h"
#include "dougong/Onnx/Sharding.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;
using onnx::FactorKind;

//===----------------------------------------------------------------------===//
// Helpers
//===----------------------------------------------------------------------===//

ShardingAttr dist::getListed(Operation *op, StringRef name, unsigned index) {
  auto list = op->getAttrOfType<ArrayAttr>(name);
  return list && index < list.size() ? dyn_cast<ShardingAttr>(list[index]) : ShardingAttr();
}

ShardingAttr dist::makeWhole(MeshOp mesh, Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return makeSharding(mesh, Cuts(tensor ? tensor.getRank() : 0));
}

std::optional<unsigned> dist::getFactor(ArrayRef<SmallVector<onnx::DimFactors>> values,
                                        unsigned index, int64_t dim) {
  if (index >= values.size())
    return std::nullopt;
  if (dim < 0)
    dim += values[index].size();
  if (dim < 0 || dim >= static_cast<int64_t>(values[index].size()) ||
      values[index][dim].factors.empty())
    return std::nullopt;
  return values[index][dim].factors.front();
}

SmallVector<Cut> dist::recoverFactors(Operation *op, const onnx::ShardingRule &rule) {
  SmallVector<Cut> factors(rule.factors.size());
  auto recover = [&](StringRef name, ArrayRef<SmallVector<onnx::DimFactors>> values) {
    for (auto [index, dims] : llvm::enumerate(values)) {
      ShardingAttr sharding = getListed(op, name, index);
      if (!sharding || sharding.getDims().size() != dims.size())
        continue;
      for (auto [cut, dim] : llvm::zip_equal(getCuts(sharding), dims))
        if (!dim.factors.empty() && !cut.axes.empty())
          factors[dim.factors.front()] = {cut.axes, std::max<int64_t>(cut.unit / dim.unit, 1)};
    }
  };
  recover(inAttrName, rule.operands);
  recover(outAttrName, rule.results);
  return factors;
}

SmallVector<NamedAttribute> dist::getOwnAttributes(Operation *op) {
  SmallVector<NamedAttribute> attributes;
  for (NamedAttribute attribute : op->getAttrs())
    if (attribute.getName() != inAttrName && attribute.getName() != outAttrName &&
        attribute.getName() != stageAttrName && attribute.getName() != closedAttrName)
      attributes.push_back(attribute);
  return attributes;
}

namespace {
/// Gives every op that a builder makes the number of its stage.
struct StageListener : OpBuilder::Listener {
  explicit StageListener(const int64_t &stage) : stage(stage) {}
  void notifyOperationInserted(Operation *op, OpBuilder::InsertPoint) override {
    if (!op->hasTrait<OpTrait::IsTerminator>())
      op->setAttr(stageAttrName, Builder(op->getContext()).getI64IntegerAttr(stage));
  }
  const int64_t &stage;
};
} // namespace

Partitioner::Partitioner(ModuleOp module, func::FuncOp main, SmallVector<MeshOp> meshes,
                         SmallVector<StatePair> states)
    : module(module), main(main), meshes(std::move(meshes)), states(std::move(states)),
      builder(module.getContext()), symbols(module) {}

FailureOr<Type> Partitioner::getLocal(Type global, ShardingAttr sharding, Location loc) {
  auto tensor = dyn_cast<RankedTensorType>(global);
  if (!tensor || !sharding)
    return global;
  if (llvm::all_of(sharding.getDims(), [](CutAttr cut) { return cut.getAxes().empty(); }))
    return global;
  FailureOr<RankedTensorType> type = getLocalType(tensor, sharding, getMesh(sharding));
  if (failed(type))
    return emitError(loc) << "cannot cut type " << global << " by " << sharding
                          << ": an extent is not known";
  return Type(*type);
}

//===----------------------------------------------------------------------===//
// Arguments and values
//===----------------------------------------------------------------------===//

Value Partitioner::addArgument(BlockArgument argument, int64_t stage, ShardingAttr sharding) {
  FailureOr<Type> type = getLocal(argument.getType(), sharding, main.getLoc());
  if (failed(type))
    return {};
  NamedAttrList attributes(main.getArgAttrDict(argument.getArgNumber()));
  attributes.set(shardingAttrName, sharding);
  attributes.set(globalAttrName, TypeAttr::get(argument.getType()));
  attributes.set(stageAttrName, builder.getI64IntegerAttr(stage));
  unsigned index = local.getNumArguments();
  if (failed(local.insertArgument(index, *type, attributes.getDictionary(module.getContext()),
                                  argument.getLoc())))
    return {};
  Value added = local.getArgument(index);
  setPadding(added, zeroPadding); // the runner fills up with zeros
  cache[{argument.getAsOpaquePointer(), stage, sharding.getAsOpaquePointer()}] = added;
  return added;
}

std::optional<int64_t> Partitioner::getMadeStage(Value value) {
  if (Operation *producer = value.getDefiningOp())
    return getStage(producer);
  auto it = made.find(value);
  if (it == made.end())
    return std::nullopt;
  unsigned number = cast<BlockArgument>(it->second.first).getArgNumber();
  return local.getArgAttrOfType<IntegerAttr>(number, stageAttrName).getInt();
}

/// Makes the argument of the stage that makes the next value of a state, if that
/// stage reads it or none does: both ends have one sharding, and nothing moves.
LogicalResult Partitioner::createStateArgument(BlockArgument argument, Value next) {
  Operation *producer = next.getDefiningOp();
  bool isMade = producer && !isSource(producer);
  int64_t stage = isMade ? getStage(producer) : 0;
  SmallVector<int64_t> readers;
  for (Operation *user : argument.getUsers())
    if (Operation *op = main.front().findAncestorOpInBlock(*user);
        !op->hasTrait<OpTrait::IsTerminator>())
      readers.push_back(getStage(op));
  if (!readers.empty() && !llvm::is_contained(readers, stage))
    return success();
  auto sharding = main.getArgAttrOfType<ShardingAttr>(argument.getArgNumber(), shardingAttrName);
  if (isMade)
    if (ShardingAttr out = getListed(producer, outAttrName, cast<OpResult>(next).getResultNumber()))
      sharding = makeSharding(getMesh(out), getCuts(out));
  if (!sharding)
    sharding = makeWhole(meshes[stage], argument.getType());
  Value added = addArgument(argument, stage, sharding);
  if (!added)
    return failure();
  made[argument] = {added, sharding};
  return success();
}

/// One argument for each way in which a stage wants a model input. The two ends of
/// a state have one sharding in the stage that makes it; other wishes of that stage
/// are met from there, those of other stages by the runner, from step to step.
LogicalResult Partitioner::createArguments() {
  Operation *terminator = main.front().getTerminator();
  llvm::SmallDenseMap<unsigned, StatePair> stateOf;
  for (StatePair state : states)
    stateOf[state.argument] = state;
  for (BlockArgument argument : main.getArguments()) {
    if (!isa<RankedTensorType>(argument.getType()))
      return main.emitError() << "input \"" << getArgumentName(main, argument.getArgNumber())
                              << "\" is of type " << argument.getType()
                              << ": only tensors of known rank can be placed";
    if (auto state = stateOf.find(argument.getArgNumber()); state != stateOf.end())
      if (failed(createStateArgument(argument, terminator->getOperand(state->second.result))))
        return failure();
    // Uses, ordered by stage; in a stage, by first use.
    SmallVector<OpOperand *> uses;
    for (OpOperand &use : argument.getUses())
      if (use.getOwner()->getBlock() == &main.front() &&
          !use.getOwner()->hasTrait<OpTrait::IsTerminator>())
        uses.push_back(&use);
    llvm::sort(uses, [](OpOperand *a, OpOperand *b) {
      Operation *first = a->getOwner(), *second = b->getOwner();
      if (first == second)
        return a->getOperandNumber() < b->getOperandNumber();
      int64_t firstStage = getStage(first), secondStage = getStage(second);
      return firstStage != secondStage ? firstStage < secondStage : first->isBeforeInBlock(second);
    });
    llvm::SetVector<std::pair<int64_t, Attribute>> wanted;
    std::optional<int64_t> home = getMadeStage(argument);
    llvm::erase_if(uses, [&](OpOperand *use) { return getStage(use->getOwner()) == home; });
    for (OpOperand *use : uses)
      if (ShardingAttr in = getListed(use->getOwner(), inAttrName, use->getOperandNumber()))
        wanted.insert({getStage(use->getOwner()), in});
    for (auto [stage, sharding] : wanted)
      if (!addArgument(argument, stage, cast<ShardingAttr>(sharding)))
        return failure();
  }
  return success();
}

FailureOr<Value> Partitioner::materialize(Value value, int64_t stage, ShardingAttr wanted,
                                          Location loc) {
  Operation *producer = value.getDefiningOp();
  if (!wanted && !(producer && isa<onnx::NoneOp>(producer))) {
    auto it = made.find(value);
    if (it == made.end())
      return emitError(loc) << "a value of type " << value.getType() << " cannot change its stage";
    return it->second.first;
  }
  ValueKey key{value.getAsOpaquePointer(), stage, wanted ? wanted.getAsOpaquePointer() : nullptr};
  if (auto it = cache.find(key); it != cache.end())
    return it->second;
  FailureOr<Value> result = failure();
  if (producer && isSource(producer)) {
    result = makeSource(producer, wanted, loc);
  } else if (auto argument = dyn_cast<BlockArgument>(value);
             argument && getMadeStage(argument) != stage) {
    Value added = addArgument(argument, stage, wanted);
    result = added ? FailureOr<Value>(added) : FailureOr<Value>(failure());
  } else {
    auto it = made.find(value);
    if (it == made.end())
      return emitError(loc) << "uses a value that was not partitioned";
    auto global = dyn_cast<RankedTensorType>(value.getType());
    if (!global)
      return it->second.first;
    std::pair<Value, ShardingAttr> held = it->second;
    if (held.second.getMesh() != wanted.getMesh() || (producer && getStage(producer) != stage)) {
      FailureOr<std::pair<Value, ShardingAttr>> arrived = transfer(value, stage, wanted, loc);
      if (failed(arrived))
        return failure();
      held = *arrived;
    }
    result = makeCopy(value, held, stage, wanted, loc);
  }
  if (succeeded(result))
    cache[key] = *result;
  return result;
}

//===----------------------------------------------------------------------===//
// Operators
//===----------------------------------------------------------------------===//

/// What a rank computes of an op, from its parts of the operands.
FailureOr<SmallVector<Value>>
Partitioner::createLocal(Operation *op, const onnx::ShardingRule &rule, ArrayRef<Cut> factors,
                         SmallVectorImpl<Value> &operands, ArrayRef<Type> types) {
  MeshOp mesh = meshes[currentStage];
  if (isa<onnx::GatherOp>(op)) {
    auto axis = op->getAttrOfType<IntegerAttr>("axis");
    std::optional<unsigned> gathered = getFactor(rule.operands, 0, axis ? axis.getInt() : 0);
    if (gathered && !factors[*gathered].axes.empty()) {
      FailureOr<Value> value =
          gatherByParts(op, operands[0], operands[1], types[0], factors[*gathered], mesh);
      if (failed(value))
        return failure();
      return SmallVector<Value>{*value};
    }
  }
  if (failed(adjustShapeOperand(op, operands, types)) ||
      failed(maskReductions(op, rule, factors, mesh, operands)))
    return failure();
  keepOnFirstRank(op, rule, factors, mesh, operands);
  for (auto [info, cut] : llvm::zip_equal(rule.factors, factors)) {
    if (info.kind != FactorKind::Placement || cut.axes.empty())
      continue;
    FailureOr<Value> value = dispatchExperts(op, operands, types[0], cut, mesh);
    if (failed(value))
      return failure();
    return SmallVector<Value>{*value};
  }
  OperationState state(op->getLoc(), op->getName(), operands, types, getOwnAttributes(op));
  Operation *made = builder.create(state);
  if (failed(adjustAttributes(op, made, rule, factors, mesh)))
    return failure();
  derivePadding(op, made, rule, factors, mesh);
  return SmallVector<Value>(made->result_begin(), made->result_end());
}

LogicalResult Partitioner::partition(Operation *op) {
  currentStage = getStage(op);
  MeshOp mesh = meshes[currentStage];
  if (op->getNumRegions() != 0)
    return partitionWithRegions(op);
  onnx::ShardingRule rule = onnx::getShardingRule(op);
  SmallVector<Cut> factors = recoverFactors(op, rule);

  SmallVector<PartialAttr> pending;
  llvm::SmallDenseSet<unsigned> unreduced = getUnreduced(op, pending);
  SmallVector<Value> operands;
  for (auto [index, operand] : llvm::enumerate(op->getOperands())) {
    if (unreduced.contains(index)) {
      operands.push_back(made[operand].first);
      continue;
    }
    FailureOr<Value> value =
        materialize(operand, currentStage, getListed(op, inAttrName, index), op->getLoc());
    if (failed(value))
      return failure();
    operands.push_back(*value);
  }
  SmallVector<Type> types;
  for (auto [index, result] : llvm::enumerate(op->getResults())) {
    FailureOr<Type> type =
        getLocal(result.getType(), getListed(op, outAttrName, index), op->getLoc());
    if (failed(type))
      return failure();
    types.push_back(*type);
  }

  FailureOr<SmallVector<Value>> results = createLocal(op, rule, factors, operands, types);
  if (failed(results))
    return failure();
  for (auto [index, pair] : llvm::enumerate(llvm::zip_equal(op->getResults(), *results))) {
    auto [result, value] = pair;
    ShardingAttr sharding = getListed(op, outAttrName, index);
    if (sharding && !pending.empty())
      sharding = makeSharding(mesh, getCuts(sharding), pending);
    made[result] = {value, sharding};
    // Partial results are reduced when a user needs it.
    if (sharding && sharding.getPartial().empty())
      cache[{result.getAsOpaquePointer(), currentStage, sharding.getAsOpaquePointer()}] = value;
  }
  return success();
}

/// Loops and branches run whole on every rank; what they read from outside is
/// made whole first.
LogicalResult Partitioner::partitionWithRegions(Operation *op) {
  MeshOp mesh = meshes[currentStage];
  IRMapping mapping;
  llvm::SetVector<Value> used(op->operand_begin(), op->operand_end());
  op->walk([&](Operation *nested) {
    for (Value operand : nested->getOperands())
      if (operand.getParentRegion() == &main.getBody())
        used.insert(operand);
  });
  for (Value value : used) {
    ShardingAttr whole;
    if (isa<RankedTensorType>(value.getType()))
      whole = makeWhole(mesh, value.getType());
    FailureOr<Value> made = materialize(value, currentStage, whole, op->getLoc());
    if (failed(made))
      return failure();
    mapping.map(value, *made);
  }
  Operation *clone = builder.clone(*op, mapping);
  for (StringRef name : {inAttrName, outAttrName, closedAttrName})
    clone->removeAttr(name);
  for (auto [result, value] : llvm::zip_equal(op->getResults(), clone->getResults())) {
    ShardingAttr whole;
    if (isa<RankedTensorType>(result.getType()))
      whole = makeWhole(mesh, result.getType());
    made[result] = {value, whole};
    if (whole)
      cache[{result.getAsOpaquePointer(), currentStage, whole.getAsOpaquePointer()}] = value;
  }
  return success();
}

LogicalResult Partitioner::createReturn(Operation *op) {
  SmallVector<Value> values;
  SmallVector<Attribute> attributes;
  for (auto [index, operand] : llvm::enumerate(op->getOperands())) {
    if (!isa<RankedTensorType>(operand.getType()))
      return main.emitError() << "output \"" << getResultName(main, index) << "\" is of type "
                              << operand.getType() << ": only tensors of known rank can be placed";
    Operation *producer = operand.getDefiningOp();
    int64_t stage = producer && !isSource(producer) ? getStage(producer) : 0;
    ShardingAttr sharding;
    if (auto it = made.find(operand); it != made.end()) {
      sharding = it->second.second;
      if (sharding)
        sharding = getReduced(sharding);
      if (isa<BlockArgument>(operand))
        stage = *getMadeStage(operand);
    }
    if (!sharding)
      sharding = makeWhole(meshes[stage], operand.getType());
    currentStage = stage;
    FailureOr<Value> value = materialize(operand, stage, sharding, main.getLoc());
    if (failed(value))
      return failure();
    values.push_back(*value);
    NamedAttrList list(main.getResultAttrDict(index));
    list.set(shardingAttrName, sharding);
    list.set(globalAttrName, TypeAttr::get(operand.getType()));
    list.set(stageAttrName, builder.getI64IntegerAttr(stage));
    attributes.push_back(list.getDictionary(module.getContext()));
  }
  func::ReturnOp::create(builder, op->getLoc(), values);
  SmallVector<Type> types(ValueRange(values).getTypes());
  local.setFunctionType(FunctionType::get(module.getContext(), local.getArgumentTypes(), types));
  local.setResAttrsAttr(builder.getArrayAttr(attributes));
  return success();
}

LogicalResult Partitioner::run() {
  FailureOr<SymbolRanges> given = onnx::getDimRanges(main);
  if (failed(given))
    return failure();
  ranges = std::move(*given);
  // The local function takes the place and the name of the whole one.
  OpBuilder outer(main);
  local = func::FuncOp::create(outer, main.getLoc(), main.getSymName(),
                               FunctionType::get(module.getContext(), {}, {}));
  for (NamedAttribute attribute : main->getDiscardableAttrs())
    local->setAttr(attribute.getName(), attribute.getValue());
  local.setSymVisibilityAttr(main.getSymVisibilityAttr());
  Block *block = local.addEntryBlock();
  builder.setInsertionPointToEnd(block);
  StageListener listener(currentStage);
  builder.setListener(&listener);

  auto work = [&]() -> LogicalResult {
    if (failed(createArguments()))
      return failure();
    for (Operation &op : main.front()) {
      if (isSource(&op))
        continue;
      if (failed(op.hasTrait<OpTrait::IsTerminator>() ? createReturn(&op) : partition(&op)))
        return failure();
    }
    return bindExtents();
  };
  LogicalResult result = work();
  builder.setListener(nullptr);
  if (failed(result)) {
    local.erase();
    return failure();
  }
  recordModelPorts();
  main.erase();
  return success();
}

/// What the model takes and gives, for the time when its function is gone.
void Partitioner::recordModelPorts() {
  SmallVector<Attribute> inputs, outputs;
  for (auto [index, type] : llvm::enumerate(main.getArgumentTypes()))
    inputs.push_back(builder.getArrayAttr(
        {builder.getStringAttr(getArgumentName(main, index)), TypeAttr::get(type)}));
  for (auto [index, type] : llvm::enumerate(main.getResultTypes()))
    outputs.push_back(builder.getArrayAttr(
        {builder.getStringAttr(getResultName(main, index)), TypeAttr::get(type)}));
  module->setAttr(inputsAttrName, builder.getArrayAttr(inputs));
  module->setAttr(outputsAttrName, builder.getArrayAttr(outputs));
}
