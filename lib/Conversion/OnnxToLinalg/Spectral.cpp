//===- Spectral.cpp - DFT, STFT -------------------------------------------===//
//
// Sums by the definition, in f64: n^2 steps. Angles are taken of k n mod N, so
// that they stay exact for long signals.
//
//===----------------------------------------------------------------------===//
#include "Patterns.h"
#include "RuntimeAxes.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

using Compare = Emitter::Compare;

struct Complex {
  Value real, imaginary;
};

Value number(Emitter &e, double value) { return e.constant(e.getF64Type(), value); }
Value toReal(Emitter &e, Value index) {
  Value wide = arith::IndexCastOp::create(e, e.getI64Type(), index);
  return arith::SIToFPOp::create(e, e.getF64Type(), wide);
}

/// The sum over n < `count` of sample(n) * exp(sign 2 pi i k n / length).
Complex transform(Emitter &e, Value count, Value length, Value k, double sign,
                  llvm::function_ref<Complex(Emitter &, Value n)> sample) {
  constexpr double pi = 3.14159265358979323846;
  Value step = e.div(number(e, sign * 2 * pi), toReal(e, length)), none = number(e, 0);
  auto sums = e.repeat(count, {none, none}, [&](Emitter &e, Value n, ValueRange sums) {
    Value turn = arith::RemUIOp::create(e, e.mul(k, n), length);
    Value angle = e.mul(toReal(e, turn), step);
    Value c = math::CosOp::create(e, angle), s = math::SinOp::create(e, angle);
    Complex x = sample(e, n);
    Value real = e.sub(e.mul(x.real, c), e.mul(x.imaginary, s));
    Value imaginary = e.add(e.mul(x.real, s), e.mul(x.imaginary, c));
    return SmallVector<Value>{e.add(sums[0], real), e.add(sums[1], imaginary)};
  });
  return {sums[0], sums[1]};
}

/// How many numbers an element of a signal has, its last extent: real parts alone, or
/// imaginary parts too.
class Parts {
public:
  explicit Parts(Emitter &e, OpFoldResult extent) : count(e.index(extent)) {
    if (auto known = getConstantIntValue(extent))
      isComplex = *known == 2;
  }

  Value getCount() const { return count; }
  /// The place of the last part, counted from the first one.
  Value getLast(Emitter &e) const { return e.sub(count, e.index(int64_t{1})); }
  /// `read()` where there is an imaginary part, else 0. It may read at getLast() anyhow.
  Value imaginary(Emitter &e, llvm::function_ref<Value()> read) const {
    if (isComplex)
      return *isComplex ? read() : number(e, 0);
    Value both = e.compare(Compare::Equal, count, e.index(int64_t{2}));
    return e.select(both, read(), number(e, 0));
  }

private:
  Value count;
  std::optional<bool> isComplex; ///< if known
};

/// The only element of `tensor` as an index.
Value scalarIndex(Emitter &e, Value tensor) {
  SmallVector<Value> at(typeOf(tensor).getRank(), e.index(int64_t{0}));
  return e.toIndex(e.extract(tensor, at));
}

