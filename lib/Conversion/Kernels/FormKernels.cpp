//===- FormKernels.cpp - groups operators into kernel functions -----------===//
#include "Grouping.h"
#include "LibraryCalls.h"
#include "Outlining.h"

#include "dougong/Conversion/KernelPasses.h"

#include "Onnx/IR/Onnx.h"

using namespace mlir;

namespace dougong {
#define GEN_PASS_DEF_FORMKERNELSPASS
#include "dougong/Conversion/KernelPasses.h.inc"
} // namespace dougong

namespace {

struct FormKernels : dougong::impl::FormKernelsPassBase<FormKernels> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto main = module.lookupSymbol<func::FuncOp>("main");
    if (!main) {
      module.emitError("module has no function @main to form kernels from");
      return signalPassFailure();
    }
    if (failed(dougong::formLibraryCalls(main)))
      return signalPassFailure();
    dougong::KernelOutliner outliner(module);
    for (Block &block : main.getBody())
      for (dougong::KernelGroup &group : dougong::groupOperators(block))
        if (failed(outliner.outline(group)))
          return signalPassFailure();
  }
};

} // namespace
