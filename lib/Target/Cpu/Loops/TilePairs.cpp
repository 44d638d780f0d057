//===- TilePairs.cpp - two products of narrow integers in a lane ----------===//
//
// x86 multiplies vectors of 16-bit integers and adds the products of neighbours
// into 32-bit lanes (pmaddwd): exact for all values. A lane of an accumulator
// is a column; its two neighbours are indices k and k + 1 of the reduction. The
// pairs of the shared factor lie side by side in memory, those of the vector
// factor are made by interleaving two of its rows.
//
//===----------------------------------------------------------------------===//
#include "Tile.h"

#include "IndexMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace dougong::cpu;

/// `value`, a vector of narrow integers, as one of i16. What is not narrower
/// passes; `extension` is how the nest's body extends it.
static Value toI16(OpBuilder &b, Location loc, Value value, Operation *extension) {
  auto type = cast<VectorType>(value.getType());
  Type wide = type.clone(b.getI16Type());
  if (type == wide)
    return value;
  if (isa<arith::ExtUIOp>(extension))
    return arith::ExtUIOp::create(b, loc, wide, value);
  return arith::ExtSIOp::create(b, loc, wide, value);
}

/// How the body of `stage` extends its input number `input`.
static Operation *getExtension(const Stage &stage, unsigned input) {
  return *stage.getBlock().getArgument(input).user_begin();
}

/// The lanes of two vectors of 2 * `lanes` i16 interleaved within each 128 bits
/// (punpckl / punpckh): their low or high halves.
static Value unpack(OpBuilder &b, Location loc, Value first, Value second, bool high) {
  int64_t count = cast<VectorType>(first.getType()).getNumElements();
  SmallVector<int64_t> pattern;
  for (int64_t part = 0; part < count; part += 8)
    for (int64_t i = 0; i < 4; ++i) {
      int64_t at = part + (high ? 4 : 0) + i;
      pattern.append({at, count + at});
    }
  return vector::ShuffleOp::create(b, loc, first, second, pattern);
}

/// Indices k and k + 1 of the shared factor, in every lane; 0 for the latter unless
/// the pair is whole.
Value TileEmitter::loadPair(const Access &access, unsigned row, bool isWhole) {
  IndexMath math(b, loc);
  OpFoldResult index = math.add(getBase(access, row, 0), getReductionOffset(access, 0));
  unsigned input = &access == &nest.main.inputs[0] ? 0 : 1;
  int64_t count = isWhole ? 2 : 1;
  Value pair = vector::LoadOp::create(b, loc, VectorType::get({count}, access.elementType),
                                      access.flat, ValueRange(math.value(index)));
  if (!isWhole) {
    Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(pair.getType()));
    pair = vector::ShuffleOp::create(b, loc, pair, zero, ArrayRef<int64_t>{0, 1});
  }
  // Bytes are extended last: one load then spreads them.
  Type wide = b.getIntegerType(2 * access.elementType.getIntOrFloatBitWidth());
  pair = vector::BitCastOp::create(b, loc, VectorType::get({1}, wide), pair);
  Value both = vector::ExtractOp::create(b, loc, pair, int64_t(0));
  Value splat = vector::BroadcastOp::create(b, loc, VectorType::get({plan.lanes}, wide), both);
  auto type = VectorType::get({2 * plan.lanes}, access.elementType);
  return toI16(b, loc, vector::BitCastOp::create(b, loc, type, splat),
               getExtension(nest.main, input));
}

