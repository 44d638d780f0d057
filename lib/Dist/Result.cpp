//===- Result.cpp - what packaging needs of a partition -------------------===//
#include "dougong/Dist/PartitionResult.h"

#include "Dist/IR/Layout.h"
#include "dougong/Dist/Propagation.h"
#include "dougong/Dist/States.h"
#include "dougong/Onnx/Cost.h"
#include "dougong/Onnx/DimRanges.h"
#include "dougong/Onnx/Values.h"

#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;

namespace {

DimExpr parse(StringRef text) {
  Result<DimExpr> expr = DimExpr::parse(text);
  return expr ? *expr : DimExpr();
}

DimExpr getElements(RankedTensorType type) {
  FailureOr<SmallVector<DimExpr>> extents = getExtents(type);
  DimExpr count(succeeded(extents) ? 1 : 0);
  if (succeeded(extents))
    for (const DimExpr &extent : *extents)
      count = count * extent;
  return count;
}

int64_t getElementBytes(Type type) {
  return type.isIntOrFloat() ? llvm::divideCeil(type.getIntOrFloatBitWidth(), 8) : 1;
}

std::vector<std::string> getTexts(RankedTensorType type) {
  std::vector<std::string> texts;
  FailureOr<SmallVector<DimExpr>> extents = getExtents(type);
  if (succeeded(extents))
    for (const DimExpr &extent : *extents)
      texts.push_back(extent.print());
  return texts;
}

std::vector<std::string> getStrings(ArrayAttr list) {
  std::vector<std::string> strings;
  if (list)
    for (StringRef text : list.getAsValueRange<StringAttr>())
      strings.push_back(text.str());
  return strings;
}

/// An argument or result of a program, from its attributes.
FailureOr<PortInfo> getPort(func::FuncOp main, Type type, DictionaryAttr attributes) {
  PortInfo port;
  auto sharding = attributes ? attributes.getAs<ShardingAttr>(shardingAttrName) : ShardingAttr();
  auto global = attributes ? attributes.getAs<TypeAttr>(globalAttrName) : TypeAttr();
  port.local = dyn_cast<RankedTensorType>(type);
  port.global = global ? dyn_cast<RankedTensorType>(global.getValue()) : RankedTensorType();
  if (!sharding || !port.global || !port.local)
    return main.emitError("has an argument or result without ")
           << shardingAttrName << " or " << globalAttrName;
  if (auto name = attributes.getAs<StringAttr>("onnx.name"))
    port.name = name.str();
  port.globalDims = getTexts(port.global);
  port.localDims = getTexts(port.local);
  for (CutAttr cut : sharding.getDims()) {
    CutInfo info{{}, cut.getUnit()};
    for (StringAttr axis : cut.getAxes())
      info.axes.push_back(axis.str());
    port.sharding.push_back(std::move(info));
  }
  return port;
}

/// Counts what a rank does and says, op by op.
class ProgramReader {
public:
  ProgramReader(ProgramInfo &program, func::FuncOp main, MeshOp mesh)
      : program(program), main(main), mesh(mesh) {}

