//===- Remarks.cpp - what of a kernel is computed slowly ------------------===//
#include "Remarks.h"

#include "Onnx/IR/Onnx.h"
#include "dougong/Conversion/KernelPasses.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::cpu;

/// The iterations from which a loop is worth a remark (some microseconds); an
/// extent that is not known counts as that many.
static constexpr uint64_t remarkableIterations = 4096;

/// Iterations of the loops around `op`.
static uint64_t countIterations(Operation *op) {
  uint64_t iterations = 1;
  for (auto loop = op->getParentOfType<scf::ForOp>(); loop;
       loop = loop->getParentOfType<scf::ForOp>()) {
    std::optional<llvm::APInt> count = loop.getStaticTripCount();
    iterations = llvm::SaturatingMultiply(iterations,
                                          count ? count->getLimitedValue() : remarkableIterations);
  }
  return iterations;
}

void Remarks::add(Location loc, StringRef reason) {
  Builder builder(kernel.getContext());
  Attribute remark = builder.getDictionaryAttr(
      {builder.getNamedAttr("node", builder.getStringAttr(onnx::getNodeName(loc))),
       builder.getNamedAttr("reason", builder.getStringAttr(reason))});
  if (!llvm::is_contained(remarks, remark))
    remarks.push_back(remark);
}

void Remarks::addScalar(Operation *op) {
  uint64_t points = countIterations(op);
  for (int64_t size : cast<linalg::LinalgOp>(op).getStaticLoopRanges())
    points = llvm::SaturatingMultiply(points, ShapedType::isDynamic(size) ? remarkableIterations
                                                                          : uint64_t(size));
  if (points >= remarkableIterations)
    add(op->getLoc(), "it computes one element at a time, for no dim gives vectors");
}

void Remarks::addScalarLoops() {
  kernel.walk([&](memref::StoreOp store) {
    if (countIterations(store) >= remarkableIterations)
      add(store.getLoc(), "it computes one element at a time, in order");
  });
}

void Remarks::attach() {
  if (!remarks.empty())
    kernel->setAttr(fallbacksAttrName, ArrayAttr::get(kernel.getContext(), remarks));
}
