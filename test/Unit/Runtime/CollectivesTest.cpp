//===- CollectivesTest.cpp - both back ends -------------------------------===//
#include "dougong/Runtime/Collectives.h"

#include "CollectiveChecks.h"
#include "Command.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <thread>

using namespace dougong;

/// Runs `task` on a thread for each rank.
static void onRanks(std::vector<std::unique_ptr<Collectives>> &ends,
                    const std::function<void(Collectives &)> &task) {
  std::vector<std::thread> threads;
  for (auto &end : ends)
    threads.emplace_back([&] { task(*end); });
  for (std::thread &thread : threads)
    thread.join();
}

TEST(ThreadCollectives, AgreeWithPlainLoops) {
  for (int ranks : {1, 2, 3, 4, 7})
    for (unsigned seed = 0; seed < 4; ++seed) {
      auto ends = createThreadCollectives(ranks, {std::chrono::seconds(60), seed % 2 == 1});
      onRanks(ends, [&](Collectives &end) { EXPECT_EQ(checkCollectives(end, seed), ""); });
    }
}

TEST(ThreadCollectives, MaxAndMinKeepNaN) {
  auto ends = createThreadCollectives(3, {});
  onRanks(ends, [&](Collectives &end) {
    float source[3] = {1.0f * end.rank(), 5, 5}, result[3];
    source[end.rank()] = NAN; // each element has a NaN on another rank
    for (dougong_reduction reduction : {DOUGONG_MAX, DOUGONG_MIN}) {
      ASSERT_TRUE(end.allReduce(0, source, result, 3, DOUGONG_F32, reduction, {}));
      for (float value : result)
        EXPECT_TRUE(std::isnan(value));
    }
  });
}

TEST(ThreadCollectives, SumsOfBf16AccumulateInF32) {
  // 256 + 1 + 1 + 1 + 1: each step rounds to 256 in bf16, the f32 sum is 260.
  auto ends = createThreadCollectives(5, {});
  onRanks(ends, [&](Collectives &end) {
    std::uint16_t value = end.rank() == 0 ? 0x4380 : 0x3f80, result = 0;
    ASSERT_TRUE(end.allReduce(0, &value, &result, 1, DOUGONG_BF16, DOUGONG_SUM, {}));
    EXPECT_EQ(result, 0x4382); // 260
  });
}

TEST(ThreadCollectives, TimeoutNamesTheMissingRankAndTheCall) {
  auto ends = createThreadCollectives(3, {std::chrono::milliseconds(100), false});
  onRanks(ends, [&](Collectives &end) {
    if (end.rank() == 1)
      return;
    float value = 0;
    Result<void> done =
        end.allReduce(0, &value, &value, 1, DOUGONG_F32, DOUGONG_SUM, {3, "mlp/MatMul"});
    ASSERT_FALSE(done);
    EXPECT_EQ(done.message(), "rank " + std::to_string(end.rank()) +
                                  ": all_reduce (call 3, node 'mlp/MatMul') timed out after 100 "
                                  "ms: no call from rank 1");
  });
}

TEST(ThreadCollectives, ReceiveTimeoutNamesTheSender) {
  auto ends = createThreadCollectives(2, {std::chrono::milliseconds(50), false});
  float value = 0;
  Result<void> done = ends[0]->receive(1, 4, &value, 4, {-1, "hidden"});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.message(), "rank 0: receive (node 'hidden') from rank 1 timed out after 50 ms");
}

TEST(ThreadCollectives, DifferentCallsAreFound) {
  auto ends = createThreadCollectives(2, {std::chrono::seconds(10), false});
  onRanks(ends, [&](Collectives &end) {
    float value[4] = {};
    Result<void> done = end.rank() == 0
                            ? end.allReduce(0, value, value, 2, DOUGONG_F32, DOUGONG_SUM, {1})
                            : end.barrier(0, {});
    ASSERT_FALSE(done);
    if (end.rank() == 0)
      EXPECT_EQ(done.message(), "ranks disagree: rank 0 calls all_reduce (call 1) of 2 float32, "
                                "rank 1 calls barrier of 0 uint8");
  });
}

