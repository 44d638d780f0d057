//===- CheckTest.cpp - each check finds what it is for --------------------===//
//
// Every test damages one thing in a valid plan and expects exactly the findings
// that follow from it.
//
//===----------------------------------------------------------------------===//

#include "dougong/Package/Check.h"
#include "SamplePlan.h"
#include "dougong/Support/Sha256.h"

#include <gtest/gtest.h>

using namespace dougong;
using namespace dougong::test;
using plan::v1::Plan;

namespace {

class Check : public testing::Test {
protected:
  void SetUp() override {
    plan = samplePlan();
    makePackage(plan, folder.path);
  }

  /// The findings as "severity id subject: message", after renewing plan_id.
  std::vector<std::string> find() {
    auto written = writePlan(plan, folder.path);
    EXPECT_TRUE(written) << written.message();
    return lines(checkPlan(plan, folder.path));
  }

  static std::vector<std::string> lines(const std::vector<Finding> &findings) {
    std::vector<std::string> result;
    for (const Finding &f : findings)
      result.push_back(std::string(severityName(f.severity)) + " " + f.id + " " + f.subject + ": " +
                       f.message);
    return result;
  }

  /// Gives shard `index` of the weight other bytes of its file.
  void setShard(int index, std::uint64_t offset, std::uint64_t bytes) {
    auto *shard = plan.mutable_programs(0)->mutable_weights(0)->mutable_shards(index);
    shard->set_offset(offset);
    shard->set_bytes(bytes);
    shard->set_sha256(0, sha256(readFile(folder.path / shard->file())->substr(offset, bytes)));
  }

  /// Changes a byte of a file of the package.
  void flip(const char *file, std::uint64_t offset) {
    std::string bytes = *readFile(folder.path / file);
    bytes[offset] ^= 1;
    std::ofstream(folder.path / file) << bytes;
  }

  using Lines = std::vector<std::string>;
  TemporaryFolder folder{"check-test"};
  Plan plan;
};

TEST_F(Check, ValidPlanHasNoFindings) { EXPECT_EQ(find(), Lines{}); }

TEST_F(Check, WithoutAPackageFilesAreNotLookedFor) {
  ASSERT_TRUE(writePlan(plan, folder.path));
  std::filesystem::remove_all(folder.path / "programs");
  EXPECT_EQ(lines(checkPlan(plan, "")), Lines{});
}

//===----------------------------------------------------------------------===//
// schema, and the plan's own hash
//===----------------------------------------------------------------------===//

TEST_F(Check, SchemaNamesAndReferences) {
  plan.mutable_meshes(1)->set_id("m0");
  plan.mutable_stages(1)->set_mesh("m0");
  plan.mutable_stages(1)->set_program("p-other");
  plan.mutable_binding()->set_mode("maybe");
  auto found = find();
  ASSERT_GE(found.size(), 3u);
  EXPECT_EQ(found[0], "error schema binding.mode: expected 'abstract' or 'bound', got 'maybe'");
  EXPECT_EQ(found[1], "error schema meshes[1].id: 'm0' is taken by an earlier one");
  EXPECT_EQ(found[2], "error schema stage 'down': there is no program 'p-other'");
}

TEST_F(Check, SchemaMeshes) {
  plan.mutable_meshes(0)->clear_first_rank();
  plan.mutable_meshes(0)->mutable_axes(0)->set_size(0);
  auto found = find();
  ASSERT_GE(found.size(), 2u);
  EXPECT_EQ(found[0], "error schema mesh 'm0': axis 'tp' of mesh 'm0' must have a size of at "
                      "least 1, got 0");
  EXPECT_EQ(found[1], "error schema mesh 'm0': first_rank is missing");
}

TEST_F(Check, EmptyPlanIsNoCrash) {
  auto findings = checkPlan(Plan(), "");
  EXPECT_TRUE(hasErrors(findings));
  EXPECT_EQ(lines(findings),
            (Lines{"error schema api_version: expected 'dougong.plan/v1', got ''",
                   "error schema binding.mode: expected 'abstract' or 'bound', got ''",
                   "error schema plan_id: must not be empty",
                   "error schema stages: a plan needs at least one stage"}));
}

TEST_F(Check, EditedPlanIsFound) {
  ASSERT_TRUE(writePlan(plan, folder.path));
  plan.set_name("edited");
  auto findings = checkPlan(plan, folder.path);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].id, "hash-mismatch");
  EXPECT_EQ(findings[0].subject, "plan.json");
}

