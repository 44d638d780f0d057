//===- Propagate.cpp - completes the shardings of all values --------------===//
#include "dougong/Dist/Passes.h"
#include "dougong/Dist/Propagation.h"
#include "dougong/Dist/States.h"

namespace dougong::dist {
#define GEN_PASS_DEF_PROPAGATEPASS
#include "dougong/Dist/Passes.h.inc"
} // namespace dougong::dist

using namespace mlir;
using namespace dougong::dist;

namespace {
struct PropagatePass : dougong::dist::impl::PropagatePassBase<PropagatePass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    FailureOr<func::FuncOp> main = getMainFunction(module);
    FailureOr<SmallVector<MeshOp>> meshes = getStageMeshes(module);
    if (failed(main) || failed(meshes) || failed(checkStages(*main, meshes->size())))
      return signalPassFailure();
    Propagation propagation(*main, *meshes);
    if (failed(propagation.readDirectives()) || failed(tieStates(module, *main, propagation)))
      return signalPassFailure();
    propagation.run();
    propagation.writeAttributes();
  }

  /// Every op must be in a stage that exists, and after what it reads.
  static LogicalResult checkStages(func::FuncOp main, int64_t count) {
    for (Operation &op : main.front()) {
      if (isa<func::CallOp>(op))
        return op.emitError("calls must be inlined before sharding");
      if (isSource(&op) || op.hasTrait<OpTrait::IsTerminator>())
        continue;
      int64_t stage = getStage(&op);
      if (stage < 0 || stage >= count)
        return op.emitError() << "is in stage " << stage << ", but there are " << count;
      for (Value operand : op.getOperands()) {
        Operation *producer = operand.getDefiningOp();
        if (!producer || isSource(producer) || getStage(producer) <= stage)
          continue;
        InFlightDiagnostic diagnostic = op.emitError()
                                        << "is in stage " << stage << " but reads a value of stage "
                                        << getStage(producer);
        diagnostic.attachNote(producer->getLoc()) << "the value is made here";
        return diagnostic;
      }
    }
    return success();
  }
};
} // namespace
