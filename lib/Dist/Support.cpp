//===- Support.cpp - small helpers of the dist passes ---------------------===//
#include "dougong/Dist/Propagation.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;

bool dist::isSource(Operation *op) {
  return isa<onnx::UseOp, onnx::ConstantOp, onnx::NoneOp, onnx::DimsTensorOp>(op);
}

int64_t dist::getStage(Operation *op) {
  auto stage = op->getAttrOfType<IntegerAttr>(stageAttrName);
  return stage ? stage.getInt() : 0;
}

FailureOr<SmallVector<MeshOp>> dist::getStageMeshes(ModuleOp module) {
  SmallVector<MeshOp> meshes;
  for (StageOp stage : module.getOps<StageOp>()) {
    auto mesh = module.lookupSymbol<MeshOp>(stage.getMesh());
    if (!mesh)
      return stage.emitError() << "mesh @" << stage.getMesh() << " is not declared";
    meshes.push_back(mesh);
  }
  if (meshes.empty())
    return module.emitError("the module declares no stage: run dist-plan first");
  return meshes;
}

FailureOr<func::FuncOp> dist::getMainFunction(ModuleOp module) {
  auto main = module.lookupSymbol<func::FuncOp>("main");
  if (!main) {
    for (func::FuncOp function : module.getOps<func::FuncOp>())
      if (function.isPublic() && !function.isExternal()) {
        if (main)
          return module.emitError("the module has several public functions and no @main");
        main = function;
      }
  }
  if (!main || main.isExternal())
    return module.emitError("the module has no function @main");
  if (!main.getBody().hasOneBlock())
    return main.emitError("the function must have exactly one block");
  return main;
}

ShardingAttr dist::makeSharding(MeshOp mesh, const Cuts &cuts, ArrayRef<PartialAttr> partial) {
  MLIRContext *context = mesh.getContext();
  SmallVector<CutAttr> dims;
  for (const Cut &cut : cuts)
    dims.push_back(CutAttr::get(context, cut.axes, cut.axes.empty() ? 1 : cut.unit));
  return ShardingAttr::get(context, FlatSymbolRefAttr::get(mesh.getSymNameAttr()), dims, partial);
}

Cuts dist::getCuts(ShardingAttr sharding) {
  Cuts cuts;
  for (CutAttr cut : sharding.getDims())
    cuts.push_back({SmallVector<StringAttr, 2>(cut.getAxes()), cut.getUnit()});
  return cuts;
}
