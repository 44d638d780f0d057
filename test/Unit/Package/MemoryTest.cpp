//===- MemoryTest.cpp - bounds of memory, counted by hand ------------------===//

#include "dougong/Package/Memory.h"

#include "SamplePlan.h"
#include "dougong/Package/Check.h"

using namespace dougong;
using namespace dougong::test;

namespace {

/// The sample plan: batch and past are 0 to 64; f32.
class Memory : public ::testing::Test {
protected:
  Memory() : plan(samplePlan()) {
    auto *allocation = plan.mutable_programs(1)->mutable_allocation();
    allocation->add_arena("64 * (batch * (past + batch) ceildiv 16)");
    allocation->add_arena("128");
    allocation->add_workspace("256");
    allocation->add_workspace("8 * batch");
    plan.mutable_stages(1)->clear_memory();
  }
  plan::v1::Memory bound() {
    auto result = boundMemory(plan, 1, ModelRanges::of(plan.model()));
    EXPECT_TRUE(result) << result.message();
    return result ? result->memory : plan::v1::Memory();
  }
  plan::v1::Plan plan;
};

TEST_F(Memory, AddsUpTheCausesAtTheGreatestExtents) {
  plan::v1::Memory memory = bound();
  EXPECT_EQ(memory.weights(), 0u);
  // cache[64, 4] as it arrives, cache_out[128, 4] as it leaves.
  EXPECT_EQ(memory.state(), 64u * 4 * 4 + 128 * 4 * 4);
  // 64 * ceil(64 * 128 / 16) + 128.
  EXPECT_EQ(memory.activations(), 64u * 512 + 128);
  // h[64, 6], of which each of two ranks holds 3 columns; y[64, 4].
  EXPECT_EQ(memory.io(), 64u * 3 * 4 + 64 * 4 * 4);
  // The pieces of h (3 columns); and a reduction of [64, 4] of both ranks.
  EXPECT_EQ(memory.collectives(), 64u * 3 * 4 + 2 * 64 * 4 * 4);
  EXPECT_EQ(memory.workspace(), 512u);
  EXPECT_EQ(memory.total(), memory.state() + memory.activations() + memory.io() +
                                memory.collectives() + memory.workspace());
  EXPECT_EQ(memory.bound(), "upper");
}

/// 4 parts of 16 rows.
TEST_F(Memory, OfMicroBatchesWhatIsAliveIsCounted) {
  plan.mutable_model()->mutable_micro_batches()->set_count(4);
  plan.mutable_model()->mutable_micro_batches()->set_batch("batch");
  plan::v1::Memory memory = bound();
  // cache[64, 4] and cache_out[64 + 16, 4], of all parts.
  EXPECT_EQ(memory.state(), 4 * (64u * 4 * 4 + 80 * 4 * 4));
  // 64 * ceil(16 * 80 / 16) + 128, of one.
  EXPECT_EQ(memory.activations(), 64u * 80 + 128);
  // h[16, 6] of one, of which each of two ranks holds 3 columns; y[16, 4] of all.
  EXPECT_EQ(memory.io(), 16u * 3 * 4 + 4 * 16 * 4 * 4);
  EXPECT_EQ(memory.collectives(), 16u * 3 * 4 + 2 * 16 * 4 * 4);
  EXPECT_EQ(memory.workspace(), 256u);
  // Never more parts than rows.
  plan.mutable_model()->mutable_micro_batches()->set_count(100);
  EXPECT_EQ(bound().state(), 64 * (64u * 4 * 4 + 65 * 4 * 4));
}

TEST_F(Memory, ACarriedValueThatIsCutAnewIsHeldTwice) {
  // The cache leaves cut by rows and arrives cut by columns.
  cut(plan.mutable_programs(1)->mutable_outputs(1), 0, "tp");
  cut(plan.mutable_programs(1)->mutable_inputs(1), 1, "tp");
  plan::v1::Memory memory = bound();
  // In: [64, 2]; out: [64, 4], the carried one and the new one.
  EXPECT_EQ(memory.state(), 64u * 2 * 4 + 2 * 64 * 4 * 4);
}

TEST_F(Memory, ASymbolWithoutAnUpperBoundIsNamed) {
  plan.mutable_model()->mutable_symbols(1)->clear_max();
  auto result = boundMemory(plan, 1, ModelRanges::of(plan.model()));
  ASSERT_TRUE(result);
  EXPECT_EQ(result->assumed, std::set<std::string>{"past"});
  EXPECT_EQ(result->memory.bound(), "estimate");
  // past is 1: cache[1, 4], cache_out[65, 4].
  EXPECT_EQ(result->memory.state(), 4u * 4 + 65 * 4 * 4);

  ASSERT_TRUE(proveMemory(plan, 1, "host", 1 << 20));
  std::string found;
  for (const Finding &finding : checkPlan(plan, {}))
    if (finding.id == "memory-proof" && finding.subject == "stage 'down'")
      found += finding.message + "; " + finding.remedy;
  EXPECT_EQ(found, "there is no proof that it fits its chips: dim 'past' has no upper bound, the "
                   "amounts are for 1; compile with --dim past=LOW..HIGH");
}

TEST_F(Memory, AMisfitNamesThePartAndTheNearestRequest) {
  ASSERT_TRUE(proveMemory(plan, 1, "host", 24192));
  // For batch b and past p: state 16 (b + 2 p), activations
  // 64 ceil(b (b + p) / 16) + 128, io 28 b, collectives 44 b, workspace
  // max(256, 8 b). In all 24,096 for b = 64, p = 5, and 24,384 for p = 6;
  // 24,064 for b = 42, p = 64, and 24,736 for b = 43.
  std::string text = describeMisfit(plan, 1);
  EXPECT_EQ(text, "stage 'down' does not fit: a rank needs 40.1 KiB, chip 'cpu' has 23.6 KiB "
                  "(state 3 KiB, activations 32.1 KiB, io 1.75 KiB, collectives 2.75 KiB, "
                  "workspace 512 B); the largest part is activations; it would fit with "
                  "--dim batch=0..42 or --dim past=0..5");
}

TEST_F(Memory, CheckComparesTheProofWithTheProgram) {
  ASSERT_TRUE(proveMemory(plan, 1, "host", 1 << 20));
  auto *memory = plan.mutable_stages(1)->mutable_memory(0);
  memory->set_activations(memory->activations() - 64);
  memory->set_total(memory->total() - 64);
  std::string found;
  for (const Finding &finding : checkPlan(plan, {}))
    if (finding.id == "memory-proof" && finding.subject == "stage 'down'")
      found += finding.message;
  EXPECT_EQ(found, "the proof counts 32832 bytes of activations, its program needs up to 32896");
}

/// The mesh of the other stage, whose product of axes does not fit 64 bits.
TEST_F(Memory, AMeshThatIsTooLargeIsRefused) {
  auto *mesh = plan.mutable_meshes(0);
  for (auto &axis : *mesh->mutable_axes())
    axis.set_size(std::int64_t{1} << 40);
  for (const char *name : {"more", "most"}) {
    auto *axis = mesh->add_axes();
    axis->set_name(name);
    axis->set_size(std::int64_t{1} << 40);
  }
  for (auto &program : *plan.mutable_programs())
    for (auto &value : *program.mutable_outputs())
      for (auto &dim : *value.mutable_sharding())
        if (!dim.axes().empty())
          dim.add_axes("more"), dim.add_axes("most");
  auto result = boundMemory(plan, 1, ModelRanges::of(plan.model()));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.message(),
            "stage 'down': mesh '" + mesh->id() + "' has more than 2^31 - 1 ranks");
}

} // namespace
