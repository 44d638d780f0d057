//===- LowerToLLVM.cpp - kernels and schedule to the LLVM dialect ---------===//
#include "Internal.h"
#include "Pipelines.h"

#include "dougong/Target/Cpu/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::cpu;

void cpu::buildKernelPipeline(OpPassManager &pipeline, const CpuOptions &options,
                              const CpuTraits &traits) {
  if (!options.scalar) {
    // While kernels still are tensors and launches still name their weights.
    CpuPackWeightsPassOptions pack;
    pack.columns = int64_t(traits.lanes) * traits.tileVectors;
    pack.lanes = traits.lanes;
    pipeline.addPass(createCpuPackWeightsPass(pack));
  }
  OpPassManager &function = pipeline.nest<func::FuncOp>();
  function.addPass(createCpuFuseKernelsPass());
  // Extents of what tensor ops make become extents of their operands, in the
  // end of the kernel's arguments: dims of buffers' views cannot be placed.
  function.addPass(memref::createResolveRankedShapeTypeResultDimsPass());
  // Before bufferization: it merges equal extents, which makes temporaries'
  // sizes simple. It also merges tensor.empty, which the next pass undoes.
  function.addPass(createCanonicalizerPass());
  function.addPass(createCSEPass());
  function.addPass(createCpuBufferizeKernelsPass());
  function.addPass(createCanonicalizerPass());
  function.addPass(createCSEPass());
  if (!options.scalar) {
    // Before temporaries are placed: fused results need none.
    CpuEmitLoopsPassOptions loops;
    loops.lanes = traits.lanes;
    loops.tileRows = traits.tileRows;
    loops.tileVectors = traits.tileVectors;
    loops.pairProducts = traits.pairProducts;
    loops.parallel = options.parallel;
    function.addPass(createCpuEmitLoopsPass(loops));
    function.addPass(createCanonicalizerPass());
    function.addPass(createCSEPass());
  }
  pipeline.addPass(createCpuPlaceTemporariesPass());
}

void cpu::buildLoweringPipeline(OpPassManager &pipeline) {
  // What the vectoriser did not take becomes scalar loops.
  pipeline.addNestedPass<func::FuncOp>(createConvertLinalgToLoopsPass());
  pipeline.addPass(createCpuOutlineParallelPass());
  OpPassManager &function = pipeline.nest<func::FuncOp>();
  function.addPass(createCanonicalizerPass());
  function.addPass(createCpuExpandMathPass());
  arith::ArithEmulateUnsupportedFloatsOptions emulate;
  emulate.sourceTypeStrs = {"bf16"};
  emulate.targetTypeStr = "f32";
  function.addPass(arith::createArithEmulateUnsupportedFloats(emulate));
  arith::ArithExpandOpsPassOptions expand;
  expand.includeBf16 = true;
  function.addPass(arith::createArithExpandOpsPass(expand));
  function.addPass(createCSEPass());
  pipeline.addPass(createCpuVerifyKernelsPass());

  // Views and copies to plain pointers and strides; they leave affine.apply.
  OpPassManager &lower = pipeline.nest<func::FuncOp>();
  lower.addPass(memref::createExpandOpsPass());
  lower.addPass(memref::createExpandStridedMetadataPass());
  lower.addPass(createLowerAffinePass());
  lower.addPass(createLoopInvariantCodeMotionPass());
  lower.addPass(createCSEPass());
  lower.addPass(createConvertVectorToSCFPass());
  lower.addPass(createSCFToControlFlowPass());
  ConvertVectorToLLVMPassOptions vector;
  // Row indices reach beyond 2^31 elements.
  vector.force32BitVectorIndices = false;
  // Calls of libm take vectors apart with vector ops, so they come first.
  pipeline.addPass(createConvertMathToLLVMPass());
  pipeline.addPass(createConvertMathToLibmPass());
  pipeline.addPass(createConvertVectorToLLVMPass(vector));
  pipeline.addPass(createConvertComplexToLLVMPass());
  pipeline.addPass(createConvertIndexToLLVMPass());
  pipeline.addPass(createUBToLLVMConversionPass());
  pipeline.addPass(createFinalizeMemRefToLLVMConversionPass());
  pipeline.addPass(createConvertFuncToLLVMPass());
  pipeline.addPass(createArithToLLVMConversionPass());
  pipeline.addPass(createConvertControlFlowToLLVMPass());
  pipeline.addPass(createReconcileUnrealizedCastsPass());
  pipeline.addPass(createCanonicalizerPass());
  pipeline.addPass(createCSEPass());
}

LogicalResult cpu::lowerToLLVM(ModuleOp module, const CpuOptions &options,
                               const CpuTraits &traits) {
  // First of all: without a data layout memory intrinsics become byte loops.
  MLIRContext *context = module.getContext();
  module->setAttr(LLVM::LLVMDialect::getDataLayoutAttrName(),
                  StringAttr::get(context, traits.dataLayout));
  module->setAttr(LLVM::LLVMDialect::getTargetTripleAttrName(),
                  StringAttr::get(context, traits.triple));
  PassManager manager(context);
  buildLoweringPipeline(manager);
  return manager.run(module);
}

void cpu::registerCpuPasses() {
  registerDougongCpuPasses();
  static PassPipelineRegistration<> kernels(
      "cpu-kernels", "kernels of linalg on tensors to the CPU's calling form",
      [](OpPassManager &pipeline) {
        CpuTraits traits;
        traits.lanes = 16;
        traits.tileRows = 8;
        buildKernelPipeline(pipeline, CpuOptions(), traits);
      });
  static PassPipelineRegistration<> lower(
      "cpu-lower", "bufferized kernels and schedule to the LLVM dialect", buildLoweringPipeline);
}
