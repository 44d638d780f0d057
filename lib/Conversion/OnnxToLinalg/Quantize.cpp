//===- Quantize.cpp - quantisation with scales and zero points ------------===//
#include "Quantize.h"

using namespace mlir;
using namespace dougong::onnx;

Value dougong::onnx::scalarOf(Emitter &e, Value tensor) {
  SmallVector<Value> at(typeOf(tensor).getRank(), e.index(int64_t{0}));
  return e.extract(tensor, at);
}

DynamicQuantized dougong::onnx::quantizeDynamically(Emitter &e, Value x,
                                                    ArrayRef<OpFoldResult> shape) {
  Type f32 = e.getF32Type(), i8 = e.getI8Type();
  SmallVector<unsigned> all = llvm::to_vector(llvm::seq<unsigned>(0, shape.size()));
  // The range holds 0, which is also where the reductions start.
  Value none = e.constant(f32, 0);
  Value top = e.extract(e.reduce(x, shape, all, none, [](Emitter &e, ValueRange args) {
    return e.maxNum(args[1], args[0]);
  }));
  Value bottom = e.extract(e.reduce(x, shape, all, none, [](Emitter &e, ValueRange args) {
    return arith::MinNumFOp::create(e, args[1], args[0]).getResult();
  }));
  Value range = e.div(e.sub(top, bottom), e.constant(f32, 255));
  Value isZero = e.compare(Emitter::Compare::Equal, range, none);
  DynamicQuantized result;
  result.scale = e.select(isZero, e.constant(f32, 1), range);
  Value origin = e.div(arith::NegFOp::create(e, bottom).getResult(), result.scale);
  result.zeroPoint = e.quantize(origin, Value(), i8, true);
  result.values = e.pointwise(shape, i8, {{x, e.identity(shape.size())}},
                              [&](Emitter &e, ValueRange args) {
                                Value scaled = e.div(args[0], result.scale);
                                return e.quantize(scaled, result.zeroPoint, i8, true);
                              });
  return result;
}

