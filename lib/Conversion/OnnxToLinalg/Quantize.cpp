//===- Quantize.cpp - QuantizeLinear, DequantizeLinear, their dynamic form ===//
#include "Quantize.h"

#include "NarrowFloat.h"

using namespace mlir;
using namespace dougong::onnx;

Value dougong::onnx::onlyElement(Emitter &e, Value tensor) {
  SmallVector<Value> at(typeOf(tensor).getRank());
  for (Value &index : at)
    index = e.index(int64_t{0});
  return e.extract(tensor, at);
}

bool dougong::onnx::isZeroPointNone(Value zeroPoint) {
  if (!present(zeroPoint))
    return true;
  auto known = getConstantInts(zeroPoint);
  return known && llvm::all_of(*known, [](int64_t value) { return value == 0; });
}

bool dougong::onnx::isQuantizedInteger(Type element) {
  auto integer = dyn_cast<IntegerType>(element);
  return integer && integer.getWidth() > 1 && integer.getWidth() <= 32;
}

Operand dougong::onnx::placeParameter(Emitter &e, Value parameter, ArrayRef<OpFoldResult> shape,
                                      std::optional<unsigned> dim) {
  RankedTensorType type = typeOf(parameter);
  unsigned rank = type.getRank(), loops = shape.size();
  SmallVector<AffineExpr> exprs;
  Extents own = e.extentsOf(parameter), full;
  for (unsigned i = 0; i < rank; ++i) {
    // Of higher rank: aligned to the nest as operands of a broadcast are.
    bool isForAll = type.getDimSize(i) == 1 || (rank == 1 && !dim);
    unsigned loop = rank == 1 && dim ? *dim : loops - rank + i;
    exprs.push_back(isForAll ? e.zero() : e.loop(loop));
    full.push_back(isForAll ? own[i] : shape[loop]);
  }
  auto mayBeOne = [&](unsigned i) { return type.isDynamicDim(i) && exprs[i] != e.zero(); };
  if (llvm::any_of(llvm::seq(0u, rank), mayBeOne))
    parameter = e.pointwise(full, type.getElementType(), {}, [&](Emitter &e, ValueRange) {
      SmallVector<Value> at;
      for (unsigned i = 0; i < rank; ++i) {
        at.push_back(e.loopIndex(i));
        if (!mayBeOne(i))
          continue;
        Value isOne = e.compare(Emitter::Compare::Equal, e.index(own[i]), e.index(int64_t{1}));
        at.back() = e.select(isOne, e.index(int64_t{0}), at.back());
      }
      return e.extract(parameter, at);
    });
  return {parameter, e.map(loops, exprs)};
}

Value Quantization::dequantize(Emitter &e, Value x) const {
  Value wide = e.convert(x, e.getI32Type(), isUnsigned, false);
  if (zero)
    wide = e.sub(wide, e.convert(zero, e.getI32Type(), isUnsigned, false));
  return e.mul(e.convert(wide, e.getF32Type(), false, false), scale);
}

Value Quantization::quantize(Emitter &e, Value real, Type to) const {
  return e.quantize(e.div(real, scale), zero, to, isUnsigned);
}

Quantization dougong::onnx::wholeTensor(Emitter &e, Value data, Value scale, Value zero) {
  Quantization result;
  result.scale = e.toFloatType(onlyElement(e, scale), e.getF32Type());
  if (present(zero))
    result.zero = onlyElement(e, zero);
  result.isUnsigned = isUnsigned(data);
  return result;
}

DynamicQuantization dougong::onnx::quantizeDynamically(Emitter &e, Value x) {
  Type f32 = e.getF32Type(), i8 = e.getI8Type();
  Extents shape = e.extentsOf(x);
  unsigned rank = shape.size();
  SmallVector<unsigned> all = llvm::to_vector(llvm::seq<unsigned>(0, rank));
  // From 0: the range includes it.
  Value low = e.reduce(x, shape, all, e.constant(f32, 0), [](Emitter &e, ValueRange args) {
    return arith::MinNumFOp::create(e, args[1], e.widen(args[0])).getResult();
  });
  Value high = e.reduce(x, shape, all, e.constant(f32, 0), [](Emitter &e, ValueRange args) {
    return e.maxNum(args[1], e.widen(args[0]));
  });
  AffineMap scalar = e.map(0, {});
  auto parameters =
      e.pointwiseMulti({}, {f32, i8}, {{low, scalar}, {high, scalar}},
                       [&](Emitter &e, ValueRange args) -> SmallVector<Value> {
                         Value flat = e.compare(Emitter::Compare::Equal, args[0], args[1]);
                         Value step = e.div(e.sub(args[1], args[0]), e.constant(f32, 255));
                         Value scale = e.select(flat, e.constant(f32, 1), step);
                         Value zero = e.div(e.sub(e.constant(f32, 0), args[0]), scale);
                         return {scale, e.quantize(zero, Value(), i8, /*toUnsigned=*/true)};
                       });
  AffineMap none = e.map(rank, {});
  Value elements = e.pointwise(
      shape, i8, {{x, e.identity(rank)}, {parameters[0], none}, {parameters[1], none}},
      [&](Emitter &e, ValueRange args) {
        return e.quantize(e.div(e.widen(args[0]), args[1]), args[2], i8, /*toUnsigned=*/true);
      });
  return {elements, parameters[0], parameters[1]};
}

