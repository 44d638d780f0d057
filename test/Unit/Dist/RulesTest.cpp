//===- RulesTest.cpp - which operators have sharding rules ----------------===//
#include "Onnx/IR/Onnx.h"

#include "dougong/Onnx/Sharding.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>

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

/// Every operator whose rule may cut something is in the list of those that
/// test/Exec/ops/check_cuts.py must cut over 2 and 3 ranks; no other is.
TEST(ShardingRules, EveryRuleThatCutsHasACase) {
  DialectRegistry registry;
  registry.insert<onnx::OnnxDialect>();
  onnx::registerShardingModels(registry);
  MLIRContext context(registry);
  context.loadDialect<onnx::OnnxDialect>();
  std::set<std::string> cut, listed;
  for (RegisteredOperationName name : context.getRegisteredOperations())
    if (name.hasInterface<onnx::ShardingRuleOpInterface>())
      cut.insert(name.getStringRef().str());
  for (StringRef name : onnx::getReplicatedOperators())
    EXPECT_EQ(cut.erase(name.str()), 1u) << name.str();
  std::ifstream file(CUT_OPERATORS);
  ASSERT_TRUE(file) << "cannot open " << CUT_OPERATORS;
  for (std::string line; std::getline(file, line);)
    if (!line.empty() && line.front() != '#')
      listed.insert("onnx." + line.substr(0, line.find(':')));
  EXPECT_GT(cut.size(), 150u);
  for (const std::string &name : cut)
    EXPECT_TRUE(listed.count(name)) << name << " has a rule that cuts, but no case is asked for";
  for (const std::string &name : listed)
    EXPECT_TRUE(cut.count(name)) << name << " is listed, but has no rule that cuts";
}