namespace {

/// How a scale or zero point lies over the elements of a tensor: one for all,
/// one for each index of `axis`, or one for each block of `block` of these.
struct Granularity {
  int64_t axis = 0, block = 0;
};

/// `parameter` as an operand of a nest over `rank` loops; for blocks, null: it
/// is read by index then.
std::optional<Operand> placeParameter(Emitter &e, Value parameter, unsigned rank,
                                      Granularity granularity) {
  RankedTensorType type = typeOf(parameter);
  if (type.getRank() == 0)
    return Operand{parameter, e.map(rank, {})};
  if (type.getRank() == 1 && (granularity.block == 0 || rank == 1)) {
    AffineExpr expr = type.getDimSize(0) == 1 ? e.zero() : e.loop(granularity.axis);
    if (granularity.block == 0)
      return Operand{parameter, e.map(rank, {expr})};
  }
  return std::nullopt;
}

/// Element of a blocked parameter for the place of the loops.
Value readBlocked(Emitter &e, Value parameter, unsigned rank, Granularity granularity) {
  SmallVector<Value> at;
  for (unsigned dim = 0; dim < rank; ++dim) {
    Value here = e.loopIndex(dim);
    if (dim == granularity.axis)
      here = arith::DivUIOp::create(e, here, e.index(granularity.block));
    at.push_back(here);
  }
  return e.extract(parameter, at);
}

/// Elements of `x` mapped with the scale and zero point (null if absent) that
/// belong to them.
Value mapQuantized(Emitter &e, RankedTensorType type, Type element, Value x, Value scale,
                   Value zeroPoint, Granularity granularity,
                   function_ref<Value(Emitter &, Value x, Value scale, Value zero)> body) {
  unsigned rank = type.getRank();
  SmallVector<Operand> inputs{{x, e.identity(rank)}};
  auto scaleOperand = placeParameter(e, scale, rank, granularity);
  if (scaleOperand)
    inputs.push_back(*scaleOperand);
  std::optional<Operand> zeroOperand;
  if (present(zeroPoint) && (zeroOperand = placeParameter(e, zeroPoint, rank, granularity)))
    inputs.push_back(*zeroOperand);
  return e.pointwise(e.extents(type), element, inputs, [&](Emitter &e, ValueRange args) {
    unsigned next = 1;
    Value s = scaleOperand ? args[next++] : readBlocked(e, scale, rank, granularity);
    Value z;
    if (present(zeroPoint))
      z = zeroOperand ? args[next++] : readBlocked(e, zeroPoint, rank, granularity);
    return body(e, args[0], s, z);
  });
}

bool isInteger(Type element) { return isa<IntegerType>(element); }

template <typename OpT> Lowered lowerQuantize(OpT op, typename OpT::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  Type element = resultElement(op);
  if (!isInteger(element))
    return Lowered::refuse("quantisation to this element type is not supported");
  bool toUnsigned = isUnsigned(op->getResult(0));
  Granularity granularity{normalizeAxis(op.getAxis(), type.getRank()),
                          static_cast<int64_t>(op.getBlockSize())};
  Type compute = e.getF32Type();
  if (getComputeType(typeOf(in.getX()).getElementType()).isF64())
    compute = e.getF64Type();
  bool xUnsigned = isUnsigned(op.getX());
  return mapQuantized(e, type, element, in.getX(), in.getYScale(), in.getYZeroPoint(), granularity,
                      [&](Emitter &e, Value x, Value scale, Value zero) {
                        Value wide = e.convert(x, compute, xUnsigned, false);
                        Value scaled = e.div(wide, e.toFloatType(scale, compute));
                        return e.quantize(scaled, zero, element, toUnsigned);
                      });
}

template <typename OpT> Lowered lowerDequantize(OpT op, typename OpT::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  Type element = resultElement(op), compute = e.getF32Type();
  if (!isInteger(typeOf(in.getX()).getElementType()))
    return Lowered::refuse("dequantisation of this element type is not supported");
  bool fromUnsigned = isUnsigned(op.getX());
  Granularity granularity{normalizeAxis(op.getAxis(), type.getRank()),
                          static_cast<int64_t>(op.getBlockSize())};
  return mapQuantized(
      e, type, element, in.getX(), in.getXScale(), in.getXZeroPoint(), granularity,
      [&](Emitter &e, Value x, Value scale, Value zero) {
        Type i32 = e.getI32Type();
        Value integer = e.convert(x, i32, fromUnsigned, false);
        if (zero)
          integer = e.sub(integer, e.convert(zero, i32, fromUnsigned, false));
        Value number = e.convert(integer, compute, false, false);
        return e.toFloatType(e.mul(number, e.toFloatType(scale, compute)), element);
      });
}

Lowered lowerDynamicQuantize(DynamicQuantizeLinearOp op, DynamicQuantizeLinearOp::Adaptor in,
                             Emitter &e) {
  DynamicQuantized q = quantizeDynamically(e, in.getX(), e.extents(op.getX().getType()));
  auto scalar = [&](Value value) {
    auto type = RankedTensorType::get({}, value.getType());
    return tensor::FromElementsOp::create(e, type, value).getResult();
  };
  return {q.values, scalar(q.scale), scalar(q.zeroPoint)};
}

//===----------------------------------------------------------------------===//
// com.microsoft: operators on quantised tensors
//===----------------------------------------------------------------------===//

/// One quantised value: converts an element to a real number.
struct Quantized {
  Value scale, zero; ///< scalars; zero may be null
  bool isUnsigned;
  Value dequantize(Emitter &e, Value x) const {
    Type i32 = e.getI32Type(), f32 = e.getF32Type();
    Value integer = e.convert(x, i32, isUnsigned, false);
    if (zero)
      integer = e.sub(integer, e.convert(zero, i32, isUnsigned, false));
    return e.mul(e.convert(integer, f32, false, false), scale);
  }
  Value quantize(Emitter &e, Value real, Type element) const {
    return e.quantize(e.div(real, scale), zero, element, isUnsigned);
  }
};

Quantized quantized(Emitter &e, Value original, Value scale, Value zero) {
  return {scalarOf(e, scale), present(zero) ? scalarOf(e, zero) : Value(), isUnsigned(original)};
}

/// y = quantize(f(dequantize(x))).
template <typename OpT>
Value mapUnary(OpT op, Value x, Emitter &e, const Quantized &from, const Quantized &to,
               function_ref<Value(Emitter &, Value)> body) {
  Type element = resultElement(op);
  return lowerElementwise(op, op->getOperand(0), x, e, [&](Emitter &e, ValueRange args) {
    return to.quantize(e, body(e, from.dequantize(e, args[0])), element);
  });
}

/// The sum is taken with the scales' ratios: (a sA + b sB) / sC, as the runtime
/// that defines the operator does.
Lowered lowerQLinearAdd(MsQLinearAddOp op, MsQLinearAddOp::Adaptor in, Emitter &e) {
  Quantized a = quantized(e, op.getA(), in.getAScale(), in.getAZeroPoint());
  Quantized b = quantized(e, op.getB(), in.getBScale(), in.getBZeroPoint());
  Quantized c = quantized(e, op.getC(), in.getCScale(), in.getCZeroPoint());
  Type element = resultElement(op);
  a.scale = e.div(a.scale, c.scale);
  b.scale = e.div(b.scale, c.scale);
  Value originals[] = {op.getA(), op.getB()}, converted[] = {in.getA(), in.getB()};
  return lowerElementwise(op, originals, converted, e, [&](Emitter &e, ValueRange args) {
    Value sum = e.add(a.dequantize(e, args[0]), b.dequantize(e, args[1]));
    return e.quantize(sum, c.zero, element, c.isUnsigned);
  });
}

Lowered lowerQLinearMul(MsQLinearMulOp op, MsQLinearMulOp::Adaptor in, Emitter &e) {
  Quantized a = quantized(e, op.getA(), in.getAScale(), in.getAZeroPoint());
  Quantized b = quantized(e, op.getB(), in.getBScale(), in.getBZeroPoint());
  Quantized c = quantized(e, op.getC(), in.getCScale(), in.getCZeroPoint());
  Type element = resultElement(op);
  Value originals[] = {op.getA(), op.getB()}, converted[] = {in.getA(), in.getB()};
  return lowerElementwise(op, originals, converted, e, [&](Emitter &e, ValueRange args) {
    Value product = e.mul(a.dequantize(e, args[0]), b.dequantize(e, args[1]));
    return c.quantize(e, product, element);
  });
}

Lowered lowerQLinearConcat(MsQLinearConcatOp op, MsQLinearConcatOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  int64_t axis = normalizeAxis(op.getAxis(), type.getRank());
  Quantized to = quantized(e, op->getResult(0), in.getYScale(), in.getYZeroPoint());
  Type element = resultElement(op);
  SmallVector<Value> parts;
  for (unsigned i = 0; i + 2 < in.getInputs().size(); i += 3) {
    Value x = in.getInputs()[i], original = op.getInputs()[i];
    Quantized from = quantized(e, original, in.getInputs()[i + 1], in.getInputs()[i + 2]);
    parts.push_back(e.pointwise(e.extents(original.getType()), element,
                                {{x, e.identity(typeOf(x).getRank())}},
                                [&](Emitter &e, ValueRange args) {
                                  return to.quantize(e, from.dequantize(e, args[0]), element);
                                }));
  }
  return e.concat(parts, axis, e.extents(type));
}

} // namespace

