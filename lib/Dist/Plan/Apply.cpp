//===- Apply.cpp - a strategy written into the IR -------------------------===//
#include "Automatic.h"
#include "Configuration.h"
#include "Experts.h"
#include "Unpack.h"

#include "Dist/IR/Layout.h"
#include "dougong/Dist/States.h"
#include "dougong/Dist/Strategy.h"
#include "dougong/Support/Text.h"

#include <limits>

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;

namespace {

/// The axis along which experts are shared out.
StringRef getExpertAxis(const Strategy &strategy) {
  return strategy.experts.empty() ? StringRef("ep") : StringRef(strategy.experts);
}

/// Whether `holds` is true of an axis of a mesh and its size.
bool anyAxis(const Strategy &strategy, function_ref<bool(StringRef, int64_t)> holds) {
  auto any = [&](const auto &mesh) {
    return llvm::any_of(mesh, [&](const auto &entry) { return holds(entry.first, entry.second); });
  };
  return any(strategy.mesh) ||
         llvm::any_of(strategy.stages, [&](const StageSpec &stage) { return any(stage.mesh); });
}

/// Whether that axis cuts the rows, too.
bool sharesRanks(const Strategy &strategy) {
  return strategy.experts == "dp" || strategy.experts == "cp";
}

/// Declares meshes and stages, assigns ops to stages, and writes directives.
class StrategyWriter {
public:
  StrategyWriter(ModuleOp module, func::FuncOp main, const Strategy &strategy)
      : module(module), main(main), strategy(strategy) {}

  LogicalResult run() {
    if (failed(writeStates()))
      return failure();
    if (!strategy.experts.empty() &&
        !anyAxis(strategy, [&](StringRef axis, int64_t) { return axis == strategy.experts; }))
      return main.emitError() << "experts are to be shared out along axis \"" << strategy.experts
                              << "\", which no mesh has";
    if (failed(checkPipeline()))
      return failure();
    if (strategy.microBatches > 1 &&
        failed(cutIntoMicroBatches(module, main, strategy.microBatches)))
      return failure();
    declareStages();
    if (failed(assignStages()))
      return failure();
    nameStages();
    Propagation propagation(main, meshes);
    if (failed(tieStates(module, main, propagation)) || failed(writeShards(propagation)))
      return failure();
    cutBatch(main, meshes, propagation);
    if (failed(cutContext(main, meshes, propagation)))
      return failure();
    cutCrossing(main, meshes, "dp", 0, propagation);
    cutCrossing(main, meshes, "cp", 1, propagation);
    for (BlockArgument argument : main.getArguments())
      writeArgument(argument, propagation);
    cutUnpackedHeads(main, meshes, propagation);
    if (failed(cutExperts(main, meshes, getExpertAxis(strategy), propagation)))
      return failure();
    if (failed(cutWeights(main, meshes, propagation)))
      return failure();
    return strategy.sequence.empty() ? success()
                                     : cutSequence(main, meshes, strategy.sequence, propagation);
  }

private:
  LogicalResult writeStates();
  LogicalResult checkPipeline();
  void declareStages();
  LogicalResult assignStages();
  LogicalResult assignByPatterns();
  void nameStages();
  LogicalResult writeShards(Propagation &propagation);
  LogicalResult writeShard(const ShardSpec &spec, Operation *op, Propagation &propagation);
  void writeArgument(BlockArgument argument, Propagation &propagation);

  ModuleOp module;
  func::FuncOp main;
  const Strategy &strategy;
  SmallVector<MeshOp> meshes; ///< of the stages, by number
  /// What the user's entries cut on each op, for messages about the next one.
  llvm::DenseMap<Operation *, SmallVector<std::pair<const ShardSpec *, std::string>>> applied;
};

/// Prefix for messages about an entry of the strategy.
std::string getWhere(const std::string &where) { return where.empty() ? "" : where + ": "; }

/// A stage in a message, with the place where it is written.
std::string describeStage(int64_t number, const StageSpec &spec) {
  return "stage " + std::to_string(number) + (spec.where.empty() ? "" : " (" + spec.where + ")");
}

/// "file:line" as a location, for messages of later phases.
Location getLocation(const std::string &where, Location otherwise) {
  auto [file, line] = StringRef(where).rsplit(':');
  unsigned number;
  if (where.empty() || line.getAsInteger(10, number))
    return otherwise;
  return FileLineColLoc::get(otherwise.getContext(), file, number, 1);
}

} // namespace

