//===- Sequence.cpp - the sequence cut where weights are whole ------------===//
//
// Sequence parallelism: between the products that tensor parallelism cuts, each
// rank has a run of the rows. Partial results are then reduced and scattered
// before the residual, and gathered behind the norm: the bytes of an all-reduce,
// but the work of norms and residuals is shared out.
//
//===----------------------------------------------------------------------===//
#include "Automatic.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;

/// Whether a product or a router reads the value whole.
static bool isReadWhole(Value value, const Propagation &propagation) {
  return llvm::any_of(value.getUsers(), [&](Operation *user) {
    return !user->hasTrait<OpTrait::IsTerminator>() && !isSource(user) &&
           getWeightProduct(user, propagation.getRule(user));
  });
}

LogicalResult dist::cutSequence(func::FuncOp main, ArrayRef<MeshOp> meshes, StringRef axisName,
                                Propagation &propagation) {
  StringAttr axis = StringAttr::get(main.getContext(), axisName);
  auto getWays = [&](Operation *op) {
    return MeshOp(meshes[getStage(op)]).getAxisSize(axisName).value_or(1);
  };
  bool found = false;
  for (Operation &op : main.front()) {
    if (!isa<onnx::RMSNormalizationOp, onnx::LayerNormalizationOp, onnx::MsSkipLayerNormalizationOp,
             onnx::MsSkipSimplifiedLayerNormalizationOp, onnx::MsSimplifiedLayerNormalizationOp>(
            op) ||
        getWays(&op) == 1)
      continue;
    auto type = dyn_cast<RankedTensorType>(op.getResult(0).getType());
    bool isCut = llvm::any_of(propagation.getResultCuts(&op, 0),
                              [&](const Cut &cut) { return llvm::is_contained(cut.axes, axis); });
    // Norms of heads are cut along the axis already.
    if (!type || type.getRank() != 3 ||
        (isCut && propagation.getResultCuts(&op, 0)[1].axes.empty()))
      continue;
    if (propagation.cutResult(&op, 0, 1, {{axis}, 1}))
      continue;
    found = true;
    if (isReadWhole(op.getResult(0), propagation)) {
      propagation.close(op.getResult(0));
      op.setAttr(closedAttrName, UnitAttr::get(op.getContext()));
    }
    propagation.run();
    writeDirective(&op, 0, propagation);
  }
  if (!found)
    return main.emitError() << "sequence parallelism along axis \"" << axisName
                            << "\" has nothing to cut: no norm of [batch, sequence, features] is "
                               "in a stage whose mesh has that axis";
  return success();
}
