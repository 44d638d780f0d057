//===- QuantizedMatMul.cpp - products, convolutions, pools of integers ----===//
#include "Conv.h"
#include "MatMul.h"
#include "Pool.h"
#include "Quantize.h"
#include "Softmax.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

Value presentOrNull(Value value) { return present(value) ? value : Value(); }

Lowered lowerMatMulInteger(MatMulIntegerOp op, MatMulIntegerOp::Adaptor in, Emitter &e) {
  MatrixProduct product(e, in.getA(), cast<RankedTensorType>(op.getA().getType()), in.getB(),
                        cast<RankedTensorType>(op.getB().getType()), resultType(op));
  return product.computeIntegers(isUnsigned(op.getA()), isUnsigned(op.getB()),
                                 presentOrNull(in.getAZeroPoint()),
                                 presentOrNull(in.getBZeroPoint()));
}

/// sums * (aScale bScale / yScale), rounded, plus the zero point of y. The
/// scales may be one for each row or column.
Lowered lowerQLinearMatMul(QLinearMatMulOp op, QLinearMatMulOp::Adaptor in, Emitter &e) {
  MatrixProduct product(e, in.getA(), cast<RankedTensorType>(op.getA().getType()), in.getB(),
                        cast<RankedTensorType>(op.getB().getType()), resultType(op));
  Value sums = product.computeIntegers(isUnsigned(op.getA()), isUnsigned(op.getB()),
                                       in.getAZeroPoint(), in.getBZeroPoint());
  Type element = resultElement(op), f32 = e.getF32Type();
  if (!isa<IntegerType>(element))
    return Lowered::refuse("quantisation to this element type is not supported");
  unsigned rank = product.reduction;
  bool toUnsigned = isUnsigned(op->getResult(0));
  SmallVector<Operand> inputs{{sums, e.identity(rank)},
                              product.perRow(in.getAScale(), rank),
                              product.perColumn(in.getBScale(), rank)};
  Value yScale = e.widen(scalarOf(e, in.getYScale())), yZero = scalarOf(e, in.getYZeroPoint());
  return e.pointwise(product.shape, element, inputs, [&](Emitter &e, ValueRange args) {
    Value factor = e.div(e.mul(e.widen(args[1]), e.widen(args[2])), yScale);
    Value scaled = e.mul(e.convert(args[0], f32, false, false), factor);
    return e.quantize(scaled, yZero, element, toUnsigned);
  });
}

Lowered lowerConvInteger(ConvIntegerOp op, ConvIntegerOp::Adaptor in, Emitter &e) {
  RankedTensorType output = resultType(op);
  WindowAttributes attributes = getConvAttributes(op, typeOf(in.getW()));
  if (llvm::is_contained(attributes.kernel, ShapedType::kDynamic))
    return Lowered::refuse("a window of dynamic size is not supported");
  Window window(e, cast<RankedTensorType>(op.getX().getType()), output, attributes);
  Convolution c{in.getX(), in.getW(), isUnsigned(op.getX()), isUnsigned(op.getW())};
  c.accumulator = e.getI32Type();
  c.group = op.getGroup();
  if (present(in.getXZeroPoint()))
    c.xZero = scalarOf(e, in.getXZeroPoint());
  c.wZero = presentOrNull(in.getWZeroPoint());
  return convolve(e, window, c, output);
}

Lowered lowerQLinearConv(QLinearConvOp op, QLinearConvOp::Adaptor in, Emitter &e) {
  RankedTensorType output = resultType(op);
  WindowAttributes attributes = getConvAttributes(op, typeOf(in.getW()));
  if (llvm::is_contained(attributes.kernel, ShapedType::kDynamic))
    return Lowered::refuse("a window of dynamic size is not supported");
  Window window(e, cast<RankedTensorType>(op.getX().getType()), output, attributes);
  Convolution c{in.getX(), in.getW(), isUnsigned(op.getX()), isUnsigned(op.getW())};
  c.accumulator = e.getI32Type();
  c.group = op.getGroup();
  c.xZero = scalarOf(e, in.getXZeroPoint());
  c.wZero = in.getWZeroPoint();
  Value sums = convolve(e, window, c, output);

  unsigned rank = output.getRank();
  Type element = resultElement(op), f32 = e.getF32Type();
  bool toUnsigned = isUnsigned(op->getResult(0)), hasBias = present(in.getB());
  RankedTensorType scaleType = typeOf(in.getWScale());
  bool perChannel = scaleType.getRank() == 1 && scaleType.getDimSize(0) != 1;
  SmallVector<AffineExpr> scaleMap;
  if (scaleType.getRank() == 1)
    scaleMap.push_back(perChannel ? e.loop(1) : e.zero());
  SmallVector<Operand> inputs{{sums, e.identity(rank)}, {in.getWScale(), e.map(rank, scaleMap)}};
  if (hasBias)
    inputs.push_back({in.getB(), e.mapOf(rank, {1})});
  Value xScale = scalarOf(e, in.getXScale()), yScale = scalarOf(e, in.getYScale());
  Value yZero = scalarOf(e, in.getYZeroPoint());
  return e.pointwise(e.extents(output), element, inputs, [&](Emitter &e, ValueRange args) {
    Value sum = hasBias ? e.add(args[0], args[2]) : args[0];
    Value factor = e.div(e.mul(xScale, args[1]), yScale);
    return e.quantize(e.mul(e.convert(sum, f32, false, false), factor), yZero, element,
                      toUnsigned);
  });
}

