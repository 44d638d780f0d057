//===- Plan.cpp - which dims of a nest go to vectors, rows, loops ---------===//
#include "Plan.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace dougong::cpu;

/// What a dynamic extent counts as.
static constexpr int64_t typicalExtent = 512;

static std::optional<vector::CombiningKind> getCombiner(Operation *op) {
  using Kind = vector::CombiningKind;
  return llvm::TypeSwitch<Operation *, std::optional<Kind>>(op)
      .Case<arith::AddFOp, arith::AddIOp>([](auto) { return Kind::ADD; })
      .Case<arith::MulFOp, arith::MulIOp>([](auto) { return Kind::MUL; })
      .Case([](arith::MaximumFOp) { return Kind::MAXIMUMF; })
      .Case([](arith::MinimumFOp) { return Kind::MINIMUMF; })
      .Case([](arith::MaxNumFOp) { return Kind::MAXNUMF; })
      .Case([](arith::MinNumFOp) { return Kind::MINNUMF; })
      .Case([](arith::MaxSIOp) { return Kind::MAXSI; })
      .Case([](arith::MinSIOp) { return Kind::MINSI; })
      .Case([](arith::MaxUIOp) { return Kind::MAXUI; })
      .Case([](arith::MinUIOp) { return Kind::MINUI; })
      .Case([](arith::AndIOp) { return Kind::AND; })
      .Case([](arith::OrIOp) { return Kind::OR; })
      .Case([](arith::XOrIOp) { return Kind::XOR; })
      .Default(std::optional<Kind>());
}

/// The operation that folds elements into the nest's one output.
static std::optional<vector::CombiningKind> getCombiner(const Nest &nest) {
  linalg::LinalgOp op = nest.main.op;
  if (op.getNumDpsInits() != 1)
    return std::nullopt;
  SmallVector<Operation *> combiners;
  if (!matchReduction(op.getRegionOutputArgs(), 0, combiners) || combiners.size() != 1)
    return std::nullopt;
  return getCombiner(combiners.front());
}

/// The most bytes of a packed panel: it stays in the first-level cache.
static constexpr int64_t maxPanelBytes = 32768;

/// Cost of a point when `dim` is the vector dim, relative to a full vector of
/// unit-stride accesses; none if it cannot be.
static std::optional<double> getVectorCost(const Nest &nest, unsigned dim, unsigned lanes) {
  bool reduces = nest.isReduction(dim);
  unsigned units = 0;
  double gathers = 0;
  bool isPossible = true;
  auto visitInput = [&](const Access &access) {
    if (access.scalar || !access.dependsOn(dim))
      return;
    if (access.getStride(dim) == 1 &&
        (!access.panel || access.panel->dim != dim || access.panel->size % lanes == 0))
      ++units;
    else if (access.panel && access.panel->dim == dim)
      isPossible = false;
    else
      gathers += access.getStride(dim) == 2 ? 0.05 : 1.0;
  };
  auto visitOutput = [&](const Access &access) {
    isPossible &= access.getStride(dim) == 1 && !access.panel;
  };
  llvm::for_each(nest.main.inputs, visitInput);
  if (reduces) {
    isPossible &= units > 0 && getCombiner(nest).has_value();
  } else {
    if (nest.storesMain || !nest.epilogue)
      llvm::for_each(nest.main.outputs, visitOutput);
    if (nest.epilogue) {
      for (auto [number, access] : llvm::enumerate(nest.epilogue->inputs))
        if (number != nest.epilogueOperand)
          visitInput(access);
      llvm::for_each(nest.epilogue->outputs, visitOutput);
    }
  }
  if (!isPossible)
    return std::nullopt;
  int64_t size = nest.getSize(dim).value_or(typicalExtent);
  double used = double(size) / double(llvm::alignTo(std::max<int64_t>(size, 1), lanes));
  // Lanes are added up once for each result: dear if its sum is short.
  double combining = 0;
  if (reduces) {
    double steps = double(llvm::divideCeil(std::max<int64_t>(size, 1), lanes));
    for (unsigned other = 0; other < nest.getNumDims(); ++other)
      if (nest.isReduction(other) && other != dim)
        steps *= double(std::max<int64_t>(1, nest.getSize(other).value_or(typicalExtent)));
    combining = 0.3 + 10.0 / steps;
  }
  return (1.0 + 8.0 * gathers + combining) / std::max(used, 1e-3);
}

/// A parallel dim along which an operand that is loaded as vectors is reused: the
/// innermost that fills a few tiles (its neighbours are near in memory), else
/// the longest.
static int findRowDim(const Nest &nest, const Plan &plan, int64_t tileRows) {
  int best = -1;
  int64_t bestSize = 2;
  for (unsigned dim = 0; dim < nest.getNumDims(); ++dim) {
    if (nest.isReduction(dim) || int(dim) == plan.vectorDim)
      continue;
    bool isReused = llvm::any_of(nest.main.inputs, [&](const Access &access) {
      return !access.scalar && access.dependsOn(plan.vectorDim) && !access.dependsOn(dim);
    });
    // Panels are blocked along one dim only.
    bool isPanel = llvm::any_of(nest.main.inputs, [&](const Access &access) {
      return access.panel && access.panel->dim == dim;
    });
    int64_t size = std::min(nest.getSize(dim).value_or(typicalExtent), 2 * tileRows);
    if (isReused && !isPanel && size >= bestSize) {
      best = dim;
      bestSize = size;
    }
  }
  return best;
}

