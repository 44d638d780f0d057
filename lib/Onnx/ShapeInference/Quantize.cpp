//===- Quantize.cpp - shapes of quantised operators -----------------------===//
#include "Broadcast.h"
#include "Families.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

namespace {

/// QuantizeLinear and DequantizeLinear: one scale (and zero point), one for each place of
/// `axis`, or one for each block along it.
template <typename OpTy> LogicalResult inferQuantize(OpTy op, ShapeScope &scope) {
  FailureOr<Dims> data = scope.getOperandDims(op, 0), scale = scope.getOperandDims(op, 1);
  if (failed(data) || failed(scale))
    return failure();
  int64_t block = op.getBlockSize();
  if (block < 0)
    return op.emitOpError() << "block_size must be 0 (no blocks) or more, got " << block;
  std::optional<unsigned> dim;
  Dims target = *data;
  // Of a list of one scale the axis says nothing.
  bool isOne = scale->size() == 1 && scale->front().constant() == 1;
  if (!data->empty() && !scale->empty() && !isOne) {
    FailureOr<int64_t> axis = scope.normalizeAxis(op, op.getAxis(), data->size());
    if (failed(axis))
      return failure();
    dim = *axis;
    if (block > 0)
      target[*dim] = ceilDiv(target[*dim], DimExpr(block));
  }
  if (failed(checkParameter(op, scope, 1, target, dim)) ||
      failed(checkParameter(op, scope, 2, target, dim)))
    return failure();
  return scope.setResult(op, 0, *data);
}

LogicalResult inferDynamicQuantize(DynamicQuantizeLinearOp op, ShapeScope &scope) {
  if (failed(inferSameShape(op, scope)) || failed(scope.setResult(op, 1, {})))
    return failure();
  return scope.setResult(op, 2, {});
}

/// QLinearAdd and QLinearMul: operands come as (data, scale, zero point).
LogicalResult inferQuantizedBinary(Operation *op, ShapeScope &scope) {
  FailureOr<Dims> a = scope.getOperandDims(op, 0), b = scope.getOperandDims(op, 3);
  if (failed(a) || failed(b))
    return failure();
  FailureOr<Dims> result = scope.broadcast(op, *a, *b);
  return failed(result) ? failure() : scope.setResult(op, 0, *result);
}

LogicalResult inferGatherBlock(MsGatherBlockQuantizedOp op, ShapeScope &scope) {
  FailureOr<Dims> data = scope.getOperandDims(op, 0), indices = scope.getOperandDims(op, 1);
  if (failed(data) || failed(indices))
    return failure();
  FailureOr<int64_t> axis = scope.normalizeAxis(op, op.getGatherAxis(), data->size());
  if (failed(axis))
    return failure();
  FailureOr<int64_t> quantized = scope.normalizeAxis(op, op.getQuantizeAxis(), data->size());
  int64_t bits = op.getBits(), block = op.getBlockSize();
  if (failed(quantized))
    return failure();
  if (bits != 2 && bits != 4 && bits != 8)
    return op.emitOpError() << "bits must be 2, 4 or 8, got " << bits;
  if (block < 1)
    return op.emitOpError() << "block_size must be at least 1, got " << block;
  Dims dims = *data;
  // Elements of fewer than 8 bits share a byte of uint8 data, along the last dim.
  bool bytes = getElementTypeOrSelf(op.getData().getType()).isInteger(8);
  DimExpr shared(bytes ? 8 / bits : 1);
  dims.back() = dims.back() * shared;
  Dims blocks = dims;
  blocks[*quantized] = ceilDiv(blocks[*quantized], DimExpr(block));
  if (failed(unifyDims(op, scope, 2, blocks, "scales")))
    return failure();
  if (isGiven(op, 3)) {
    if (getElementTypeOrSelf(op.getZeroPoints().getType()).isInteger(8))
      blocks.back() = ceilDiv(blocks.back(), shared);
    if (failed(unifyDims(op, scope, 3, blocks, "zero_points")))
      return failure();
  }
  Dims result(dims.begin(), dims.begin() + *axis);
  result.append(indices->begin(), indices->end());
  result.append(dims.begin() + *axis + 1, dims.end());
  return scope.setResult(op, 0, result);
}

} // namespace

void dougong::onnx::attachQuantizeShapes(MLIRContext &context) {
  attach<inferQuantize<QuantizeLinearOp>, QuantizeLinearOp>(context);
  attach<inferQuantize<DequantizeLinearOp>, DequantizeLinearOp>(context);
  attach<inferQuantize<MsQuantizeLinearOp>, MsQuantizeLinearOp>(context);
  attach<inferQuantize<MsDequantizeLinearOp>, MsDequantizeLinearOp>(context);
  attach<inferSameShape, MsQLinearSigmoidOp, MsQLinearLeakyReluOp, MsQLinearSoftmaxOp>(context);
  attach<inferDynamicQuantize, DynamicQuantizeLinearOp>(context);
  attach<inferQuantizedBinary, MsQLinearAddOp, MsQLinearMulOp>(context);
  attach<inferGatherBlock, MsGatherBlockQuantizedOp>(context);
}