QuantizedInput dougong::onnx::quantizeInput(Emitter &e, Value x) {
  DynamicQuantization q = quantizeDynamically(e, x);
  unsigned rank = typeOf(x).getRank();
  Type i16 = e.getIntegerType(16);
  Value numbers = e.pointwise(
      e.extentsOf(x), i16, {{q.elements, e.identity(rank)}, {q.zero, e.map(rank, {})}},
      [&](Emitter &e, ValueRange args) {
        return e.sub(e.convert(args[0], i16, true, false), e.convert(args[1], i16, true, false));
      });
  return {numbers, q.scale};
}

Shifted dougong::onnx::subtractZeroPoint(Emitter &e, Value original, Value tensor,
                                         Value zeroOriginal, Value zero,
                                         std::optional<unsigned> dim) {
  bool fromUnsigned = isUnsigned(original);
  if (isZeroPointNone(zeroOriginal))
    return {tensor, fromUnsigned};
  unsigned rank = typeOf(tensor).getRank();
  Type i16 = e.getIntegerType(16);
  Value shifted =
      e.pointwise(e.extentsOf(tensor), i16,
                  {{tensor, e.identity(rank)}, placeParameter(e, zero, e.extentsOf(tensor), dim)},
                  [&](Emitter &e, ValueRange args) {
                    return e.sub(e.convert(args[0], i16, fromUnsigned, false),
                                 e.convert(args[1], i16, fromUnsigned, false));
                  });
  return {shifted, false};
}

Value dougong::onnx::sumRows(Emitter &e, Value x, bool isUnsigned) {
  Extents shape = e.extentsOf(x);
  Type i32 = e.getI32Type();
  return e.reduce(x, shape, {static_cast<unsigned>(shape.size() - 1)}, e.constantInt(i32, 0),
                  [&](Emitter &e, ValueRange args) {
                    return e.add(args[1], e.convert(args[0], i32, isUnsigned, false));
                  });
}

Value dougong::onnx::takeOffZeroPoint(Emitter &e, Value sums, Operand rows, Operand zero,
                                      bool isZeroUnsigned) {
  Type i32 = e.getI32Type();
  return e.pointwise(e.extentsOf(sums), i32,
                     {{sums, e.identity(typeOf(sums).getRank())}, rows, zero},
                     [&](Emitter &e, ValueRange args) {
                       Value shift = e.convert(args[2], i32, isZeroUnsigned, false);
                       return e.sub(args[0], e.mul(args[1], shift));
                     });
}

namespace {

/// How scales go with data: one for all, one for each place of an axis, or one
/// for each block of `block` places along it (that dim is then split in two).
class Granularity {
public:
  Granularity(Emitter &e, RankedTensorType data, Value scale, int64_t axis, int64_t block)
      : e(e), shape(e.extents(data)), rank(data.getRank()), loops(rank) {
    RankedTensorType parameter = typeOf(scale);
    if (block == 0 || parameter.getRank() != data.getRank() || rank == 0) {
      if (parameter.getRank() == 1 && rank > 0)
        dim = normalizeAxis(axis, rank);
      return;
    }
    dim = normalizeAxis(axis, rank);
    int64_t size = data.getDimSize(*dim);
    if (ShapedType::isDynamic(size) || size % block != 0) {
      stretch = block;
      return;
    }
    split = true;
    shape[*dim] = e.attr(size / block);
    shape.insert(shape.begin() + *dim + 1, e.attr(block));
    ++loops;
  }

  Value prepare(Value data) {
    if (!split)
      return data;
    return e.splitDim(data, *dim, {shape[*dim], shape[*dim + 1]});
  }
  Value finish(Value result) { return split ? e.joinDims(result, *dim, *dim + 1) : result; }

  Operand place(Value parameter) {
    if (split)
      return {parameter, e.keptMap(loops, {*dim + 1})};
    if (!stretch)
      return placeParameter(e, parameter, shape, dim);
    // Blocks that do not divide the dim: each place reads its block's parameter.
    Value full =
        e.pointwise(shape, typeOf(parameter).getElementType(), {}, [&](Emitter &e, ValueRange) {
          SmallVector<Value> at;
          for (unsigned i = 0; i < rank; ++i)
            at.push_back(e.loopIndex(i));
          at[*dim] = arith::DivUIOp::create(e, at[*dim], e.index(stretch));
          return e.extract(parameter, at);
        });
    return {full, e.identity(loops)};
  }

