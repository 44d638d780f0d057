//===- FoldShapes.cpp - shape arithmetic becomes its result ---------------===//
#include "FunctionShapes.h"
#include "Utils.h"

#include "dougong/Onnx/Passes.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

namespace dougong::onnx {
#define GEN_PASS_DEF_FOLDSHAPESPASS
#include "dougong/Onnx/Passes.h.inc"
} // namespace dougong::onnx

namespace {

/// A value that holds `contents`: a constant where they are, else expressions.
Value createContents(OpBuilder &builder, Location loc, RankedTensorType type,
                     ArrayRef<DimExpr> contents) {
  SmallVector<APInt> constants;
  SmallVector<StringRef> exprs;
  unsigned width = type.getElementType().getIntOrFloatBitWidth();
  for (const DimExpr &content : contents) {
    if (auto value = content.constant())
      constants.push_back(APInt(width, uint64_t(*value), /*isSigned=*/true,
                                /*implicitTrunc=*/true));
    exprs.push_back(content.print());
  }
  if (constants.size() == contents.size())
    return createConstant(builder, loc, DenseElementsAttr::get(type, constants));
  return DimsTensorOp::create(builder, loc, type, builder.getStrArrayAttr(exprs));
}

void foldValue(ShapeScope &scope, OpResult result) {
  if (result.use_empty())
    return;
  auto contents = scope.getContents(result);
  auto type = dyn_cast<RankedTensorType>(result.getType());
  if (!contents || !type || !type.hasStaticShape() ||
      type.getNumElements() != int64_t(contents->size()))
    return;
  // What depends on data is known by its symbol only after it was computed.
  for (const DimExpr &content : *contents)
    if (scope.isDataDependent(content))
      return;
  OpBuilder builder(result.getOwner());
  result.replaceAllUsesWith(createContents(builder, result.getOwner()->getLoc(), type, *contents));
}

struct FoldShapes : dougong::onnx::impl::FoldShapesPassBase<FoldShapes> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (function.isPrivate() || function.isExternal())
        continue;
      FunctionShapes shapes(function);
      if (failed(shapes.infer({})))
        return signalPassFailure();
      function.walk([&](Operation *op) {
        if (!isa<OnnxOpInterface>(op) || isa<ConstantOp>(op))
          return;
        for (OpResult result : op->getResults())
          foldValue(shapes.getScope(), result);
      });
      eraseDeadOps(function);
    }
  }
};

} // namespace
