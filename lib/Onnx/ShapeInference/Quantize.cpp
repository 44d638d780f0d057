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
  Dims dims = *data;
  // Two 4-bit elements share a byte of uint8 data, along the last dim.
  bool bytes = getElementTypeOrSelf(op.getData().getType()).isInteger(8);
  if (bytes && op.getBits() < 8)
    dims.back() = dims.back() * DimExpr(8 / int64_t(op.getBits()));
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
