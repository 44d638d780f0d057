//===- StrategyTest.cpp - short and long forms of strategies --------------===//
#include "dougong/Dist/Strategy.h"

#include <gtest/gtest.h>

using namespace dougong::dist;

static std::string getMessage(llvm::Expected<Strategy> strategy) {
  return strategy ? "" : llvm::toString(strategy.takeError());
}

TEST(Strategy, ShortFormPutsTensorParallelismInnermost) {
  auto strategy = parseShortStrategy("tp=4,pp=2,dp=3");
  ASSERT_TRUE(bool(strategy));
  EXPECT_EQ(strategy->pipeline, 2);
  ASSERT_EQ(strategy->mesh.size(), 2u);
  EXPECT_EQ(strategy->mesh[0], (std::pair<std::string, int64_t>("dp", 3)));
  EXPECT_EQ(strategy->mesh[1], (std::pair<std::string, int64_t>("tp", 4)));
}

TEST(Strategy, ShortFormErrors) {
  EXPECT_EQ(getMessage(parseShortStrategy("tp=0")),
            "expected AXIS=COUNT with a count of at least 1, got \"tp=0\"");
  EXPECT_EQ(getMessage(parseShortStrategy("tp=2,tp=2")), "\"tp\" is given twice");
  EXPECT_EQ(getMessage(parseShortStrategy("mb=5000")),
            "mb=5000: expected at most 4096 micro-batches");
}

TEST(Strategy, ReadsAllKeys) {
  auto strategy = parseStrategy(R"(
stages: [{nodes: "layers.[0-15]/**", mesh: {tp: 4, dp: 2}, on: ascend}, {nodes: rest, mesh: {tp: 2}, on: metax}]
shard:  [{node: "**/q_proj/MatMul*", operand: 1, dims: [_, tp]}, {role: attention.output, dims: [tp, _]}]
sequence: tp
microbatches: 4
state:  {"past_key_values.*": "present.*"}
)",
                                "strategy.yaml");
  ASSERT_TRUE(bool(strategy)) << llvm::toString(strategy.takeError());
  ASSERT_EQ(strategy->stages.size(), 2u);
  EXPECT_EQ(strategy->stages[0].nodes, std::vector<std::string>{"layers.[0-15]/**"});
  EXPECT_EQ(strategy->stages[0].mesh[1], (std::pair<std::string, int64_t>("dp", 2)));
  EXPECT_EQ(strategy->stages[0].on, "ascend");
  EXPECT_EQ(strategy->stages[1].where, "strategy.yaml:2");
  ASSERT_EQ(strategy->shards.size(), 2u);
  EXPECT_EQ(strategy->shards[0].operand, 1);
  EXPECT_EQ(strategy->shards[0].dims, (std::vector<std::string>{"_", "tp"}));
  EXPECT_EQ(strategy->shards[1].role, "attention.output");
  EXPECT_EQ(strategy->sequence, "tp");
  EXPECT_EQ(strategy->microBatches, 4);
  ASSERT_EQ(strategy->states.size(), 1u);
  EXPECT_EQ(strategy->states[0].second, "present.*");
}

TEST(Strategy, ErrorsNameFileAndLine) {
  EXPECT_EQ(getMessage(parseStrategy("mesh: {tp: 2}\nshard:\n  - {dims: [_, tp]}\n", "s.yaml")),
            "s.yaml:3: give either a node pattern or a role");
  EXPECT_EQ(getMessage(parseStrategy("mesh: {tp: 0}\n", "s.yaml")),
            "s.yaml:1: axis \"tp\" must have a size of at least 1");
  EXPECT_EQ(getMessage(parseStrategy("mesh: {tp: 2}\nstages: [{nodes: rest}]\n", "s.yaml")),
            "s.yaml:1: give either stages, or a mesh and a number of equal stages");
  EXPECT_EQ(getMessage(parseStrategy("microbatches: 0\n", "s.yaml")),
            "s.yaml:1: microbatches must be 1 to 4096, got 0");
  EXPECT_EQ(getMessage(parseStrategy("state: {\"a.*\": \"b\"}\n", "s.yaml")),
            "s.yaml:1: a state pattern has at most one *, in both names");
}

/// So deep that a reader that recurses has no stack left.
TEST(Strategy, DeepFilesAreRefused) {
  for (llvm::StringRef level : {"[", "{a: ", "- ", "? "}) {
    std::string text = "mesh: {tp: 2}\nstages:\n  ";
    for (int i = 0; i != 100000; ++i)
      text += level;
    EXPECT_EQ(getMessage(parseStrategy(text, "s.yaml")),
              "s.yaml:3: values are nested deeper than 16 levels")
        << level.str();
  }
}

TEST(Strategy, StatePatterns) {
  Strategy strategy;
  EXPECT_FALSE(bool(addState(strategy, "past.*=present.*")));
  EXPECT_EQ(llvm::toString(addState(strategy, "past")),
            "expected INPUT=OUTPUT for a state, got \"past\"");
  EXPECT_EQ(llvm::toString(addState(strategy, "past.*=present")),
            "a state pattern has at most one *, in both names, got \"past.*=present\"");
}
