//===- Tile.cpp - one register tile of a nest -----------------------------===//
#include "Tile.h"

#include "IndexMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace dougong::cpu;

/// The longest reduction that is unrolled in a tile (the width of a filter).
static constexpr int64_t maxUnroll = 4;

//===----------------------------------------------------------------------===//
// Addresses
//===----------------------------------------------------------------------===//

/// Flat index of `access` at the tile's (row, vector), without the part of the
/// reductions.
Value TileEmitter::getBase(const Access &access, unsigned row, unsigned vector) {
  bool dependsOnRow = plan.rowDim >= 0 && access.dependsOn(plan.rowDim);
  bool dependsOnVector =
      plan.vectorDim >= 0 && !plan.reducesVector && access.dependsOn(plan.vectorDim);
  auto key = std::make_tuple(&access, dependsOnRow ? row : 0u, dependsOnVector ? vector : 0u);
  Value &base = bases[key];
  if (base)
    return base;
  IndexMath math(b, loc);
  OpFoldResult sum = access.offset;
  for (unsigned dim = 0; dim < nest.getNumDims(); ++dim) {
    if (nest.isReduction(dim) || !access.dependsOn(dim))
      continue;
    OpFoldResult index = indices[dim];
    if (int(dim) == plan.vectorDim)
      index = math.add(index, math.constant(int64_t(vector) * plan.lanes));
    if (access.panel && access.panel->dim == dim) {
      OpFoldResult size = math.constant(access.panel->size);
      sum = math.add(sum, math.mul(math.div(index, size), access.panel->stride));
      index = math.rem(index, size);
    }
    sum = math.add(sum, math.mul(index, access.strides[dim]));
    if (int(dim) == plan.rowDim)
      sum = math.add(sum, math.mul(math.constant(row), access.strides[dim]));
  }
  return base = math.value(sum);
}

/// The part of the reductions' current indices.
OpFoldResult TileEmitter::getReductionOffset(const Access &access, unsigned vector) {
  IndexMath math(b, loc);
  OpFoldResult sum = math.constant(0);
  for (unsigned dim = 0; dim < nest.getNumDims(); ++dim) {
    if (!nest.isReduction(dim) || !access.dependsOn(dim))
      continue;
    OpFoldResult index = indices[dim];
    if (int(dim) == plan.vectorDim)
      index = math.add(index, math.constant(int64_t(vector) * plan.lanes));
    sum = math.add(sum, math.mul(index, access.strides[dim]));
  }
  return sum;
}

Lane TileEmitter::load(const Access &access, unsigned row, unsigned vector, const Place &place) {
  if (access.scalar)
    return body.load(access, nullptr, place);
  IndexMath math(b, loc);
  OpFoldResult index = math.add(getBase(access, row, vector), getReductionOffset(access, vector));
  return body.load(access, math.value(index), place);
}

TileEmitter::Values TileEmitter::getIndices(unsigned row, unsigned vector) {
  Values result = indices;
  IndexMath math(b, loc);
  if (plan.rowDim >= 0)
    result[plan.rowDim] = math.value(math.add(result[plan.rowDim], math.constant(row)));
  if (plan.vectorDim >= 0 && result[plan.vectorDim])
    result[plan.vectorDim] =
        math.value(math.add(result[plan.vectorDim], math.constant(int64_t(vector) * plan.lanes)));
  return result;
}

Place TileEmitter::getPlace(ArrayRef<Value> at, Value laneMask) {
  return {at, plan.vectorDim, plan.lanes, laneMask};
}

/// Where results are: single points if the vector dim was reduced.
Place TileEmitter::getResultPlace(ArrayRef<Value> at) {
  if (plan.reducesVector)
    return {at, -1, 0, nullptr};
  return getPlace(at, mask);
}

//===----------------------------------------------------------------------===//
// Accumulators
//===----------------------------------------------------------------------===//

static bool usesIndex(const Stage &stage) {
  return !stage.getBlock().getOps<linalg::IndexOp>().empty();
}

