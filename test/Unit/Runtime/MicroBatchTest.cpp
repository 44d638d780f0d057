//===- MicroBatchTest.cpp - parts of the batch behind one another ---------===//
#include "TestPackage.h"

#include "../../../lib/Runtime/Schedule.h"
#include "dougong/Runtime/Session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

using namespace dougong;

TEST(Schedule, RowsAreCutIntoRunsAsEqualAsTheFirst) {
  for (std::int64_t rows = 0; rows <= 40; ++rows)
    for (std::int64_t count = 1; count <= 45; ++count) {
      std::vector<RowRange> ranges = cutRows(rows, count);
      std::int64_t run = (rows + count - 1) / count, next = 0;
      for (const RowRange &range : ranges) {
        EXPECT_EQ(range.begin, next);
        EXPECT_EQ(range.end, std::min(next + run, rows));
        EXPECT_TRUE(range.end > range.begin || rows == 0);
        next = range.end;
      }
      EXPECT_EQ(next, rows);
      EXPECT_LE(ranges.size(), static_cast<std::size_t>(count));
      EXPECT_GE(ranges.size(), 1u);
    }
}

/// A chain of `rankCount` * `chunks` stages of one rank each, stage k on rank
/// k % rankCount.
static Wiring makeChain(int rankCount, int chunks) {
  Wiring wiring;
  wiring.world = rankCount;
  for (int number = 0; number < rankCount * chunks; ++number) {
    WiredStage stage;
    stage.firstRank = number % rankCount;
    stage.ranks = 1;
    wiring.stages.push_back(std::move(stage));
    wiring.order.push_back(number);
  }
  return wiring;
}

/// The time of a chain where each task takes 1 and sends do not block; -1 if the ranks
/// wait for each other.
static int runChain(const std::vector<std::vector<Task>> &orders, int stages, int microBatches) {
  std::vector<std::size_t> next(orders.size(), 0);
  std::map<std::pair<int, int>, int> done; // when
  for (int now = 0; done.size() < static_cast<std::size_t>(stages * microBatches); ++now) {
    if (now > stages * microBatches)
      return -1;
    for (std::size_t rank = 0; rank < orders.size(); ++rank) {
      if (next[rank] == orders[rank].size())
        continue;
      Task task = orders[rank][next[rank]];
      auto source = done.find({task.stage - 1, task.microBatch});
      if (task.stage != 0 && (source == done.end() || source->second > now))
        continue;
      done[{task.stage, task.microBatch}] = now + 1;
      ++next[rank];
    }
  }
  int end = 0;
  for (const auto &[task, when] : done)
    end = std::max(end, when);
  return end;
}

/// The least time of any order: all states that can be reached, where a state is how many
/// micro-batches each stage is through with.
static int findLeastTime(int rankCount, int stages, int microBatches) {
  std::set<std::vector<int>> states{std::vector<int>(stages, 0)};
  for (int now = 0;; ++now) {
    if (states.contains(std::vector<int>(stages, microBatches)))
      return now;
    std::set<std::vector<int>> reached;
    for (const std::vector<int> &state : states) {
      std::set<std::vector<int>> after{state};
      for (int rank = 0; rank < rankCount; ++rank) {
        std::set<std::vector<int>> more = after; // an idle rank
        for (const std::vector<int> &one : after)
          for (int stage = rank; stage < stages; stage += rankCount)
            if (state[stage] < microBatches && (stage == 0 || state[stage - 1] > state[stage])) {
              std::vector<int> other = one;
              ++other[stage];
              more.insert(std::move(other));
            }
        after = std::move(more);
      }
      reached.merge(after);
    }
    states = std::move(reached);
  }
}

TEST(Schedule, EveryTaskOnceAndInTheLeastTime) {
  for (int rankCount : {1, 2, 3})
    for (int chunks : {1, 2, 3})
      for (int microBatches = 1; microBatches <= 6; ++microBatches) {
        SCOPED_TRACE(std::to_string(rankCount) + " ranks, " + std::to_string(chunks) +
                     " stages on each, " + std::to_string(microBatches) + " micro-batches");
        Wiring wiring = makeChain(rankCount, chunks);
        int stages = rankCount * chunks;
        std::vector<std::vector<Task>> orders;
        std::set<std::pair<int, int>> seen;
        for (int rank = 0; rank < rankCount; ++rank) {
          orders.push_back(orderTasks(wiring, rank, microBatches));
          EXPECT_EQ(orders.back().size(), static_cast<std::size_t>(chunks * microBatches));
          for (const Task &task : orders.back()) {
            EXPECT_EQ(task.stage % rankCount, rank);
            EXPECT_TRUE(seen.emplace(task.stage, task.microBatch).second);
          }
        }
        int time = runChain(orders, stages, microBatches);
        EXPECT_GT(time, 0) << "the ranks wait for each other";
        if (chunks == 1)
          EXPECT_EQ(time, microBatches + rankCount - 1);
        // Of interleaved stages the best where the last group is full.
        if (stages <= 4 && microBatches % rankCount == 0)
          EXPECT_EQ(time, findLeastTime(rankCount, stages, microBatches));
      }
}