  Emitter &e;
  Extents shape;
  unsigned rank, loops;

private:
  std::optional<unsigned> dim;
  bool split = false;
  int64_t stretch = 0;
};

template <typename OpT> Lowered lowerQuantizeLinear(OpT op, typename OpT::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  Type to = type.getElementType();
  if (!isQuantizedInteger(to) && !isNarrowFloat(to))
    return Lowered::refuse("quantisation to this element type is not supported");
  Granularity granularity(e, type, in.getYScale(), op.getAxis(), op.getBlockSize());
  Type element = resultElement(op);
  bool toUnsigned = isUnsigned(op->getResult(0)), fromUnsigned = isUnsigned(op.getX());
  Type f32 = e.getF32Type();
  SmallVector<Operand> inputs{{granularity.prepare(in.getX()), e.identity(granularity.loops)},
                              granularity.place(in.getYScale())};
  bool hasZero = !isZeroPointNone(op.getYZeroPoint());
  if (hasZero)
    inputs.push_back(granularity.place(in.getYZeroPoint()));
  Value result = e.pointwise(granularity.shape, element, inputs, [&](Emitter &e, ValueRange args) {
    Value x = e.convert(args[0], f32, fromUnsigned, false);
    Value scaled = e.div(x, e.toFloatType(args[1], f32));
    if (isNarrowFloat(to)) { // zero points of floats are 0
      NarrowRounding rounding;
      if constexpr (requires { op.getSaturate(); })
        rounding.saturate = op.getSaturate() != 0;
      return encodeNarrow(e, scaled, to, rounding);
    }
    Value zero = hasZero ? args[2] : Value();
    if (isNarrowInteger(to))
      return truncateNarrow(
          e, e.quantize(scaled, zero, e.getIntegerType(to.getIntOrFloatBitWidth()), toUnsigned),
          to);
    return e.quantize(scaled, zero, element, toUnsigned);
  });
  return granularity.finish(result);
}

template <typename OpT>
Lowered lowerDequantizeLinear(OpT op, typename OpT::Adaptor in, Emitter &e) {
  auto source = cast<RankedTensorType>(op.getX().getType());
  Type from = source.getElementType();
  if (!isQuantizedInteger(from) && !isNarrowFloat(from))
    return Lowered::refuse("dequantisation of this element type is not supported");
  Granularity granularity(e, source, in.getXScale(), op.getAxis(), op.getBlockSize());
  Type element = resultElement(op), f32 = e.getF32Type(), i32 = e.getI32Type();
  bool fromUnsigned = isUnsigned(op.getX());
  SmallVector<Operand> inputs{{granularity.prepare(in.getX()), e.identity(granularity.loops)},
                              granularity.place(in.getXScale())};
  bool hasZero = !isZeroPointNone(op.getXZeroPoint());
  if (hasZero)
    inputs.push_back(granularity.place(in.getXZeroPoint()));
  Value result = e.pointwise(granularity.shape, element, inputs, [&](Emitter &e, ValueRange args) {
    if (isNarrowFloat(from)) { // zero points of floats are 0
      Value x = decodeNarrow(e, args[0], from);
      return e.toFloatType(e.mul(x, e.toFloatType(args[1], f32)), element);
    }
    Value x = e.convert(args[0], i32, fromUnsigned, false);
    if (hasZero)
      x = e.sub(x, e.convert(args[2], i32, fromUnsigned, false));
    Value real = e.mul(e.convert(x, f32, false, false), e.toFloatType(args[1], f32));
    return e.toFloatType(real, element);
  });
  return granularity.finish(result);
}

} // namespace

void dougong::onnx::populateQuantizePatterns(PatternSet &set) {
  set.add<QuantizeLinearOp>(lowerQuantizeLinear<QuantizeLinearOp>);
  set.add<MsQuantizeLinearOp>(lowerQuantizeLinear<MsQuantizeLinearOp>);
  set.add<DequantizeLinearOp>(lowerDequantizeLinear<DequantizeLinearOp>);
  set.add<MsDequantizeLinearOp>(lowerDequantizeLinear<MsDequantizeLinearOp>);
  set.add<DynamicQuantizeLinearOp>(
      [](DynamicQuantizeLinearOp op, DynamicQuantizeLinearOp::Adaptor in, Emitter &e) -> Lowered {
        DynamicQuantization result = quantizeDynamically(e, in.getX());
        return {result.elements, result.scale, result.zero};
      });
}
