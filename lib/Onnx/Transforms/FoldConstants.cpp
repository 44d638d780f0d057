//===- FoldConstants.cpp - evaluates operators on small constants ---------===//
#include "ConstantEvaluator.h"
#include "Utils.h"

#include "dougong/Onnx/Passes.h"

using namespace mlir;
using namespace dougong::onnx;

namespace dougong::onnx {
#define GEN_PASS_DEF_FOLDCONSTANTSPASS
#include "dougong/Onnx/Passes.h.inc"
} // namespace dougong::onnx

namespace {

/// Constants that are longer become weights: IR that people read stays short.
constexpr int64_t longestInline = 1024;

/// The greatest number where there is none, or one that is too great.
int64_t getNumBytes(ShapedType type) {
  Type element = type.getElementType();
  if (!element.isIntOrFloat())
    return std::numeric_limits<int64_t>::max();
  int64_t bits = element.getIntOrFloatBitWidth();
  for (int64_t extent : type.getShape())
    if (llvm::MulOverflow(bits, extent, bits))
      return std::numeric_limits<int64_t>::max();
  return bits / 8 + (bits % 8 != 0);
}

struct FoldConstants : dougong::onnx::impl::FoldConstantsPassBase<FoldConstants> {
  using FoldConstantsPassBase::FoldConstantsPassBase;

  /// The value of `op`'s result, or null.
  DenseElementsAttr evaluate(Operation *op) {
    if (!isa<OnnxOpInterface>(op) || isa<ConstantOp>(op) || op->getNumResults() != 1 ||
        op->getNumRegions() != 0)
      return {};
    auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
    if (!type || !type.hasStaticShape() || getNumBytes(type) > maxBytes)
      return {};
    SmallVector<DenseElementsAttr> operands;
    for (Value operand : op->getOperands()) {
      operands.emplace_back();
      if (isa<NoneType>(operand.getType()))
        continue;
      operands.back() = dyn_cast_if_present<DenseElementsAttr>(getConstantValue(operand));
      if (!operands.back() || getNumBytes(operands.back().getType()) > maxBytes)
        return {};
    }
    return evaluateOnConstants(op, operands);
  }

  void runOnOperation() override {
    ModuleOp module = getOperation();
    std::optional<SymbolTable> symbols;
    for (auto function : module.getOps<func::FuncOp>()) {
      // Operands come first, so one visit follows whole chains.
      function.walk([&](Operation *op) {
        DenseElementsAttr value = evaluate(op);
        if (!value)
          return;
        OpBuilder builder(op);
        op->getResult(0).replaceAllUsesWith(createConstant(builder, op->getLoc(), value));
      });
      eraseDeadOps(function);
      SmallVector<ConstantOp> longOnes;
      function.walk([&](ConstantOp op) {
        auto type = dyn_cast<RankedTensorType>(op.getType());
        if (type && type.hasStaticShape() && op.getValueAttr() &&
            type.getElementType().isIntOrFloat() && getNumBytes(type) > longestInline)
          longOnes.push_back(op);
      });
      for (ConstantOp op : longOnes) {
        if (!symbols)
          symbols.emplace(module);
        moveToWeight(module, *symbols, op);
      }
    }
  }

  /// The constant as a weight with its elements.
  void moveToWeight(ModuleOp module, SymbolTable &symbols, ConstantOp op) {
    StringRef node = getNodeName(op.getLoc());
    OpBuilder builder(op);
    auto weight = WeightOp::create(builder, op.getLoc(), node.empty() ? "constant" : node,
                                   op.getType(), op.getValueAttr());
    weight->remove();
    symbols.insert(weight, module.getBody()->begin());
    Value use = UseOp::create(builder, op.getLoc(), op.getType(),
                              FlatSymbolRefAttr::get(weight.getSymNameAttr()));
    op->getResult(0).replaceAllUsesWith(use);
    op.erase();
  }
};

} // namespace