/// Rows of a tile, at most `limit`: few leftovers for a constant extent.
static unsigned chooseRows(std::optional<int64_t> size, unsigned limit) {
  if (!size || *size % limit == 0)
    return limit;
  if (*size < int64_t(limit))
    return *size;
  for (unsigned rows = limit - 1; rows * 4 >= limit * 3; --rows)
    if (*size % rows == 0)
      return rows;
  // Of a short extent all tiles are about equal: 8 rows are 4 and 4, not 6 and 2.
  if (*size < 2 * int64_t(limit))
    return llvm::divideCeil(*size, 2);
  return limit;
}

/// Registers that a value of `type` takes, relative to f32.
static unsigned getWidthFactor(Type type) {
  return type.isIndex() || type.getIntOrFloatBitWidth() > 32 ? 2 : 1;
}

/// Cycles of 64 points, from the body's operations and operands.
static int64_t estimateCycles(const Nest &nest, const Plan &plan) {
  double work = 0;
  auto visit = [&](const Stage &stage) {
    for (Operation &op : stage.getBlock().without_terminator()) {
      if (isa<math::SqrtOp, math::AbsFOp, math::FloorOp, math::CeilOp>(op))
        work += 4;
      else if (isa<math::MathDialect>(op.getDialect()))
        work += 20;
      else if (isa<arith::DivFOp, memref::LoadOp>(op))
        work += 4;
      else if (isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp, arith::RemFOp>(
                   op))
        work += 20.0 * plan.lanes;
      else
        work += 0.5;
    }
  };
  visit(nest.main);
  if (nest.epilogue && !nest.hasReduction())
    visit(*nest.epilogue);
  bool isTiled = nest.hasReduction() && plan.rowDim >= 0;
  for (const Access &access : nest.main.inputs)
    if (!access.scalar && plan.vectorDim >= 0 && access.dependsOn(plan.vectorDim))
      work += access.getStride(plan.vectorDim) == 1 ? (isTiled ? 0.0 : 1.0) : double(plan.lanes);
  if (!nest.hasReduction())
    work += 1.0 * nest.main.outputs.size();
  if (isTiled)
    work *= 0.5;
  return std::max<int64_t>(1, int64_t(64 * work / std::max(1u, plan.lanes)));
}

/// The argument of the body that `value` is an extension of, if its elements fit
/// in 16 signed bits.
static BlockArgument getNarrowArgument(Value value) {
  Operation *op = value.getDefiningOp();
  if (!isa_and_nonnull<arith::ExtSIOp, arith::ExtUIOp>(op))
    return nullptr;
  unsigned width = op->getOperand(0).getType().getIntOrFloatBitWidth();
  if (width != 8 && (width != 16 || !isa<arith::ExtSIOp>(op)))
    return nullptr;
  return dyn_cast<BlockArgument>(op->getOperand(0));
}

/// Whether the nest sums products of narrow integers into i32, one factor along
/// the vector dim, the other contiguous along the innermost reduction.
static bool hasPairProducts(const Nest &nest, const Plan &plan) {
  Block &block = nest.main.getBlock();
  if (plan.vectorDim < 0 || plan.reducesVector || plan.reductions.empty() ||
      nest.main.inputs.size() != 2 || nest.main.outputs.size() != 1 ||
      !nest.main.outputs.front().elementType.isInteger(32) ||
      !llvm::hasNItems(block.without_terminator(), 4))
    return false;
  auto sum = block.getTerminator()->getOperand(0).getDefiningOp<arith::AddIOp>();
  if (!sum || (sum.getLhs() != block.getArgument(2) && sum.getRhs() != block.getArgument(2)))
    return false;
  Value other = sum.getLhs() == block.getArgument(2) ? sum.getRhs() : sum.getLhs();
  auto product = other.getDefiningOp<arith::MulIOp>();
  if (!product)
    return false;
  BlockArgument left = getNarrowArgument(product.getLhs()),
                right = getNarrowArgument(product.getRhs());
  if (!left || !right || left == right)
    return false;
  unsigned reduction = plan.reductions.back(), column = plan.vectorDim;
  auto isShared = [&](const Access &access) {
    return !access.scalar && !access.dependsOn(column) && access.getStride(reduction) == 1 &&
           !access.panel;
  };
  auto isVector = [&](const Access &access) {
    return !access.scalar && access.dependsOn(column) && access.getStride(column) == 1 &&
           (!access.panel || access.panel->size % (2 * plan.lanes) == 0);
  };
  const Access &a = nest.main.inputs[0], &b = nest.main.inputs[1];
  return (isShared(a) && isVector(b)) || (isShared(b) && isVector(a));
}

