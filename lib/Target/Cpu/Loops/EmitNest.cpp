//===- EmitNest.cpp - the loops around register tiles ---------------------===//
#include "EmitNest.h"

#include "IndexMath.h"
#include "Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace dougong::cpu;

/// What a task of the pool is worth: 20 us at 4 GHz.
static constexpr int64_t taskCycles = 80000;

/// Weights that stay in the second-level cache beside what is computed from them.
static constexpr int64_t maxSharedElements = 32768;

namespace {

/// A dim of the flattened space of independent blocks.
struct BlockDim {
  unsigned dim;
  int64_t step; ///< indices of `dim` in one block
  OpFoldResult count;
};

class NestEmitter {
public:
  NestEmitter(OpBuilder &builder, const Nest &nest, Plan plan)
      : b(builder), loc(nest.loc), nest(nest), plan(std::move(plan)), math(builder, loc),
        tileNest(&nest) {}

  void emit(bool parallel);

private:
  OpFoldResult getGrain();
  bool runsInsideColumns(unsigned dim);
  void emitBlocks(Value begin, Value end);
  void emitBlock(ValueRange counters);
  void emitColumns(SmallVector<Value> &indices);
  void emitPanel(SmallVector<Value> &indices, unsigned vectors, Value mask);
  Access packPanel(ArrayRef<Value> indices, unsigned vectors);
  void emitRows(SmallVector<Value> &indices, unsigned vectors, Value mask);
  void emitTile(ArrayRef<Value> indices, unsigned rows, unsigned vectors, Value mask);
  /// `for (i = from; i < to; i += step)`; nothing if it is known to be empty,
  /// no loop if it is known to run once.
  void loop(OpFoldResult from, OpFoldResult to, int64_t step,
            llvm::function_ref<void(Value)> emitBody);
  /// Start and end of the block of `dim` that starts at indices[dim].
  OpFoldResult getBlockEnd(unsigned dim, Value start, int64_t block);

  OpBuilder &b;
  Location loc;
  const Nest &nest;
  Plan plan;
  IndexMath math;
  SmallVector<BlockDim> blocks;
  const Nest *tileNest; ///< as the tiles see it: packed operands replaced
};

} // namespace

void NestEmitter::loop(OpFoldResult from, OpFoldResult to, int64_t step,
                       llvm::function_ref<void(Value)> emitBody) {
  auto first = getConstantIntValue(from), last = getConstantIntValue(to);
  if (first && last) {
    if (*first >= *last)
      return;
    if (*first + step >= *last)
      return emitBody(math.value(from));
  }
  auto forOp =
      scf::ForOp::create(b, loc, math.value(from), math.value(to), math.value(math.constant(step)));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(forOp.getBody()->getTerminator());
  emitBody(forOp.getInductionVar());
}

OpFoldResult NestEmitter::getBlockEnd(unsigned dim, Value start, int64_t block) {
  std::optional<int64_t> size = nest.getSize(dim);
  OpFoldResult end = math.add(start, math.constant(block));
  if (size && *size % block == 0)
    return end;
  return math.min(end, nest.sizes[dim]);
}

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

/// Blocks in a task: as many as make it worth the hand-over.
OpFoldResult NestEmitter::getGrain() {
  OpFoldResult points = math.constant(1);
  for (const BlockDim &block : blocks)
    points = math.mul(points, math.min(math.constant(block.step), nest.sizes[block.dim]));
  for (unsigned dim = 0; dim < nest.getNumDims(); ++dim)
    if (nest.isReduction(dim))
      points = math.mul(points, nest.sizes[dim]);
  OpFoldResult cycles64 =
      math.max(math.mul(points, math.constant(plan.cyclesPer64)), math.constant(1));
  OpFoldResult wanted = math.add(cycles64, math.constant(64 * taskCycles - 1));
  return math.div(wanted, cycles64);
}

