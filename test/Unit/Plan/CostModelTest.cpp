//===- CostModelTest.cpp - predicted times against arithmetic by hand ------===//
//
// The fleet has round figures, so that every expected value is a line of
// arithmetic.
//
//===----------------------------------------------------------------------===//
#include "dougong/Plan/CostModel.h"

#include "dougong/Fleet/Yaml.h"

#include "gtest/gtest.h"

using namespace dougong;
using namespace dougong::planner;

namespace {

constexpr const char *fleetText = R"(
version: 1
name: test
provenance: {kind: published}
chips:
  - id: npu
    vendor: v
    domestic: true
    peak: {fp16: 100TFLOP/s}
    memory: {kind: HBM, bytes: 10GB, bandwidth: 1000GB/s}
    efficiency: {gemm: 0.5}
    launch_overhead: 10us
  - id: blind
    vendor: v
    domestic: true
levels:
  - {name: node, size: 4, bandwidth: 100GB/s, direction: uni, latency: 1us}
  - {name: site, bandwidth: 20GB/s, direction: bi, latency: 5us}
  - {name: dark, size: 8}
pools:
  - {id: a, chip: npu, count: 16, nodes: 4, path: [node, site]}
  - {id: b, chip: npu, count: 8, nodes: 1, path: [dark]}
  - {id: c, chip: blind, count: 1}
cross_paths:
  - {from: a, to: b, via: host-staged, bandwidth: 10GB/s, latency: 50us}
)";

class CostModelTest : public ::testing::Test {
protected:
  void SetUp() override {
    llvm::Expected<fleet::Fleet> read = fleet::readFleet(fleetText, "test.yaml");
    ASSERT_TRUE(bool(read)) << llvm::toString(read.takeError());
    site = std::move(*read);
  }
  const fleet::Pool &pool(llvm::StringRef id) { return *site.findPool(id); }
  double time(llvm::StringRef kind, double bytes, llvm::ArrayRef<int64_t> chips) {
    llvm::Expected<double> result =
        PoolNetwork(site, pool("a")).getCollectiveTime(kind, bytes, chips, log);
    EXPECT_TRUE(bool(result));
    return result ? *result : -1;
  }
  template <typename T> std::string failure(llvm::Expected<T> result) {
    return result ? "no error" : llvm::toString(result.takeError());
  }

  fleet::Fleet site;
  FigureLog log;
};

TEST_F(CostModelTest, AnOperatorTakesTheLongerOfComputingAndReading) {
  llvm::Expected<ChipModel> model = ChipModel::create(*site.findChip("npu"));
  ASSERT_TRUE(bool(model));
  // 1e12 flops at 50 TFLOP/s: 20 ms; 4e9 bytes at 800 GB/s (0.8 is assumed): 5 ms.
  llvm::Expected<OpTime> time = model->getTime({1e12, 4e9, "fp16", true, true}, log);
  ASSERT_TRUE(bool(time));
  EXPECT_DOUBLE_EQ(time->compute, 0.02);
  EXPECT_DOUBLE_EQ(time->memory, 0.005);
  EXPECT_DOUBLE_EQ(time->launch, 1e-5);
  EXPECT_DOUBLE_EQ(time->getTotal(), 0.02001);
  EXPECT_EQ(log.getWeakest(), "assumed") << "the efficiency of memory";
  // fp32 is half of fp16, as wide again.
  time = model->getTime({1e12, 0, "fp32", true, true}, log);
  ASSERT_TRUE(bool(time));
  EXPECT_DOUBLE_EQ(time->compute, 0.04);
  // int8 is no faster than what is known.
  time = model->getTime({1e12, 0, "int8", true, true}, log);
  ASSERT_TRUE(bool(time));
  EXPECT_DOUBLE_EQ(time->compute, 0.02);
  // A view is free.
  time = model->getTime({1e12, 1e9, "fp16", true, false}, log);
  ASSERT_TRUE(bool(time));
  EXPECT_EQ(time->getTotal(), 0);
}

TEST_F(CostModelTest, CollectivesOfOneNode) {
  // 4 chips, 8 MB: 3 us + 3/4 * 8e6 / 1e11 = 60 us.
  EXPECT_DOUBLE_EQ(time("all_gather", 8e6, {0, 1, 2, 3}), 63e-6);
  EXPECT_DOUBLE_EQ(time("reduce_scatter", 8e6, {0, 1, 2, 3}), 63e-6);
  EXPECT_DOUBLE_EQ(time("all_reduce", 8e6, {0, 1, 2, 3}), 126e-6);
  // A small value goes to everyone at once: 1 us + 3 * 1e3 / 1e11.
  EXPECT_DOUBLE_EQ(time("all_reduce", 1e3, {0, 1, 2, 3}), 1.03e-6);
  // 3 us + 8e6 * 3/4 / 1e11.
  EXPECT_DOUBLE_EQ(time("all_to_all", 8e6, {0, 1, 2, 3}), 63e-6);
  EXPECT_DOUBLE_EQ(time("ragged_all_to_all", 8e6, {0, 1, 2, 3}), 63e-6);
}

TEST_F(CostModelTest, CollectivesOverTwoLevels) {
  // 2 nodes of 4; the site's 20 GB/s count both ways: 10 GB/s.
  // node: 3 us + 60 us; site: 5 us + 1/2 * 8e6 / 4 / 1e10 = 100 us.
  EXPECT_NEAR(time("all_gather", 8e6, {0, 1, 2, 3, 4, 5, 6, 7}), 168e-6, 1e-12);
  EXPECT_NEAR(time("all_reduce", 8e6, {0, 1, 2, 3, 4, 5, 6, 7}), 336e-6, 1e-12);
  // One chip of each node: 5 us + 1/2 * 8e6 / 1e10.
  EXPECT_NEAR(time("all_gather", 8e6, {0, 4}), 405e-6, 1e-12);
  EXPECT_EQ(time("all_gather", 8e6, {5}), 0);
}

TEST_F(CostModelTest, Messages) {
  PoolNetwork network(site, pool("a"));
  llvm::Expected<double> near = network.getMessageTime(1e6, 0, 3, log);
  llvm::Expected<double> far = network.getMessageTime(1e6, 3, 4, log);
  llvm::Expected<double> across = getCrossTime(site, "b", "a", 1e6, log);
  ASSERT_TRUE(bool(near) && bool(far) && bool(across));
  EXPECT_DOUBLE_EQ(*near, 11e-6);
  EXPECT_DOUBLE_EQ(*far, 105e-6);
  EXPECT_DOUBLE_EQ(*across, 150e-6);
}

TEST_F(CostModelTest, MissingFiguresAreNamed) {
  EXPECT_EQ(failure(ChipModel::create(*site.findChip("blind"))),
            "chip 'blind' has no memory.bandwidth");
  EXPECT_EQ(failure(PoolNetwork(site, pool("b")).getCollectiveTime("all_gather", 1, {0, 1}, log)),
            "level 'dark' has no bandwidth");
  EXPECT_EQ(failure(PoolNetwork(site, pool("c")).getMessageTime(1, 0, 1, log)),
            "no level joins chips 0 and 1 of pool 'c'");
  EXPECT_EQ(failure(getCrossTime(site, "a", "c", 1, log)), "no cross path joins pools 'a' and 'c'");
}

} // namespace