/// com.microsoft: pools of quantised tensors, channels first.
Lowered lowerQLinearAveragePool(MsQLinearAveragePoolOp op, MsQLinearAveragePoolOp::Adaptor in,
                                Emitter &e) {
  if (op.getChannelsLast())
    return Lowered::refuse("channels_last is not supported");
  RankedTensorType output = resultType(op);
  Type element = resultElement(op), i32 = e.getI32Type(), f32 = e.getF32Type();
  bool isUnsignedElement = isUnsigned(op.getX());
  WindowAttributes attributes;
  attributes.kernel.assign(op.getKernelShape().begin(), op.getKernelShape().end());
  attributes.strides = op.getStrides();
  attributes.pads = op.getPads();
  attributes.autoPad = op.getAutoPad();
  attributes.ceilMode = op.getCeilMode() != 0;
  Window window(e, cast<RankedTensorType>(op.getX().getType()), output, attributes);
  Value xZero = present(in.getXZeroPoint()) ? scalarOf(e, in.getXZeroPoint())
                                            : e.constantInt(e.getI8Type(), 0);
  // Pads of the zero point add nothing.
  Value sums = reduceWindows(e, window, window.pad(in.getX(), xZero), output,
                             e.constant(f32, 0), [&](Emitter &e, ValueRange args) {
                               Value x = e.convert(args[0], i32, isUnsignedElement, false);
                               Value z = e.convert(xZero, i32, isUnsignedElement, false);
                               Value number = e.convert(e.sub(x, z), f32, false, false);
                               return e.add(args[1], number);
                             });
  Value xScale = scalarOf(e, in.getXScale()), yScale = scalarOf(e, in.getYScale());
  Value yZero = present(in.getYZeroPoint()) ? scalarOf(e, in.getYZeroPoint()) : Value();
  return averageWindows(e, window, sums, output, op.getCountIncludePad() != 0, element,
                        [&](Emitter &e, ValueRange args) {
                          Value scaled = e.div(e.mul(args[0], xScale), yScale);
                          return e.quantize(scaled, yZero, element, isUnsignedElement);
                        });
}

Lowered lowerQLinearGlobalAveragePool(MsQLinearGlobalAveragePoolOp op,
                                      MsQLinearGlobalAveragePoolOp::Adaptor in, Emitter &e) {
  if (op.getChannelsLast())
    return Lowered::refuse("channels_last is not supported");
  Type element = resultElement(op), i32 = e.getI32Type(), f32 = e.getF32Type();
  bool isUnsignedElement = isUnsigned(op.getX());
  Extents shape = e.extents(op.getX().getType());
  SmallVector<unsigned> axes = llvm::to_vector(llvm::seq<unsigned>(2, shape.size()));
  Value xZero = e.convert(scalarOf(e, in.getXZeroPoint()), i32, isUnsignedElement, false);
  Value sums = e.reduce(in.getX(), shape, axes, e.constantInt(i32, 0),
                        [&](Emitter &e, ValueRange args) {
                          Value x = e.convert(args[0], i32, isUnsignedElement, false);
                          return e.add(args[1], e.sub(x, xZero));
                        });
  Value size = e.index(e.productOf(ArrayRef<OpFoldResult>(shape).drop_front(2)));
  Value count = e.convert(arith::IndexCastOp::create(e, e.getI64Type(), size), f32, false, false);
  Value factor = e.div(scalarOf(e, in.getXScale()), e.mul(scalarOf(e, in.getYScale()), count));
  Value yZero = scalarOf(e, in.getYZeroPoint());
  Value result = e.pointwise(e.extentsOf(sums), element, {{sums, e.identity(2)}},
                             [&](Emitter &e, ValueRange args) {
                               Value number = e.convert(args[0], f32, false, false);
                               return e.quantize(e.mul(number, factor), yZero, element,
                                                 isUnsignedElement);
                             });
  return e.keepDims(result, axes);
}

