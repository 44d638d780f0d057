//===- QuantizedElementwise.cpp - element-wise ops of quantised tensors ---===//
#include "Quantize.h"
#include "Softmax.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

template <typename OpT>
Lowered lowerQLinearBinary(OpT op, typename OpT::Adaptor in, Emitter &e, Emitter::Body body) {
  RankedTensorType type = resultType(op);
  Quantization a = wholeTensor(e, op.getA(), in.getAScale(), in.getAZeroPoint());
  Quantization b = wholeTensor(e, op.getB(), in.getBScale(), in.getBZeroPoint());
  Quantization c = wholeTensor(e, op->getResult(0), in.getCScale(), in.getCZeroPoint());
  Type element = resultElement(op);
  return e.pointwise(e.extents(type), element,
                     {e.broadcast(in.getA(), op.getA().getType(), type),
                      e.broadcast(in.getB(), op.getB().getType(), type)},
                     [&](Emitter &e, ValueRange args) {
                       Value pair[] = {a.dequantize(e, args[0]), b.dequantize(e, args[1])};
                       return c.quantize(e, body(e, pair), element);
                     });
}

template <typename OpT>
Lowered lowerQLinearUnary(OpT op, typename OpT::Adaptor in, Emitter &e, Emitter::Body body) {
  RankedTensorType type = resultType(op);
  Quantization x = wholeTensor(e, op.getX(), in.getXScale(), in.getXZeroPoint());
  Quantization y = wholeTensor(e, op->getResult(0), in.getYScale(), in.getYZeroPoint());
  Type element = resultElement(op);
  return e.pointwise(e.extents(type), element, {{in.getX(), e.identity(type.getRank())}},
                     [&](Emitter &e, ValueRange args) {
                       return y.quantize(e, body(e, x.dequantize(e, args[0])), element);
                     });
}

/// Along `axis` alone from opset 13 on; before, over all dims from `axis` on.
Lowered lowerQLinearSoftmax(MsQLinearSoftmaxOp op, MsQLinearSoftmaxOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  unsigned rank = type.getRank(), axis = normalizeAxis(op.getAxis(), rank);
  Quantization x = wholeTensor(e, op.getX(), in.getXScale(), in.getXZeroPoint());
  Quantization y = wholeTensor(e, op->getResult(0), in.getYScale(), in.getYZeroPoint());
  Extents shape = e.extents(type);
  Value real = e.pointwise(shape, e.getF32Type(), {{in.getX(), e.identity(rank)}},
                           [&](Emitter &e, ValueRange args) { return x.dequantize(e, args[0]); });
  Type element = resultElement(op);
  // Before opset 13 the dims from `axis` on are one row.
  Extents inner(shape.begin() + axis, shape.end());
  bool joined = op.getOpset() < 13 && inner.size() > 1;
  if (joined) {
    real = e.joinDims(real, axis, rank - 1);
    shape.resize(axis);
    shape.push_back(e.productOf(inner));
    rank = axis + 1;
  }
  SoftmaxParts parts = computeSoftmaxParts(e, real, shape, axis);
  Value result = e.pointwise(
      shape, element,
      {{parts.exponentials, e.identity(rank)}, {parts.sums, e.keptMap(rank, {axis})}},
      [&](Emitter &e, ValueRange args) { return y.quantize(e, e.div(args[0], args[1]), element); });
  return joined ? e.splitDim(result, axis, inner) : result;
}

} // namespace

void dougong::onnx::populateQuantizedElementwisePatterns(PatternSet &set) {
  set.add<MsQLinearAddOp>([](MsQLinearAddOp op, MsQLinearAddOp::Adaptor in, Emitter &e) {
    return lowerQLinearBinary(op, in, e,
                              [](Emitter &e, ValueRange args) { return e.add(args[0], args[1]); });
  });
  set.add<MsQLinearMulOp>([](MsQLinearMulOp op, MsQLinearMulOp::Adaptor in, Emitter &e) {
    return lowerQLinearBinary(op, in, e,
                              [](Emitter &e, ValueRange args) { return e.mul(args[0], args[1]); });
  });
  set.add<MsQLinearSigmoidOp>(
      [](MsQLinearSigmoidOp op, MsQLinearSigmoidOp::Adaptor in, Emitter &e) {
        return lowerQLinearUnary(op, in, e,
                                 [](Emitter &e, ValueRange args) { return e.sigmoid(args[0]); });
      });
  set.add<MsQLinearLeakyReluOp>([](MsQLinearLeakyReluOp op, MsQLinearLeakyReluOp::Adaptor in,
                                   Emitter &e) {
    double alpha = op.getAlpha().convertToFloat();
    return lowerQLinearUnary(op, in, e, [&](Emitter &e, ValueRange args) {
      Value zero = e.constant(e.getF32Type(), 0);
      Value scaled = e.mul(args[0], e.constant(e.getF32Type(), alpha));
      return e.select(e.compare(Emitter::Compare::GreaterEqual, args[0], zero), args[0], scaled);
    });
  });
  set.add<MsQLinearSoftmaxOp>(lowerQLinearSoftmax);
}