/// Accumulators in the order output, row, vector.
TileEmitter::Values TileEmitter::initialAccumulators() {
  Values values;
  for (const Access &access : nest.main.outputs)
    for (unsigned row = 0; row < rows; ++row)
      for (unsigned vector = 0; vector < vectors; ++vector) {
        Lane lane;
        if (plan.reducesVector) {
          auto type = VectorType::get({plan.lanes}, access.elementType);
          arith::AtomicRMWKind kind;
          bool isFloat = isa<FloatType>(access.elementType);
          using Kind = vector::CombiningKind;
          switch (plan.combiner) {
          case Kind::ADD:
            kind = isFloat ? arith::AtomicRMWKind::addf : arith::AtomicRMWKind::addi;
            break;
          case Kind::MUL:
            kind = isFloat ? arith::AtomicRMWKind::mulf : arith::AtomicRMWKind::muli;
            break;
          case Kind::MAXIMUMF:
            kind = arith::AtomicRMWKind::maximumf;
            break;
          case Kind::MINIMUMF:
            kind = arith::AtomicRMWKind::minimumf;
            break;
          case Kind::MAXNUMF:
            kind = arith::AtomicRMWKind::maxnumf;
            break;
          case Kind::MINNUMF:
            kind = arith::AtomicRMWKind::minnumf;
            break;
          case Kind::MAXSI:
            kind = arith::AtomicRMWKind::maxs;
            break;
          case Kind::MINSI:
            kind = arith::AtomicRMWKind::mins;
            break;
          case Kind::MAXUI:
            kind = arith::AtomicRMWKind::maxu;
            break;
          case Kind::MINUI:
            kind = arith::AtomicRMWKind::minu;
            break;
          case Kind::AND:
            kind = arith::AtomicRMWKind::andi;
            break;
          case Kind::OR:
            kind = arith::AtomicRMWKind::ori;
            break;
          case Kind::XOR:
            kind = arith::AtomicRMWKind::addi;
            break; // neutral element: 0
          }
          TypedAttr neutral = arith::getIdentityValueAttr(kind, access.elementType, b, loc,
                                                          /*useOnlyFiniteValue=*/false);
          lane = {
              arith::ConstantOp::create(b, loc, DenseElementsAttr::get(type, Attribute(neutral))),
              true, nullptr};
        } else {
          Values at = getIndices(row, vector);
          Place place = getPlace(at, mask);
          lane = nest.init ? Lane{nest.init, false, nullptr}
                           : body.load(access, getBase(access, row, vector), place);
          if (plan.lanes)
            lane = {body.toVector(lane, plan.lanes), true, nullptr};
        }
        values.push_back(lane.value);
      }
  return values;
}