  void run() {
    main.walk([&](Operation *op) {
      if (op == main || op->hasTrait<OpTrait::IsTerminator>() || isSource(op))
        return;
      if (isa<AllReduceOp, AllGatherOp, ReduceScatterOp, AllToAllOp, RaggedAllToAllOp, PermuteOp>(
              op))
        readCall(op);
      else if (!isa<DistDialect>(op->getDialect()))
        readOp(op);
    });
    program.work.flops = flops.print();
    program.work.matmulFlops = matmulFlops.print();
    program.work.sentBytes = sentBytes.print();
  }

private:
  void readCall(Operation *op) {
    auto axes = op->getAttrOfType<ArrayAttr>("axes");
    auto input = cast<RankedTensorType>(op->getOperand(0).getType());
    auto result = cast<RankedTensorType>(op->getResult(0).getType());
    CallInfo call;
    call.kind = op->getName().stripDialect().str();
    call.axes = getStrings(axes);
    call.elementType = input.getElementType();
    call.node = onnx::getNodeName(op->getLoc()).str();
    int64_t count = 1;
    for (StringAttr axis : axes.getAsRange<StringAttr>())
      count *= mesh.getAxisSize(axis.getValue()).value_or(1);
    DimExpr elements = getElements(input);
    DimExpr peers(count - 1), bytes(getElementBytes(input.getElementType()));
    DimExpr sent;
    if (auto reduce = dyn_cast<AllReduceOp>(op)) {
      call.reduction = stringifyReduction(reduce.getReduction()).str();
      // Ring: every rank sends (n - 1) / n of the value twice.
      sent = floorDiv(DimExpr(2) * peers * elements * bytes, count);
    } else if (auto scatter = dyn_cast<ReduceScatterOp>(op)) {
      call.reduction = stringifyReduction(scatter.getReduction()).str();
      elements = getElements(result);
      sent = peers * elements * bytes;
    } else if (auto move = dyn_cast<AllToAllOp>(op)) {
      // One peer's part: the operand with the local extent of the split dim.
      FailureOr<SmallVector<DimExpr>> from = getExtents(input), to = getExtents(result);
      elements = DimExpr(1);
      if (succeeded(from) && succeeded(to))
        for (auto [dim, extent] : llvm::enumerate(*from))
          elements = elements * (dim == move.getSplit() ? (*to)[dim] : extent);
      sent = peers * elements * bytes;
    } else if (isa<RaggedAllToAllOp>(op)) {
      // The fewer rows of the two are as many as can move. Of the room for those of all
      // ranks a part is this rank's own.
      DimExpr here = elements, there = getElements(result);
      elements = min(here, there);
      sent = min(elements, floorDiv(peers * max(here, there), count)) * bytes;
    } else if (isa<PermuteOp>(op)) {
      sent = elements * bytes;
    } else {
      sent = peers * elements * bytes;
    }
    call.elements = elements.print();
    sentBytes = sentBytes + sent;
    program.calls.push_back(std::move(call));
  }

  /// Partitioning may have made several ops of a node.
  void readNode(Operation *op, const DimExpr &count) {
    StringRef name = onnx::getNodeName(op->getLoc());
    if (name.empty() || op->getParentOp() != main)
      return;
    auto [it, isNew] = nodes.try_emplace(name, program.work.nodes.size());
    if (isNew) {
      program.work.nodes.push_back({name.str(), op->getName().stripDialect().str(), "", {}, {}});
      nodeFlops.emplace_back();
      for (unsigned index = 0;; ++index) {
        StringRef output = onnx::getOutputName(op->getLoc(), index);
        if (output.empty())
          break;
        program.work.nodes.back().outputs.push_back(output.str());
      }
    }
    NodeInfo &node = program.work.nodes[it->second];
    for (Value operand : op->getOperands())
      if (auto use = operand.getDefiningOp<onnx::UseOp>())
        if (!llvm::is_contained(node.weights, use.getWeight()))
          node.weights.push_back(use.getWeight().str());
    nodeFlops[it->second] = nodeFlops[it->second] + count;
    node.flops = nodeFlops[it->second].print();
  }

  void readOp(Operation *op) {
    onnx::OpCost cost = onnx::getOpCost(op);
    DimExpr count = parse(cost.flops);
    readNode(op, count);
    flops = flops + count;
    if (cost.matrix) {
      matmulFlops = matmulFlops + count;
      countWeights(op);
    }
    if (auto reason = op->getAttrOfType<StringAttr>(replicatedAttrName);
        reason && !(count == DimExpr(0)))
      program.work.replicated.push_back(
          {onnx::getNodeName(op->getLoc()).str(), reason.str(), cost.flops});
  }

  /// Matrices that a product reads, each once, also those put side by side or
  /// transposed for it. Tables of angles that attention looks up are none.
  void countWeights(Operation *op) {
    if (isa<onnx::MsGroupQueryAttentionOp>(op))
      return;
    for (Value operand : op->getOperands()) {
      Operation *producer = operand.getDefiningOp();
      if (isa_and_present<onnx::ConcatOp, onnx::TransposeOp>(producer))
        countWeights(producer);
      if (!producer || !isa<onnx::UseOp, onnx::ConstantOp>(producer))
        continue;
      auto type = dyn_cast<RankedTensorType>(operand.getType());
      auto use = dyn_cast<onnx::UseOp>(producer);
      const void *identity =
          use ? use.getWeightAttr().getAsOpaquePointer() : static_cast<const void *>(producer);
      if (type && type.getRank() >= 2 && counted.insert(identity).second)
        program.work.matrixWeightBytes +=
            llvm::divideCeil(type.getNumElements() * type.getElementTypeBitWidth(), 8);
    }
  }

