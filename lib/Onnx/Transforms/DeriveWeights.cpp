//===- DeriveWeights.cpp - moves computations on weights into recipes -----===//
#include "Utils.h"
#include "WeightRecipes.h"

#include "dougong/Onnx/Passes.h"

using namespace mlir;
using namespace dougong::onnx;

namespace dougong::onnx {
#define GEN_PASS_DEF_DERIVEWEIGHTSPASS
#include "dougong/Onnx/Passes.h.inc"
} // namespace dougong::onnx

namespace {

struct DeriveWeights : dougong::onnx::impl::DeriveWeightsPassBase<DeriveWeights> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    WeightRecipes recipes(module);
    for (auto function : module.getOps<func::FuncOp>()) {
      SmallVector<Operation *> recorded;
      function.walk([&](Operation *op) {
        if (isa<OnnxOpInterface>(op) && recipes.record(op))
          recorded.push_back(op);
      });
      // Only what something else uses becomes a weight.
      llvm::DenseSet<Operation *> inside(recorded.begin(), recorded.end());
      for (Operation *op : recorded) {
        Value value = op->getResult(0);
        auto isOutside = [&](OpOperand &use) { return !inside.contains(use.getOwner()); };
        if (llvm::none_of(value.getUses(), isOutside))
          continue;
        OpBuilder builder(op);
        Value use =
            UseOp::create(builder, op->getLoc(), value.getType(), recipes.materialize(value));
        value.replaceUsesWithIf(use, isOutside);
      }
      eraseDeadOps(function);
    }
    recipes.eraseUnused();
  }
};

} // namespace
