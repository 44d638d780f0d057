//===- FormKernels.cpp - groups operators into kernel functions -----------===//
#include "Bodies.h"
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
    dougong::KernelOutliner outliner(module);
    // Bodies stand behind the functions that they are taken from, and come last.
    SmallVector<func::FuncOp> functions = {main};
    for (size_t index = 0; index < functions.size(); ++index) {
      dougong::formLibraryCalls(functions[index]);
      for (auto function : module.getOps<func::FuncOp>())
        if (function->hasAttr(dougong::bodyAttrName) && !llvm::is_contained(functions, function))
          functions.push_back(function);
    }
    for (func::FuncOp function : functions) {
      dougong::dequantizeForEachUse(function.front());
      for (dougong::KernelGroup &group : dougong::groupOperators(function.front()))
        if (failed(outliner.outline(group)))
          return signalPassFailure();
    }
  }
};

} // namespace
