//===- Tile.h - one register tile of a nest ---------------------*- C++ -*-===//
#ifndef DOUGONG_LIB_TARGET_CPU_LOOPS_TILE_H
#define DOUGONG_LIB_TARGET_CPU_LOOPS_TILE_H

#include "Body.h"
#include "Plan.h"

#include "llvm/ADT/DenseMap.h"

namespace dougong::cpu {

/// Emits the code of one register tile: initial accumulators, the loops over
/// all reductions with the accumulators as their iteration arguments (so that
/// they stay in registers), the epilogue on these registers, the stores.
class TileEmitter {
public:
  TileEmitter(mlir::OpBuilder &builder, const Nest &nest, const Plan &plan)
      : b(builder), loc(nest.loc), nest(nest), plan(plan), body(builder, nest.loc) {}

  /// `indices`: of each parallel dim, the tile's first. `mask` (with
  /// `vectors` 1) says which lanes of a parallel vector dim are inside.
  void emit(llvm::ArrayRef<mlir::Value> indices, unsigned rows, unsigned vectors, mlir::Value mask);

private:
  using Values = llvm::SmallVector<mlir::Value>;

  mlir::Value getBase(const Access &access, unsigned row, unsigned vector);
  mlir::OpFoldResult getReductionOffset(const Access &access, unsigned vector);
  Lane load(const Access &access, unsigned row, unsigned vector, const Place &place);
  Values emitReductions(unsigned level, Values accumulators);
  Values emitVectorReduction(Values accumulators);
  // Pairs of narrow integers (TilePairs.cpp).
  Values emitPairReductions(Values accumulators);
  Values emitPairLoops(unsigned level, Values accumulators);
  Values emitPairPoint(mlir::ValueRange accumulators, bool isWhole);
  Values reorderPairs(mlir::ValueRange accumulators, bool toPairs);
  mlir::Value loadPair(const Access &access, unsigned row, bool isWhole);
  Values emitPoint(mlir::ValueRange accumulators, unsigned vectors, mlir::Value mask);
  Values initialAccumulators();
  Values combineVectors(mlir::ValueRange accumulators);
  void finish(mlir::ValueRange results);
  void finishByRow(mlir::ValueRange results);
  Values getIndices(unsigned row, unsigned vector);
  Place getPlace(llvm::ArrayRef<mlir::Value> indices, mlir::Value mask);
  Place getResultPlace(llvm::ArrayRef<mlir::Value> indices);
  mlir::Value loop(mlir::OpFoldResult from, mlir::OpFoldResult to, int64_t step,
                   Values &accumulators, llvm::function_ref<Values(mlir::Value, Values)> emitBody);

  mlir::OpBuilder &b;
  mlir::Location loc;
  const Nest &nest;
  const Plan &plan;
  BodyEmitter body;

  // Of the tile at hand:
  Values indices; ///< of every dim; those of reductions are set by their loops
  unsigned rows = 1;
  unsigned vectors = 1;
  mlir::Value mask;
  llvm::DenseMap<std::tuple<const Access *, unsigned, unsigned>, mlir::Value> bases;
};

} // namespace dougong::cpu

#endif // DOUGONG_LIB_TARGET_CPU_LOOPS_TILE_H
