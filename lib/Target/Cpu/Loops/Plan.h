//===- Plan.h - which dims of a nest go to vectors, rows, loops -*- C++ -*-===//
#ifndef DOUGONG_LIB_TARGET_CPU_LOOPS_PLAN_H
#define DOUGONG_LIB_TARGET_CPU_LOOPS_PLAN_H

#include "Nest.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace dougong::cpu {

/// What the plan may use of the processor.
struct TileLimits {
  unsigned lanes = 16;      ///< f32 lanes of a vector
  unsigned tileRows = 8;    ///< rows of a contraction's register tile
  unsigned tileVectors = 2; ///< vectors in each of these rows
  /// Whether the processor adds up products of pairs of 16-bit integers.
  bool pairProducts = false;
};

/// How a nest is tiled. One register tile is `rows` indices of `rowDim` by
/// `vectors * lanes` of `vectorDim`; all reductions run inside it.
struct Plan {
  int vectorDim = -1; ///< -1: scalar
  unsigned lanes = 0; ///< 0: scalar
  unsigned vectors = 1;
  /// The vector dim is a reduction: accumulators are combined at the end.
  bool reducesVector = false;
  mlir::vector::CombiningKind combiner = mlir::vector::CombiningKind::ADD;
  int rowDim = -1;
  unsigned rows = 1;
  /// Parallel dims outside the tile, outermost first.
  llvm::SmallVector<unsigned> outer;
  /// Reductions other than `vectorDim`, outermost first.
  llvm::SmallVector<unsigned> reductions;
  /// The innermost reduction goes in steps of two indices: a sum of products of
  /// narrow integers, of which each 32-bit lane takes two at once.
  bool pairs = false;
  /// Columns and rows that one iteration of the parallel loop covers.
  int64_t columnBlock = 1;
  int64_t rowBlock = 1;
  /// The main input whose panel of columns is copied to a buffer on the stack,
  /// [k][columns], before the rows run over it; -1: none. It has one reduction
  /// dim, of constant extent.
  int packedInput = -1;
  /// Estimated cycles of 64 points of the nest, reductions included.
  int64_t cyclesPer64 = 64;
};

Plan makePlan(const Nest &nest, const TileLimits &limits);

/// The rows from which packing an operand pays.
inline constexpr int64_t minPackedRows = 16;

/// A plan that reads one operand of a contraction through a packed copy, where
/// it would otherwise be read across its rows (as K in Q K^T).
std::optional<Plan> makePackedPlan(const Nest &nest, const TileLimits &limits);

} // namespace dougong::cpu

#endif // DOUGONG_LIB_TARGET_CPU_LOOPS_PLAN_H