/// The plan with a given vector dim (-1: scalar).
static Plan completePlan(const Nest &nest, const TileLimits &limits, int vectorDim) {
  Plan plan;
  plan.vectorDim = vectorDim;
  if (plan.vectorDim >= 0) {
    plan.lanes = limits.lanes;
    plan.reducesVector = nest.isReduction(plan.vectorDim);
    if (plan.reducesVector)
      plan.combiner = *getCombiner(nest);
  }

  unsigned factor = 1;
  for (const Access &access : nest.main.outputs)
    factor = std::max(factor, getWidthFactor(access.elementType));
  factor *= nest.main.outputs.size();
  std::optional<int64_t> columns;
  if (plan.vectorDim >= 0)
    columns = nest.getSize(plan.vectorDim);
  if (nest.hasReduction() && plan.vectorDim >= 0) {
    plan.rowDim = findRowDim(nest, plan, limits.tileRows);
    if (plan.rowDim >= 0) {
      unsigned rows = std::max(1u, limits.tileRows / factor);
      plan.vectors = plan.reducesVector ? 1 : limits.tileVectors;
      // A tile of few columns takes the registers for more rows.
      if (!plan.reducesVector && columns && *columns < int64_t(2 * plan.lanes))
        rows *= plan.vectors;
      plan.rows = chooseRows(nest.getSize(plan.rowDim), rows);
    } else {
      plan.vectors = std::max(1u, (plan.reducesVector ? 4 : 8) / factor);
    }
  } else if (plan.vectorDim >= 0) {
    plan.vectors = llvm::hasNItemsOrMore(nest.main.getBlock(), 8) ? 1 : 2;
  }
  if (columns && plan.vectorDim >= 0)
    plan.vectors = std::clamp<int64_t>(*columns / plan.lanes, 1, plan.vectors);

  for (unsigned dim = 0; dim < nest.getNumDims(); ++dim) {
    if (int(dim) == plan.vectorDim || int(dim) == plan.rowDim)
      continue;
    (nest.isReduction(dim) ? plan.reductions : plan.outer).push_back(dim);
  }
  plan.pairs = limits.pairProducts && hasPairProducts(nest, plan);
  if (!plan.reducesVector && plan.vectorDim >= 0) {
    // A contraction's panel of columns stays in the cache over all rows; plain
    // element-wise loops want long runs.
    plan.columnBlock = int64_t(plan.lanes) * plan.vectors;
    if (!nest.hasReduction())
      plan.columnBlock *= std::max<int64_t>(1, 2048 / plan.columnBlock);
  }
  plan.rowBlock = plan.rowDim >= 0 ? int64_t(plan.rows) * 8 : 1;
  plan.cyclesPer64 = estimateCycles(nest, plan);
  return plan;
}

Plan dougong::cpu::makePlan(const Nest &nest, const TileLimits &limits) {
  int vectorDim = -1;
  double best = limits.lanes;
  for (unsigned dim = 0; dim < nest.getNumDims(); ++dim)
    if (std::optional<double> cost = getVectorCost(nest, dim, limits.lanes))
      // The innermost of equals: its neighbours are in the same cache line.
      if (*cost <= best) {
        best = *cost;
        vectorDim = dim;
      }
  return completePlan(nest, limits, vectorDim);
}

std::optional<Plan> dougong::cpu::makePackedPlan(const Nest &nest, const TileLimits &limits) {
  if (!makePlan(nest, limits).reducesVector)
    return std::nullopt;
  for (unsigned dim = 0; dim < nest.getNumDims(); ++dim) {
    if (nest.isReduction(dim) || !getVectorCost(nest, dim, limits.lanes))
      continue;
    int operand = -1;
    for (auto [number, access] : llvm::enumerate(nest.main.inputs)) {
      if (access.scalar || !access.dependsOn(dim) || access.getStride(dim) == 1)
        continue;
      if (operand >= 0 || access.panel || access.elementType.isInteger(1))
        return std::nullopt;
      operand = number;
    }
    if (operand < 0)
      continue;
    Plan plan = completePlan(nest, limits, dim);
    const Access &access = nest.main.inputs[operand];
    if (plan.rowDim < 0 || access.dependsOn(plan.rowDim) || plan.reductions.size() != 1 ||
        nest.getSize(plan.rowDim).value_or(minPackedRows) < minPackedRows)
      continue;
    std::optional<int64_t> length = nest.getSize(plan.reductions.front());
    if (!length ||
        *length * plan.lanes * plan.vectors * 4 * int64_t(getWidthFactor(access.elementType)) >
            maxPanelBytes)
      continue;
    plan.packedInput = operand;
    // A panel is packed once for each block of rows.
    plan.rowBlock = int64_t(plan.rows) * 64;
    plan.cyclesPer64 = std::max<int64_t>(1, 64 / (2 * plan.lanes));
    return plan;
  }
  return std::nullopt;
}
