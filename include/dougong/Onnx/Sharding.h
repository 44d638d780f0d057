//===- Sharding.h - sharding rules of the operators -------------*- C++ -*-===//
#ifndef DOUGONG_ONNX_SHARDING_H
#define DOUGONG_ONNX_SHARDING_H

#include "Onnx/IR/ShardingRule.h"

#include "llvm/ADT/StringRef.h"

#include <vector>

namespace mlir {
class DialectRegistry;
class Operation;
} // namespace mlir

namespace dougong::onnx {

/// Attaches the sharding rules (ShardingRuleOpInterface) to all operators.
void registerShardingModels(mlir::DialectRegistry &registry);

/// The sharding rule of any op: that of its interface, or a replicated rule
/// whose reason is that the operator has none.
ShardingRule getShardingRule(mlir::Operation *op);

/// Names of the operators whose rule never allows a cut ("onnx.Shape").
std::vector<llvm::StringRef> getReplicatedOperators();

} // namespace dougong::onnx

#endif // DOUGONG_ONNX_SHARDING_H