/// Whether the panels of columns are the same at all indices of `dim` and too
/// many to stay in the second-level cache together: then each is used up first.
bool NestEmitter::runsInsideColumns(unsigned dim) {
  if (!nest.hasReduction() || plan.rowDim < 0 || plan.vectorDim < 0 || plan.reducesVector)
    return false;
  int64_t elements = 0;
  for (const Access &access : nest.main.inputs) {
    if (access.scalar || !access.dependsOn(plan.vectorDim))
      continue;
    if (access.dependsOn(dim))
      return false;
    int64_t product = 1;
    for (unsigned other = 0; other < nest.getNumDims(); ++other)
      if (access.dependsOn(other))
        product *= nest.getSize(other).value_or(1);
    elements += product;
  }
  return elements > maxSharedElements;
}

void NestEmitter::emit(bool parallel) {
  auto addOuter = [&](bool inside) {
    for (unsigned dim : plan.outer)
      if (runsInsideColumns(dim) == inside)
        blocks.push_back({dim, 1, nest.sizes[dim]});
  };
  addOuter(false);
  // Rows inside columns: tasks that follow each other share a panel.
  if (plan.vectorDim >= 0 && !plan.reducesVector)
    blocks.push_back({unsigned(plan.vectorDim), plan.columnBlock,
                      math.ceilDiv(nest.sizes[plan.vectorDim], plan.columnBlock)});
  addOuter(true);
  if (plan.rowDim >= 0)
    blocks.push_back({unsigned(plan.rowDim), plan.rowBlock,
                      math.ceilDiv(nest.sizes[plan.rowDim], plan.rowBlock)});
  llvm::erase_if(blocks,
                 [](const BlockDim &block) { return getConstantIntValue(block.count) == 1; });

  OpFoldResult total = math.constant(1);
  for (const BlockDim &block : blocks)
    total = math.mul(total, block.count);
  Value zero = math.value(math.constant(0));
  OpFoldResult grain = getGrain();
  auto constantTotal = getConstantIntValue(total), constantGrain = getConstantIntValue(grain);
  bool isSmall = constantTotal && constantGrain && *constantTotal <= *constantGrain;
  Value count = math.value(total);
  if (!parallel || isSmall || blocks.empty())
    return emitBlocks(zero, count);
  Value step = math.value(grain);
  auto parallelOp = scf::ParallelOp::create(b, loc, zero, count, step);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(parallelOp.getBody()->getTerminator());
  Value begin = parallelOp.getInductionVars().front();
  emitBlocks(begin, math.value(math.min(math.add(begin, step), count)));
}

/// A loop over blocks [begin, end). The block's place in each dim is counted
/// up, not divided out for each block.
void NestEmitter::emitBlocks(Value begin, Value end) {
  if (blocks.empty())
    return emitBlock({});
  SmallVector<Value> counters(blocks.size());
  OpFoldResult rest = begin;
  for (unsigned i = blocks.size(); i-- > 1;) {
    counters[i] = math.value(math.rem(rest, blocks[i].count));
    rest = math.div(rest, blocks[i].count);
  }
  counters[0] = math.value(rest);
  Value one = math.value(math.constant(1));
  scf::ForOp::create(b, loc, begin, end, one, counters,
                     [&](OpBuilder &, Location, Value index, ValueRange carried) {
                       OpBuilder::InsertionGuard guard(b);
                       b.setInsertionPointToEnd(index.getParentBlock());
                       emitBlock(carried);
                       SmallVector<Value> next(carried);
                       Value carry = one;
                       Value zero = math.value(math.constant(0));
                       for (unsigned i = blocks.size(); i-- > 0;) {
                         Value sum = arith::AddIOp::create(b, loc, carried[i], carry);
                         if (i == 0) {
                           next[i] = sum;
                           break;
                         }
                         Value wraps = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, sum,
                                                             math.value(blocks[i].count));
                         next[i] = arith::SelectOp::create(b, loc, wraps, zero, sum);
                         carry = arith::SelectOp::create(b, loc, wraps, one, zero);
                       }
                       scf::YieldOp::create(b, loc, next);
                     });
}

void NestEmitter::emitBlock(ValueRange counters) {
  SmallVector<Value> indices(nest.getNumDims());
  Value zero = math.value(math.constant(0));
  for (unsigned dim = 0; dim < nest.getNumDims(); ++dim)
    if (!nest.isReduction(dim))
      indices[dim] = zero;
  for (auto [block, counter] : llvm::zip_equal(blocks, counters))
    indices[block.dim] = math.value(math.mul(counter, math.constant(block.step)));
  emitColumns(indices);
}

