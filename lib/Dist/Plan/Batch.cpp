//===- Batch.cpp - batch and tokens behind the first stage ----------------===//
#include "Automatic.h"

#include "Dist/IR/Layout.h"

#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;

std::string dist::getExtentText(Value value, unsigned dim) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  FailureOr<SmallVector<DimExpr>> extents =
      type && dim < type.getRank() ? getExtents(type) : FailureOr<SmallVector<DimExpr>>(failure());
  return succeeded(extents) ? (*extents)[dim].print() : "";
}

void dist::cutCrossing(func::FuncOp main, ArrayRef<MeshOp> meshes, StringRef axisName, unsigned dim,
                       Propagation &propagation) {
  StringAttr axis = StringAttr::get(main.getContext(), axisName);
  auto isCut = [&](const Cuts &cuts) {
    return llvm::any_of(cuts, [&](const Cut &cut) { return llvm::is_contained(cut.axes, axis); });
  };
  llvm::StringSet<> extents;
  for (BlockArgument argument : main.getArguments())
    for (int64_t stage = 0; stage < static_cast<int64_t>(meshes.size()); ++stage)
      if (isCut(propagation.getValueCuts(argument, stage)))
        extents.insert(getExtentText(argument, dim));
  if (extents.empty())
    return;
  propagation.run();
  for (Operation &op : main.front()) {
    if (isSource(&op) || op.hasTrait<OpTrait::IsTerminator>() ||
        MeshOp(meshes[getStage(&op)]).getAxisSize(axisName).value_or(1) == 1)
      continue;
    for (auto [index, operand] : llvm::enumerate(op.getOperands())) {
      Operation *producer = operand.getDefiningOp();
      if (!producer || isSource(producer) || getStage(producer) == getStage(&op) ||
          !extents.contains(getExtentText(operand, dim)) ||
          isCut(propagation.getOperandCuts(&op, index)) ||
          propagation.cutOperand(&op, index, dim, {{axis}, 1}))
        continue;
      propagation.run();
      writeDirective(&op, index, propagation);
    }
  }
}
