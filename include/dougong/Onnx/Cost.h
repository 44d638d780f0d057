//===- Cost.h - arithmetic of the operators ---------------------*- C++ -*-===//
#ifndef DOUGONG_ONNX_COST_H
#define DOUGONG_ONNX_COST_H

#include "Onnx/IR/ShardingRule.h"

namespace mlir {
class DialectRegistry;
class Operation;
} // namespace mlir

namespace dougong::onnx {

/// Attaches the cost models (CostOpInterface) to all operators.
void registerCostModels(mlir::DialectRegistry &registry);

/// The cost of any op with tensor operands. An operator without a model counts
/// its bytes, and one operation for each element of its results.
OpCost getOpCost(mlir::Operation *op);

} // namespace dougong::onnx

#endif // DOUGONG_ONNX_COST_H