TEST_F(Check, UnreadablePlanIsASchemaFinding) {
  std::ofstream(folder.path / "plan.json") << R"({"api_version": "dougong.plan/v2"})";
  auto findings = checkPackage(folder.path);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].id, "schema");
  EXPECT_EQ(findings[0].subject, folder.path.string());
}

TEST_F(Check, PackageIsFoundByFolderAndByFile) {
  ASSERT_TRUE(writePlan(plan, folder.path));
  EXPECT_EQ(lines(checkPackage(folder.path)), Lines{});
  EXPECT_EQ(lines(checkPackage(folder.path / "plan.json")), Lines{});
}

TEST_F(Check, MicroBatches) {
  // The cache of the sample holds rows of all steps: no dim of it is the batch.
  auto *parts = plan.mutable_model()->mutable_micro_batches();
  parts->set_count(1);
  parts->set_batch("batch");
  EXPECT_EQ(find(), (Lines{"error micro-batches model: expected 2 to 4096 micro-batches, got 1",
                           "error micro-batches model output 'cache_out': dim 0 (past + batch) is "
                           "not the batch 'batch' itself, but depends on it"}));
  parts->set_count(2);
  parts->set_batch("rows");
  EXPECT_EQ(find(), Lines{"error micro-batches model: the batch 'rows' is no symbol of the model"});
}

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

TEST_F(Check, MissingFiles) {
  std::filesystem::remove(folder.path / "programs/p-up.so");
  std::filesystem::remove(folder.path / "weights/up.bin");
  EXPECT_EQ(find(),
            (Lines{"error file-missing programs/p-up.so: program 'p-up' needs this file, and it "
                   "is not there",
                   "error file-missing weights/up.bin: program 'p-up' weight 'up.weight' needs "
                   "this file, and it is not there"}));
}

TEST_F(Check, ChangedProgram) {
  std::ofstream(folder.path / "programs/p-up.so") << "UP program";
  std::ofstream(folder.path / "programs/p-down.so") << "longer than it was";
  auto found = find();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_TRUE(found[0].starts_with("error hash-mismatch programs/p-up.so: expected sha256 " +
                                   plan.programs(0).sha256() + ", got "))
      << found[0];
  EXPECT_EQ(found[1], "error hash-mismatch programs/p-down.so: expected 12 bytes, got 18");
  // Without hashing, only the size is seen.
  CheckOptions options;
  options.hashes = false;
  EXPECT_EQ(checkPlan(plan, folder.path, options).size(), 1u);
}

TEST_F(Check, ChangedWeights) {
  flip("weights/up.bin", 4096 + 95);
  auto found = find();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(found[0].starts_with(
      "error hash-mismatch weights/up.bin: bytes 4096 to 4192 (program 'p-up' weight "
      "'up.weight'): expected sha256 " +
      plan.programs(0).weights(0).shards(1).sha256(0) + ", got "))
      << found[0];
  CheckOptions options;
  options.hashes = false;
  EXPECT_EQ(lines(checkPlan(plan, folder.path, options)), Lines{});
}

TEST_F(Check, ChangedBytesBetweenWeights) {
  flip("weights/up.bin", 1000);
  EXPECT_EQ(find(), (Lines{"error hash-mismatch weights/up.bin: bytes 96 to 4096: expected zeros, "
                           "for no weight lies there"}));
}

TEST_F(Check, WeightsWithoutHashes) {
  plan.mutable_programs(0)->mutable_weights(0)->mutable_shards(0)->clear_sha256();
  auto found = find();
  ASSERT_GE(found.size(), 1u);
  EXPECT_EQ(found[0], "error weights program 'p-up' weight 'up.weight': a shard of 96 bytes has 0 "
                      "hashes, expected 1");
}

TEST_F(Check, PathsOutsideThePackage) {
  plan.mutable_programs(0)->set_path("../p-up.so");
  EXPECT_EQ(find(), (Lines{"error schema program 'p-up': '../p-up.so' is not a file inside the "
                           "package"}));
}