void dougong::onnx::populateQuantizePatterns(PatternSet &set) {
  set.add<QuantizeLinearOp>(lowerQuantize<QuantizeLinearOp>);
  set.add<MsQuantizeLinearOp>(lowerQuantize<MsQuantizeLinearOp>);
  set.add<DequantizeLinearOp>(lowerDequantize<DequantizeLinearOp>);
  set.add<MsDequantizeLinearOp>(lowerDequantize<MsDequantizeLinearOp>);
  set.add<DynamicQuantizeLinearOp>(lowerDynamicQuantize);
  set.add<MsQLinearAddOp>(lowerQLinearAdd);
  set.add<MsQLinearMulOp>(lowerQLinearMul);
  set.add<MsQLinearConcatOp>(lowerQLinearConcat);
  set.add<MsQLinearSigmoidOp>(
      [](MsQLinearSigmoidOp op, MsQLinearSigmoidOp::Adaptor in, Emitter &e) -> Lowered {
        Quantized from = quantized(e, op.getX(), in.getXScale(), in.getXZeroPoint());
        Quantized to = quantized(e, op.getY(), in.getYScale(), in.getYZeroPoint());
        return mapUnary(op, in.getX(), e, from, to,
                        [](Emitter &e, Value x) { return e.sigmoid(x); });
      });
  set.add<MsQLinearLeakyReluOp>(
      [](MsQLinearLeakyReluOp op, MsQLinearLeakyReluOp::Adaptor in, Emitter &e) -> Lowered {
        Quantized from = quantized(e, op.getX(), in.getXScale(), in.getXZeroPoint());
        Quantized to = quantized(e, op.getY(), in.getYScale(), in.getYZeroPoint());
        double alpha = op.getAlpha().convertToFloat();
        return mapUnary(op, in.getX(), e, from, to, [&](Emitter &e, Value x) {
          Value negative = e.compare(Emitter::Compare::Less, x, e.constant(x.getType(), 0));
          return e.select(negative, e.mul(x, e.constant(x.getType(), alpha)), x);
        });
      });
}
