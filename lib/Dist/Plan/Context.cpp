//===- Context.cpp - the sequence cut along axis "cp" ---------------------===//
//
// Context parallelism: every rank has a run of the tokens. Queries stay where
// they are; attention gathers keys and values.
//
//===----------------------------------------------------------------------===//
#include "Automatic.h"

#include "Dist/IR/Layout.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;

namespace {

/// Writes what `is_causal` means as a mask: with it, what a query sees would
/// depend on its number, and rows of queries could not be told apart.
class CausalityWriter {
public:
  explicit CausalityWriter(onnx::AttentionOp op)
      : op(op), builder(op), index(builder.getI64Type()), boolean(builder.getI1Type()) {}

  void run();

private:
  Value makeOp(StringRef name, Type type, ValueRange operands) {
    OperationState state(op.getLoc(), name, operands, {type});
    return builder.create(state)->getResult(0);
  }
  Value makeConstant(DenseElementsAttr value) {
    OperationState state(op.getLoc(), onnx::ConstantOp::getOperationName());
    state.addAttribute("value", value);
    state.addTypes(value.getType());
    return builder.create(state)->getResult(0);
  }
  Value makeExtent(const DimExpr &extent) {
    auto scalar = RankedTensorType::get({}, index);
    if (std::optional<int64_t> value = extent.constant())
      return makeConstant(DenseElementsAttr::get(scalar, *value));
    return onnx::DimsTensorOp::create(builder, op.getLoc(), scalar,
                                      builder.getStrArrayAttr({extent.print()}));
  }
  /// `count` numbers from `first` on.
  Value makeRange(const DimExpr &first, const DimExpr &count) {
    return makeOp(onnx::RangeOp::getOperationName(), getTensorType({count}, index),
                  {makeExtent(first), makeExtent(first + count), makeExtent(DimExpr(1))});
  }

  onnx::AttentionOp op;
  OpBuilder builder;
  Type index, boolean;
};

bool isGiven(Value value) { return !isa<NoneType>(value.getType()); }

FailureOr<SmallVector<DimExpr>> getKnownExtents(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type)
    return failure();
  return getExtents(type);
}

} // namespace

void CausalityWriter::run() {
  auto query = getKnownExtents(op->getOperand(0)), key = getKnownExtents(op->getOperand(1));
  Value mask = op->getOperand(3), pastKey = op->getOperand(4);
  if (op.getIsCausal() == 0 || isGiven(op->getOperand(6)) || failed(query) || failed(key))
    return;
  unsigned dim = query->size() == 3 ? 1 : 2;
  DimExpr queries = (*query)[dim], keys = (*key)[dim], past(0);
  if (isGiven(pastKey)) {
    auto extents = getKnownExtents(pastKey);
    if (failed(extents))
      return;
    past = (*extents)[2];
  }
  DimExpr all = past + keys;
  FailureOr<SmallVector<DimExpr>> maskExtents = failure();
  if (isGiven(mask)) {
    // A mask may be shorter than the keys; such a one is left alone.
    maskExtents = getKnownExtents(mask);
    if (failed(maskExtents) || maskExtents->size() < 2 || maskExtents->back() != all)
      return;
  }
  Value column =
      makeOp(onnx::UnsqueezeOp::getOperationName(), getTensorType({queries, DimExpr(1)}, index),
             {makeRange(past, queries),
              makeConstant(DenseElementsAttr::get(RankedTensorType::get({1}, index), int64_t(1)))});
  Value visible =
      makeOp(onnx::LessOrEqualOp::getOperationName(), getTensorType({queries, all}, boolean),
             {makeRange(DimExpr(0), all), column});
  if (isGiven(mask)) {
    SmallVector<DimExpr> extents = *maskExtents;
    extents[extents.size() - 2] = queries;
    Type element = cast<RankedTensorType>(mask.getType()).getElementType();
    if (element.isInteger(1)) {
      visible =
          makeOp(onnx::AndOp::getOperationName(), getTensorType(extents, boolean), {mask, visible});
    } else {
      auto floating = cast<FloatType>(element);
      Value hidden = makeConstant(
          DenseElementsAttr::get(RankedTensorType::get({}, element),
                                 APFloat::getInf(floating.getFloatSemantics(), /*Negative=*/true)));
      visible = makeOp(onnx::WhereOp::getOperationName(), getTensorType(extents, element),
                       {visible, mask, hidden});
    }
  }
  op->setOperand(3, visible);
  op.setIsCausal(0);
}

void dist::writeCausality(func::FuncOp main) {
  for (auto op : llvm::make_early_inc_range(main.front().getOps<onnx::AttentionOp>()))
    CausalityWriter(op).run();
}

/// The number of tokens of a step: dim 1 of the first input [batch, tokens] of
/// integers. Empty if there is none.
static std::string getTokens(func::FuncOp main) {
  for (BlockArgument argument : main.getArguments()) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (type && type.getRank() == 2 && type.getElementType().isInteger() &&
        !type.getElementType().isInteger(1))
      return getExtentText(argument, 1);
  }
  return "";
}

LogicalResult dist::cutContext(func::FuncOp main, ArrayRef<MeshOp> meshes,
                               Propagation &propagation) {
  StringAttr axis = StringAttr::get(main.getContext(), "cp");
  if (llvm::none_of(meshes, [](MeshOp mesh) { return mesh.getAxisSize("cp").value_or(1) > 1; }))
    return success();
  std::string tokens = getTokens(main);
  if (tokens.empty() || tokens == "1")
    return main.emitError("axis \"cp\" has nothing to cut: no input is of integers "
                          "[batch, tokens]; use tp, dp or pp");
  for (BlockArgument argument : main.getArguments())
    if (getExtentText(argument, 1) == tokens)
      propagation.cutArgument(argument, 1, {{axis}, 1});
  return success();
}