TEST_F(Check, WeightsOutsideTheirFile) {
  plan.mutable_programs(0)->mutable_weights(0)->mutable_shards(1)->set_offset(4097);
  EXPECT_EQ(find(), (Lines{"error weights program 'p-up' weight 'up.weight': a shard of 96 bytes "
                           "at offset 4097 lies outside 'weights/up.bin', which has 4192 bytes"}));
  plan.mutable_programs(0)->mutable_weights(0)->mutable_shards(1)->set_offset(UINT64_MAX);
  EXPECT_EQ(find().size(), 1u);
}

TEST_F(Check, AbiVersion) {
  plan.mutable_programs(1)->set_abi(1);
  EXPECT_EQ(find(), (Lines{"error abi-version program 'p-down': expected program ABI 4, got 1"}));
}

//===----------------------------------------------------------------------===//
// Ranks and chips
//===----------------------------------------------------------------------===//

TEST_F(Check, RanksWithAHole) {
  plan.mutable_meshes(1)->set_first_rank(3);
  plan.mutable_rank_sets(1)->set_first(3);
  EXPECT_EQ(find(), (Lines{"error ranks rank 2: no stage runs here: the meshes of the stages must "
                           "cover 0 to world - 1"}));
}

TEST_F(Check, RanksOfTwoStages) {
  plan.mutable_meshes(1)->set_first_rank(1);
  plan.mutable_rank_sets(1)->set_first(1);
  EXPECT_EQ(find(), (Lines{"error ranks stage 'down': its rank 1 belong to stage 'up' too: a rank "
                           "runs one stage",
                           "error ranks rank set 1: rank 1 is in an earlier rank set too",
                           "error ranks stage 'down': its mesh has 2 ranks, the rank sets give it "
                           "0"}));
}

TEST_F(Check, RankSetsThatDoNotCoverTheMeshes) {
  plan.mutable_rank_sets(0)->set_count(1);
  plan.mutable_rank_sets(1)->set_stride(2);
  EXPECT_EQ(find(),
            (Lines{"error ranks rank set 1: rank 4 is not in the mesh of stage 'down'",
                   "error ranks stage 'up': its mesh has 2 ranks, the rank sets give it 1",
                   "error ranks stage 'down': its mesh has 2 ranks, the rank sets give it 1"}));
}

TEST_F(Check, StridedRankSetsCover) {
  plan.mutable_rank_sets(0)->set_count(1);
  *plan.add_rank_sets() = plan.rank_sets(0);
  plan.mutable_rank_sets(2)->set_first(1);
  EXPECT_EQ(find(), Lines{});
}

TEST_F(Check, HugeWorldIsRefusedQuickly) {
  plan.mutable_meshes(1)->mutable_axes(0)->set_size(INT32_MAX);
  auto found = find();
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found[0], "error ranks plan: 2147483649 ranks are more than 16777216");
}

TEST_F(Check, ChipTypes) {
  plan.mutable_meshes(0)->set_chip_type("npu");
  EXPECT_EQ(find(), (Lines{"error chip-type mesh 'm0': the fleet has no chip type 'npu'",
                           "error chip-type rank set 0: says chip type 'cpu', but mesh 'm0' of "
                           "stage 'up' says 'npu'"}));
}

class BoundCheck : public Check {
protected:
  void SetUp() override {
    Check::SetUp();
    plan.mutable_binding()->set_mode("bound");
    plan.clear_rank_sets();
    for (std::uint32_t r = 0; r != 4; ++r) {
      auto *rank = plan.add_ranks();
      rank->set_rank(r);
      rank->set_stage(r < 2 ? "up" : "down");
      rank->set_node("n0");
      rank->set_chip("c" + std::to_string(r));
      rank->set_local_rank(r);
    }
  }
};

TEST_F(BoundCheck, ValidPlanHasNoFindings) { EXPECT_EQ(find(), Lines{}); }

