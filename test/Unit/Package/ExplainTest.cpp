//===- ExplainTest.cpp - answers about ranks, values, weights, nodes ------===//

#include "dougong/Package/Explain.h"
#include "SamplePlan.h"

#include <gtest/gtest.h>

using namespace dougong;
using namespace dougong::test;

namespace {

std::string explain(const plan::v1::Plan &plan, std::string_view subject,
                    const SymbolValues &symbols = {}) {
  auto text = explainPlan(plan, subject, symbols);
  return text ? text->text : "error " + text.message();
}

TEST(Explain, RankWithSymbols) {
  EXPECT_EQ(explain(samplePlan(), "1", {{"batch", 10}}),
            "rank 1: stage 'up', mesh m0 (tp=2) at tp=1, chip type cpu\n"
            "  nodes: /up/MatMul\n"
            "  program p-up (programs/p-up.so)\n"
            "  input x: f32 [batch, 8], elements [0, 10) x [4, 8)\n"
            "  output h: f32 [batch, 6], elements [0, 10) x [0, 6)\n"
            "  weight up.weight: shard 1 of 2, 96 B at 4096 of weights/up.bin\n"
            "  group over tp: ranks 0, 1\n"
            "  memory host: 4.75 KiB of 1023 KiB (upper)\n"
            "  work in one step: 480 matmul flop over 96 B of matrix weights, 240 B sent\n");
}

TEST(Explain, RankWithoutSymbolsNamesParts) {
  std::string text = explain(samplePlan(), "rank 2");
  EXPECT_NE(text.find("input h: f32 [batch, 6], dim 1: part 0 of 2 (tp)\n"), std::string::npos)
      << text;
}

TEST(Explain, GroupsFollowTheMesh) {
  plan::v1::Plan plan = samplePlan();
  auto *axis = plan.mutable_meshes(1)->add_axes();
  axis->set_name("dp");
  axis->set_size(3);
  // Ranks 2 to 7 are (tp, dp) row-major; rank 6 is tp 1, dp 1; with dp 1 is rank 3.
  std::string text = explain(plan, "6");
  EXPECT_NE(text.find("at tp=1, dp=1"), std::string::npos) << text;
  EXPECT_NE(text.find("group over tp: ranks 3, 6\n"), std::string::npos) << text;
}

TEST(Explain, Values) {
  EXPECT_EQ(explain(samplePlan(), "h"),
            "stage 'up' makes h: f32 [batch, 6], whole on every rank\n"
            "stage 'down' reads h: f32 [batch, 6], cut in dim 1 by tp\n"
            "  moves from stage 'up' output 0 'h' to stage 'down' input 0 'h'\n");
  std::string cache = explain(samplePlan(), "cache");
  EXPECT_NE(cache.find("  state: output cache_out is input cache of the next step\n"),
            std::string::npos)
      << cache;
}

TEST(Explain, Weights) {
  EXPECT_EQ(explain(samplePlan(), "up.weight"),
            "weight up.weight of program p-up (stages 'up'): f32 [4, 6] of a rank, row-major\n"
            "  cut by tp into 2 shards\n"
            "  shard 0: 96 bytes at 0 of weights/up.bin\n"
            "  shard 1: 96 bytes at 4096 of weights/up.bin\n");
}

TEST(Explain, NodesByNameAndByPattern) {
  plan::v1::Plan plan = samplePlan();
  auto *replicated = plan.mutable_programs(0)->mutable_work()->add_replicated();
  replicated->set_node("/up/MatMul");
  replicated->set_reason("too small to cut");
  replicated->set_flops("12");
  EXPECT_EQ(explain(plan, "/up/MatMul"),
            "node /up/MatMul runs in stage 'up' on ranks 0-1: mesh m0 of chip type cpu\n"
            "  program p-up call 0: all_reduce sum of batch * 6 elements of f32 over tp\n"
            "  program p-up: every rank repeats its 12 flop: too small to cut\n");
  plan.mutable_stages(0)->add_nodes("layers.*/mlp/*");
  EXPECT_EQ(explain(plan, "layers.7/mlp/Add"),
            "node layers.7/mlp/Add runs in stage 'up' on ranks 0-1: mesh m0 of chip type cpu\n");
  EXPECT_EQ(explain(plan, "layers.7/attn/Add").substr(0, 5), "error");
}

TEST(Explain, NodesSayWhatTheyCostAndRead) {
  plan::v1::Plan plan = samplePlan();
  auto *node = plan.mutable_programs(0)->mutable_work()->add_nodes();
  node->set_name("/up/MatMul");
  node->set_op("MatMul");
  node->set_flops("batch * 48");
  node->add_outputs("h0");
  node->add_weights("up.weight");
  std::string text = explain(plan, "/up/MatMul");
  EXPECT_EQ(text.substr(0, text.find("  program")),
            "node /up/MatMul (MatMul) runs in stage 'up' on ranks 0-1: mesh m0 of chip type cpu\n"
            "  makes h0\n"
            "  costs each rank batch * 48 flop in one step\n"
            "  reads weight up.weight: f32 [4, 6] of a rank, cut by tp into 2 shards\n");
  EXPECT_EQ(explain(plan, "h0"), "node /up/MatMul (MatMul) in stage 'up' makes h0\n");
}

TEST(Explain, StagesByName) {
  EXPECT_EQ(explain(samplePlan(), "down"),
            "stage 'down' on ranks 2-3: mesh m1 (tp=2), chip type cpu\n"
            "  nodes: /down/MatMul\n"
            "  program p-down\n"
            "  memory host: 5.75 KiB of 1023 KiB (upper)\n");
}

TEST(Explain, FactsAsJson) {
  auto weight = explainPlan(samplePlan(), "up.weight");
  ASSERT_TRUE(weight) << weight.message();
  Json json = weight->toJson();
  ASSERT_EQ(weight->facts.size(), 1u);
  const Json &fact = weight->facts[0];
  EXPECT_EQ(*json.find("subject")->asString(), "up.weight");
  EXPECT_EQ(*fact.find("kind")->asString(), "weight");
  EXPECT_EQ(*fact.find("axes"), Json(Json::Array{"tp"}));
  EXPECT_EQ(fact.find("shards")->asArray()->size(), 2u);
  auto rank = explainPlan(samplePlan(), "3");
  ASSERT_TRUE(rank) << rank.message();
  EXPECT_EQ(*rank->facts[0].find("stage"), Json("down"));
  EXPECT_EQ(*rank->facts[0].find("coordinates")->find("tp"), Json(1));
}

TEST(Explain, UnknownNamesGetSimilarOnes) {
  EXPECT_EQ(explain(samplePlan(), "up.wieght"),
            "error the plan says nothing about 'up.wieght'; similar: 'up.weight'");
  EXPECT_EQ(explain(samplePlan(), "MatMul"),
            "error the plan says nothing about 'MatMul'; similar: '/down/MatMul', '/up/MatMul'");
  EXPECT_EQ(explain(samplePlan(), "99"),
            "error the plan says nothing about '99'; it knows ranks, and the names of stages, "
            "values, weights and nodes");
}

} // namespace
