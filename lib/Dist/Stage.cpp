//===- Stage.cpp - one module for each stage ------------------------------===//
#include "dougong/Dist/Passes.h"
#include "dougong/Dist/Propagation.h"
#include "dougong/Dist/States.h"
#include "dougong/Onnx/DimRanges.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/StringMap.h"

namespace dougong::dist {
#define GEN_PASS_DEF_STAGEPASS
#include "dougong/Dist/Passes.h.inc"
} // namespace dougong::dist

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;

namespace {

/// What a stage takes and gives, while its program is built.
struct StageBuild {
  StageOp declaration;
  ModuleOp program;
  /// Arguments of `@main` and transfers that become arguments of the program.
  SmallVector<BlockArgument> arguments;
  SmallVector<TransferOp> arrivals;
  /// Values that become results: outputs of the model (by result number), and
  /// values that other stages get.
  SmallVector<unsigned> outputs;
  llvm::SetVector<Value> departures;
};

class Splitter {
public:
  Splitter(ModuleOp module, func::FuncOp main) : module(module), main(main) {}

  LogicalResult run() {
    if (Attribute ranges = main->getAttr(onnx::dimRangesAttrName))
      module->setAttr(onnx::dimRangesAttrName, ranges);
    for (StageOp stage : module.getOps<StageOp>())
      stages.push_back({stage, {}, {}, {}, {}, {}});
    if (failed(sort()))
      return failure();
    for (auto [index, stage] : llvm::enumerate(stages))
      if (failed(build(index, stage)))
        return failure();
    writeLinks();
    assignRanks();
    eraseWhole();
    mergeEqual();
    return success();
  }

private:
  LogicalResult sort();
  LogicalResult build(int64_t index, StageBuild &stage);
  void copyWeights(StageBuild &stage, func::FuncOp function);
  void writeLinks();
  void assignRanks();
  void eraseWhole();
  void mergeEqual();
  std::optional<int64_t> getValueStage(Value value);

  ModuleOp module;
  func::FuncOp main;
  SmallVector<StageBuild> stages;
};

/// Removes from a dictionary what only mattered before.
DictionaryAttr withoutStage(DictionaryAttr attributes, ShardingAttr sharding) {
  NamedAttrList list(attributes);
  list.erase(stageAttrName);
  list.set(shardingAttrName, sharding);
  return list.getDictionary(attributes.getContext());
}

/// The sharding as the program says it: its only mesh is called @mesh.
ShardingAttr onProgramMesh(ShardingAttr sharding) {
  return ShardingAttr::get(sharding.getContext(),
                           FlatSymbolRefAttr::get(sharding.getContext(), "mesh"),
                           sharding.getDims(), sharding.getPartial());
}

} // namespace

std::optional<int64_t> Splitter::getValueStage(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto stage = main.getArgAttrOfType<IntegerAttr>(argument.getArgNumber(), stageAttrName);
    return stage ? std::optional<int64_t>(stage.getInt()) : std::nullopt;
  }
  return getStage(value.getDefiningOp());
}

LogicalResult Splitter::sort() {
  int64_t count = stages.size();
  for (BlockArgument argument : main.getArguments()) {
    std::optional<int64_t> stage = getValueStage(argument);
    if (!stage || *stage < 0 || *stage >= count)
      return main.emitError() << "argument " << argument.getArgNumber()
                              << " has no stage: run dist-partition first";
    stages[*stage].arguments.push_back(argument);
  }
  for (Operation &op : main.front()) {
    if (op.hasTrait<OpTrait::IsTerminator>()) {
      for (auto [index, operand] : llvm::enumerate(op.getOperands())) {
        // A constant may be an output: it belongs to the stage that the result says.
        auto given = main.getResultAttrOfType<IntegerAttr>(index, stageAttrName);
        int64_t stage = given ? given.getInt() : getValueStage(operand).value_or(0);
        if (stage < 0 || stage >= count)
          return main.emitError() << "result " << index << " is in stage " << stage
                                  << ", but there are " << count;
        stages[stage].outputs.push_back(index);
      }
      continue;
    }
    int64_t stage = getStage(&op);
    if (stage < 0 || stage >= count)
      return op.emitError() << "is in stage " << stage << ", but there are " << count;
    if (auto transfer = dyn_cast<TransferOp>(op)) {
      std::optional<int64_t> source = getValueStage(transfer.getInput());
      if (!source || *source >= stage)
        return op.emitError("must go to a later stage");
      stages[stage].arrivals.push_back(transfer);
      stages[*source].departures.insert(transfer.getInput());
      continue;
    }
    for (Value operand : op.getOperands())
      if (getValueStage(operand) != stage)
        return op.emitError() << "of stage " << stage
                              << " uses a value of another stage without a transfer";
  }
  return success();
}