TEST_F(BoundCheck, RanksMissingTwiceAndOfTheWrongStage) {
  plan.mutable_ranks(1)->clear_rank();
  plan.mutable_ranks(2)->set_stage("up");
  plan.mutable_ranks(3)->set_rank(2);
  EXPECT_EQ(find(), (Lines{"error ranks ranks[1]: its rank is missing",
                           "error ranks rank 2: says stage 'up', but it is in the mesh of stage "
                           "'down'",
                           "error ranks rank 2: it is listed twice",
                           "error ranks rank 1: not in the list of bound ranks",
                           "error ranks rank 3: not in the list of bound ranks"}));
}

TEST_F(BoundCheck, RankBeyondTheWorld) {
  plan.mutable_ranks(3)->set_rank(7);
  EXPECT_EQ(find(), (Lines{"error ranks rank 7: expected ranks 0 to 3: it is in no stage's mesh",
                           "error ranks rank 3: not in the list of bound ranks"}));
}

TEST_F(BoundCheck, PlacesOccupiedTwiceOrMissing) {
  plan.mutable_ranks(1)->set_chip("c0");
  plan.mutable_ranks(2)->set_local_rank(0);
  plan.mutable_ranks(3)->clear_node();
  EXPECT_EQ(find(), (Lines{"error placement rank 1: chip 'c0' of node 'n0' holds rank 0 already",
                           "error placement rank 2: local rank 0 of node 'n0' is rank 0 already",
                           "error placement rank 3: a bound rank needs a node and a chip"}));
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

TEST_F(Check, MemoryThatDoesNotFitNamesTheLargestPart) {
  auto *memory = plan.mutable_stages(1)->mutable_memory(0);
  memory->set_weights(1 << 20);
  memory->set_total((1 << 20) + 1792);
  auto findings = (void(find()), checkPlan(plan, folder.path));
  // 1 MiB + 1024 + 512 + 256 bytes against 1 MiB - 1 KiB; 2816 bytes too little.
  EXPECT_EQ(lines(findings),
            (Lines{"error memory-capacity stage 'down': a rank needs 1 MiB of pool 'host', chip "
                   "type 'cpu' has 1023 KiB, 2.75 KiB too little (weights 1 MiB, state 1 KiB, "
                   "activations 512 B, io 256 B); the largest part is weights"}));
  EXPECT_EQ(findings[0].remedy, "cut the weights over more ranks (tensor or pipeline parallel), or "
                                "quantise them");
}

TEST_F(Check, MemoryCapacityThatTheChipDoesNotHave) {
  plan.mutable_stages(0)->mutable_memory(0)->set_capacity(1 << 20);
  EXPECT_EQ(find(), (Lines{"error memory-capacity stage 'up': the proof counts on 1048576 bytes of "
                           "pool 'host', but chip type 'cpu' has 1047552 after what is reserved"}));
}

TEST_F(Check, MemoryProofThatDoesNotAddUp) {
  plan.mutable_stages(0)->mutable_memory(0)->set_total(4865);
  plan.mutable_stages(1)->mutable_memory(0)->set_bound("guess");
  EXPECT_EQ(find(), (Lines{"error memory-proof stage 'up': the parts of pool 'host' add up to 4864 "
                           "bytes, not to the 4865 of its total",
                           "error memory-proof stage 'down': bound of pool 'host' must be 'exact', "
                           "'upper' or 'estimate', got 'guess'"}));
}

TEST_F(Check, MemoryProofMissingOrSmallerThanTheWeights) {
  plan.mutable_stages(1)->clear_memory();
  auto *memory = plan.mutable_stages(0)->mutable_memory(0);
  memory->set_weights(95);
  memory->set_total(95 + 768);
  EXPECT_EQ(find(),
            (Lines{"error memory-proof stage 'up': the weights of its program take 96 bytes "
                   "of a rank, the proof counts 95",
                   "warning memory-proof stage 'down': there is no proof that it fits its "
                   "chips"}));
}

TEST_F(Check, MemoryProofOfUnknownStrength) {
  plan.mutable_stages(0)->mutable_memory(0)->set_bound("estimate");
  plan.mutable_stages(1)->mutable_memory(0)->set_capacity(0);
  EXPECT_EQ(find(), (Lines{"note memory-proof stage 'up': the amounts of pool 'host' are "
                           "estimates, not proved bounds",
                           "error memory-capacity stage 'down': the capacity of pool 'host' is 0, "
                           "but chip type 'cpu' has 1 MiB"}));
  plan.mutable_fleet()->mutable_chip_types(0)->clear_memory_bytes();
  EXPECT_EQ(find(), (Lines{"note memory-proof stage 'up': the amounts of pool 'host' are "
                           "estimates, not proved bounds",
                           "warning memory-proof stage 'down': the capacity of pool 'host' is not "
                           "known"}));
}

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

TEST_F(Check, Sharding) {
  auto *input = plan.mutable_programs(0)->mutable_inputs(0);
  input->mutable_sharding(1)->set_axes(0, "dp");
  EXPECT_EQ(find(), (Lines{"error sharding program 'p-up' input 0 'x': mesh 'm0' has no axis "
                           "'dp'"}));
  input->mutable_sharding()->RemoveLast();
  EXPECT_EQ(find(), (Lines{"error sharding program 'p-up' input 0 'x': sharding has 1 dims, the "
                           "value has 2"}));
}

TEST_F(Check, CutsOfExtentsThatDependOnData) {
  auto *symbol = plan.mutable_model()->add_symbols();
  symbol->set_name("found");
  plan.mutable_model()->mutable_outputs(0)->set_dims(0, "found");
  auto *output = plan.mutable_programs(1)->mutable_outputs(0);
  output->set_dims(0, "found");
  cut(output, 1, "tp");
  EXPECT_EQ(find(), Lines{});
  output->mutable_sharding()->SwapElements(0, 1);
  EXPECT_EQ(find(), (Lines{"error sharding program 'p-down' output 0 'y': it is cut along dim 0, "
                           "whose extent 'found' depends on data: no input tells 'found'"}));
}

TEST_F(Check, Groups) {
  auto *program = plan.mutable_programs(0);
  program->mutable_groups(0)->add_axes("tp");
  program->add_groups();
  program->add_groups()->add_axes("pp");
  EXPECT_EQ(find(), (Lines{"error group program 'p-up' group 0: axis 'tp' is named twice",
                           "error group program 'p-up' group 1: it has no axes",
                           "error group program 'p-up' group 2: mesh 'm0' has no axis 'pp'"}));
}

TEST_F(Check, Calls) {
  auto *program = plan.mutable_programs(0);
  auto *call = program->mutable_calls(0);
  call->set_group(1);
  call->set_reduction("mean");
  auto *gather = program->add_calls();
  gather->set_kind("all_gather");
  gather->set_dtype(8);
  gather->set_reduction("sum");
  gather->set_elements("-3");
  auto *other = program->add_calls();
  other->set_kind("broadcast");
  other->set_dtype(1);
  other->set_elements("1");
  auto *complexes = program->add_calls();
  complexes->set_kind("reduce_scatter");
  complexes->set_dtype(14);
  complexes->set_reduction("max");
  complexes->set_elements("1");
  EXPECT_EQ(find(),
            (Lines{"error call program 'p-up' call 0 (node '/up/MatMul'): it is over group 1, but "
                   "the program has 1 groups",
                   "error call program 'p-up' call 0 (node '/up/MatMul'): reduction 'mean' is not "
                   "one of sum, max, min, prod",
                   "error call program 'p-up' call 1: all_gather takes no reduction, got 'sum'",
                   "error call program 'p-up' call 1: elements of string cannot be sent",
                   "error call program 'p-up' call 1: the number of elements is negative: -3",
                   "error call program 'p-up' call 2: kind 'broadcast' is not one of all_reduce, "
                   "all_gather, reduce_scatter, all_to_all, ragged_all_to_all, permute",
                   "error call program 'p-up' call 3: elements of complex64 cannot be reduced"}));
}

TEST_F(Check, Permutations) {
  auto *program = plan.mutable_programs(0);
  auto *call = program->mutable_calls(0);
  call->set_from(1);
  program->add_groups();
  for (int from : {0, 1, 2}) {
    auto *permute = program->add_calls();
    permute->set_kind("permute");
    permute->set_dtype(1);
    permute->set_elements("4");
    permute->set_from(from);
  }
  EXPECT_EQ(
      find(),
      (Lines{"error group program 'p-up' group 1: it has no axes",
             "error call program 'p-up' call 0 (node '/up/MatMul'): all_reduce has no senders "
             "of their own, got group 1",
             "error call program 'p-up' call 2: its senders, group 1, are not along the axes "
             "of group 0",
             "error call program 'p-up' call 3: its senders are group 2, but the program has "
             "2 groups"}));
}

TEST_F(Check, Weights) {
  auto *weight = plan.mutable_programs(0)->mutable_weights(0);
  weight->mutable_shards()->RemoveLast();
  std::ofstream(folder.path / "weights/up.bin") << std::string(95, 'w');
  setShard(0, 0, 95);
  EXPECT_EQ(find(), (Lines{"error weights program 'p-up' weight 'up.weight': it is cut into 2 by "
                           "its axes of mesh 'm0', but there are 1 shards",
                           "error weights program 'p-up' weight 'up.weight': shard 0 has 95 bytes, "
                           "its dims need 96"}));
}

TEST_F(Check, PackedWeightsMayBePadded) {
  auto *weight = plan.mutable_programs(0)->mutable_weights(0);
  weight->set_layout("panel 32x8");
  setShard(0, 0, 128);
  EXPECT_EQ(find(), Lines{});
  std::ofstream(folder.path / "weights/up.bin")
      << std::string(64, 'w') << std::string(4032, '\0') << std::string(96, 'w');
  setShard(0, 0, 64);
  EXPECT_EQ(find(), (Lines{"error weights program 'p-up' weight 'up.weight': shard 0 has 64 bytes, "
                           "its dims need at least 96"}));
}

TEST_F(Check, FourBitWeightsTakeHalfBytes) {
  // 3 x 5 elements of 4 bits: 60 bits, 8 bytes.
  auto *weight = plan.mutable_programs(0)->mutable_weights(0);
  weight->set_dtype(22);
  weight->set_dims(0, 3);
  weight->set_dims(1, 5);
  std::ofstream(folder.path / "weights/up.bin")
      << std::string(8, 'w') << std::string(4088, '\0') << std::string(8, 'w');
  setShard(0, 0, 8);
  setShard(1, 4096, 8);
  EXPECT_EQ(find(), Lines{});
}

TEST_F(Check, Symbols) {
  plan.mutable_programs(0)->mutable_calls(0)->set_elements("batch * seq");
  plan.mutable_programs(0)->mutable_work()->set_flops("batch +");
  plan.mutable_model()->mutable_symbols(1)->set_min(65);
  EXPECT_EQ(find(),
            (Lines{"error symbol symbol 'past': its range is empty: 65 to 64",
                   "error symbol program 'p-up' call 0 (node '/up/MatMul'): 'batch * seq' uses "
                   "symbol 'seq', which the model does not have",
                   "error symbol program 'p-up' work: invalid dim expression 'batch +', column 8: "
                   "expected a number, a symbol or '('"}));
}

//===----------------------------------------------------------------------===//
// Transfers and state
//===----------------------------------------------------------------------===//

TEST_F(Check, TransferPorts) {
  plan.mutable_transfers(0)->mutable_from()->set_model("z");
  plan.mutable_transfers(1)->mutable_from()->mutable_port()->set_index(5);
  plan.mutable_transfers(2)->mutable_to()->mutable_port()->set_stage(9);
  plan.mutable_transfers(3)->clear_to();
  EXPECT_EQ(find(),
            (Lines{"error transfer transfer 0 ('x'): the model has no input 'z'",
                   "error transfer transfer 1 ('h'): there is no stage 'up' output 5, its program "
                   "has 1",
                   "error transfer transfer 2 ('cache'): there is no stage 9, the plan has 2",
                   "error transfer transfer 3 ('y'): it has no destination",
                   "error transfer stage 'down': nothing feeds its input 1, 'cache'",
                   "error transfer model output 'y': no stage produces it"}));
}

TEST_F(Check, TransferFedTwice) {
  *plan.add_transfers() = plan.transfers(1);
  EXPECT_EQ(find(), (Lines{"error transfer transfer 5 ('h'): stage 'down' input 0 is fed twice"}));
}

TEST_F(Check, TransferTypes) {
  plan.mutable_programs(1)->mutable_inputs(0)->set_dims(1, "7");
  plan.mutable_programs(0)->mutable_inputs(0)->set_dtype(10);
  plan.mutable_programs(1)->mutable_outputs(0)->set_dims(0, "past");
  EXPECT_EQ(find(),
            (Lines{"error transfer transfer 0 ('x'): its ends differ: f32 [batch, 8] and f16 "
                   "[batch, 8]",
                   "error transfer transfer 1 ('h'): its ends differ in dim 1: f32 [batch, 6] and "
                   "f32 [batch, 7]",
                   "warning transfer transfer 3 ('y'): it is not proved that 'past' equals 'batch' "
                   "in dim 0; the runner checks it in every step"}));
}

TEST_F(Check, StagesInACircle) {
  // y goes back into stage up instead of x.
  plan.mutable_transfers(0)->mutable_from()->mutable_port()->set_stage(1);
  plan.mutable_programs(0)->mutable_inputs(0)->set_dims(1, "4");
  auto found = find();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0],
            "error stage-order stage 'up': stages wait for each other: 'up' -> 'down' -> 'up'");
}

