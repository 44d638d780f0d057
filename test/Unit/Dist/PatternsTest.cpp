//===- PatternsTest.cpp - patterns of node names --------------------------===//
#include "dougong/Dist/Strategy.h"

#include <gtest/gtest.h>

using dougong::dist::matchesNode;

TEST(Patterns, PlainTextStandsForItself) {
  EXPECT_TRUE(matchesNode("a/b", "a/b"));
  EXPECT_FALSE(matchesNode("a/b", "a/bc"));
  EXPECT_FALSE(matchesNode("a/bc", "a/b"));
  EXPECT_TRUE(matchesNode("", ""));
  EXPECT_FALSE(matchesNode("", "a"));
}

TEST(Patterns, StarStopsAtSlash) {
  EXPECT_TRUE(matchesNode("layers/*/up", "layers/0/up"));
  EXPECT_FALSE(matchesNode("layers/*/up", "layers/0/mlp/up"));
  EXPECT_TRUE(matchesNode("q_proj/MatMul*", "q_proj/MatMul_node_13"));
  EXPECT_TRUE(matchesNode("*", "abc"));
  EXPECT_FALSE(matchesNode("*", "a/c"));
}

TEST(Patterns, DoubleStarCrossesSlashes) {
  EXPECT_TRUE(matchesNode("**/q_proj/MatMul*", "model/layers.0/self_attn/q_proj/MatMul_13"));
  EXPECT_FALSE(matchesNode("**/q_proj/MatMul*", "model/layers.0/self_attn/k_proj/MatMul_13"));
  EXPECT_TRUE(matchesNode("**", "a/b/c"));
  EXPECT_TRUE(matchesNode("a/**/z", "a/b/c/z"));
  // A single star behind a double one may have to be tried again further on.
  EXPECT_TRUE(matchesNode("**/*_proj/x", "a_proj/b/c_proj/x"));
}

TEST(Patterns, RangeIsOfNumbers) {
  EXPECT_TRUE(matchesNode("layers.[0-15]/**", "layers.9/mlp/up"));
  EXPECT_TRUE(matchesNode("layers.[0-15]/**", "layers.15/mlp/up"));
  EXPECT_FALSE(matchesNode("layers.[0-15]/**", "layers.16/mlp/up"));
  EXPECT_FALSE(matchesNode("layers.[0-1]/**", "layers.10/mlp/up"));
  EXPECT_TRUE(matchesNode("layers.[7]/x", "layers.7/x"));
  // What is no range stands for itself.
  EXPECT_TRUE(matchesNode("a[b]", "a[b]"));
}

TEST(Patterns, QuestionMarkIsOneCharacter) {
  EXPECT_TRUE(matchesNode("h.?", "h.3"));
  EXPECT_FALSE(matchesNode("h.?", "h.31"));
}
