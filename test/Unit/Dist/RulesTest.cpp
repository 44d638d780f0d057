//===- RulesTest.cpp - which operators have sharding rules ----------------===//
#include "Onnx/IR/Onnx.h"

#include "dougong/Onnx/Sharding.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace dougong;

/// Operators of the traditional machine-learning and training domains run on one
/// rank; all others must say how they may be cut, or why not.
TEST(ShardingRules, EveryOperatorHasARule) {
  DialectRegistry registry;
  registry.insert<onnx::OnnxDialect>();
  onnx::registerShardingModels(registry);
  MLIRContext context(registry);
  context.loadDialect<onnx::OnnxDialect>();
  std::string missing;
  unsigned count = 0;
  for (RegisteredOperationName name : context.getRegisteredOperations()) {
    StringRef text = name.getStringRef();
    if (!text.consume_front("onnx.") || !name.hasInterface<onnx::OnnxOpInterface>())
      continue;
    ++count;
    if (text.starts_with("ml.") || text.starts_with("training.") || text.starts_with("preview."))
      continue;
    if (!name.hasInterface<onnx::ShardingRuleOpInterface>())
      missing += (text + " ").str();
  }
  EXPECT_GT(count, 200u);
  EXPECT_EQ(missing, "");
}