//===----------------------------------------------------------------------===//
// Tiles of a block
//===----------------------------------------------------------------------===//

/// Whole tiles of columns, then single masked vectors.
void NestEmitter::emitColumns(SmallVector<Value> &indices) {
  if (plan.vectorDim < 0 || plan.reducesVector)
    return emitRows(indices, plan.vectors, nullptr);
  unsigned dim = plan.vectorDim;
  OpFoldResult start =
      getConstantIntValue(indices[dim]) == 0 ? math.constant(0) : OpFoldResult(indices[dim]);
  OpFoldResult end = getBlockEnd(dim, indices[dim], plan.columnBlock);
  if (getConstantIntValue(start) == 0 && nest.getSize(dim) &&
      *nest.getSize(dim) <= plan.columnBlock)
    end = nest.sizes[dim];
  int64_t step = int64_t(plan.lanes) * plan.vectors;
  OpFoldResult length = math.sub(end, start);
  std::optional<int64_t> size = nest.getSize(dim);
  bool isWhole = size && *size % step == 0;
  OpFoldResult whole =
      isWhole
          ? end
          : math.add(start, math.mul(math.div(length, math.constant(step)), math.constant(step)));
  loop(start, whole, step, [&](Value index) {
    SmallVector<Value> at = indices;
    at[dim] = index;
    emitPanel(at, plan.vectors, nullptr);
  });
  if (isWhole)
    return;
  // Whole single vectors need no mask where all are known to be whole.
  bool needsMask = !size || *size % plan.lanes != 0;
  loop(whole, end, plan.lanes, [&](Value index) {
    SmallVector<Value> at = indices;
    at[dim] = index;
    Value mask;
    if (needsMask)
      mask = vector::CreateMaskOp::create(b, loc, VectorType::get({plan.lanes}, b.getI1Type()),
                                          ValueRange(math.value(math.sub(end, index))));
    emitPanel(at, 1, mask);
  });
}

/// Copies the tile's columns of the packed operand to the stack. Returns the
/// access to the copy.
Access NestEmitter::packPanel(ArrayRef<Value> indices, unsigned vectors) {
  const Access &access = nest.main.inputs[plan.packedInput];
  unsigned columnDim = plan.vectorDim, reductionDim = plan.reductions.front();
  int64_t columns = int64_t(plan.lanes) * vectors, length = *nest.getSize(reductionDim);
  Type element = cast<MemRefType>(access.flat.getType()).getElementType();
  // (hoisted to the function's entry when the loop is outlined)
  Value panel = memref::AllocaOp::create(b, loc, MemRefType::get({columns * length}, element),
                                         b.getI64IntegerAttr(64));
  OpFoldResult base = access.offset;
  for (unsigned dim = 0; dim < nest.getNumDims(); ++dim)
    if (!nest.isReduction(dim) && access.dependsOn(dim))
      base = math.add(base, math.mul(indices[dim], access.strides[dim]));
  OpFoldResult inside =
      math.min(math.constant(columns), math.sub(nest.sizes[columnDim], indices[columnDim]));
  Value zero = math.value(math.constant(0)), one = math.value(math.constant(1));
  auto overColumns = scf::ForOp::create(b, loc, zero, math.value(inside), one);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(overColumns.getBody()->getTerminator());
    Value column = overColumns.getInductionVar();
    OpFoldResult start = math.add(base, math.mul(column, access.strides[columnDim]));
    auto overLength = scf::ForOp::create(b, loc, zero, math.value(math.constant(length)), one);
    b.setInsertionPoint(overLength.getBody()->getTerminator());
    Value k = overLength.getInductionVar();
    Value from = math.value(math.add(start, math.mul(k, access.strides[reductionDim])));
    Value to = math.value(math.add(math.mul(k, math.constant(columns)), column));
    Value value = memref::LoadOp::create(b, loc, access.flat, ValueRange(from));
    memref::StoreOp::create(b, loc, value, panel, ValueRange(to));
  }
  Access packed = access;
  packed.flat = memref::CastOp::create(b, loc, access.flat.getType(), panel);
  packed.strides.assign(nest.getNumDims(), math.constant(0));
  packed.strides[columnDim] = math.constant(1);
  packed.strides[reductionDim] = math.constant(columns);
  // Column indices count from the start of the nest, the panel from its own.
  packed.offset = math.sub(math.constant(0), indices[columnDim]);
  return packed;
}

