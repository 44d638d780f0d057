//===- QuantizedConv.cpp - convolutions and pools of quantised tensors ----===//
#include "Conv.h"
#include "Pool.h"
#include "Quantize.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

/// The sums of an integer convolution. Zero points of the input are taken off before
/// it is padded, so that pads are zeros.
template <typename OpT>
Value convolveIntegers(OpT op, typename OpT::Adaptor in, Emitter &e, Value w, Value wConverted) {
  RankedTensorType type = resultType(op);
  Window window(e, cast<RankedTensorType>(op.getX().getType()), type, getConvAttributes(op, e));
  Shifted x = subtractZeroPoint(e, op.getX(), in.getX(), op.getXZeroPoint(), in.getXZeroPoint(),
                                std::nullopt);
  Convolution convolution{x.tensor, wConverted, x.isUnsigned, isUnsigned(w)};
  convolution.accumulator = e.getI32Type();
  convolution.group = op.getGroup();
  if (!isZeroPointNone(op.getWZeroPoint()))
    convolution.wZero = in.getWZeroPoint();
  return convolve(e, window, convolution, type);
}

Lowered lowerConvInteger(ConvIntegerOp op, ConvIntegerOp::Adaptor in, Emitter &e) {
  return convolveIntegers(op, in, e, op.getW(), in.getW());
}

Lowered lowerQLinearConv(QLinearConvOp op, QLinearConvOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  Value sums = convolveIntegers(op, in, e, op.getW(), in.getW());
  unsigned rank = type.getRank();
  unsigned channelDim = op->hasAttr(dougong::channelsLastAttrName) ? rank - 1 : 1;
  Type element = resultElement(op), f32 = e.getF32Type();
  bool toUnsigned = isUnsigned(op->getResult(0));
  Extents shape = e.extents(type);
  SmallVector<Operand> inputs{{sums, e.identity(rank)},
                              placeParameter(e, in.getXScale(), shape, {}),
                              placeParameter(e, in.getWScale(), shape, channelDim),
                              placeParameter(e, in.getYScale(), shape, {}),
                              placeParameter(e, in.getYZeroPoint(), shape, {})};
  if (present(in.getB()))
    inputs.push_back({in.getB(), e.mapOf(rank, {channelDim})});
  return e.pointwise(shape, element, inputs, [&](Emitter &e, ValueRange args) {
    Value sum = args[0];
    if (args.size() > 5)
      sum = e.add(sum, args[5]);
    Value factor = e.div(e.mul(args[1], args[2]), args[3]);
    Value scaled = e.mul(e.convert(sum, f32, false, false), factor);
    return e.quantize(scaled, args[4], element, toUnsigned);
  });
}

Lowered lowerQLinearAveragePool(MsQLinearAveragePoolOp op, MsQLinearAveragePoolOp::Adaptor in,
                                Emitter &e) {
  if (op.getChannelsLast())
    return Lowered::refuse("channels_last is not supported");
  RankedTensorType type = resultType(op);
  WindowAttributes attributes;
  llvm::append_range(attributes.kernel,
                     getAsIndexOpFoldResult(e.getContext(), op.getKernelShape()));
  attributes.strides = op.getStrides();
  attributes.pads = op.getPads();
  attributes.autoPad = op.getAutoPad();
  Window window(e, cast<RankedTensorType>(op.getX().getType()), type, attributes);
  Quantization x = wholeTensor(e, op.getX(), in.getXScale(), in.getXZeroPoint());
  Quantization y = wholeTensor(e, op->getResult(0), in.getYScale(), in.getYZeroPoint());
  // Pads count as real zeros: the input's zero point.
  Type source = typeOf(in.getX()).getElementType(), i32 = e.getI32Type(), f32 = e.getF32Type();
  Value filler = x.zero ? x.zero : e.constantInt(source, 0);
  Value sums = reduceWindows(e, window, window.pad(in.getX(), filler), type, e.constantInt(i32, 0),
                             [&](Emitter &e, ValueRange args) {
                               Value wide = e.convert(args[0], i32, x.isUnsigned, false);
                               if (x.zero)
                                 wide = e.sub(wide, e.convert(x.zero, i32, x.isUnsigned, false));
                               return e.add(args[1], wide);
                             });
  Value wide = e.convertTensor(sums, f32);
  Type element = resultElement(op);
  return averageWindows(
      e, window, wide, type, op.getCountIncludePad() != 0, element,
      [&](Emitter &e, ValueRange args) { return y.quantize(e, e.mul(args[0], x.scale), element); });
}

Lowered lowerQLinearGlobalAveragePool(MsQLinearGlobalAveragePoolOp op,
                                      MsQLinearGlobalAveragePoolOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  auto input = cast<RankedTensorType>(op.getX().getType());
  unsigned rank = type.getRank();
  Quantization x = wholeTensor(e, op.getX(), in.getXScale(), in.getXZeroPoint());
  Quantization y = wholeTensor(e, op->getResult(0), in.getYScale(), in.getYZeroPoint());
  Type i32 = e.getI32Type(), f32 = e.getF32Type(), element = resultElement(op);
  unsigned first = op.getChannelsLast() ? 1 : 2;
  SmallVector<unsigned> spatial = llvm::to_vector(llvm::seq<unsigned>(first, first + rank - 2));
  Extents shape = e.extents(input);
  OpFoldResult count = e.attr(1);
  for (unsigned dim : spatial)
    count = e.mulSizes(count, shape[dim]);
  Value divisor = e.convert(arith::IndexCastOp::create(e, i32, e.index(count)), f32, false, false);
  Value sums =
      e.reduce(in.getX(), shape, spatial, e.constantInt(i32, 0), [&](Emitter &e, ValueRange args) {
        Value wide = e.convert(args[0], i32, x.isUnsigned, false);
        if (x.zero)
          wide = e.sub(wide, e.convert(x.zero, i32, x.isUnsigned, false));
        return e.add(args[1], wide);
      });
  Value means = e.pointwise({shape[0], first == 2 ? shape[1] : shape.back()}, element,
                            {{sums, e.identity(2)}}, [&](Emitter &e, ValueRange args) {
                              Value sum = e.convert(args[0], f32, false, false);
                              return y.quantize(e, e.div(e.mul(sum, x.scale), divisor), element);
                            });
  return e.keepDims(means, spatial);
}

} // namespace

void dougong::onnx::populateQuantizedConvPatterns(PatternSet &set) {
  set.add<ConvIntegerOp>(lowerConvInteger);
  set.add<QLinearConvOp>(lowerQLinearConv);
  set.add<MsQLinearAveragePoolOp>(lowerQLinearAveragePool);
  set.add<MsQLinearGlobalAveragePoolOp>(lowerQLinearGlobalAveragePool);
}
