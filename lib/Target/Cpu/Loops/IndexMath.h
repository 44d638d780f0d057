//===- IndexMath.h - index arithmetic that folds constants ------*- C++ -*-===//
#ifndef DOUGONG_LIB_TARGET_CPU_LOOPS_INDEXMATH_H
#define DOUGONG_LIB_TARGET_CPU_LOOPS_INDEXMATH_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Builders.h"

namespace dougong::cpu {

/// Emits index arithmetic at a builder's place; constants are folded, so that
/// tests such as "is this stride 1" see through sums and products.
class IndexMath {
public:
  using OFR = mlir::OpFoldResult;

  IndexMath(mlir::OpBuilder &builder, mlir::Location loc) : b(builder), loc(loc) {}

  OFR constant(int64_t value) { return b.getIndexAttr(value); }
  mlir::Value value(OFR x) { return mlir::getValueOrCreateConstantIndexOp(b, loc, x); }

  OFR add(OFR x, OFR y) {
    auto cx = mlir::getConstantIntValue(x), cy = mlir::getConstantIntValue(y);
    if (cx && cy)
      return constant(*cx + *cy);
    if (cx == 0)
      return y;
    if (cy == 0)
      return x;
    return emit<mlir::arith::AddIOp>(x, y);
  }
  OFR sub(OFR x, OFR y) {
    auto cx = mlir::getConstantIntValue(x), cy = mlir::getConstantIntValue(y);
    if (cx && cy)
      return constant(*cx - *cy);
    if (cy == 0)
      return x;
    return emit<mlir::arith::SubIOp>(x, y);
  }
  OFR mul(OFR x, OFR y) {
    auto cx = mlir::getConstantIntValue(x), cy = mlir::getConstantIntValue(y);
    if (cx && cy)
      return constant(*cx * *cy);
    if (cx == 0 || cy == 0)
      return constant(0);
    if (cx == 1)
      return y;
    if (cy == 1)
      return x;
    return emit<mlir::arith::MulIOp>(x, y);
  }
  /// For non-negative `x` and a positive `y`.
  OFR div(OFR x, OFR y) {
    auto cx = mlir::getConstantIntValue(x), cy = mlir::getConstantIntValue(y);
    if (cx && cy)
      return constant(*cx / *cy);
    if (cy == 1)
      return x;
    return emit<mlir::arith::DivUIOp>(x, y);
  }
  OFR rem(OFR x, OFR y) {
    auto cx = mlir::getConstantIntValue(x), cy = mlir::getConstantIntValue(y);
    if (cx && cy)
      return constant(*cx % *cy);
    if (cy == 1)
      return constant(0);
    return emit<mlir::arith::RemUIOp>(x, y);
  }
  OFR ceilDiv(OFR x, int64_t y) { return div(add(x, constant(y - 1)), constant(y)); }
  OFR min(OFR x, OFR y) {
    auto cx = mlir::getConstantIntValue(x), cy = mlir::getConstantIntValue(y);
    if (cx && cy)
      return constant(std::min(*cx, *cy));
    return emit<mlir::arith::MinUIOp>(x, y);
  }
  OFR max(OFR x, OFR y) {
    auto cx = mlir::getConstantIntValue(x), cy = mlir::getConstantIntValue(y);
    if (cx && cy)
      return constant(std::max(*cx, *cy));
    return emit<mlir::arith::MaxUIOp>(x, y);
  }

private:
  template <typename Op> OFR emit(OFR x, OFR y) {
    mlir::Value left = value(x), right = value(y);
    return Op::create(b, loc, left, right).getResult();
  }

  mlir::OpBuilder &b;
  mlir::Location loc;
};

} // namespace dougong::cpu

#endif // DOUGONG_LIB_TARGET_CPU_LOOPS_INDEXMATH_H
