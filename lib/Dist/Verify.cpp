//===- Verify.cpp - what holds after each phase ---------------------------===//
#include "dougong/Dist/Passes.h"

#include "Dist/IR/Layout.h"
#include "dougong/Dist/Propagation.h"
#include "dougong/Dist/States.h"
#include "dougong/Onnx/Sharding.h"

#include "llvm/ADT/StringSet.h"

namespace dougong::dist {
#define GEN_PASS_DEF_VERIFYPROPAGATEDPASS
#define GEN_PASS_DEF_VERIFYPARTITIONEDPASS
#define GEN_PASS_DEF_VERIFYSTAGEDPASS
#include "dougong/Dist/Passes.h.inc"
} // namespace dougong::dist

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;

//===----------------------------------------------------------------------===//
// After dist-propagate
//===----------------------------------------------------------------------===//

namespace {

/// Checks the shardings of one op against its rule.
class OpShardingVerifier {
public:
  OpShardingVerifier(Operation *op, MeshOp mesh)
      : op(op), mesh(mesh), rule(onnx::getShardingRule(op)), axes(rule.factors.size()) {}

  LogicalResult verify() {
    if (failed(verifyList(inAttrName, op->getOperands(), rule.operands, "operand")))
      return failure();
    return verifyList(outAttrName, op->getResults(), rule.results, "result");
  }

private:
  LogicalResult verifyList(StringRef name, ValueRange values,
                           ArrayRef<SmallVector<onnx::DimFactors>> dims, StringRef what) {
    auto list = op->getAttrOfType<ArrayAttr>(name);
    if (!list || list.size() != values.size())
      return op->emitError() << "must have one sharding in " << name << " for each " << what;
    for (auto [index, value] : llvm::enumerate(values)) {
      auto type = dyn_cast<RankedTensorType>(value.getType());
      if (!type)
        continue;
      auto sharding = dyn_cast<ShardingAttr>(list[index]);
      if (!sharding || sharding.getDims().size() != static_cast<size_t>(type.getRank()))
        return op->emitError() << what << " " << index << " has no sharding of rank "
                               << type.getRank();
      if (sharding.getMesh().getValue() != mesh.getSymName())
        return op->emitError() << what << " " << index << " is on mesh " << sharding.getMesh()
                               << ", but the op's stage is on @" << mesh.getSymName();
      for (auto [dim, cut] : llvm::enumerate(sharding.getDims()))
        if (failed(verifyCut(cut,
                             index < dims.size() && dim < dims[index].size()
                                 ? ArrayRef<unsigned>(dims[index][dim].factors)
                                 : ArrayRef<unsigned>(),
                             what, index, dim)))
          return failure();
    }
    return success();
  }

  LogicalResult verifyCut(CutAttr cut, ArrayRef<unsigned> factors, StringRef what, unsigned index,
                          unsigned dim) {
    if (!mesh.getNumShards(cut.getAxes()))
      return op->emitError() << what << " " << index << " is cut along an axis that mesh @"
                             << mesh.getSymName() << " does not have";
    if (factors.empty()) {
      if (!cut.getAxes().empty())
        return op->emitError() << "dim " << dim << " of " << what << " " << index
                               << " is cut, but the operator needs it whole";
      return success();
    }
    std::optional<ArrayRef<StringAttr>> &known = axes[factors.front()];
    if (known && *known != cut.getAxes())
      return op->emitError() << "dim " << dim << " of " << what << " " << index
                             << " is cut otherwise than the dims that go with it";
    known = cut.getAxes();
    return success();
  }