void NestEmitter::emitPanel(SmallVector<Value> &indices, unsigned vectors, Value mask) {
  if (plan.packedInput < 0)
    return emitRows(indices, vectors, mask);
  Nest packed = nest;
  packed.main.inputs[plan.packedInput] = packPanel(indices, vectors);
  tileNest = &packed;
  emitRows(indices, vectors, mask);
  tileNest = &nest;
}

/// Whole tiles of rows, then the rest: one tile if its size is known, else
/// tiles of 4, 2 and 1 rows.
void NestEmitter::emitRows(SmallVector<Value> &indices, unsigned vectors, Value mask) {
  if (plan.rowDim < 0)
    return emitTile(indices, 1, vectors, mask);
  unsigned dim = plan.rowDim;
  bool isAtZero = getConstantIntValue(indices[dim]) == 0;
  OpFoldResult start = isAtZero ? math.constant(0) : OpFoldResult(indices[dim]);
  OpFoldResult end = getBlockEnd(dim, indices[dim], plan.rowBlock);
  std::optional<int64_t> size = nest.getSize(dim);
  if (isAtZero && size && *size <= plan.rowBlock)
    end = nest.sizes[dim];
  bool isWhole = size && *size % plan.rows == 0;
  OpFoldResult whole =
      isWhole ? end
              : math.add(start, math.mul(math.div(math.sub(end, start), math.constant(plan.rows)),
                                         math.constant(plan.rows)));
  auto tile = [&](Value index, unsigned rows) {
    SmallVector<Value> at = indices;
    at[dim] = index;
    emitTile(at, rows, vectors, mask);
  };
  loop(start, whole, plan.rows, [&](Value index) { tile(index, plan.rows); });
  if (isWhole)
    return;
  if (size) {
    // Empty in all blocks but the last.
    int64_t rest = *size % plan.rows;
    return loop(whole, end, plan.rows, [&](Value index) { tile(index, rest); });
  }
  OpFoldResult next = whole;
  for (unsigned rows = 1u << llvm::Log2_32(std::max(1u, plan.rows - 1)); rows >= 1; rows /= 2) {
    // Any whole tile of `rows` that still fits; at most one does.
    OpFoldResult last =
        rows == 1 ? end
                  : math.add(next, math.mul(math.div(math.sub(end, next), math.constant(rows)),
                                            math.constant(rows)));
    loop(next, last, rows, [&](Value index) { tile(index, rows); });
    next = last;
  }
}

void NestEmitter::emitTile(ArrayRef<Value> indices, unsigned rows, unsigned vectors, Value mask) {
  TileEmitter(b, *tileNest, plan).emit(indices, rows, vectors, mask);
}

bool dougong::cpu::emitNest(OpBuilder &builder, const Nest &nest, const TileLimits &limits,
                            bool parallel) {
  std::optional<Plan> packed = makePackedPlan(nest, limits);
  if (!packed || nest.getSize(packed->rowDim)) {
    Plan plan = packed ? *packed : makePlan(nest, limits);
    NestEmitter(builder, nest, plan).emit(parallel);
    return plan.vectorDim >= 0;
  }
  // A step of decoding has one row, its prompt many: both are this kernel.
  IndexMath math(builder, nest.loc);
  Value isTall = arith::CmpIOp::create(builder, nest.loc, arith::CmpIPredicate::uge,
                                       math.value(nest.sizes[packed->rowDim]),
                                       math.value(math.constant(minPackedRows)));
  auto branch = scf::IfOp::create(builder, nest.loc, isTall, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(branch.thenBlock()->getTerminator());
  NestEmitter(builder, nest, *packed).emit(parallel);
  builder.setInsertionPoint(branch.elseBlock()->getTerminator());
  NestEmitter(builder, nest, makePlan(nest, limits)).emit(parallel);
  return true;
}
