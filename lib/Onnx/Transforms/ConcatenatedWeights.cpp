//===- ConcatenatedWeights.cpp - products by weights put together ---------===//
#include "ConcatenatedWeights.h"

#include "Utils.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace dougong::onnx;

/// `type` with the last dim of extent `size`.
static RankedTensorType withColumns(RankedTensorType type, int64_t size) {
  SmallVector<int64_t> shape(type.getShape());
  shape.back() = size;
  return RankedTensorType::get(shape, type.getElementType(), type.getEncoding());
}

void dougong::onnx::splitProduct(MatMulOp op) {
  auto transpose = op.getB().getDefiningOp<TransposeOp>();
  auto concat = transpose ? transpose->getOperand(0).getDefiningOp<ConcatOp>()
                          : op.getB().getDefiningOp<ConcatOp>();
  auto result = dyn_cast<RankedTensorType>(op.getType());
  auto matrix = concat ? dyn_cast<RankedTensorType>(concat.getType()) : RankedTensorType();
  if (!matrix || !result || matrix.getRank() != 2 || result.getRank() == 0 ||
      result.isDynamicDim(result.getRank() - 1))
    return;
  if (transpose)
    if (auto perm = transpose.getPerm();
        perm && ArrayRef<int64_t>(*perm) != ArrayRef<int64_t>{1, 0})
      return;
  // Only along the product's columns.
  int64_t axis = normalizeAxis(concat.getAxis(), 2);
  if (axis != (transpose ? 0 : 1))
    return;
  for (Value part : concat->getOperands()) {
    auto type = dyn_cast<RankedTensorType>(part.getType());
    if (!part.getDefiningOp<UseOp>() || !type || !type.hasStaticShape())
      return;
  }

  // The parts have the node's name but not its value's.
  OpBuilder builder(op);
  Location loc = NameLoc::get(builder.getStringAttr(getNodeName(op.getLoc())));
  SmallVector<Value> products;
  for (Value part : concat->getOperands()) {
    auto type = cast<RankedTensorType>(part.getType());
    int64_t columns = type.getDimSize(axis);
    if (transpose) {
      Operation *moved = builder.clone(*transpose);
      moved->setLoc(loc);
      moved->setOperand(0, part);
      moved->getResult(0).setType(RankedTensorType::get({type.getDimSize(1), columns},
                                                        type.getElementType(), type.getEncoding()));
      part = moved->getResult(0);
    }
    Operation *product = builder.clone(*op);
    product->setLoc(loc);
    product->setOperand(1, part);
    product->getResult(0).setType(withColumns(result, columns));
    products.push_back(product->getResult(0));
  }
  OperationState state(op.getLoc(), ConcatOp::getOperationName());
  state.addOperands(products);
  state.addTypes(result);
  state.addAttribute("axis",
                     builder.getIntegerAttr(builder.getIntegerType(64), result.getRank() - 1));
  op->replaceAllUsesWith(builder.create(state));
  op->erase();
}
