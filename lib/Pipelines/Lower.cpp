//===- Lower.cpp - the lower phase ----------------------------------------===//
#include "dougong/Pipelines/Lower.h"

#include "dougong/Conversion/KernelPasses.h"
#include "dougong/Conversion/Passes.h"

#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace dougong;

llvm::Error dougong::buildLowerPipeline(OpPassManager &pipeline, const Target &target) {
  // Data movement around collectives becomes ops that kernels are made of.
  pipeline.addPass(createExpandCollectivesPass());
  if (target.wantsChannelsLast())
    pipeline.addPass(createAssignLayoutsPass());
  // While values still are tensors with symbolic extents: what is computed
  // together, and equal kernels once. All later work is on distinct kernels.
  pipeline.addPass(createFormKernelsPass());
  pipeline.addNestedPass<func::FuncOp>(createConvertOnnxToLinalgPass());
  // The patterns make an extent wherever they need one: merge them before
  // tiling looks at the loops.
  pipeline.addNestedPass<func::FuncOp>(createCanonicalizerPass());
  pipeline.addNestedPass<func::FuncOp>(createCSEPass());
  // Kernels in their calling form come before the schedule, which must know
  // which of them want a workspace.
  if (llvm::Error error = target.addKernelPasses(pipeline))
    return error;
  pipeline.addPass(createBuildSchedulePass());
  return llvm::Error::success();
}