LogicalResult Splitter::build(int64_t index, StageBuild &stage) {
  MLIRContext *context = module.getContext();
  auto mesh = module.lookupSymbol<MeshOp>(stage.declaration.getMesh());
  if (!mesh)
    return stage.declaration.emitError()
           << "mesh @" << stage.declaration.getMesh() << " is not declared";
  OpBuilder outer(module.getBody(), module.getBody()->end());
  stage.program = ModuleOp::create(outer, module.getLoc(), "program" + std::to_string(index));
  for (NamedAttribute attribute : module->getDiscardableAttrs())
    if (attribute.getName().strref().starts_with("onnx."))
      stage.program->setAttr(attribute.getName(), attribute.getValue());
  stage.declaration.setProgram(stage.program.getSymName());

  OpBuilder builder(stage.program.getBody(), stage.program.getBody()->end());
  MeshOp::create(builder, mesh.getLoc(), "mesh", mesh.getAxes(), mesh.getSizesAttr(),
                 SymbolRefAttr(), IntegerAttr());
  SmallVector<Type> inputs, outputs;
  SmallVector<Attribute> inputAttributes, outputAttributes;
  auto nameOf = [&](Value value) {
    auto result = cast<OpResult>(value);
    std::string name = onnx::getNodeName(value.getLoc()).str();
    if (name.empty())
      name = "value";
    return name + "#" + std::to_string(result.getResultNumber());
  };
  auto describe = [&](StringRef name, ShardingAttr sharding, Type global) {
    return builder.getDictionaryAttr(
        {builder.getNamedAttr("onnx.name", builder.getStringAttr(name)),
         builder.getNamedAttr(shardingAttrName, onProgramMesh(sharding)),
         builder.getNamedAttr(globalAttrName, TypeAttr::get(global))});
  };
  for (BlockArgument argument : stage.arguments) {
    inputs.push_back(argument.getType());
    auto sharding = main.getArgAttrOfType<ShardingAttr>(argument.getArgNumber(), shardingAttrName);
    if (!sharding)
      return main.emitError() << "argument " << argument.getArgNumber() << " has no sharding";
    inputAttributes.push_back(
        withoutStage(main.getArgAttrDict(argument.getArgNumber()), onProgramMesh(sharding)));
  }
  for (TransferOp transfer : stage.arrivals) {
    inputs.push_back(transfer.getType());
    inputAttributes.push_back(
        describe(isa<OpResult>(transfer.getInput()) ? nameOf(transfer.getInput()) : "input",
                 transfer.getTarget(), transfer.getGlobal()));
  }
  Operation *terminator = main.front().getTerminator();
  SmallVector<Value> returned;
  for (unsigned output : stage.outputs) {
    returned.push_back(terminator->getOperand(output));
    auto sharding = main.getResultAttrOfType<ShardingAttr>(output, shardingAttrName);
    if (!sharding)
      return main.emitError() << "result " << output << " has no sharding";
    outputAttributes.push_back(
        withoutStage(main.getResultAttrDict(output), onProgramMesh(sharding)));
  }
  for (Value value : stage.departures) {
    returned.push_back(value);
    for (Operation *user : value.getUsers())
      if (auto transfer = dyn_cast<TransferOp>(user)) {
        outputAttributes.push_back(describe(isa<OpResult>(value) ? nameOf(value) : "input",
                                            transfer.getSource(), transfer.getGlobal()));
        break;
      }
  }
  llvm::append_range(outputs, ValueRange(returned).getTypes());

  auto function = func::FuncOp::create(builder, main.getLoc(), "main",
                                       FunctionType::get(context, inputs, outputs));
  Block *block = function.addEntryBlock();
  function.setArgAttrsAttr(builder.getArrayAttr(inputAttributes));
  function.setResAttrsAttr(builder.getArrayAttr(outputAttributes));
  IRMapping mapping;
  unsigned number = 0;
  for (BlockArgument argument : stage.arguments)
    mapping.map(argument, block->getArgument(number++));
  for (TransferOp transfer : stage.arrivals)
    mapping.map(transfer.getResult(), block->getArgument(number++));
  builder.setInsertionPointToEnd(block);
  for (Operation &op : main.front()) {
    if (op.hasTrait<OpTrait::IsTerminator>() || isa<TransferOp>(op) || getStage(&op) != index)
      continue;
    Operation *copy = builder.clone(op, mapping);
    copy->removeAttr(stageAttrName);
    if (copy->hasAttr("mesh"))
      copy->setAttr("mesh", FlatSymbolRefAttr::get(context, "mesh"));
  }
  SmallVector<Value> results;
  for (Value value : returned) {
    Value mapped = mapping.lookupOrNull(value);
    if (!mapped)
      return main.emitError() << "stage " << index << " returns a value of another stage";
    results.push_back(mapped);
  }
  func::ReturnOp::create(builder, terminator->getLoc(), results);
  copyWeights(stage, function);
  return success();
}

