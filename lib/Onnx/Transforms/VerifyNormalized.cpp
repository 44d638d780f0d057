//===- VerifyNormalized.cpp - what holds after the normalize phase --------===//
#include "Utils.h"
#include "WeightRecipes.h"

#include "dougong/Onnx/Passes.h"
#include "dougong/Onnx/ShapeScope.h"

using namespace mlir;
using namespace dougong::onnx;

namespace dougong::onnx {
#define GEN_PASS_DEF_VERIFYNORMALIZEDPASS
#include "dougong/Onnx/Passes.h.inc"
} // namespace dougong::onnx

namespace {

/// Extents are static or named. Types that are no tensors are left alone.
bool hasKnownShape(Type type) { return !isa<TensorType>(type) || getTypeDims(type).has_value(); }

/// No machine holds more elements; sizes in bytes that are worked out from fewer, and
/// sums of them, do not overflow.
constexpr int64_t mostElements = int64_t(1) << 48;

bool isTooLarge(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || llvm::is_contained(tensor.getShape(), 0))
    return false;
  int64_t count = 1;
  for (int64_t extent : tensor.getShape())
    if (!ShapedType::isDynamic(extent) &&
        (llvm::MulOverflow(count, extent, count) || count > mostElements))
      return true;
  return false;
}

LogicalResult verifyOp(Operation *op) {
  for (auto [index, type] : llvm::enumerate(op->getResultTypes())) {
    if (!hasKnownShape(type))
      return op->emitError() << "result " << index << " of " << op->getName()
                             << " has no known shape after normalize: " << type;
    if (isTooLarge(type))
      return op->emitError() << "result " << index << " of " << op->getName() << " is " << type
                             << ", expected at most 2^48 elements";
  }
  if (isa<IdentityOp, CastLikeOp, UpsampleOp, ScatterOp>(op))
    return op->emitError() << op->getName() << " is left after normalize";
  if (auto constant = dyn_cast<ConstantOp>(op); constant && !constant.getValueAttr())
    return op->emitError() << "constant is not in the form 'value'";
  if (WeightRecipes::isRecipeOp(op) && op->getOperand(0).getDefiningOp<UseOp>() &&
      cast<RankedTensorType>(op->getResult(0).getType()).hasStaticShape())
    return op->emitError() << op->getName() << " of a weight is left after normalize";
  return success();
}

struct VerifyNormalized : dougong::onnx::impl::VerifyNormalizedPassBase<VerifyNormalized> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      for (auto [index, type] : llvm::enumerate(function.getArgumentTypes())) {
        if (hasKnownShape(type) && !isTooLarge(type))
          continue;
        InFlightDiagnostic error = function.emitError();
        if (auto name = function.getArgAttrOfType<StringAttr>(index, "onnx.name"))
          error << "input '" << name.getValue() << "'";
        else
          error << "argument " << index;
        if (isTooLarge(type))
          error << " is " << type << ", expected at most 2^48 elements";
        else
          error << " has no known shape after normalize: " << type;
        return signalPassFailure();
      }
      WalkResult result = function.walk([](Operation *op) {
        return isa<func::FuncOp>(op) || succeeded(verifyOp(op)) ? WalkResult::advance()
                                                                : WalkResult::interrupt();
      });
      if (result.wasInterrupted())
        return signalPassFailure();
    }
  }
};

} // namespace
