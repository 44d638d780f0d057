//===- Predict.h - predicted step time of a partition -----------*- C++ -*-===//
#ifndef DOUGONG_PLAN_PREDICT_H
#define DOUGONG_PLAN_PREDICT_H

#include "dougong/Dist/PartitionResult.h"
#include "dougong/Plan/CostModel.h"
#include "dougong/Support/DimExpr.h"

namespace dougong::planner {

/// The value of an expression. A symbol without a value (an extent that depends
/// on data) counts 1.
double evaluate(const DimExpr &expr, const SymbolValues &values);
double evaluate(llvm::StringRef expr, const SymbolValues &values);

/// The name of an element type in a fleet: "fp32", "fp16", "bf16", "int8", ...
llvm::StringRef getDataTypeName(mlir::Type elementType);
/// The arithmetic type of an op: that of its first operand with numbers.
llvm::StringRef getDataTypeName(mlir::Operation *op);

/// Bytes of an element in a buffer, rounded up.
int64_t getElementBytes(mlir::Type elementType);

/// What an op costs, as it stands.
OpAmounts getOpAmounts(mlir::Operation *op, const SymbolValues &values);

/// Where the ranks of a stage lie: chips of `pool` from `firstChip` on.
struct StagePlace {
  const fleet::Pool *pool;
  int64_t firstChip;
};

/// Seconds that one rank spends in one step of a stage, with all micro-batches.
struct StagePrediction {
  double compute = 0, memory = 0, communication = 0, launch = 0;
  double time = 0; ///< with each op bound by the slower of computing and memory
};

struct Prediction {
  std::vector<StagePrediction> stages;
  double transfer = 0; ///< on the longest path through the stages
  double step = 0;     ///< of that path
  FigureLog figures;
};

/// Predicts one step: stages run one after the other, as their transfers say. With
/// micro-batches a stage takes them in their order, each when it is through with the one
/// before and has its inputs; else nothing overlaps. Fails, naming it, where a figure is missing.
llvm::Expected<Prediction> predictStep(const dist::PartitionResult &partition,
                                       llvm::ArrayRef<StagePlace> places, const fleet::Fleet &fleet,
                                       const SymbolValues &values);

} // namespace dougong::planner

#endif // DOUGONG_PLAN_PREDICT_H