TEST(ThreadCollectives, WrongLengthIsFound) {
  auto ends = createThreadCollectives(2, {std::chrono::seconds(10), false});
  float value[2] = {};
  auto request = ends[0]->startSend(1, 0, value, 8);
  ASSERT_TRUE(request);
  Result<void> done = ends[1]->receive(0, 0, value, 4);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.message(), "rank 1: receive from rank 0: expected 4 bytes, got 8");
  ends[1]->abort("stop", 0);
}

TEST(ThreadCollectives, AbortWakesWaitingRanks) {
  auto ends = createThreadCollectives(3, {std::chrono::minutes(5), false});
  onRanks(ends, [&](Collectives &end) {
    if (end.rank() == 2) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      return end.abort("rank 2 failed: out of luck", 0);
    }
    float value = 0;
    Result<void> done = end.rank() == 0 ? end.barrier(0, {}) : end.receive(2, 0, &value, 4);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.message(), "rank 2 failed: out of luck");
  });
}

TEST(ThreadCollectives, UnknownTypesAndRanksAreRefused) {
  auto ends = createThreadCollectives(1, {});
  float value = 0;
  Result<void> done = ends[0]->allReduce(0, &value, &value, 1, DOUGONG_STRING, DOUGONG_SUM, {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.message(), "elements of string cannot be reduced");
  done = ends[0]->allReduce(0, &value, &value, 1, DOUGONG_F32, 9, {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.message(), "reduction 9 is unknown, expected 0 to 3");
  EXPECT_FALSE(ends[0]->startSend(1, 0, &value, 4));
  EXPECT_FALSE(ends[0]->createGroup({3, 4}));
}

class MpiCollectives : public testing::TestWithParam<int> {};

TEST_P(MpiCollectives, AgreeWithPlainLoops) {
  CommandResult result = runCommand(mpirun(GetParam()) + MPI_CHECK + " collectives");
  EXPECT_EQ(result.code, 0) << result.output;
  EXPECT_NE(result.output.find("collectives agree on " + std::to_string(GetParam())),
            std::string::npos)
      << result.output;
}
INSTANTIATE_TEST_SUITE_P(Ranks, MpiCollectives, testing::Values(1, 2, 3, 4));

TEST(MpiCollectives, TimeoutNamesTheMissingRankAndTheCall) {
  CommandResult result = runCommand(mpirun(2) + MPI_CHECK + " timeout");
  EXPECT_EQ(result.code, 5) << result.output;
  EXPECT_NE(result.output.find("rank 0: all_reduce (call 3, node 'mlp/MatMul') timed out after "
                               "500 ms: rank 1 made no call yet"),
            std::string::npos)
      << result.output;
}

TEST(MpiCollectives, DifferentCallsAreFound) {
  // Which rank is heard first is chance: either says both calls.
  auto expectOneOf = [](const std::string &check, const std::string &one,
                        const std::string &other) {
    CommandResult result = runCommand(mpirun(2) + MPI_CHECK + " " + check);
    EXPECT_EQ(result.code, 5) << result.output;
    EXPECT_TRUE(result.output.find("ranks disagree: rank 0 calls " + one + ", rank 1 calls " +
                                   other) != std::string::npos ||
                result.output.find("ranks disagree: rank 1 calls " + other + ", rank 0 calls " +
                                   one) != std::string::npos)
        << result.output;
  };
  expectOneOf("counts", "all_reduce (call 3) of 4000 float32",
              "all_reduce (call 3) of 5000 float32");
  expectOneOf("kinds", "all_gather (call 1) of 1 float32", "barrier (call 2) of 0 uint8");
}

TEST(MpiCollectives, AFailingRankEndsTheJob) {
  CommandResult result = runCommand(mpirun(3) + MPI_CHECK + " abort");
  EXPECT_EQ(result.code, 5) << result.output;
  EXPECT_NE(result.output.find("rank 1 has had enough"), std::string::npos) << result.output;
}