/// One vector for each row to one scalar for each row, and the initial value.
TileEmitter::Values TileEmitter::combineVectors(ValueRange accumulators) {
  Values results;
  const Access &access = nest.main.outputs.front();
  auto fast = isa<FloatType>(access.elementType) ? arith::FastMathFlags::reassoc
                                                 : arith::FastMathFlags::none;
  for (unsigned row = 0; row < rows; ++row) {
    // In pairs: a chain of additions would wait for each.
    Values parts(accumulators.slice(row * vectors, vectors));
    while (parts.size() > 1) {
      Values next;
      for (unsigned i = 0; i + 1 < parts.size(); i += 2)
        next.push_back(vector::makeArithReduction(b, loc, plan.combiner, parts[i], parts[i + 1]));
      if (parts.size() % 2)
        next.push_back(parts.back());
      parts = std::move(next);
    }
    Value init = nest.init ? nest.init : body.load(access, getBase(access, row, 0), Place()).value;
    Value sum = vector::ReductionOp::create(b, loc, plan.combiner, parts.front(), fast);
    results.push_back(vector::makeArithReduction(b, loc, plan.combiner, init, sum));
  }
  return results;
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

/// `for (i = from; i < to; i += step)` with the accumulators carried along.
/// Returns the loop's end rounded down to whole steps.
Value TileEmitter::loop(OpFoldResult from, OpFoldResult to, int64_t step, Values &accumulators,
                        llvm::function_ref<Values(Value, Values)> emitBody) {
  IndexMath math(b, loc);
  Value end = math.value(to);
  auto forOp =
      scf::ForOp::create(b, loc, math.value(from), end, math.value(math.constant(step)),
                         accumulators, [&](OpBuilder &, Location, Value index, ValueRange carried) {
                           OpBuilder::InsertionGuard guard(b);
                           Block *block = index.getParentBlock();
                           b.setInsertionPointToEnd(block);
                           Values next = emitBody(index, Values(carried));
                           scf::YieldOp::create(b, loc, next);
                         });
  accumulators = Values(forOp.getResults());
  return end;
}

TileEmitter::Values TileEmitter::emitReductions(unsigned level, Values accumulators) {
  if (level == plan.reductions.size())
    return plan.reducesVector ? emitVectorReduction(std::move(accumulators))
                              : emitPoint(accumulators, vectors, mask);
  if (plan.pairs)
    return emitPairReductions(std::move(accumulators));
  unsigned dim = plan.reductions[level];
  IndexMath math(b, loc);
  std::optional<int64_t> size = nest.getSize(dim);
  if (size && *size <= maxUnroll && level + 1 == plan.reductions.size() && !plan.reducesVector) {
    for (int64_t i = 0; i < *size; ++i) {
      indices[dim] = math.value(math.constant(i));
      accumulators = emitReductions(level + 1, std::move(accumulators));
    }
    return accumulators;
  }
  if (size == 0)
    return accumulators;
  loop(math.constant(0), nest.sizes[dim], 1, accumulators, [&](Value index, Values carried) {
    indices[dim] = index;
    return emitReductions(level + 1, std::move(carried));
  });
  return accumulators;
}

/// The loop over a reduced vector dim: whole vectors, then a masked one.
TileEmitter::Values TileEmitter::emitVectorReduction(Values accumulators) {
  IndexMath math(b, loc);
  unsigned dim = plan.vectorDim;
  OpFoldResult size = nest.sizes[dim];
  int64_t step = int64_t(plan.lanes) * vectors;
  OpFoldResult whole = math.mul(math.div(size, math.constant(step)), math.constant(step));
  if (getConstantIntValue(whole) != 0)
    loop(math.constant(0), whole, step, accumulators, [&](Value index, Values carried) {
      indices[dim] = index;
      return emitPoint(carried, vectors, nullptr);
    });
  std::optional<int64_t> rest = getConstantIntValue(math.sub(size, whole));
  if (rest == 0)
    return accumulators;
  // The rest goes to the first accumulator of each row.
  loop(whole, size, plan.lanes, accumulators, [&](Value index, Values carried) {
    indices[dim] = index;
    Value laneMask;
    if (!rest || *rest % plan.lanes != 0)
      laneMask = vector::CreateMaskOp::create(b, loc, VectorType::get({plan.lanes}, b.getI1Type()),
                                              ValueRange(math.value(math.sub(size, index))));
    Values firsts;
    for (unsigned row = 0; row < rows; ++row)
      firsts.push_back(carried[row * vectors]);
    Values next = emitPoint(firsts, 1, laneMask);
    for (unsigned row = 0; row < rows; ++row)
      carried[row * vectors] =
          laneMask ? Value(arith::SelectOp::create(b, loc, laneMask, next[row], firsts[row]))
                   : next[row];
    return carried;
  });
  return accumulators;
}

/// The body at the current indices, for each row and vector of the tile.
TileEmitter::Values TileEmitter::emitPoint(ValueRange accumulators, unsigned count,
                                           Value laneMask) {
  Values results(accumulators.size());
  unsigned outputs = nest.main.outputs.size();
  bool needsIndices = usesIndex(nest.main);
  llvm::DenseMap<std::tuple<unsigned, unsigned, unsigned>, Lane> loaded;
  for (unsigned row = 0; row < rows; ++row)
    for (unsigned vector = 0; vector < count; ++vector) {
      Values at = needsIndices ? getIndices(row, vector) : indices;
      Place place = getPlace(at, laneMask);
      SmallVector<Lane> inputs;
      for (auto [number, access] : llvm::enumerate(nest.main.inputs)) {
        bool byRow = !access.scalar && plan.rowDim >= 0 && access.dependsOn(plan.rowDim);
        bool byVector = !access.scalar && plan.vectorDim >= 0 && access.dependsOn(plan.vectorDim);
        Lane &lane = loaded[{number, byRow ? row : 0u, byVector ? vector : 0u}];
        if (!lane.value)
          lane = load(access, row, vector, place);
        inputs.push_back(lane);
      }
      SmallVector<Lane> old;
      for (unsigned output = 0; output < outputs; ++output)
        old.push_back(
            {accumulators[(output * rows + row) * count + vector], plan.lanes != 0, nullptr});
      SmallVector<Lane> next = body.emit(nest.main, inputs, old, place, /*contract=*/true);
      for (unsigned output = 0; output < outputs; ++output)
        results[(output * rows + row) * count + vector] =
            plan.lanes ? body.toVector(next[output], plan.lanes) : next[output].value;
    }
  return results;
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

/// Whether a body is long enough that one copy for each row of a tile would be
/// mostly compile time.
static bool isLong(const Stage &stage) {
  unsigned weight = 0;
  for (Operation &op : stage.getBlock().without_terminator())
    weight += isa<math::MathDialect>(op.getDialect()) ? 20 : 1;
  return weight > 15;
}

/// The same as `finish`, in a loop over the rows: the accumulators go through a
/// buffer on the stack.
void TileEmitter::finishByRow(ValueRange results) {
  IndexMath math(b, loc);
  Type element = nest.main.outputs.front().elementType;
  int64_t width = int64_t(vectors) * plan.lanes;
  Value tile = memref::AllocaOp::create(b, loc, MemRefType::get({rows * width}, element),
                                        b.getI64IntegerAttr(64));
  for (unsigned row = 0; row < rows; ++row)
    for (unsigned vector = 0; vector < vectors; ++vector)
      vector::StoreOp::create(
          b, loc, results[row * vectors + vector], tile,
          ValueRange(math.value(math.constant(row * width + vector * plan.lanes))));
  Value zero = math.value(math.constant(0)), one = math.value(math.constant(1));
  auto overRows = scf::ForOp::create(b, loc, zero, math.value(math.constant(rows)), one);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(overRows.getBody()->getTerminator());
  Value row = overRows.getInductionVar();
  TileEmitter single(b, nest, plan);
  single.indices = indices;
  single.indices[plan.rowDim] = math.value(math.add(indices[plan.rowDim], row));
  single.vectors = vectors;
  single.mask = mask;
  Values loaded;
  OpFoldResult start = math.mul(row, math.constant(width));
  for (unsigned vector = 0; vector < vectors; ++vector)
    loaded.push_back(vector::LoadOp::create(
        b, loc, VectorType::get({plan.lanes}, element), tile,
        ValueRange(math.value(math.add(start, math.constant(vector * plan.lanes))))));
  single.finish(loaded);
}

/// Epilogue and stores. `results`: output, row, vector; one for each row if the
/// vector dim was reduced.
void TileEmitter::finish(ValueRange results) {
  unsigned count = plan.reducesVector ? 1 : vectors;
  bool isVector = plan.lanes != 0 && !plan.reducesVector;
  if (isVector && rows > 1 && nest.epilogue && isLong(*nest.epilogue) &&
      !nest.main.outputs.front().elementType.isInteger(1))
    return finishByRow(results);
  for (unsigned row = 0; row < rows; ++row)
    for (unsigned vector = 0; vector < count; ++vector) {
      Values at = getIndices(row, vector);
      Place place = getResultPlace(at);
      auto get = [&](unsigned output) {
        return Lane{results[(output * rows + row) * count + vector], isVector, nullptr};
      };
      if (!nest.epilogue || nest.storesMain)
        for (auto [output, access] : llvm::enumerate(nest.main.outputs))
          body.store(access, getBase(access, row, vector), get(output), place);
      if (!nest.epilogue)
        continue;
      SmallVector<Lane> inputs, old;
      for (auto [number, access] : llvm::enumerate(nest.epilogue->inputs))
        inputs.push_back(number == nest.epilogueOperand ? get(0)
                         : access.scalar ? Lane{access.scalar, false, nullptr}
                                         : body.load(access, getBase(access, row, vector), place));
      Block &block = nest.epilogue->getBlock();
      for (auto [number, access] : llvm::enumerate(nest.epilogue->outputs)) {
        bool isRead = !block.getArgument(inputs.size() + number).use_empty();
        old.push_back(isRead ? body.load(access, getBase(access, row, vector), place) : Lane());
      }
      SmallVector<Lane> values = body.emit(*nest.epilogue, inputs, old, place, /*contract=*/false);
      for (auto [number, access] : llvm::enumerate(nest.epilogue->outputs))
        body.store(access, getBase(access, row, vector), values[number], place);
    }
}

void TileEmitter::emit(ArrayRef<Value> at, unsigned tileRows, unsigned tileVectors,
                       Value tileMask) {
  indices.assign(at.begin(), at.end());
  rows = tileRows;
  vectors = tileVectors;
  mask = tileMask;
  bases.clear();
  if (!nest.hasReduction()) {
    Block &block = nest.main.getBlock();
    unsigned numInputs = nest.main.inputs.size();
    Values results(nest.main.outputs.size() * rows * vectors);
    for (unsigned row = 0; row < rows; ++row)
      for (unsigned vector = 0; vector < vectors; ++vector) {
        Values point = getIndices(row, vector);
        Place place = getPlace(point, mask);
        SmallVector<Lane> inputs, old;
        for (const Access &access : nest.main.inputs)
          inputs.push_back(load(access, row, vector, place));
        for (auto [number, access] : llvm::enumerate(nest.main.outputs))
          // (a reduction of extent 1 has an initial value, too)
          old.push_back(block.getArgument(numInputs + number).use_empty() ? Lane()
                        : nest.init ? Lane{nest.init, false, nullptr}
                                    : load(access, row, vector, place));
        SmallVector<Lane> values = body.emit(nest.main, inputs, old, place, /*contract=*/false);
        for (unsigned output = 0; output < values.size(); ++output)
          results[(output * rows + row) * vectors + vector] =
              plan.lanes ? body.toVector(values[output], plan.lanes) : values[output].value;
      }
    return finish(results);
  }
  // Addresses before the loops, so that these hold only the reductions' part.
  for (const Access &access : nest.main.inputs)
    if (!access.scalar)
      for (unsigned row = 0; row < rows; ++row)
        for (unsigned vector = 0; vector < vectors; ++vector)
          getBase(access, row, vector);
  Values results = emitReductions(0, initialAccumulators());
  // What was computed inside the loops is not visible behind them.
  finish(plan.reducesVector ? combineVectors(results) : results);
}
