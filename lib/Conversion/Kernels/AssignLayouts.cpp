//===- AssignLayouts.cpp - channels last between convolutions -------------===//
#include "Grouping.h"
#include "LayoutRewriter.h"

#include "dougong/Conversion/KernelPasses.h"

using namespace mlir;
using namespace dougong;

namespace dougong {
#define GEN_PASS_DEF_ASSIGNLAYOUTSPASS
#include "dougong/Conversion/KernelPasses.h.inc"
} // namespace dougong

namespace {

struct AssignLayouts : dougong::impl::AssignLayoutsPassBase<AssignLayouts> {
  void runOnOperation() override {
    auto main = getOperation().lookupSymbol<func::FuncOp>("main");
    if (!main)
      return;
    for (Block &block : main.getBody()) {
      LayoutRewriter rewriter(&getContext());
      // In program order: when an op is reached, its operands have their layout.
      for (Operation &op : llvm::make_early_inc_range(block))
        rewriter.visit(&op);
      rewriter.eraseUnused();
    }
  }
};

} // namespace
