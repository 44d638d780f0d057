//===- QuantizedMovement.cpp - data movement on quantised values ----------===//
//
// What only moves elements commutes with what is done to each of them, so it
// moves the narrow integers: DequantizeLinear sinks below it, QuantizeLinear
// rises above it.
//
//===----------------------------------------------------------------------===//
#include "Quantized.h"

#include "Utils.h"

using namespace mlir;
using namespace dougong::onnx;

/// Whether `op` is the greatest of each window, without its place: with a positive
/// scale it commutes too, for quantisation is monotonic.
static bool isPlainMaxPool(Operation *op) {
  return isa<MaxPoolOp>(op) && isa<NoneType>(op->getResult(1).getType());
}

/// Whether a Pad's constant is a real 0: its zero point.
static bool padsWithZero(PadOp op) {
  if (op.getMode() != "constant")
    return true;
  if (isa<NoneType>(op.getConstantValue().getType()))
    return true;
  auto value = dyn_cast_if_present<DenseElementsAttr>(getConstantValue(op.getConstantValue()));
  return value && value.isSplat() && value.getElementType().isF32() &&
         value.getSplatValue<APFloat>().isZero();
}

/// Whether `op` moves the elements of operand 0 (of all operands, for Concat) to
/// places of its results and does nothing else.
static bool isMovement(Operation *op) {
  if (auto resize = dyn_cast<ResizeOp>(op))
    return resize.getMode() == "nearest" &&
           resize.getCoordinateTransformationMode() != "tf_crop_and_resize";
  if (auto pad = dyn_cast<PadOp>(op))
    return padsWithZero(pad);
  return isPlainMaxPool(op) ||
         isa<IdentityOp, ReshapeOp, SqueezeOp, UnsqueezeOp, FlattenOp, TransposeOp, SliceOp,
             SplitOp, ConcatOp, ExpandOp, TileOp, GatherOp, GatherElementsOp, GatherNDOp,
             DepthToSpaceOp, SpaceToDepthOp>(op);
}

/// A Transpose of what is quantised along an axis or in blocks.
static bool sinkBelowTranspose(TransposeOp op, const Dequantized &input) {
  int64_t rank = cast<RankedTensorType>(input.data.getType()).getRank();
  SmallVector<int64_t> permutation;
  if (auto perm = op.getPerm())
    permutation.assign(perm->begin(), perm->end());
  else
    for (int64_t dim = rank; dim-- > 0;)
      permutation.push_back(dim);
  QuantizedBuilder b(op);
  Dequantized moved = input;
  moved.axis = llvm::find(permutation, input.axis) - permutation.begin();
  auto move = [&](Value parameter) {
    bool hasRank = parameter && cast<RankedTensorType>(parameter.getType()).getRank() == rank;
    return input.block && hasRank ? b.transpose(parameter, permutation) : parameter;
  };
  moved.scale = move(input.scale);
  moved.zero = move(input.zero);
  Value result = b.dequantize(op.getLoc(), b.transpose(input.data, permutation), moved);
  op->replaceAllUsesWith(ValueRange(result));
  op->erase();
  return true;
}

bool dougong::onnx::sinkDequantize(Operation *op) {
  if (op->getNumOperands() == 0 || !isMovement(op))
    return false;
  std::optional<Dequantized> first = Dequantized::match(op->getOperand(0));
  if (!first)
    return false;
  if (auto transpose = dyn_cast<TransposeOp>(op); transpose && !first->isUniform())
    return sinkBelowTranspose(transpose, *first);
  unsigned width = first->element.getIntOrFloatBitWidth();
  bool isByte = width == 8;
  if (!first->isUniform() || (!isByte && width != 16))
    return false;
  // (only bytes are among the types of these)
  if (isa<MaxPoolOp, ResizeOp>(op) && (!isByte || !first->isInvertible()))
    return false;
  SmallVector<Value> operands(op->getOperands());
  operands[0] = first->data;
  if (isa<ConcatOp>(op))
    for (Value &operand : llvm::drop_begin(operands)) {
      std::optional<Dequantized> other = Dequantized::match(operand);
      if (!other || !other->equals(*first))
        return false;
      operand = other->data;
    }
  QuantizedBuilder b(op);
  if (auto pad = dyn_cast<PadOp>(op); pad && pad.getMode() == "constant")
    operands[2] = first->zero ? b.toScalar(first->zero) : b.none();
  Operation *moved = b.clone(*op);
  moved->setLoc(b.loc);
  moved->setOperands(operands);
  for (auto [index, result] : llvm::enumerate(moved->getResults())) {
    if (isa<NoneType>(result.getType()))
      continue;
    result.setType(withElement(result.getType(), first->element));
    op->getResult(index).replaceAllUsesWith(b.dequantize(getResultLoc(op, index), result, *first));
  }
  op->erase();
  return true;
}

SmallVector<QuantizeLinearOp> dougong::onnx::hoistQuantize(QuantizeLinearOp op) {
  Operation *source = op.getX().getDefiningOp();
  std::optional<Quantization> q = getQuantization(op);
  if (!source || !q || !q->isUniform() || !op.getX().hasOneUse() ||
      source->getBlock() != op->getBlock())
    return {};
  bool isByte = q->element.isInteger(8);
  // Not where there would be more to quantise.
  if (!isa<ReshapeOp, SqueezeOp, UnsqueezeOp, FlattenOp, TransposeOp, ConcatOp, DepthToSpaceOp,
           SpaceToDepthOp>(source) &&
      !(isPlainMaxPool(source) && isByte && q->isInvertible()))
    return {};
  unsigned moving = isa<ConcatOp>(source) ? source->getNumOperands() : 1;
  auto isComputed = [](Value value) {
    Operation *producer = value.getDefiningOp();
    return producer && !isConstantSource(producer);
  };
  if (!llvm::all_of(source->getOperands().take_front(moving), isComputed))
    return {};
  // The parameters may be made behind the source.
  for (Value parameter : op->getOperands().drop_front())
    if (Operation *producer = parameter.getDefiningOp();
        producer && producer->getBlock() == source->getBlock() &&
        !producer->isBeforeInBlock(source)) {
      if (!isConstantSource(producer))
        return {};
      producer->moveBefore(source);
    }
  QuantizedBuilder b(source);
  Operation *moved = b.clone(*source);
  moved->setLoc(op.getLoc());
  b.setInsertionPoint(moved);
  SmallVector<QuantizeLinearOp> made;
  for (unsigned i = 0; i < moving; ++i) {
    auto quantized = cast<QuantizeLinearOp>(b.clone(*op));
    quantized->setLoc(b.loc);
    quantized->setOperand(0, source->getOperand(i));
    quantized.getResult().setType(
        cast<RankedTensorType>(withElement(source->getOperand(i).getType(), q->element)));
    moved->setOperand(i, quantized.getResult());
    made.push_back(quantized);
  }
  moved->getResult(0).setType(op.getResult().getType());
  op->replaceAllUsesWith(ValueRange(moved->getResult(0)));
  op->erase();
  source->erase();
  return made;
}
