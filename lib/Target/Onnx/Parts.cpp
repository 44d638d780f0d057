//===- Parts.cpp - a program between its collectives ----------------------===//
#include "dougong/Target/Onnx/Parts.h"

#include "Dist/IR/Dist.h"
#include "Onnx/IR/Onnx.h"
#include "dougong/Onnx/Values.h"
#include "dougong/Version.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::exporter;

namespace {

bool isCollective(Operation *op) {
  return isa<dist::AllReduceOp, dist::AllGatherOp, dist::ReduceScatterOp, dist::AllToAllOp,
             dist::PermuteOp>(op);
}

/// Everything that an op of the main graph reads, also inside its graphs.
llvm::SetVector<Value> getReads(Operation *op) {
  llvm::SetVector<Value> reads;
  op->walk([&](Operation *nested) {
    for (Value operand : nested->getOperands())
      if (operand.getParentBlock() == op->getBlock())
        reads.insert(operand);
  });
  return reads;
}

class Cutter {
public:
  explicit Cutter(ModuleOp program)
      : program(program), main(program.lookupSymbol<func::FuncOp>("main")), body(main.front()) {}

  CutProgram run();

private:
  void assignLevels();
  void findCrossing();
  void namePorts(CutProgram &cut);
  const std::string &getName(Value value);
  std::string makeUnique(StringRef wanted);
  Collective describe(Operation *op);
  std::optional<Part> build(unsigned level);
  bool isSource(Value value) {
    Operation *producer = value.getDefiningOp();
    return producer && onnx::isConstantSource(producer);
  }

  ModuleOp program;
  func::FuncOp main;
  Block &body;
  llvm::DenseMap<Value, unsigned> levels; ///< the first part in which a value is there
  llvm::DenseMap<Operation *, unsigned> opLevels;
  unsigned last = 0;
  llvm::SetVector<Value> crossing; ///< values that leave their part
  llvm::DenseMap<Value, std::string> names;
  llvm::StringSet<> taken;
};

} // namespace

void Cutter::assignLevels() {
  for (Operation &op : body.without_terminator()) {
    unsigned level = 0;
    for (Value read : getReads(&op))
      level = std::max(level, levels.lookup(read));
    opLevels[&op] = level;
    for (Value result : op.getResults())
      levels[result] = isCollective(&op) ? level + 1 : level;
    last = std::max(last, level);
  }
}

void Cutter::findCrossing() {
  for (Operation &op : body.without_terminator())
    for (Value read : getReads(&op)) {
      Operation *producer = read.getDefiningOp();
      bool isNear = producer && !isCollective(producer) && opLevels[producer] == opLevels[&op];
      if (isCollective(&op) || !(isSource(read) || isNear))
        crossing.insert(read);
    }
  for (Value returned : body.getTerminator()->getOperands())
    crossing.insert(returned);
}

std::string Cutter::makeUnique(StringRef wanted) {
  std::string base = wanted.empty() ? "value" : wanted.str(), name = base;
  for (unsigned suffix = 1; !taken.insert(name).second; ++suffix)
    name = base + "_" + std::to_string(suffix);
  return name;
}

const std::string &Cutter::getName(Value value) {
  auto [it, isNew] = names.try_emplace(value);
  if (isNew) {
    StringRef wanted = onnx::getNodeName(value.getLoc());
    if (auto result = dyn_cast<OpResult>(value))
      if (StringRef own = onnx::getValueName(result); !own.empty())
        wanted = own;
    it->second = makeUnique(wanted);
  }
  return it->second;
}

/// Ports come first: they keep the names of the model.
void Cutter::namePorts(CutProgram &cut) {
  auto name = [&](Value value, StringAttr given) {
    auto [it, isNew] = names.try_emplace(value);
    if (isNew)
      it->second = makeUnique(given ? given.getValue() : "");
    return it->second;
  };
  for (BlockArgument argument : body.getArguments())
    cut.inputs.push_back(
        name(argument, main.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "onnx.name")));
  for (auto [index, value] : llvm::enumerate(body.getTerminator()->getOperands()))
    cut.outputs.push_back(name(value, main.getResultAttrOfType<StringAttr>(index, "onnx.name")));
}

Collective Cutter::describe(Operation *op) {
  Collective collective;
  collective.kind = op->getName().stripDialect().str();
  for (StringRef axis : op->getAttrOfType<ArrayAttr>("axes").getAsValueRange<StringAttr>())
    collective.axes.push_back(axis.str());
  if (auto reduction = op->getAttrOfType<dist::ReductionAttr>("reduction"))
    collective.reduction = dist::stringifyReduction(reduction.getValue()).str();
  if (auto gather = dyn_cast<dist::AllGatherOp>(op))
    collective.concat = gather.getDim();
  if (auto scatter = dyn_cast<dist::ReduceScatterOp>(op))
    collective.split = scatter.getDim();
  if (auto permute = dyn_cast<dist::PermuteOp>(op))
    for (StringRef axis : permute.getFrom().getAsValueRange<StringAttr>())
      collective.from.push_back(axis.str());
  if (auto exchange = dyn_cast<dist::AllToAllOp>(op)) {
    collective.split = exchange.getSplit();
    collective.concat = exchange.getConcat();
  }
  collective.input = getName(op->getOperand(0));
  collective.output = getName(op->getResult(0));
  collective.node = onnx::getNodeName(op->getLoc()).str();
  return collective;
}

