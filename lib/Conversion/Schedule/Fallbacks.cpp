//===- Fallbacks.cpp - what of a program takes a slow path ----------------===//
#include "Fallbacks.h"

#include "Kernels/LibraryCalls.h"

#include "Onnx/IR/Onnx.h"
#include "dougong/Conversion/KernelPasses.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

ArrayAttr dougong::collectFallbacks(func::FuncOp main) {
  Builder builder(main.getContext());
  SmallVector<Attribute> fallbacks;
  auto add = [&](StringRef node, const Twine &reason) {
    fallbacks.push_back(
        builder.getDictionaryAttr({builder.getNamedAttr("node", builder.getStringAttr(node)),
                                   builder.getNamedAttr("reason", builder.getStringAttr(reason))}));
  };
  llvm::MapVector<Attribute, unsigned> launches; // of each kernel
  for (auto launch : main.getOps<onnx::LaunchOp>()) {
    if (!launch->hasAttr(libraryAttrName))
      ++launches[launch.getKernelAttr()];
    // (a launch that only computes extents is part of another node's work)
    else if (!launch->hasAttr(libraryExtentsAttrName))
      add(onnx::getNodeName(launch.getLoc()), "it runs in the operator library, on one thread");
  }
  for (auto [name, count] : launches) {
    auto kernel =
        SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(main, cast<SymbolRefAttr>(name));
    auto notes = kernel ? kernel->getAttrOfType<ArrayAttr>(fallbacksAttrName) : nullptr;
    if (!notes)
      continue;
    std::string others = count == 1 ? "" : llvm::formatv(" (and {0} equal to it)", count - 1).str();
    for (auto note : notes.getAsRange<DictionaryAttr>())
      add(note.getAs<StringAttr>("node").getValue(),
          note.getAs<StringAttr>("reason").getValue() + others);
  }
  return builder.getArrayAttr(fallbacks);
}