TEST_F(Check, StatesThatTheModelDoesNotHave) {
  auto *state = plan.mutable_model()->add_states();
  state->set_input("cache");
  state->set_output("z");
  EXPECT_EQ(find(), (Lines{"error state state 'cache': the model has no output 'z'",
                           "error state state 'cache': the input is in two states"}));
}

TEST_F(Check, StatesOfAnotherType) {
  plan.mutable_model()->mutable_outputs(1)->set_dtype(10);
  plan.mutable_programs(1)->mutable_outputs(1)->set_dtype(10);
  EXPECT_EQ(find(), (Lines{"error state state 'cache': its input is f32 [past, 4], its output f16 "
                           "[past + batch, 4]"}));
}

TEST_F(Check, StatesThatMove) {
  cut(plan.mutable_programs(1)->mutable_outputs(1), 1, "tp");
  EXPECT_EQ(find(), (Lines{"warning state state 'cache': it moves in every step: it is written and "
                           "read with different shardings"}));
}

//===----------------------------------------------------------------------===//
// Statements of the plan
//===----------------------------------------------------------------------===//

TEST_F(Check, Policies) {
  auto *policy = plan.mutable_policies(0);
  policy->set_value(0.25);
  EXPECT_EQ(find(), (Lines{"error policy policy 'domestic-share': the verdict is 'pass', but the "
                           "share is 0.25 against a threshold of 0.5, by chips"}));
  policy->set_verdict("fail");
  EXPECT_EQ(find(), (Lines{"error policy policy 'domestic-share': it fails: 0.25 against a "
                           "threshold of 0.5, by chips"}));
  policy->set_verdict("unknown");
  EXPECT_EQ(find(), (Lines{"warning policy policy 'domestic-share': it could not be decided, on "
                           "the basis of chips"}));
}