  ProgramInfo &program;
  func::FuncOp main;
  MeshOp mesh;
  DimExpr flops, matmulFlops, sentBytes;
  llvm::SmallPtrSet<const void *, 16> counted;
  llvm::StringMap<size_t> nodes; ///< index by name
  std::vector<DimExpr> nodeFlops;
};

/// The text of a program without the names and sources of its weights.
std::string getCodeText(ModuleOp program) {
  OwningOpRef<ModuleOp> copy(cast<ModuleOp>(program->clone()));
  copy->setSymName("program");
  SmallVector<onnx::WeightOp> weights(copy->getOps<onnx::WeightOp>());
  llvm::StringMap<std::string> names;
  copy->walk([&](onnx::UseOp use) {
    auto [it, inserted] = names.try_emplace(use.getWeight(), "w" + std::to_string(names.size()));
    use.setWeight(it->second);
  });
  for (onnx::WeightOp weight : weights)
    weight.erase();
  std::string text;
  llvm::raw_string_ostream stream(text);
  (*copy)->walk([](func::FuncOp function) {
    // Names of values that cross differ from layer to layer.
    for (unsigned index = 0; index < function.getNumArguments(); ++index)
      function.removeArgAttr(index, "onnx.name");
    for (unsigned index = 0; index < function.getNumResults(); ++index)
      function.removeResultAttr(index, "onnx.name");
  });
  copy->print(stream, OpPrintingFlags().useLocalScope());
  return text;
}

FailureOr<std::vector<ModelPortInfo>> getModelPorts(ModuleOp module, StringRef name) {
  std::vector<ModelPortInfo> ports;
  auto list = module->getAttrOfType<ArrayAttr>(name);
  if (!list)
    return module.emitError() << "has no " << name << ": run dist-partition and dist-stage first";
  for (Attribute entry : list) {
    auto pair = dyn_cast<ArrayAttr>(entry);
    auto text = pair && pair.size() == 2 ? dyn_cast<StringAttr>(pair[0]) : StringAttr();
    auto type = text ? dyn_cast<TypeAttr>(pair[1]) : TypeAttr();
    auto tensor = type ? dyn_cast<RankedTensorType>(type.getValue()) : RankedTensorType();
    if (!tensor)
      return module.emitError() << name << " must list pairs [name, type], got " << entry;
    ports.push_back({text.str(), tensor, getTexts(tensor)});
  }
  return ports;
}

} // namespace

