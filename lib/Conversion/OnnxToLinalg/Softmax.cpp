//===- Softmax.cpp - softmax and its kin ----------------------------------===//
#include "Softmax.h"

using namespace mlir;
using namespace dougong::onnx;

SoftmaxParts dougong::onnx::computeSoftmaxParts(Emitter &e, Value x, ArrayRef<OpFoldResult> shape,
                                                unsigned axis, Value extra,
                                                bool maskedRowsAreZero) {
  unsigned rank = shape.size();
  Type compute = typeOf(x).getElementType();
  AffineMap all = e.identity(rank), kept = e.keptMap(rank, {axis});
  // NaN is not the maximum's business: exp and the sum carry it.
  Value top = e.reduce(x, shape, {axis}, e.lowest(compute, false),
                       [](Emitter &e, ValueRange args) { return e.maxNum(args[1], args[0]); });
  Extents keptShape;
  for (unsigned dim = 0; dim < rank; ++dim)
    if (dim != axis)
      keptShape.push_back(shape[dim]);
  AffineMap same = e.identity(rank - 1);
  if (extra)
    top = e.pointwise(keptShape, compute, {{top, same}, {extra, same}},
                      [](Emitter &e, ValueRange args) { return e.maxNum(args[0], args[1]); });
  if (maskedRowsAreZero) // minus infinity is no base: -inf - -inf is NaN
    top = e.pointwise(keptShape, compute, {{top, same}}, [&](Emitter &e, ValueRange args) {
      Value masked = e.compare(Emitter::Compare::Equal, args[0], e.lowest(compute, false));
      return e.select(masked, e.constant(compute, 0), args[0]);
    });
  Value exponentials =
      e.pointwise(shape, compute, {{x, all}, {top, kept}}, [](Emitter &e, ValueRange args) {
        return math::ExpOp::create(e, e.sub(args[0], args[1])).getResult();
      });
  Value sums = e.reduce(exponentials, shape, {axis}, e.constant(compute, 0),
                        [](Emitter &e, ValueRange args) { return e.addReassoc(args[1], args[0]); });
  if (extra)
    sums = e.pointwise(keptShape, compute, {{sums, same}, {extra, same}, {top, same}},
                       [](Emitter &e, ValueRange args) {
                         Value term = math::ExpOp::create(e, e.sub(args[1], args[2]));
                         return e.add(args[0], term);
                       });
  if (maskedRowsAreZero)
    sums = e.pointwise(keptShape, compute, {{sums, same}}, [&](Emitter &e, ValueRange args) {
      Value none = e.compare(Emitter::Compare::Equal, args[0], e.constant(compute, 0));
      return e.select(none, e.constant(compute, 1), args[0]);
    });
  return {exponentials, sums, top};
}

Value dougong::onnx::computeSoftmax(Emitter &e, Value x, ArrayRef<OpFoldResult> shape,
                                    unsigned axis, Type element) {
  unsigned rank = shape.size();
  SoftmaxParts parts = computeSoftmaxParts(e, x, shape, axis);
  return e.pointwise(
      shape, element,
      {{parts.exponentials, e.identity(rank)}, {parts.sums, e.keptMap(rank, {axis})}},
      [&](Emitter &e, ValueRange args) { return e.toFloatType(e.div(args[0], args[1]), element); });
}

namespace {

Lowered lowerSoftmax(SoftmaxOp op, SoftmaxOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  Type element = resultElement(op);
  Value x = e.convertTensor(in.getInput(), getComputeType(element));
  unsigned axis = normalizeAxis(op.getAxis(), type.getRank());
  return computeSoftmax(e, x, e.extents(type), axis, element);
}

/// x - max - log(sum(exp(x - max)))
Lowered lowerLogSoftmax(LogSoftmaxOp op, LogSoftmaxOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  Type element = resultElement(op);
  unsigned rank = type.getRank(), axis = normalizeAxis(op.getAxis(), rank);
  Extents shape = e.extents(type);
  Value x = e.convertTensor(in.getInput(), getComputeType(element));
  SoftmaxParts parts = computeSoftmaxParts(e, x, shape, axis);
  AffineMap kept = e.keptMap(rank, {axis}), same = e.identity(rank - 1);
  Value logs = e.pointwise(
      e.extentsOf(parts.sums), getComputeType(element), {{parts.sums, same}},
      [](Emitter &e, ValueRange args) { return math::LogOp::create(e, args[0]).getResult(); });
  return e.pointwise(shape, element, {{x, e.identity(rank)}, {parts.maxima, kept}, {logs, kept}},
                     [&](Emitter &e, ValueRange args) {
                       Value y = e.sub(e.sub(args[0], args[1]), args[2]);
                       return e.toFloatType(y, element);
                     });
}

/// 1 at the first greatest element of each row, else 0.
Lowered lowerHardmax(HardmaxOp op, HardmaxOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  Type element = resultElement(op);
  unsigned rank = type.getRank(), axis = normalizeAxis(op.getAxis(), rank);
  Extents shape = e.extents(type), keptShape;
  for (unsigned dim = 0; dim < rank; ++dim)
    if (dim != axis)
      keptShape.push_back(shape[dim]);
  AffineMap kept = e.keptMap(rank, {axis});
  Value top = e.filled(keptShape, e.lowest(element, false));
  Value place = e.filled(keptShape, e.constantInt(e.getI64Type(), 0));
  auto found =
      e.generic(rank, {{in.getInput(), e.identity(rank)}}, {{top, kept}, {place, kept}}, {axis},
                [&](Emitter &e, ValueRange args) -> SmallVector<Value> {
                  Value better = e.compare(Emitter::Compare::Greater, args[0], args[1]);
                  Value here = arith::IndexCastOp::create(e, e.getI64Type(), e.loopIndex(axis));
                  return {e.select(better, args[0], args[1]), e.select(better, here, args[2])};
                });
  return e.pointwise(shape, element, {{found[1], kept}}, [&](Emitter &e, ValueRange args) {
    Value on = e.compare(Emitter::Compare::Equal, e.toIndex(args[0]), e.loopIndex(axis));
    return e.select(on, e.constant(element, 1), e.constant(element, 0));
  });
}

} // namespace

void dougong::onnx::populateSoftmaxPatterns(PatternSet &set) {
  set.add<SoftmaxOp>(lowerSoftmax);
  set.add<LogSoftmaxOp>(lowerLogSoftmax);
  set.add<HardmaxOp>(lowerHardmax);
}