TEST_F(Check, WarningsAndFallbacks) {
  auto *fallback = plan.add_fallbacks();
  fallback->set_node("/nms");
  fallback->set_op("NonMaxSuppression");
  fallback->set_reason("library call");
  plan.add_warnings("no upper bound of past");
  EXPECT_EQ(find(), (Lines{"note fallback node '/nms': NonMaxSuppression took a slow path: "
                           "library call",
                           "warning planner plan: no upper bound of past"}));
}

TEST(CheckForms, JsonAndText) {
  std::vector<Finding> findings = {
      {"ranks", Severity::Error, "rank 1", "it is \"listed\" twice", ""},
      {"fallback", Severity::Warning, "node 'n'", "slow", "wait"}};
  EXPECT_TRUE(hasErrors(findings));
  EXPECT_EQ(findingsToText(findings), "error: rank 1: it is \"listed\" twice [ranks]\n"
                                      "warning: node 'n': slow [fallback]\n"
                                      "  remedy: wait\n");
  EXPECT_EQ(findingsToJson(findings).print(), R"([
  {
    "id": "ranks",
    "message": "it is \"listed\" twice",
    "severity": "error",
    "subject": "rank 1"
  },
  {
    "id": "fallback",
    "message": "slow",
    "remedy": "wait",
    "severity": "warning",
    "subject": "node 'n'"
  }
])");
}

} // namespace