FailureOr<PartitionResult> dist::getPartitionResult(ModuleOp module) {
  PartitionResult result;
  llvm::StringMap<unsigned> meshes, programs, stages;
  for (MeshOp mesh : module.getOps<MeshOp>()) {
    meshes[mesh.getSymName()] = result.meshes.size();
    MeshInfo info;
    info.id = mesh.getSymName().str();
    for (auto [axis, size] :
         llvm::zip(mesh.getAxes().getAsValueRange<StringAttr>(), mesh.getSizes()))
      info.axes.push_back({axis.str(), size});
    if (SymbolRefAttr on = mesh.getOnAttr()) {
      info.on = on.getRootReference().str();
      for (FlatSymbolRefAttr nested : on.getNestedReferences())
        info.on += "::" + nested.getValue().str();
    }
    info.firstRank = mesh.getFirstRank().value_or(0);
    result.numRanks = std::max(result.numRanks, info.firstRank + mesh.getNumRanks());
    result.meshes.push_back(std::move(info));
  }
  llvm::StringMap<unsigned> classes;
  for (ModuleOp nested : module.getOps<ModuleOp>()) {
    auto main = nested.lookupSymbol<func::FuncOp>("main");
    auto mesh = nested.lookupSymbol<MeshOp>("mesh");
    if (!main || !mesh)
      return nested.emitError("a program must have a function @main and a mesh @mesh");
    ProgramInfo program;
    program.name = nested.getSymName().value_or("").str();
    program.module = nested;
    for (unsigned index = 0; index < main.getNumArguments(); ++index) {
      FailureOr<PortInfo> port =
          getPort(main, main.getArgumentTypes()[index], main.getArgAttrDict(index));
      if (failed(port))
        return failure();
      program.inputs.push_back(std::move(*port));
    }
    for (unsigned index = 0; index < main.getNumResults(); ++index) {
      FailureOr<PortInfo> port =
          getPort(main, main.getResultTypes()[index], main.getResultAttrDict(index));
      if (failed(port))
        return failure();
      program.outputs.push_back(std::move(*port));
    }
    ProgramReader(program, main, mesh).run();
    program.codeClass = classes.try_emplace(getCodeText(nested), classes.size()).first->second;
    programs[program.name] = result.programs.size();
    result.programs.push_back(std::move(program));
  }
  for (StageOp stage : module.getOps<StageOp>()) {
    if (!stage.getProgram() || !programs.contains(*stage.getProgram()))
      return stage.emitError("runs no program: run dist-stage first");
    stages[stage.getSymName()] = result.stages.size();
    result.stages.push_back({stage.getSymName().str(), programs[*stage.getProgram()],
                             meshes[stage.getMesh()], getStrings(stage.getNodesAttr()),
                             stage.getLoc()});
  }
  for (LinkOp link : module.getOps<LinkOp>()) {
    auto getEnd = [&](Attribute end, std::optional<uint64_t> port) {
      EndInfo info;
      if (auto stage = dyn_cast<FlatSymbolRefAttr>(end)) {
        info.stage = stages[stage.getValue()];
        info.port = port.value_or(0);
      } else {
        info.model = cast<StringAttr>(end).str();
      }
      return info;
    };
    result.links.push_back({getEnd(link.getSource(), link.getSourcePort()),
                            getEnd(link.getTarget(), link.getTargetPort()),
                            link.getValue().value_or("").str()});
  }
  // What leaves a stage for another one is sent, too.
  for (const LinkInfo &link : result.links)
    if (link.from.stage && link.to.stage) {
      ProgramInfo &program = result.programs[result.stages[*link.from.stage].program];
      if (link.from.port >= program.outputs.size())
        return module.emitError("a link starts at a port that its stage does not have");
      RankedTensorType type = program.outputs[link.from.port].local;
      DimExpr sent = parse(program.work.sentBytes) +
                     getElements(type) * DimExpr(getElementBytes(type.getElementType()));
      program.work.sentBytes = sent.print();
    }
  FailureOr<std::vector<ModelPortInfo>> inputs = getModelPorts(module, inputsAttrName);
  FailureOr<std::vector<ModelPortInfo>> outputs = getModelPorts(module, outputsAttrName);
  if (failed(inputs) || failed(outputs))
    return failure();
  result.inputs = std::move(*inputs);
  result.outputs = std::move(*outputs);
  if (auto list = module->getAttrOfType<ArrayAttr>(statesAttrName))
    for (Attribute entry : list) {
      auto pair = dyn_cast<ArrayAttr>(entry);
      if (pair && pair.size() == 2)
        result.states.push_back({cast<StringAttr>(pair[0]).str(), cast<StringAttr>(pair[1]).str()});
    }
  if (auto parts = module->getAttrOfType<DictionaryAttr>(microBatchesAttrName)) {
    auto batch = parts.getAs<StringAttr>("batch");
    auto count = parts.getAs<IntegerAttr>("count");
    if (!batch || !count || count.getInt() < 2)
      return module.emitError() << microBatchesAttrName
                                << " must be {batch = NAME, count = N} with "
                                << "N of at least 2, got " << parts;
    result.batch = batch.str();
    result.microBatches = count.getInt();
  }
  FailureOr<SymbolRanges> ranges = onnx::getDimRanges(module);
  if (failed(ranges))
    return failure();
  result.ranges = std::move(*ranges);
  return result;
}
