//===- Body.h - the body of a linalg op on scalars or vectors ---*- C++ -*-===//
#ifndef DOUGONG_LIB_TARGET_CPU_LOOPS_BODY_H
#define DOUGONG_LIB_TARGET_CPU_LOOPS_BODY_H

#include "Nest.h"

namespace dougong::cpu {

/// A value of a body, for `lanes` consecutive points: one scalar that all
/// share, or a vector.
struct Lane {
  mlir::Value value;
  bool isVector = false;
  /// For a vector of consecutive indices: the first of them.
  mlir::Value first;
};

/// Where a body is evaluated: `lanes` points along dim `vectorDim` of the nest.
struct Place {
  /// The index of each dim of the nest; along `vectorDim` that of lane 0.
  llvm::ArrayRef<mlir::Value> indices;
  int vectorDim = -1;
  /// 0: a single point, everything is scalar.
  unsigned lanes = 0;
  /// Which lanes are inside the nest; null: all.
  mlir::Value mask;
};

/// Emits bodies and their loads and stores at a builder's place.
class BodyEmitter {
public:
  BodyEmitter(mlir::OpBuilder &builder, mlir::Location loc) : b(builder), loc(loc) {}

  /// Evaluates `stage`'s body on `inputs` (one for each input) and `outputs`
  /// (the accumulators); returns what it yields. With `contract`, products
  /// that are added may be fused.
  llvm::SmallVector<Lane> emit(const Stage &stage, llvm::ArrayRef<Lane> inputs,
                               llvm::ArrayRef<Lane> outputs, const Place &place, bool contract);

  /// Reads element (or `place.lanes` elements) `index` of `access`. Lanes
  /// outside the mask hold 0, or 1 for integers (they may be divided by).
  Lane load(const Access &access, mlir::Value index, const Place &place);
  void store(const Access &access, mlir::Value index, Lane lane, const Place &place);

  /// `lane` as a vector.
  mlir::Value toVector(Lane lane, unsigned lanes);

private:
  Lane emitLoad(mlir::Value buffer, llvm::ArrayRef<Lane> indices, const Place &place);
  Lane emitElementwise(mlir::Operation &op, llvm::ArrayRef<Lane> operands, const Place &place,
                       bool contract);
  Lane loadStrided(mlir::Value flat, mlir::Type elementType, mlir::Value index, mlir::Value offsets,
                   const Place &place);
  Lane loadEverySecond(const Access &access, mlir::Value index, const Place &place);
  Lane fromBytes(Lane bytes, mlir::Type elementType);
  mlir::Value allLanes(unsigned lanes);

  mlir::OpBuilder &b;
  mlir::Location loc;
};

} // namespace dougong::cpu

#endif // DOUGONG_LIB_TARGET_CPU_LOOPS_BODY_H
