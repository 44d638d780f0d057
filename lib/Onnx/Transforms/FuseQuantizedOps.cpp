//===- FuseQuantizedOps.cpp - integer products of dequantised factors -----===//
#include "Quantized.h"
#include "Utils.h"

#include "dougong/Onnx/Passes.h"

using namespace mlir;
using namespace dougong::onnx;

namespace dougong::onnx {
#define GEN_PASS_DEF_FUSEQUANTIZEDOPSPASS
#include "dougong/Onnx/Passes.h.inc"
} // namespace dougong::onnx

namespace {

/// com.microsoft's operator of the same meaning as the standard's, whose element
/// types were fewer once.
template <typename From, typename To> void standardize(From op) {
  QuantizedBuilder b(op);
  Value result = b.makeAt<To>(op.getLoc(), op.getType(), op->getOperands(),
                              {b.getNamedAttr("axis", op.getAxisAttr()),
                               b.getNamedAttr("block_size", op.getBlockSizeAttr())});
  op->replaceAllUsesWith(ValueRange(result));
  op->erase();
}

/// Quantising what was dequantised by the same parameters gives it back: the real
/// number is within an ulp of a multiple of the scale.
bool cancel(QuantizeLinearOp op) {
  std::optional<Dequantized> source = Dequantized::match(op.getX());
  std::optional<Quantization> q = getQuantization(op);
  if (!source || !q || !q->isInvertible() || !q->equals(*source) ||
      q->element.getIntOrFloatBitWidth() > 16)
    return false;
  op.getResult().replaceAllUsesWith(source->data);
  op->erase();
  return true;
}

struct FuseQuantizedOps : dougong::onnx::impl::FuseQuantizedOpsPassBase<FuseQuantizedOps> {
  /// All ops of the function, operands before users.
  static SmallVector<Operation *> listOps(func::FuncOp function) {
    SmallVector<Operation *> ops;
    function.walk([&](Operation *op) {
      if (isa<OnnxOpInterface>(op))
        ops.push_back(op);
    });
    return ops;
  }

  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      function.walk([](MsDequantizeLinearOp op) {
        standardize<MsDequantizeLinearOp, DequantizeLinearOp>(op);
      });
      function.walk(
          [](MsQuantizeLinearOp op) { standardize<MsQuantizeLinearOp, QuantizeLinearOp>(op); });
      auto isQuantized = [](Operation *op) {
        return isa<QuantizeLinearOp, DequantizeLinearOp>(op) ? WalkResult::interrupt()
                                                             : WalkResult::advance();
      };
      if (!function.walk(isQuantized).wasInterrupted())
        continue;
      llvm::for_each(listOps(function), sinkDequantize);
      eraseDeadOps(function);
      raiseQuantize(function);
      for (Operation *op : listOps(function))
        if (auto quantize = dyn_cast<QuantizeLinearOp>(op))
          cancel(quantize);
      for (Operation *op : listOps(function))
        if (!fuseQuantizedProduct(op))
          fuseQuantizedWeight(op);
      eraseDeadOps(function);
    }
  }

  /// Each rises as far as it can.
  static void raiseQuantize(func::FuncOp function) {
    SmallVector<QuantizeLinearOp> pending;
    function.walk([&](QuantizeLinearOp op) { pending.push_back(op); });
    while (!pending.empty())
      llvm::append_range(pending, hoistQuantize(pending.pop_back_val()));
  }
};

} // namespace
