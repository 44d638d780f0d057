//===- GridSample.cpp - GridSample ----------------------------------------===//
#include "Patterns.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

using Compare = Emitter::Compare;

/// Samples along one spatial dim.
class GridDim {
public:
  GridDim(Emitter &e, OpFoldResult size, StringRef padding, bool alignCorners)
      : e(e), size(e.index(size)), padding(padding), alignCorners(alignCorners) {
    length = fromIndex(this->size);
    double border = alignCorners ? 0 : 0.5;
    low = number(-border);
    high = e.sub(length, number(1 - border));
  }

  /// From [-1, 1] to places, with what lies outside moved by the padding mode.
  Value toPlace(Value n, bool isNearest) {
    Value one = number(1), half = number(0.5), up = e.add(n, one);
    Value x = alignCorners ? e.mul(e.mul(up, half), e.sub(length, one))
                           : e.mul(e.sub(e.mul(up, length), one), half);
    if (isNearest)
      x = math::RoundEvenOp::create(e, x);
    if (padding == "border")
      return arith::MinimumFOp::create(e, arith::MaximumFOp::create(e, x, number(0)).getResult(),
                                       e.sub(length, one));
    return padding == "reflection" ? reflect(x) : x;
  }

  /// The index to read for place `x` (a whole number), and whether it is there.
  std::pair<Value, Value> toIndex(Value x) {
    Value inside;
    if (padding == "reflection")
      x = reflect(x);
    else if (padding == "zeros")
      inside = arith::AndIOp::create(e, e.compare(Compare::GreaterEqual, x, number(0)),
                                     e.compare(Compare::Less, x, length));
    // Clamped while it is a float: what is far outside is no integer.
    x = arith::MinNumFOp::create(e, arith::MaxNumFOp::create(e, x, number(0)).getResult(),
                                 e.sub(length, number(1)));
    Value index = e.toIndex(arith::FPToSIOp::create(e, e.getI64Type(), x));
    return {index, inside};
  }

private:
  Value number(double value) { return e.constant(e.getF32Type(), value); }
  Value fromIndex(Value index) {
    Value wide = arith::IndexCastOp::create(e, e.getI64Type(), index);
    return arith::SIToFPOp::create(e, e.getF32Type(), wide);
  }

  /// Mirrors at both borders until `x` lies between them.
  Value reflect(Value x) {
    Value range = e.sub(high, low);
    Value below = e.compare(Compare::Less, x, low), above = e.compare(Compare::Greater, x, high);
    Value distance = e.select(below, e.sub(low, x), e.sub(x, high));
    // Of one element there is no range to mirror in.
    Value isPoint = e.compare(Compare::LessEqual, range, number(0));
    Value times = math::TruncOp::create(e, e.div(distance, e.select(isPoint, number(1), range)));
    Value rest = e.sub(distance, e.mul(times, range));
    Value odd = arith::RemFOp::create(e, times, number(2));
    Value isEven = e.compare(Compare::Equal, odd, number(0));
    Value fromLow = e.add(low, rest), fromHigh = e.sub(high, rest);
    Value belowValue = e.select(isEven, fromLow, fromHigh);
    Value aboveValue = e.select(isEven, fromHigh, fromLow);
    Value mirrored = e.select(below, belowValue, e.select(above, aboveValue, x));
    return e.select(isPoint, low, mirrored);
  }

  Emitter &e;
  Value size, length, low, high;
  StringRef padding;
  bool alignCorners;
};

/// Weights of the neighbours floor(x) + first, ..., of a place `t` above its
/// floor: linear, or Keys' cubic with a = -0.75.
SmallVector<Value> weightsOf(Emitter &e, StringRef mode, Value t) {
  Type f32 = e.getF32Type();
  auto number = [&](double value) { return e.constant(f32, value); };
  if (mode == "linear")
    return {e.sub(number(1), t), t};
  const double a = -0.75;
  // ((a + 2) t - (a + 3)) t^2 + 1  and  a (((t - 5) t + 8) t - 4)
  auto near = [&](Value t) {
    return e.add(e.mul(e.mul(e.sub(e.mul(number(a + 2), t), number(a + 3)), t), t), number(1));
  };
  auto far = [&](Value t) {
    Value inner = e.add(e.mul(e.sub(t, number(5)), t), number(8));
    return e.mul(number(a), e.sub(e.mul(inner, t), number(4)));
  };
  Value rest = e.sub(number(1), t);
  return {far(e.add(t, number(1))), near(t), near(rest), far(e.add(rest, number(1)))};
}

Lowered lowerGridSample(GridSampleOp op, GridSampleOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  auto source = cast<RankedTensorType>(op.getX().getType());
  unsigned rank = type.getRank(), spatial = rank - 2;
  Type element = resultElement(op);
  if (!isa<FloatType>(element))
    return Lowered::refuse("elements other than floats are not supported");
  StringRef mode = op.getMode(), padding = op.getPaddingMode();
  bool alignCorners = op.getAlignCorners() != 0, isNearest = mode == "nearest";
  return e.pointwise(e.extents(type), element, {}, [&](Emitter &e, ValueRange) {
    SmallVector<Value> where{e.loopIndex(0)};
    for (unsigned dim = 2; dim < rank; ++dim)
      where.push_back(e.loopIndex(dim));
    where.push_back(Value());
    SmallVector<GridDim> dims;
    SmallVector<Value> places;
    for (unsigned dim = 0; dim < spatial; ++dim) {
      dims.emplace_back(e, e.extent(source, 2 + dim), padding, alignCorners);
      // The grid lists the last dim first.
      where.back() = e.index(static_cast<int64_t>(spatial - 1 - dim));
      Value n = e.toFloatType(e.extract(in.getGrid(), where), e.getF32Type());
      places.push_back(dims.back().toPlace(n, isNearest));
    }
    SmallVector<Value> at(rank);
    at[0] = e.loopIndex(0);
    at[1] = e.loopIndex(1);
    // Dim by dim: a sum over its neighbours of what lies further in.
    std::function<Value(unsigned, Value)> sample = [&](unsigned dim, Value inside) -> Value {
      Type f32 = e.getF32Type();
      if (dim == spatial) {
        Value value = e.toFloatType(e.extract(in.getX(), at), f32);
        return inside ? e.select(inside, value, e.constant(f32, 0)) : value;
      }
      auto read = [&](Value place) {
        auto [index, here] = dims[dim].toIndex(place);
        at[2 + dim] = index;
        Value both = inside && here ? arith::AndIOp::create(e, inside, here).getResult()
                                    : (here ? here : inside);
        return sample(dim + 1, both);
      };
      if (isNearest)
        return read(places[dim]);
      Value base = math::FloorOp::create(e, places[dim]);
      SmallVector<Value> weights = weightsOf(e, mode, e.sub(places[dim], base));
      double first = mode == "linear" ? 0 : -1;
      Value sum = e.constant(f32, 0);
      for (auto [k, weight] : llvm::enumerate(weights)) {
        Value place = e.add(base, e.constant(f32, first + static_cast<double>(k)));
        sum = e.add(sum, e.mul(weight, read(place)));
      }
      return sum;
    };
    return e.toFloatType(sample(0, Value()), element);
  });
}

} // namespace

void dougong::onnx::populateGridSamplePatterns(PatternSet &set) {
  set.add<GridSampleOp>(lowerGridSample);
}