Lowered lowerQLinearSoftmax(MsQLinearSoftmaxOp op, MsQLinearSoftmaxOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  unsigned rank = type.getRank(), axis = normalizeAxis(op.getAxis(), rank);
  if (op.getOpset() < 13 && axis != rank - 1)
    return Lowered::refuse("softmax over several dims (opset below 13) is not supported");
  Type element = resultElement(op), i32 = e.getI32Type(), f32 = e.getF32Type();
  bool isUnsignedElement = isUnsigned(op.getX());
  Extents shape = e.extents(type);
  AffineMap all = e.identity(rank);
  // The zero point cancels in exp(x - max).
  Value xScale = scalarOf(e, in.getXScale());
  Value x = e.pointwise(shape, f32, {{in.getX(), all}}, [&](Emitter &e, ValueRange args) {
    Value integer = e.convert(args[0], i32, isUnsignedElement, false);
    return e.mul(e.convert(integer, f32, false, false), xScale);
  });
  Value y = computeSoftmax(e, x, shape, axis, f32);
  Value yScale = scalarOf(e, in.getYScale()), yZero = scalarOf(e, in.getYZeroPoint());
  return e.pointwise(shape, element, {{y, all}}, [&](Emitter &e, ValueRange args) {
    return e.quantize(e.div(args[0], yScale), yZero, element, isUnsignedElement);
  });
}

/// com.microsoft: integer product times scales, plus a bias, in floats.
Lowered lowerMatMulIntegerToFloat(MsMatMulIntegerToFloatOp op,
                                  MsMatMulIntegerToFloatOp::Adaptor in, Emitter &e) {
  MatrixProduct product(e, in.getA(), cast<RankedTensorType>(op.getA().getType()), in.getB(),
                        cast<RankedTensorType>(op.getB().getType()), resultType(op));
  Value sums = product.computeIntegers(isUnsigned(op.getA()), isUnsigned(op.getB()),
                                       presentOrNull(in.getAZeroPoint()),
                                       presentOrNull(in.getBZeroPoint()));
  Type element = resultElement(op), f32 = e.getF32Type();
  unsigned rank = product.reduction;
  SmallVector<Operand> inputs{{sums, e.identity(rank)},
                              product.perRow(in.getAScale(), rank),
                              product.perColumn(in.getBScale(), rank)};
  bool hasBias = present(in.getBias());
  if (hasBias)
    inputs.push_back(product.perColumn(in.getBias(), rank));
  return e.pointwise(product.shape, element, inputs, [&](Emitter &e, ValueRange args) {
    Value factor = e.mul(e.widen(args[1]), e.widen(args[2]));
    Value y = e.mul(e.convert(args[0], f32, false, false), factor);
    if (hasBias)
      y = e.add(y, e.widen(args[3]));
    return e.toFloatType(y, element);
  });
}

/// com.microsoft: A is quantised at run time by its own range.
Lowered lowerDynamicQuantizeMatMul(MsDynamicQuantizeMatMulOp op,
                                   MsDynamicQuantizeMatMulOp::Adaptor in, Emitter &e) {
  auto aType = cast<RankedTensorType>(op.getA().getType());
  DynamicQuantized a = quantizeDynamically(e, in.getA(), e.extents(aType));
  MatrixProduct product(e, a.values, aType, in.getB(),
                        cast<RankedTensorType>(op.getB().getType()), resultType(op));
  auto zeroType = RankedTensorType::get({}, e.getI8Type());
  Value aZero = tensor::FromElementsOp::create(e, zeroType, a.zeroPoint);
  Value sums = product.computeIntegers(true, isUnsigned(op.getB()), aZero,
                                       presentOrNull(in.getBZeroPoint()));
  Type f32 = e.getF32Type();
  unsigned rank = product.reduction;
  SmallVector<Operand> inputs{{sums, e.identity(rank)}, product.perColumn(in.getBScale(), rank)};
  bool hasBias = present(in.getBias());
  if (hasBias)
    inputs.push_back(product.perColumn(in.getBias(), rank));
  return e.pointwise(product.shape, f32, inputs, [&](Emitter &e, ValueRange args) {
    Value y = e.mul(e.convert(args[0], f32, false, false), e.mul(a.scale, args[1]));
    return hasBias ? e.add(y, args[2]) : y;
  });
}

} // namespace

void dougong::onnx::populateQuantizedMatMulPatterns(PatternSet &set) {
  set.add<MatMulIntegerOp>(lowerMatMulInteger);
  set.add<QLinearMatMulOp>(lowerQLinearMatMul);
  set.add<ConvIntegerOp>(lowerConvInteger);
  set.add<QLinearConvOp>(lowerQLinearConv);
  set.add<MsQLinearAveragePoolOp>(lowerQLinearAveragePool);
  set.add<MsQLinearGlobalAveragePoolOp>(lowerQLinearGlobalAveragePool);
  set.add<MsQLinearSoftmaxOp>(lowerQLinearSoftmax);
  set.add<MsMatMulIntegerToFloatOp>(lowerMatMulIntegerToFloat);
  set.add<MsDynamicQuantizeMatMulOp>(lowerDynamicQuantizeMatMul);
}