/// The body at indices k (the current one) and, if the pair is whole, k + 1 of the
/// innermost reduction.
TileEmitter::Values TileEmitter::emitPairPoint(ValueRange accumulators, bool isWhole) {
  IndexMath math(b, loc);
  unsigned shared = nest.main.inputs[0].dependsOn(plan.vectorDim) ? 1 : 0;
  const Access &columns = nest.main.inputs[1 - shared];
  Operation *extension = getExtension(nest.main, 1 - shared);
  OpFoldResult stride = columns.strides[plan.reductions.back()];
  auto loadRow = [&](unsigned vector, bool next, unsigned lanes) -> Value {
    if (next && !isWhole)
      return arith::ConstantOp::create(b, loc,
                                       b.getZeroAttr(VectorType::get({lanes}, b.getI16Type())));
    OpFoldResult index = math.add(getBase(columns, 0, vector), getReductionOffset(columns, vector));
    if (next)
      index = math.add(index, stride);
    Place place{indices, plan.vectorDim, lanes, mask};
    return toI16(b, loc, body.load(columns, math.value(index), place).value, extension);
  };
  // Two vectors of columns at a time fill a register with one row of i16.
  Values pairs;
  for (unsigned vector = 0; vector < vectors; vector += 2) {
    if (vector + 1 == vectors) {
      pairs.push_back(vector::InterleaveOp::create(b, loc, loadRow(vector, false, plan.lanes),
                                                   loadRow(vector, true, plan.lanes)));
      break;
    }
    Value first = loadRow(vector, false, 2 * plan.lanes);
    Value second = loadRow(vector, true, 2 * plan.lanes);
    pairs.push_back(unpack(b, loc, first, second, /*high=*/false));
    pairs.push_back(unpack(b, loc, first, second, /*high=*/true));
  }
  auto type = VectorType::get({plan.lanes}, b.getI32Type());
  StringRef name = plan.lanes == 16  ? "llvm.x86.avx512.pmaddw.d.512"
                   : plan.lanes == 8 ? "llvm.x86.avx2.pmadd.wd"
                                     : "llvm.x86.sse2.pmadd.wd";
  Values results;
  for (unsigned row = 0; row < rows; ++row) {
    Value both = loadPair(nest.main.inputs[shared], row, isWhole);
    for (unsigned vector = 0; vector < vectors; ++vector) {
      Value sum = LLVM::CallIntrinsicOp::create(b, loc, type, b.getStringAttr(name),
                                                ValueRange{both, pairs[vector]})
                      .getResult(0);
      results.push_back(arith::AddIOp::create(b, loc, accumulators[row * vectors + vector], sum));
    }
  }
  return results;
}

/// Between the columns' own order and the one that `unpack` leaves in each two
/// vectors: four of every eight in the first, four in the second.
TileEmitter::Values TileEmitter::reorderPairs(ValueRange accumulators, bool toPairs) {
  int64_t lanes = plan.lanes;
  SmallVector<int64_t> low, high;
  for (int64_t i = 0; i < lanes; ++i) {
    if (toPairs) {
      low.push_back(i / 4 * 8 + i % 4);
      high.push_back(i / 4 * 8 + 4 + i % 4);
      continue;
    }
    auto place = [&](int64_t column) {
      return column / 8 * 4 + column % 4 + (column % 8 < 4 ? 0 : lanes);
    };
    low.push_back(place(i));
    high.push_back(place(lanes + i));
  }
  Values results(accumulators);
  for (unsigned row = 0; row < rows; ++row)
    for (unsigned vector = 0; vector + 1 < vectors; vector += 2) {
      unsigned at = row * vectors + vector;
      Value first = accumulators[at], second = accumulators[at + 1];
      results[at] = vector::ShuffleOp::create(b, loc, first, second, low);
      results[at + 1] = vector::ShuffleOp::create(b, loc, first, second, high);
    }
  return results;
}

/// All reductions; columns have the order of pairs within.
TileEmitter::Values TileEmitter::emitPairReductions(Values accumulators) {
  for (unsigned dim : plan.reductions)
    if (nest.getSize(dim) == 0)
      return accumulators;
  accumulators = reorderPairs(accumulators, /*toPairs=*/true);
  accumulators = emitPairLoops(0, std::move(accumulators));
  return reorderPairs(accumulators, /*toPairs=*/false);
}

/// The loops from reduction `level` inwards: the innermost over whole pairs, then the
/// odd index, if there is one.
TileEmitter::Values TileEmitter::emitPairLoops(unsigned level, Values accumulators) {
  IndexMath math(b, loc);
  unsigned dim = plan.reductions[level];
  OpFoldResult size = nest.sizes[dim];
  if (level + 1 < plan.reductions.size()) {
    loop(math.constant(0), size, 1, accumulators, [&](Value index, Values carried) {
      indices[dim] = index;
      return emitPairLoops(level + 1, std::move(carried));
    });
    return accumulators;
  }
  OpFoldResult whole = math.mul(math.div(size, math.constant(2)), math.constant(2));
  if (getConstantIntValue(whole) != 0)
    loop(math.constant(0), whole, 2, accumulators, [&](Value index, Values carried) {
      indices[dim] = index;
      return emitPairPoint(carried, /*isWhole=*/true);
    });
  if (!nest.getSize(dim) || *nest.getSize(dim) % 2 != 0)
    loop(whole, size, 1, accumulators, [&](Value index, Values carried) {
      indices[dim] = index;
      return emitPairPoint(carried, /*isWhole=*/false);
    });
  return accumulators;
}