Lowered lowerDFT(DFTOp op, DFTOp::Adaptor in, Emitter &e) {
  auto source = cast<RankedTensorType>(op.getInput().getType());
  RankedTensorType type = resultType(op);
  Type element = resultElement(op);
  Parts parts(e, e.extent(source, source.getRank() - 1));
  bool inverse = op.getInverse() != 0, onesided = op.getOnesided() != 0;
  bool isReal = inverse && onesided; // the result
  Extents shape = e.extents(source), result = e.extents(type);
  Value one = e.index(int64_t{1}), two = e.index(int64_t{2}), zero = e.index(int64_t{0});
  Value axis = present(op.getAxis()) ? scalarIndex(e, in.getAxis()) : e.index(int64_t{-2});
  // Counted from the end of all dims, the parts among them.
  Value negative = e.compare(Compare::Less, axis, zero);
  axis = e.select(negative, e.add(axis, e.index(source.getRank())), axis);
  ArrayRef<OpFoldResult> fromShape = ArrayRef<OpFoldResult>(shape).drop_back();
  ArrayRef<OpFoldResult> toShape = ArrayRef<OpFoldResult>(result).drop_back();
  AroundAxis from = splitAroundAxis(e, fromShape, axis), to = splitAroundAxis(e, toShape, axis);
  Value length = isReal ? e.mul(two, e.sub(from.size, one)) : from.size;
  if (present(op.getDftLength()))
    length = scalarIndex(e, in.getDftLength());
  Value safeLength = e.max(length, one);
  // What the signal lacks counts as 0. Half a spectrum stands for its mirror too.
  Value half = e.add(arith::DivUIOp::create(e, length, two).getResult(), one);
  Value count = e.min(from.size, isReal ? half : length);
  Value flat = flatten(e, in.getInput());
  Value init = e.empty({e.productOf(result)}, element);
  int64_t resultParts = isReal ? 1 : 2;
  Value values = e.repeatNest(
      {from.outer, to.size, from.inner}, init,
      [&](Emitter &e, ValueRange at, Value carried) -> Value {
        Complex sum = transform(
            e, count, safeLength, at[1], inverse ? 1 : -1, [&](Emitter &e, Value n) -> Complex {
              Value place = e.add(e.mul(at[0], from.size), n);
              place = e.mul(e.add(e.mul(place, from.inner), at[2]), parts.getCount());
              Value real = e.toFloatType(e.extract(flat, place), e.getF64Type());
              Value imaginary = parts.imaginary(e, [&] {
                return e.toFloatType(e.extract(flat, e.add(place, parts.getLast(e))),
                                     e.getF64Type());
              });
              if (isReal) {
                // All but the first and the middle element occur twice, conjugated.
                Value isFirst = e.compare(Compare::Equal, n, zero);
                Value isMiddle = e.compare(Compare::Equal, e.mul(n, two), length);
                Value single = arith::OrIOp::create(e, isFirst, isMiddle);
                Value weight = e.select(single, number(e, 1), number(e, 2));
                real = e.mul(real, weight);
                imaginary = e.select(single, number(e, 0), e.mul(imaginary, weight));
              }
              return {real, imaginary};
            });
        Value scale = inverse ? e.div(number(e, 1), toReal(e, safeLength)) : number(e, 1);
        Value place = e.add(e.mul(at[0], to.size), at[1]);
        place = e.mul(e.add(e.mul(place, to.inner), at[2]), e.index(resultParts));
        Value real = e.toFloatType(e.mul(sum.real, scale), element);
        Value written = tensor::InsertOp::create(e, real, carried, place);
        if (isReal)
          return written;
        Value imaginary = e.toFloatType(e.mul(sum.imaginary, scale), element);
        return tensor::InsertOp::create(e, imaginary, written, e.add(place, one));
      });
  return unflatten(e, values, type);
}

/// The spectrum of each frame of the signal, under the window.
Lowered lowerSTFT(STFTOp op, STFTOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op), source = typeOf(in.getSignal());
  Type element = resultElement(op);
  Parts parts(e, source.getRank() == 3 ? e.extent(op.getSignal().getType(), 2) : e.attr(1));
  bool hasWindow = present(op.getWindow());
  Value step = scalarIndex(e, in.getFrameStep());
  Value length = present(op.getFrameLength())
                     ? scalarIndex(e, in.getFrameLength())
                     : e.index(hasWindow ? e.extentsOf(in.getWindow()).front()
                                         : e.extent(op.getSignal().getType(), 1));
  Extents shape = e.extents(type);
  Value init = e.empty(shape, element), zero = e.index(int64_t{0}), one = e.index(int64_t{1});
  Extents nest(ArrayRef<OpFoldResult>(shape).drop_back());
  return e.repeatNest(nest, init, [&](Emitter &e, ValueRange at, Value carried) -> Value {
    Value start = e.mul(at[1], step);
    Complex sum =
        transform(e, length, e.max(length, one), at[2], -1, [&](Emitter &e, Value n) -> Complex {
          auto part = [&](Value which) {
            SmallVector<Value> place{at[0], e.add(start, n)};
            if (source.getRank() == 3)
              place.push_back(which);
            Value x = e.toFloatType(e.extract(in.getSignal(), place), e.getF64Type());
            if (!hasWindow)
              return x;
            Value weight = e.extract(in.getWindow(), n);
            return e.mul(x, e.toFloatType(weight, e.getF64Type()));
          };
          return {part(zero), parts.imaginary(e, [&] { return part(parts.getLast(e)); })};
        });
    Value real = e.toFloatType(sum.real, element);
    Value imaginary = e.toFloatType(sum.imaginary, element);
    SmallVector<Value> place(at);
    place.push_back(zero);
    Value written = tensor::InsertOp::create(e, real, carried, place);
    place.back() = one;
    return tensor::InsertOp::create(e, imaginary, written, place);
  });
}

} // namespace

void dougong::onnx::populateSpectralPatterns(PatternSet &set) {
  set.add<DFTOp>(lowerDFT);
  set.add<STFTOp>(lowerSTFT);
}
