//===- VerifyKernels.cpp - refuses what is silently slow ------------------===//
#include "Internal.h"

#include "dougong/Target/Cpu/Passes.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/BuiltinTypes.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace dougong::cpu {
#define GEN_PASS_DEF_CPUVERIFYKERNELSPASS
#include "dougong/Target/Cpu/Passes.h.inc"
} // namespace dougong::cpu

namespace {

/// What is wrong with `op` in a kernel, or nothing.
StringRef getFault(Operation *op) {
  if (auto copy = dyn_cast<memref::CopyOp>(op)) {
    // Of whole buffers it is a memcpy, else a call of the runtime.
    auto isWhole = [](Value buffer) {
      auto type = dyn_cast<MemRefType>(buffer.getType());
      return type && type.getLayout().isIdentity();
    };
    if (!isWhole(copy.getSource()) || !isWhole(copy.getTarget()))
      return "memref.copy of a part of a buffer (a call of the runtime)";
  }
  if (isa<memref::AllocOp, memref::DeallocOp, memref::ReallocOp>(op))
    return "an allocation";
  for (Type type : op->getResultTypes())
    if (auto vector = dyn_cast<VectorType>(type))
      if (vector.getRank() > 0 && !llvm::isPowerOf2_64(vector.getShape().back()))
        return "a vector whose length is no power of two";
  return "";
}

struct CpuVerifyKernelsPass
    : public dougong::cpu::impl::CpuVerifyKernelsPassBase<CpuVerifyKernelsPass> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      WalkResult result = function.walk([&](Operation *op) {
        StringRef fault = getFault(op);
        if (fault.empty())
          return WalkResult::advance();
        op->emitError() << fault << " left in function '" << function.getSymName() << "'";
        return WalkResult::interrupt();
      });
      if (result.wasInterrupted())
        return signalPassFailure();
    }
  }
};

} // namespace
