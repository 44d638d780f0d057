//===- Batch.cpp - the batch behind the first stage -----------------------===//
#include "Automatic.h"

#include "Dist/IR/Layout.h"

#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;

/// The first extent of a tensor as text, or "".
static std::string getRows(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  FailureOr<SmallVector<DimExpr>> extents =
      type && type.getRank() ? getExtents(type) : FailureOr<SmallVector<DimExpr>>(failure());
  return succeeded(extents) ? extents->front().print() : "";
}

void dist::cutCrossingBatch(func::FuncOp main, ArrayRef<MeshOp> meshes, Propagation &propagation) {
  StringAttr axis = StringAttr::get(main.getContext(), "dp");
  auto isCut = [&](const Cuts &cuts) {
    return llvm::any_of(cuts, [&](const Cut &cut) { return llvm::is_contained(cut.axes, axis); });
  };
  llvm::StringSet<> batches;
  for (BlockArgument argument : main.getArguments())
    for (int64_t stage = 0; stage < static_cast<int64_t>(meshes.size()); ++stage)
      if (isCut(propagation.getValueCuts(argument, stage)))
        batches.insert(getRows(argument));
  if (batches.empty())
    return;
  propagation.run();
  for (Operation &op : main.front()) {
    if (isSource(&op) || op.hasTrait<OpTrait::IsTerminator>() ||
        MeshOp(meshes[getStage(&op)]).getAxisSize("dp").value_or(1) == 1)
      continue;
    for (auto [index, operand] : llvm::enumerate(op.getOperands())) {
      Operation *producer = operand.getDefiningOp();
      if (!producer || isSource(producer) || getStage(producer) == getStage(&op) ||
          !batches.contains(getRows(operand)) || isCut(propagation.getOperandCuts(&op, index)) ||
          propagation.cutOperand(&op, index, 0, {{axis}, 1}))
        continue;
      propagation.run();
      writeDirective(&op, index, propagation);
    }
  }
}