LogicalResult StrategyWriter::writeStates() {
  Builder builder(module.getContext());
  SmallVector<Attribute> states;
  for (const auto &[inputPattern, outputPattern] : strategy.states) {
    bool found = false;
    auto [prefix, suffix] = StringRef(inputPattern).split('*');
    bool star = StringRef(inputPattern).contains('*');
    for (unsigned index = 0; index < main.getNumArguments(); ++index) {
      StringRef name = getArgumentName(main, index), middle = name;
      if (star ? !(middle.consume_front(prefix) && middle.consume_back(suffix))
               : name != inputPattern)
        continue;
      std::string output = outputPattern;
      if (star)
        output.replace(output.find('*'), 1, middle.str());
      states.push_back(
          builder.getArrayAttr({builder.getStringAttr(name), builder.getStringAttr(output)}));
      found = true;
    }
    if (!found)
      return main.emitError() << "state \"" << inputPattern << "\" matches no input of the model";
  }
  if (!states.empty())
    module->setAttr(statesAttrName, builder.getArrayAttr(states));
  return getStates(module, main); // names must exist
}

/// Refuses more equal stages than there are operators.
LogicalResult StrategyWriter::checkPipeline() {
  int64_t ops = llvm::count_if(main.front(), [](Operation &op) {
    return !isSource(&op) && !op.hasTrait<OpTrait::IsTerminator>();
  });
  if (strategy.pipeline > std::max<int64_t>(ops, 1))
    return main.emitError() << "cannot be cut into " << countOf(strategy.pipeline, "stage")
                            << ": it has " << countOf(ops, "operator");
  return success();
}

void StrategyWriter::declareStages() {
  OpBuilder builder(module.getBodyRegion());
  builder.setInsertionPointToStart(module.getBody());
  std::vector<StageSpec> specs = strategy.stages;
  if (specs.empty())
    for (int64_t stage = 0; stage < strategy.pipeline; ++stage)
      specs.push_back(
          {{}, strategy.mesh, strategy.pools.empty() ? "" : strategy.pools[stage], "", {}});
  SmallVector<StageOp> stages;
  for (auto [index, spec] : llvm::enumerate(specs)) {
    SmallVector<Attribute> axes;
    SmallVector<int64_t> sizes;
    for (const auto &[axis, size] : spec.mesh) {
      axes.push_back(builder.getStringAttr(axis));
      sizes.push_back(size);
    }
    SymbolRefAttr on =
        spec.on.empty() ? SymbolRefAttr() : SymbolRefAttr::get(module.getContext(), spec.on);
    meshes.push_back(MeshOp::create(builder, getLocation(spec.where, module.getLoc()),
                                    "mesh" + std::to_string(index), builder.getArrayAttr(axes),
                                    builder.getDenseI64ArrayAttr(sizes), on, IntegerAttr()));
  }
  for (auto [index, mesh] : llvm::enumerate(meshes))
    StageOp::create(builder, mesh.getLoc(), "stage" + std::to_string(index), mesh.getSymName(),
                    FlatSymbolRefAttr(), ArrayAttr());
}

LogicalResult StrategyWriter::assignStages() {
  if (!strategy.stages.empty())
    return assignByPatterns();
  splitIntoStages(main, strategy.pipeline);
  return success();
}