  Operation *op;
  MeshOp mesh;
  onnx::ShardingRule rule;
  SmallVector<std::optional<ArrayRef<StringAttr>>> axes;
};

struct VerifyPropagatedPass : dougong::dist::impl::VerifyPropagatedPassBase<VerifyPropagatedPass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    FailureOr<func::FuncOp> main = getMainFunction(module);
    FailureOr<SmallVector<MeshOp>> meshes = getStageMeshes(module);
    if (failed(main) || failed(meshes))
      return signalPassFailure();
    for (Operation &op : main->front()) {
      if (isSource(&op) || op.hasTrait<OpTrait::IsTerminator>())
        continue;
      int64_t stage = getStage(&op);
      if (stage < 0 || stage >= static_cast<int64_t>(meshes->size())) {
        op.emitError() << "is in stage " << stage << ", but there are " << meshes->size();
        return signalPassFailure();
      }
      for (Value operand : op.getOperands())
        if (Operation *producer = operand.getDefiningOp();
            producer && !isSource(producer) && getStage(producer) > stage) {
          op.emitError() << "is in stage " << stage << " but reads a value of stage "
                         << getStage(producer);
          return signalPassFailure();
        }
      if (failed(OpShardingVerifier(&op, (*meshes)[stage]).verify()))
        return signalPassFailure();
    }
    markAllAnalysesPreserved();
  }
};

//===----------------------------------------------------------------------===//
// After dist-partition
//===----------------------------------------------------------------------===//

/// The type of an argument or result must be its part of the whole type.
LogicalResult verifyPort(func::FuncOp main, Type type, DictionaryAttr attributes, ModuleOp meshes,
                         const Twine &what) {
  auto sharding = attributes ? attributes.getAs<ShardingAttr>(shardingAttrName) : ShardingAttr();
  auto whole = attributes ? attributes.getAs<TypeAttr>(globalAttrName) : TypeAttr();
  if (!sharding || !whole)
    return main.emitError() << what << " has no " << (sharding ? globalAttrName : shardingAttrName);
  auto mesh = meshes.lookupSymbol<MeshOp>(sharding.getMesh());
  auto global = dyn_cast<RankedTensorType>(whole.getValue());
  if (!mesh || !global)
    return main.emitError() << what << " has a sharding on an unknown mesh, or no whole type";
  if (sharding.isReplicated()) {
    if (type != global)
      return main.emitError() << what << " must have type " << global << ", got " << type;
    return success();
  }
  FailureOr<RankedTensorType> expected = getLocalType(global, sharding, mesh);
  if (failed(expected) || *expected != type)
    return main.emitError() << what << " must have the local type of " << global << " under "
                            << sharding << ", got " << type;
  return success();
}

LogicalResult verifyPorts(func::FuncOp main, ModuleOp meshes) {
  for (unsigned index = 0; index < main.getNumArguments(); ++index)
    if (failed(verifyPort(main, main.getArgumentTypes()[index], main.getArgAttrDict(index), meshes,
                          "argument " + Twine(index))))
      return failure();
  for (unsigned index = 0; index < main.getNumResults(); ++index)
    if (failed(verifyPort(main, main.getResultTypes()[index], main.getResultAttrDict(index), meshes,
                          "result " + Twine(index))))
      return failure();
  return success();
}

