//===- Pipeline.cpp - the normalize phase ---------------------------------===//
#include "dougong/Onnx/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

struct NormalizePipelineOptions : PassPipelineOptions<NormalizePipelineOptions> {
  ListOption<std::string> dims{*this, "dims",
                               llvm::cl::desc("extents of symbols, as for onnx-infer-shapes")};
  Option<bool> outline{*this, "outline", llvm::cl::desc("move repeated blocks into functions"),
                       llvm::cl::init(false)};
};

} // namespace

void dougong::onnx::buildNormalizePipeline(OpPassManager &manager,
                                           const NormalizeOptions &options) {
  InferShapesPassOptions shapes;
  for (const std::string &dim : options.dims)
    shapes.dims.push_back(dim);
  // Everything below needs types.
  manager.addPass(createInferShapesPass(shapes));
  // One form of each operator first: constants as dense values are what the two
  // folds see, and CastLike would hide casts of weights.
  manager.addPass(createSimplifyGraphPass());
  // Shapes before constants: what is left of a shape computation is then small
  // or depends on data.
  manager.addPass(createFoldShapesPass());
  // Before constants: what dequantises them is what it looks for.
  manager.addPass(createFuseQuantizedOpsPass());
  manager.addPass(createFoldConstantsPass());
  // Folding makes casts and reshapes trivial, and equal values equal.
  manager.addPass(createSimplifyGraphPass());
  manager.addPass(createCSEPass());
  manager.addPass(createDeriveWeightsPass());
  // Equal recipes are one weight: their uses are one value.
  manager.addPass(createCSEPass());
  if (options.exposeValues)
    manager.addPass(createExposeValuesPass());
  else if (options.outlineBlocks)
    manager.addPass(createOutlineBlocksPass());
  // Last: shape inference reads the tensors' shapes in the types of sequences.
  manager.addPass(createBoxSequencesPass());
  manager.addPass(createVerifyNormalizedPass());
}

void dougong::onnx::registerOnnxPasses() {
  registerDougongOnnxPasses();
  PassPipelineRegistration<NormalizePipelineOptions>(
      "onnx-normalize", "the normalize phase: types, folded shapes and constants, weight recipes",
      [](OpPassManager &manager, const NormalizePipelineOptions &given) {
        NormalizeOptions options;
        options.dims.assign(given.dims.begin(), given.dims.end());
        options.outlineBlocks = given.outline;
        buildNormalizePipeline(manager, options);
      });
}