static std::unique_ptr<Session> openSession(const std::filesystem::path &folder) {
  Result<std::shared_ptr<Package>> package = Package::open(folder);
  EXPECT_TRUE(package) << package.message();
  SessionOptions options;
  options.profile = true;
  Result<std::unique_ptr<Session>> session = Session::open(*package, options);
  EXPECT_TRUE(session) << session.message();
  return session ? std::move(*session) : nullptr;
}

static std::string openError(const std::filesystem::path &folder) {
  Result<std::shared_ptr<Package>> package = Package::open(folder);
  Result<std::unique_ptr<Session>> session = Session::open(*package, {});
  return session ? "" : session.message();
}

/// The same numbers, to the bit, whatever the micro-batches: rows do not depend on each
/// other, and these sums are exact.
TEST(MicroBatches, StatesStayOnTheirRanks) {
  for (auto [first, second] : {std::pair(1, 1), {2, 1}, {2, 3}, {3, 2}})
    for (int count : {1, 2, 3, 4, 7}) {
      TemporaryFolder folder;
      writeCachePackage(folder.path(), first, second);
      if (count > 1)
        setMicroBatches(folder.path(), count, "batch");
      auto session = openSession(folder.path());
      ASSERT_TRUE(session);
      for (std::int64_t batch : {1, 5, 12}) {
        SCOPED_TRACE(std::to_string(count) + " micro-batches of " + std::to_string(batch));
        session->reset();
        auto valueOf = [](std::int64_t row, std::int64_t column, std::int64_t step) {
          return static_cast<float>(64 * row + 8 * step + column);
        };
        std::vector<float> cache, sum(batch * 8, 0), kept;
        for (std::int64_t b = 0; b < batch; ++b)
          for (std::int64_t t = 0; t < 2; ++t)
            for (std::int64_t c = 0; c < 8; ++c) {
              cache.push_back(valueOf(b, c, 100 + t));
              sum[b * 8 + c] += cache.back();
            }
        for (std::int64_t step = 0; step < 3; ++step) {
          std::vector<float> x;
          for (std::int64_t i = 0; i < batch * 8; ++i) {
            x.push_back(valueOf(i / 8, i % 8, step));
            sum[i] += 2 * x[i] + 1;
          }
          InputTensors inputs;
          inputs["x"] = floats({batch, 8}, x);
          if (step == 0)
            inputs["cache"] = floats({batch, 2, 8}, cache);
          Result<void> done = session->step(inputs);
          ASSERT_TRUE(done) << done.message();
          Result<Tensor> y = session->fetch(0);
          ASSERT_TRUE(y) << y.message();
          EXPECT_EQ(y->dims, (std::vector<std::int64_t>{batch, 8}));
          EXPECT_EQ(floatsOf(*y), sum);
        }
        for (std::int64_t b = 0; b < batch; ++b) {
          kept.insert(kept.end(), cache.begin() + b * 16, cache.begin() + (b + 1) * 16);
          for (std::int64_t step = 0; step < 3; ++step)
            for (std::int64_t c = 0; c < 8; ++c)
              kept.push_back(2 * valueOf(b, c, step) + 1);
        }
        Result<Tensor> out = session->fetch(1);
        ASSERT_TRUE(out) << out.message();
        EXPECT_EQ(out->dims, (std::vector<std::int64_t>{batch, 5, 8}));
        EXPECT_EQ(floatsOf(*out), kept);
      }
    }
}

/// A state that another stage takes, cut otherwise, in steps without a stop: x of a step
/// is the sum of the step before.
TEST(MicroBatches, StatesMoveFromStageToStage) {
  for (auto [first, second] : {std::pair(1, 1), {2, 3}})
    for (int count : {2, 3, 5}) {
      TemporaryFolder folder;
      writeCachePackage(folder.path(), first, second);
      setMicroBatches(folder.path(), count, "batch");
      Result<std::shared_ptr<Package>> package = Package::open(folder.path());
      ASSERT_TRUE(package);
      SessionOptions options;
      options.states = *expandStates((*package)->plan().model(), {"x=sum"});
      Result<std::unique_ptr<Session>> session = Session::open(*package, options);
      ASSERT_TRUE(session) << session.message();
      for (std::int64_t batch : {1, 6, 7}) {
        (*session)->reset();
        std::vector<InputTensors> steps(4);
        std::vector<float> x, sum(batch * 8, 0);
        for (std::int64_t i = 0; i < batch * 8; ++i)
          x.push_back(static_cast<float>(i));
        steps[0]["x"] = floats({batch, 8}, x);
        steps[0]["cache"] = floats({batch, 0, 8}, {});
        for (std::size_t step = 0; step < steps.size(); ++step) {
          for (std::size_t i = 0; i < x.size(); ++i)
            sum[i] += 2 * x[i] + 1;
          x = sum;
        }
        Result<void> done = (*session)->steps(steps);
        ASSERT_TRUE(done) << done.message();
        Result<Tensor> y = (*session)->fetch(0);
        ASSERT_TRUE(y) << y.message();
        EXPECT_EQ(floatsOf(*y), sum);
      }
    }
}