/// Ops that a pattern names are where it says. Others are in the stage "rest",
/// or as near to it (or, without one, to their operands) as the named ones let.
LogicalResult StrategyWriter::assignByPatterns() {
  Builder builder(module.getContext());
  SmallVector<Operation *> ops;
  llvm::DenseMap<Operation *, int64_t> named;
  std::optional<int64_t> rest;
  SmallVector<bool> used(strategy.stages.size());
  for (auto [stage, spec] : llvm::enumerate(strategy.stages))
    if (spec.nodes.size() == 1 && spec.nodes.front() == "rest") {
      rest = stage;
      used[stage] = true;
    }
  for (Operation &op : main.front()) {
    if (isSource(&op) || op.hasTrait<OpTrait::IsTerminator>())
      continue;
    ops.push_back(&op);
    StringRef name = onnx::getNodeName(op.getLoc());
    for (auto [stage, spec] : llvm::enumerate(strategy.stages)) {
      if (llvm::is_contained(spec.ops, &op)) {
        named.try_emplace(&op, stage);
        used[stage] = true;
      }
      for (const std::string &pattern : spec.nodes) {
        if (!matchesNode(pattern, name))
          continue;
        auto [it, inserted] = named.try_emplace(&op, stage);
        if (!inserted && it->second != static_cast<int64_t>(stage))
          return op.emitError() << getWhere(spec.where) << "pattern \"" << pattern << "\" of stage "
                                << stage << " claims a node of "
                                << describeStage(it->second, strategy.stages[it->second]);
        used[stage] = true;
      }
    }
  }
  for (auto [stage, spec] : llvm::enumerate(strategy.stages))
    if (!used[stage])
      return main.emitError() << getWhere(spec.where) << "stage " << stage
                              << " matches no node of the model";
  int64_t last = strategy.stages.size() - 1;
  // The latest stage that the named consumers of an op allow.
  llvm::DenseMap<Operation *, std::pair<int64_t, Operation *>> latest;
  for (Operation *op : llvm::reverse(ops)) {
    std::pair<int64_t, Operation *> bound{last, nullptr};
    for (Operation *user : op->getUsers()) {
      Operation *top = main.front().findAncestorOpInBlock(*user);
      if (auto it = latest.find(top); it != latest.end() && it->second.first < bound.first)
        bound = it->second;
    }
    if (auto it = named.find(op); it != named.end()) {
      if (it->second > bound.first) {
        InFlightDiagnostic diagnostic =
            op->emitError() << "is in " << describeStage(it->second, strategy.stages[it->second])
                            << ", but a node of "
                            << describeStage(bound.first, strategy.stages[bound.first])
                            << " reads what it makes: no value can go back to an earlier stage";
        diagnostic.attachNote(bound.second->getLoc()) << "it is read for this node";
        return diagnostic;
      }
      bound = {it->second, op};
    }
    latest[op] = bound;
  }
  for (Operation *op : ops) {
    int64_t earliest = 0;
    for (Value operand : op->getOperands())
      if (Operation *producer = operand.getDefiningOp(); producer && !isSource(producer))
        earliest = std::max(earliest, getStage(producer));
    int64_t stage = rest.value_or(earliest);
    stage = std::min(std::max(stage, earliest), latest[op].first);
    if (auto it = named.find(op); it != named.end())
      stage = it->second;
    op->setAttr(stageAttrName, builder.getI64IntegerAttr(stage));
  }
  if (rest && llvm::none_of(ops, [&](Operation *op) { return getStage(op) == *rest; })) {
    const StageSpec &spec = strategy.stages[*rest];
    return main.emitError() << getWhere(spec.where) << "stage " << *rest
                            << " (\"rest\") is left without a node: the other stages take all "
                            << ops.size() << "; leave it out (" << strategy.stages.size() - 1
                            << " stages), or name fewer nodes in another stage";
  }
  return success();
}