/// Ranks must agree on whether a collective is reached.
LogicalResult verifyNoNestedCalls(func::FuncOp main) {
  WalkResult walk = main.walk([&](Operation *op) {
    if (isa<AllReduceOp, AllGatherOp, ReduceScatterOp, AllToAllOp, RaggedAllToAllOp, PermuteOp,
            TransferOp>(op) &&
        op->getParentOp() != main) {
      op->emitError("stands in a region: ranks could disagree on whether it is reached");
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return failure(walk.wasInterrupted());
}

struct VerifyPartitionedPass
    : dougong::dist::impl::VerifyPartitionedPassBase<VerifyPartitionedPass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    FailureOr<func::FuncOp> main = getMainFunction(module);
    if (failed(main) || failed(verifyPorts(*main, module)) || failed(verifyNoNestedCalls(*main)))
      return signalPassFailure();
    for (Operation &op : main->front()) {
      if (op.hasTrait<OpTrait::IsTerminator>())
        continue;
      for (StringRef name : {inAttrName, outAttrName})
        if (op.hasAttr(name)) {
          op.emitError() << "still has " << name << ": it was not partitioned";
          return signalPassFailure();
        }
      for (Value operand : op.getOperands()) {
        Operation *producer = operand.getDefiningOp();
        if (!producer || isa<TransferOp>(op) || getStage(producer) == getStage(&op))
          continue;
        op.emitError() << "of stage " << getStage(&op) << " uses a value of stage "
                       << getStage(producer) << " without a transfer";
        return signalPassFailure();
      }
    }
    markAllAnalysesPreserved();
  }
};

//===----------------------------------------------------------------------===//
// After dist-stage
//===----------------------------------------------------------------------===//

struct VerifyStagedPass : dougong::dist::impl::VerifyStagedPassBase<VerifyStagedPass> {
  void runOnOperation() override {
    if (failed(verify(getOperation())))
      signalPassFailure();
    markAllAnalysesPreserved();
  }

  LogicalResult verify(ModuleOp module) {
    int64_t next = 0;
    for (MeshOp mesh : module.getOps<MeshOp>()) {
      if (!mesh.getFirstRank() || static_cast<int64_t>(*mesh.getFirstRank()) < next)
        return mesh.emitError() << "must have a first rank of at least " << next
                                << ", after the meshes before it";
      next = *mesh.getFirstRank() + mesh.getNumRanks();
    }
    llvm::StringMap<std::pair<unsigned, func::FuncOp>> programs;
    for (auto [index, stage] : llvm::enumerate(module.getOps<StageOp>())) {
      auto program =
          stage.getProgram() ? module.lookupSymbol<ModuleOp>(*stage.getProgram()) : ModuleOp();
      auto main = program ? program.lookupSymbol<func::FuncOp>("main") : func::FuncOp();
      if (!main)
        return stage.emitError("runs no program with a function @main");
      if (failed(verifyPorts(main, program)) || failed(verifyNoNestedCalls(main)))
        return failure();
      programs[stage.getSymName()] = {static_cast<unsigned>(index), main};
    }
    // Each input of each stage has one link.
    llvm::StringSet<> fed;
    for (LinkOp link : module.getOps<LinkOp>()) {
      Type types[2];
      std::optional<unsigned> stages[2];
      for (bool target : {false, true}) {
        auto symbol = dyn_cast<FlatSymbolRefAttr>(target ? link.getTarget() : link.getSource());
        if (!symbol)
          continue;
        auto [index, main] = programs[symbol.getValue()];
        stages[target] = index;
        unsigned port = target ? *link.getTargetPort() : *link.getSourcePort();
        unsigned count = target ? main.getNumArguments() : main.getNumResults();
        if (port >= count)
          return link.emitError() << "stage " << symbol << " has " << count
                                  << (target ? " inputs" : " outputs") << ", but port " << port
                                  << " is linked";
        auto global = target ? main.getArgAttrOfType<TypeAttr>(port, globalAttrName)
                             : main.getResultAttrOfType<TypeAttr>(port, globalAttrName);
        types[target] = global.getValue();
        if (target && !fed.insert((symbol.getValue() + "#" + Twine(port)).str()).second)
          return link.emitError() << "input " << port << " of stage " << symbol
                                  << " is linked twice";
      }
      if (stages[0] && stages[1] && *stages[0] >= *stages[1])
        return link.emitError("must run from an earlier to a later stage");
      if (types[0] && types[1] && types[0] != types[1])
        return link.emitError() << "joins a value of type " << types[0] << " to an input of type "
                                << types[1];
    }
    for (auto &entry : programs)
      for (unsigned port = 0; port < entry.second.second.getNumArguments(); ++port)
        if (!fed.contains((entry.first() + "#" + Twine(port)).str()))
          return module.emitError()
                 << "input " << port << " of stage @" << entry.first() << " has no link";
    return success();
  }
};

} // namespace