/// Stages that share ranks, in the interleaved order; a batch that is dim 1; an input that
/// is an output, too.
TEST(MicroBatches, StagesMayShareRanks) {
  for (const char *batch : {"n", "m"})
    for (int count : {2, 3, 5}) {
      TemporaryFolder folder;
      writeOverlapPackage(folder.path());
      setMicroBatches(folder.path(), count, batch);
      auto session = openSession(folder.path());
      ASSERT_TRUE(session);
      for (std::int64_t rows : {1, 4, 7, 64}) {
        std::vector<float> x, y, z;
        for (std::int64_t i = 0; i < rows * 9; ++i) {
          x.push_back(static_cast<float>(i));
          y.push_back(8 * x.back() + 7);
          z.push_back(4 * x.back() + 3);
        }
        InputTensors inputs;
        inputs["x"] = floats({rows, 9}, x);
        Result<void> done = session->step(inputs);
        ASSERT_TRUE(done) << done.message();
        EXPECT_EQ(floatsOf(*session->fetch(0)), y);
        EXPECT_EQ(floatsOf(*session->fetch(1)), z);
        EXPECT_EQ(floatsOf(*session->fetch(2)), x);
      }
    }
}

/// What no clock can show: each stage needs the other one to go on. The second stage ends
/// micro-batch j only when the first has begun j + 1, and the last of a step only when the
/// first has begun the next step.
TEST(MicroBatches, StagesOverlapAlsoFromStepToStep) {
  TemporaryFolder folder;
  writeMeetPackage(folder.path(), 3);
  auto session = openSession(folder.path());
  ASSERT_TRUE(session);
  std::vector<InputTensors> steps(2);
  for (int step : {0, 1})
    steps[step]["x"] = floats({5}, {0.5f, 0.25f, 0, 0.125f, 0.0625f * static_cast<float>(step)});
  Result<void> done = session->steps(steps);
  ASSERT_TRUE(done) << done.message();
  Result<Tensor> y = session->fetch(0);
  ASSERT_TRUE(y) << y.message();
  EXPECT_EQ(floatsOf(*y), (std::vector<float>{2.5f, 2.25f, 2, 2.125f, 2.0625f}));

  // The profile says in which order the tasks of a rank ran.
  Json profile = session->profile();
  for (int rank : {0, 1}) {
    const Json &stage = (*(*profile.asArray())[rank].find("stages")->asArray())[0];
    std::vector<std::pair<std::int64_t, std::int64_t>> order;
    double last = 0;
    for (const Json &run : *stage.find("timeline")->asArray()) {
      auto numberOf = [&](const char *key) { return std::stod(run.find(key)->asNumber()->text); };
      order.emplace_back(numberOf("step"), numberOf("micro_batch"));
      EXPECT_GE(numberOf("begin"), last);
      last = numberOf("end");
      EXPECT_GE(last, numberOf("begin"));
    }
    EXPECT_EQ(order, (std::vector<std::pair<std::int64_t, std::int64_t>>{
                         {0, 0}, {0, 1}, {0, 2}, {1, 0}, {1, 1}, {1, 2}}));
  }
}

TEST(MicroBatches, ErrorsNameThem) {
  TemporaryFolder folder;
  writeMlpPackage(folder.path(), 2, 1);
  setMicroBatches(folder.path(), 3, "batch");
  auto session = openSession(folder.path());
  ASSERT_TRUE(session);
  InputTensors inputs;
  std::vector<float> x(5 * Mlp::k, 0);
  x[2 * Mlp::k] = 668;
  inputs["x"] = floats({5, Mlp::k}, x);
  Result<void> done = session->step(inputs);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.message(),
            "stage 'all', rank 1, micro-batch 1 (rows 2 to 3): x[0] must not be 668");
}

TEST(MicroBatches, PlansThatCannotRunAreRefused) {
  TemporaryFolder folder;
  writeCachePackage(folder.path(), 1, 1);
  auto errorOf = [&](int count, const char *batch) {
    setMicroBatches(folder.path(), count, batch);
    return openError(folder.path());
  };
  EXPECT_EQ(errorOf(3, "batch"), "");
  EXPECT_EQ(errorOf(0, "batch"), "the plan makes 0 micro-batches, expected 1 to 4096");
  EXPECT_EQ(errorOf(5000, "batch"), "the plan makes 5000 micro-batches, expected 1 to 4096");
  EXPECT_EQ(errorOf(3, "rows"),
            "no input has the batch 'rows', of which the plan makes micro-batches");
  EXPECT_EQ(errorOf(3, "past"), "output 'cache.out': dim 1 (past + 1) is not the batch 'past' "
                                "itself, but depends on it");
}