/// First and last node of each stage, for people.
void StrategyWriter::nameStages() {
  Builder builder(module.getContext());
  SmallVector<StageOp> stages(module.getOps<StageOp>());
  SmallVector<std::pair<StringRef, StringRef>> names(stages.size());
  for (Operation &op : main.front()) {
    StringRef name = onnx::getNodeName(op.getLoc());
    if (isSource(&op) || op.hasTrait<OpTrait::IsTerminator>() || name.empty())
      continue;
    auto &[first, last] = names[getStage(&op)];
    if (first.empty())
      first = name;
    last = name;
  }
  for (auto [stage, pair] : llvm::zip_equal(stages, names))
    if (!pair.first.empty())
      stage.setNodesAttr(builder.getStrArrayAttr({pair.first, pair.second}));
}

void StrategyWriter::writeArgument(BlockArgument argument, Propagation &propagation) {
  for (auto [stage, mesh] : llvm::enumerate(meshes)) {
    Cuts cuts = propagation.getValueCuts(argument, stage);
    if (llvm::any_of(cuts, [](const Cut &cut) { return !cut.axes.empty(); })) {
      main.setArgAttr(argument.getArgNumber(), shardingAttrName, makeSharding(mesh, cuts));
      return;
    }
  }
}

//===----------------------------------------------------------------------===//
// The user's shardings
//===----------------------------------------------------------------------===//

/// Whether an op has a role: the few names that do not depend on how a model
/// calls its nodes.
static bool hasRole(Operation *op, StringRef role) {
  auto isAttention = [](Operation *op) {
    return isa<onnx::AttentionOp, onnx::MsGroupQueryAttentionOp, onnx::MsMultiHeadAttentionOp>(op);
  };
  if (role == "attention")
    return isAttention(op);
  if (role == "embedding")
    return isa<onnx::GatherOp>(op) && op->getOperand(0).getDefiningOp() &&
           isSource(op->getOperand(0).getDefiningOp());
  std::optional<WeightProduct> product;
  if (auto interface = dyn_cast<onnx::ShardingRuleOpInterface>(op))
    product = getWeightProduct(op, interface.getShardingRule());
  if (!product)
    return false;
  // Through ops that only move or scale elements.
  auto reaches = [&](Value value, auto &self, unsigned depth) -> bool {
    Operation *producer = value.getDefiningOp();
    if (!producer || depth > 4)
      return false;
    if (isAttention(producer))
      return true;
    return isa<onnx::TransposeOp, onnx::ReshapeOp, onnx::CastOp>(producer) &&
           self(producer->getOperand(0), self, depth + 1);
  };
  if (role == "attention.output")
    return reaches(op->getOperand(0), reaches, 0);
  auto feeds = [&](Operation *from, auto &self, unsigned depth) -> bool {
    for (Operation *user : from->getUsers())
      if (isAttention(user) || (depth < 6 &&
                                isa<onnx::TransposeOp, onnx::ReshapeOp, onnx::CastOp, onnx::AddOp,
                                    onnx::RotaryEmbeddingOp, onnx::RMSNormalizationOp>(user) &&
                                self(user, self, depth + 1)))
        return true;
    return false;
  };
  if (role == "attention.input")
    return feeds(op, feeds, 0);
  return false;
}

static constexpr StringLiteral roles = "attention, attention.input, attention.output or embedding";

