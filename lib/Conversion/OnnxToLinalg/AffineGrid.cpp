//===- AffineGrid.cpp - AffineGrid ----------------------------------------===//
#include "Patterns.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

/// Place `index` of a dim of `size` places, between -1 and 1: these are the centres of the
/// first and the last place if `alignCorners`, else their outer borders. A single place lies
/// at -1 or 0.
Value toCoordinate(Emitter &e, Value index, Value size, bool alignCorners, Type type) {
  auto toFloat = [&](Value x) {
    Value wide = arith::IndexCastOp::create(e, e.getI64Type(), x);
    return e.convert(wide, type, false, false);
  };
  Value one = e.index(int64_t{1}), two = e.index(int64_t{2});
  Value number = e.mul(index, two), count = size;
  if (alignCorners)
    count = e.max(e.sub(size, one), one);
  else
    number = e.add(number, one);
  return e.sub(e.div(toFloat(number), toFloat(count)), e.constant(type, 1));
}

/// grid[n, (z,) y, x] = theta[n] * (x, y, (z,) 1), each a coordinate in [-1, 1].
Lowered lowerAffineGrid(AffineGridOp op, AffineGridOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  unsigned rank = type.getRank(), spatial = rank - 2;
  Type element = resultElement(op), compute = getComputeType(element);
  Extents shape = e.extents(type);
  bool alignCorners = op.getAlignCorners() != 0;
  return e.pointwise(shape, element, {}, [&](Emitter &e, ValueRange) {
    auto theta = [&](int64_t column) {
      return e.toFloatType(
          e.extract(in.getTheta(), {e.loopIndex(0), e.loopIndex(rank - 1), e.index(column)}),
          compute);
    };
    Value sum;
    for (unsigned i = 0; i < spatial; ++i) {
      unsigned dim = spatial - i; // x, the last spatial dim, comes first
      Value place = toCoordinate(e, e.loopIndex(dim), e.index(shape[dim]), alignCorners, compute);
      Value term = e.mul(theta(i), place);
      sum = sum ? e.add(sum, term) : term;
    }
    return e.toFloatType(e.add(sum, theta(spatial)), element);
  });
}

} // namespace

void dougong::onnx::populateAffineGridPatterns(PatternSet &set) {
  set.add<AffineGridOp>(lowerAffineGrid);
}
