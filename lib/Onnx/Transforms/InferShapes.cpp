//===- InferShapes.cpp - ranked types with static or named extents --------===//
#include "FunctionShapes.h"

#include "dougong/Onnx/Passes.h"

using namespace mlir;

namespace dougong::onnx {
#define GEN_PASS_DEF_INFERSHAPESPASS
#include "dougong/Onnx/Passes.h.inc"
} // namespace dougong::onnx

namespace {

struct InferShapes : dougong::onnx::impl::InferShapesPassBase<InferShapes> {
  using InferShapesPassBase::InferShapesPassBase;

  void runOnOperation() override {
    // Private functions are blocks that were outlined: their types are known.
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (function.isPrivate() || function.isExternal())
        continue;
      dougong::onnx::FunctionShapes shapes(function);
      SmallVector<std::string> options(dims.begin(), dims.end());
      if (failed(shapes.infer(options)))
        return signalPassFailure();
      shapes.apply();
    }
  }
};

} // namespace