LogicalResult StrategyWriter::writeShard(const ShardSpec &spec, Operation *op,
                                         Propagation &propagation) {
  unsigned operand = spec.operand.value_or(hasRole(op, "embedding") ? 0 : 1);
  Value value;
  if (spec.result ? *spec.result >= op->getNumResults() : operand >= op->getNumOperands())
    return op->emitError() << getWhere(spec.where) << "the node has no "
                           << (spec.result ? "result " : "operand ")
                           << (spec.result ? *spec.result : operand);
  value = spec.result ? op->getResult(*spec.result) : op->getOperand(operand);
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || spec.dims.size() != static_cast<size_t>(type.getRank()))
    return op->emitError() << getWhere(spec.where) << "lists " << spec.dims.size()
                           << " dims for a value of type " << value.getType();
  Cuts cuts(spec.dims.size());
  for (auto [dim, text] : llvm::enumerate(spec.dims)) {
    if (text == "_")
      continue;
    SmallVector<StringRef> names;
    StringRef(text).split(names, '+');
    for (StringRef name : names)
      cuts[dim].axes.push_back(StringAttr::get(op->getContext(), name.trim()));
    std::optional<std::string> reason =
        spec.result ? propagation.cutResult(op, *spec.result, dim, cuts[dim])
                    : propagation.cutOperand(op, operand, dim, cuts[dim]);
    std::string what = (spec.result ? "result " : "operand ") +
                       std::to_string(spec.result ? *spec.result : operand) + " along \"" + text +
                       "\"";
    if (!reason) {
      applied[op].push_back(
          {&spec, ("dim " + Twine(static_cast<int64_t>(dim)) + " of " + what).str()});
      continue;
    }
    InFlightDiagnostic diagnostic = op->emitError() << getWhere(spec.where) << "cannot cut dim "
                                                    << dim << " of " << what << ": " << *reason;
    // The entries that it may contradict.
    for (const auto &[other, cut] : applied[op])
      diagnostic.attachNote() << getWhere(other->where) << "cuts " << cut;
    return diagnostic;
  }
  Builder builder(op->getContext());
  StringRef name = spec.result ? outAttrName : inAttrName;
  SmallVector<Attribute> list(spec.result ? op->getNumResults() : op->getNumOperands(),
                              builder.getUnitAttr());
  if (auto present = op->getAttrOfType<ArrayAttr>(name))
    list.assign(present.begin(), present.end());
  list[spec.result ? *spec.result : operand] = makeSharding(propagation.getMesh(op), cuts);
  op->setAttr(name, builder.getArrayAttr(list));
  return success();
}

LogicalResult StrategyWriter::writeShards(Propagation &propagation) {
  for (const ShardSpec &spec : strategy.shards) {
    if (!spec.role.empty() && !StringRef(spec.role).starts_with("attention") &&
        spec.role != "embedding")
      return main.emitError() << getWhere(spec.where) << "unknown role \"" << spec.role
                              << "\": expected " << roles;
    if (spec.op) {
      if (failed(writeShard(spec, spec.op, propagation)))
        return failure();
      continue;
    }
    bool found = false;
    for (Operation &op : main.front()) {
      if (isSource(&op) || op.hasTrait<OpTrait::IsTerminator>())
        continue;
      if (spec.role.empty() ? !matchesNode(spec.node, onnx::getNodeName(op.getLoc()))
                            : !hasRole(&op, spec.role))
        continue;
      found = true;
      if (failed(writeShard(spec, &op, propagation)))
        return failure();
    }
    if (!found)
      return main.emitError() << getWhere(spec.where)
                              << (spec.role.empty() ? "pattern \"" + spec.node + "\""
                                                    : "role \"" + spec.role + "\"")
                              << " matches no node of the model";
  }
  return success();
}

LogicalResult dist::applyStrategy(ModuleOp module, const Strategy &strategy) {
  FailureOr<func::FuncOp> main = getMainFunction(module);
  if (failed(main))
    return failure();
  if (!module.getOps<StageOp>().empty())
    return module.emitError("the module has stages already");
  for (Operation &op : main->front())
    if (isa<func::CallOp>(op))
      return op.emitError("calls must be inlined before planning");
  // What these write anew must be there before a configuration speaks of it.
  auto isCut = [&](StringRef axis) {
    return configurationCuts(module, strategy.configuration, axis) ||
           anyAxis(strategy,
                   [&](StringRef name, int64_t size) { return name == axis && size > 1; });
  };
  if (isCut("tp"))
    unpackAttention(module, *main);
  if (isCut("cp"))
    writeCausality(*main);
  if (isCut(getExpertAxis(strategy)) &&
      failed(separateExperts(module, *main, sharesRanks(strategy))))
    return failure();
  Strategy complete = strategy;
  if (!strategy.configuration.empty() && failed(readConfiguration(module, *main, complete)))
    return failure();
  return StrategyWriter(module, *main, complete).run();
}
