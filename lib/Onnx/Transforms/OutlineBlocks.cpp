//===- OutlineBlocks.cpp - moves repeated blocks into functions -----------===//
#include "BlockOutliner.h"

#include "dougong/Onnx/Passes.h"

using namespace mlir;
using namespace dougong::onnx;

namespace dougong::onnx {
#define GEN_PASS_DEF_OUTLINEBLOCKSPASS
#include "dougong/Onnx/Passes.h.inc"
} // namespace dougong::onnx

namespace {

struct OutlineBlocks : dougong::onnx::impl::OutlineBlocksPassBase<OutlineBlocks> {
  using OutlineBlocksPassBase::OutlineBlocksPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    BlockOutliner outliner(module, minOps);
    SmallVector<func::FuncOp> functions;
    for (auto function : module.getOps<func::FuncOp>())
      if (!function.isExternal() && !function.isPrivate())
        functions.push_back(function);
    for (func::FuncOp function : functions)
      outliner.run(function);
    if (statistics)
      print(outliner);
  }

  static void print(const BlockOutliner &outliner) {
    llvm::outs() << outliner.getBlocks().size() << " distinct repeated blocks\n";
    for (OutlinedBlock block : outliner.getBlocks())
      llvm::outs() << "  @" << block.function.getSymName() << ": " << block.operators
                   << " operators x " << block.repeats << ", " << block.arguments << " arguments, "
                   << block.results << " results, from node "
                   << getNodeName(block.function.getLoc()) << "\n";
  }
};

} // namespace