/// The ops of one level as a model, if there are any.
std::optional<Part> Cutter::build(unsigned level) {
  SmallVector<Operation *> ops;
  llvm::SetVector<Operation *> sources;
  llvm::SetVector<Value> inputs, outputs;
  auto read = [&](Value value) {
    Operation *producer = value.getDefiningOp();
    if (isSource(value))
      sources.insert(producer);
    else if (!producer || isCollective(producer) || opLevels[producer] != level)
      inputs.insert(value);
  };
  for (Operation &op : body.without_terminator()) {
    if (opLevels[&op] != level || isCollective(&op) || onnx::isConstantSource(&op))
      continue;
    ops.push_back(&op);
    llvm::for_each(getReads(&op), read);
    for (Value result : op.getResults())
      if (crossing.contains(result))
        outputs.insert(result);
  }
  // A weight that leaves the program, or is communicated, passes through the first part.
  if (level == 0)
    for (Value value : crossing)
      if (isSource(value)) {
        read(value);
        outputs.insert(value);
      }
  if (ops.empty() && outputs.empty())
    return std::nullopt;

  MLIRContext *context = program.getContext();
  Part part;
  part.module = ModuleOp::create(program.getLoc());
  Builder attributes(context);
  part.module->getOperation()->setAttr(
      "onnx.metadata",
      attributes.getDictionaryAttr(
          {attributes.getNamedAttr("producer_name", attributes.getStringAttr("dougong")),
           attributes.getNamedAttr("producer_version",
                                   attributes.getStringAttr(DOUGONG_VERSION))}));
  for (StringRef name : {"onnx.opsets", "onnx.model_dir"})
    if (Attribute value = program->getAttr(name))
      part.module->getOperation()->setAttr(name, value);
  auto builder = OpBuilder::atBlockEnd(part.module->getBody());
  auto function =
      func::FuncOp::create(builder, main.getLoc(), "main",
                           FunctionType::get(context, ValueRange(inputs.getArrayRef()).getTypes(),
                                             ValueRange(outputs.getArrayRef()).getTypes()));
  Block *block = function.addEntryBlock();
  IRMapping mapping;
  auto setName = [&](Value value, std::vector<std::string> &list, bool isInput) {
    auto name = builder.getStringAttr(getName(value));
    if (isInput)
      function.setArgAttr(list.size(), "onnx.name", name);
    else
      function.setResultAttr(list.size(), "onnx.name", name);
    list.push_back(name.str());
  };
  for (auto [value, argument] : llvm::zip_equal(inputs, block->getArguments())) {
    mapping.map(value, argument);
    setName(value, part.inputs, /*isInput=*/true);
  }
  for (Value value : outputs)
    setName(value, part.outputs, /*isInput=*/false);
  builder.setInsertionPointToEnd(block);
  auto clone = [&](Operation *op) {
    builder.clone(*op, mapping)->walk([](Operation *nested) {
      // What the model said of devices holds no more.
      for (NamedAttribute attribute : llvm::to_vector(nested->getDiscardableAttrs()))
        if (attribute.getNameDialect() && attribute.getName() != "onnx.domain")
          nested->removeDiscardableAttr(attribute.getName());
    });
  };
  llvm::for_each(sources, clone);
  llvm::for_each(ops, clone);
  SmallVector<Value> results;
  for (Value value : outputs)
    results.push_back(mapping.lookup(value));
  func::ReturnOp::create(builder, main.getLoc(), results);

  builder.setInsertionPoint(function);
  llvm::StringSet<> declared;
  function.walk([&](onnx::UseOp use) {
    if (declared.insert(use.getWeight()).second)
      builder.clone(*program.lookupSymbol(use.getWeightAttr()));
  });
  return part;
}

CutProgram Cutter::run() {
  CutProgram cut;
  namePorts(cut);
  assignLevels();
  findCrossing();
  cut.levels.resize(last + 1);
  for (unsigned level = 0; level <= last; ++level)
    cut.levels[level].part = build(level);
  for (Operation &op : body.without_terminator())
    if (isCollective(&op))
      cut.levels[opLevels[&op]].collectives.push_back(describe(&op));
  return cut;
}

CutProgram dougong::exporter::cutAtCollectives(ModuleOp program) { return Cutter(program).run(); }