/// Copies the weights that a program uses, and those that they are made of.
void Splitter::copyWeights(StageBuild &stage, func::FuncOp function) {
  SymbolTable all(module);
  llvm::SetVector<Operation *> needed;
  function.walk([&](onnx::UseOp use) {
    if (Operation *weight = all.lookup(use.getWeight()))
      needed.insert(weight);
  });
  for (size_t index = 0; index < needed.size(); ++index)
    if (auto weight = dyn_cast<onnx::WeightOp>(needed[index]))
      if (auto derived = dyn_cast<onnx::DerivedAttr>(weight.getValue()))
        for (FlatSymbolRefAttr source : derived.getSources())
          if (Operation *made = all.lookup(source.getValue()))
            needed.insert(made);
  // In the order of the model.
  OpBuilder builder(function);
  for (onnx::WeightOp weight : module.getOps<onnx::WeightOp>())
    if (needed.contains(weight))
      builder.clone(*weight);
}

void Splitter::writeLinks() {
  OpBuilder builder(module.getBody(), Block::iterator(stages.front().program));
  auto symbol = [&](StageBuild &stage) {
    return FlatSymbolRefAttr::get(stage.declaration.getSymNameAttr());
  };
  auto port = [&](int64_t index) { return builder.getI64IntegerAttr(index); };
  for (StageBuild &stage : stages) {
    for (auto [index, argument] : llvm::enumerate(stage.arguments))
      LinkOp::create(builder, argument.getLoc(),
                     builder.getStringAttr(getArgumentName(main, argument.getArgNumber())),
                     IntegerAttr(), symbol(stage), port(index), StringAttr());
    for (auto [index, transfer] : llvm::enumerate(stage.arrivals)) {
      StageBuild &from = stages[*getValueStage(transfer.getInput())];
      int64_t source = from.outputs.size();
      for (Value value : from.departures) {
        if (value == transfer.getInput())
          break;
        ++source;
      }
      StringRef node = onnx::getNodeName(transfer.getInput().getLoc());
      LinkOp::create(builder, transfer.getLoc(), symbol(from), port(source), symbol(stage),
                     port(stage.arguments.size() + index),
                     node.empty() ? StringAttr() : builder.getStringAttr(node));
    }
  }
  // Outputs in graph order.
  for (unsigned output = 0; output < main.getNumResults(); ++output)
    for (StageBuild &stage : stages)
      for (auto [index, number] : llvm::enumerate(stage.outputs))
        if (number == output)
          LinkOp::create(builder, main.getLoc(), symbol(stage), port(index),
                         builder.getStringAttr(getResultName(main, output)), IntegerAttr(),
                         StringAttr());
}

void Splitter::assignRanks() {
  int64_t next = 0;
  for (MeshOp mesh : module.getOps<MeshOp>()) {
    if (!mesh.getFirstRank())
      mesh.setFirstRank(next);
    next = std::max<int64_t>(next, *mesh.getFirstRank() + mesh.getNumRanks());
  }
}

void Splitter::eraseWhole() {
  main.erase();
  for (onnx::WeightOp weight : llvm::make_early_inc_range(module.getOps<onnx::WeightOp>()))
    weight.erase();
}

/// Equal programs are one program.
void Splitter::mergeEqual() {
  llvm::StringMap<StringAttr> seen;
  for (StageBuild &stage : stages) {
    StringAttr name = stage.program.getSymNameAttr();
    stage.program.setSymName("program");
    std::string text;
    llvm::raw_string_ostream stream(text);
    stage.program.print(stream, OpPrintingFlags().useLocalScope());
    stage.program.setSymNameAttr(name);
    auto [it, inserted] = seen.try_emplace(text, name);
    if (inserted)
      continue;
    stage.declaration.setProgramAttr(FlatSymbolRefAttr::get(it->second));
    stage.program.erase();
  }
}

namespace {
struct StagePass : dougong::dist::impl::StagePassBase<StagePass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    FailureOr<func::FuncOp> main = getMainFunction(module);
    if (failed(main) || failed(getStageMeshes(module)) || failed(Splitter(module, *main).run()))
      signalPassFailure();
  }
};
} // namespace
