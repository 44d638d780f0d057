//===- Pass.cpp - the pass dist-partition ---------------------------------===//
#include "Partitioner.h"

#include "dougong/Dist/Passes.h"

namespace dougong::dist {
#define GEN_PASS_DEF_PARTITIONPASS
#include "dougong/Dist/Passes.h.inc"
} // namespace dougong::dist

using namespace mlir;
using namespace dougong::dist;

namespace {
struct PartitionPass : dougong::dist::impl::PartitionPassBase<PartitionPass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    FailureOr<func::FuncOp> main = getMainFunction(module);
    FailureOr<SmallVector<MeshOp>> meshes = getStageMeshes(module);
    if (failed(main) || failed(meshes))
      return signalPassFailure();
    FailureOr<SmallVector<StatePair>> states = getStates(module, *main);
    if (failed(states) || failed(checkAnnotated(*main)))
      return signalPassFailure();
    if (failed(Partitioner(module, *main, *meshes, *states).run()))
      signalPassFailure();
  }

  static LogicalResult checkAnnotated(func::FuncOp main) {
    for (Operation &op : main.front()) {
      if (isSource(&op) || op.hasTrait<OpTrait::IsTerminator>())
        continue;
      if (!op.hasAttr(inAttrName) || !op.hasAttr(outAttrName))
        return op.emitError("has no shardings: run dist-propagate first");
    }
    return success();
  }
};
} // namespace
