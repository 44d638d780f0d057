//===- ThreadPoolTest.cpp -------------------------------------------------===//
#include "dougong/Runtime/ThreadPool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <set>

using namespace dougong;

TEST(ThreadPool, RunsEveryIterationOnce) {
  std::mt19937 random(1);
  for (int threads : {1, 2, 3, 5})
    for (bool spin : {false, true}) {
      ThreadPool pool(threads, spin);
      for (int round = 0; round < 300; ++round) {
        std::int64_t count = static_cast<std::int64_t>(random() % 1000);
        std::int64_t grain = static_cast<std::int64_t>(random() % 40);
        std::vector<std::atomic<int>> seen(count);
        pool.parallelFor(count, grain, [&](std::int64_t begin, std::int64_t end) {
          ASSERT_LE(0, begin);
          ASSERT_LT(begin, end);
          ASSERT_LE(end, count);
          for (std::int64_t i = begin; i < end; ++i)
            ++seen[i];
        });
        for (std::int64_t i = 0; i < count; ++i)
          ASSERT_EQ(seen[i], 1) << threads << " threads, count " << count << ", grain " << grain;
      }
    }
}

TEST(ThreadPool, ChunksAreAtLeastTheGrain) {
  ThreadPool pool(4, false);
  std::atomic<int> small = 0;
  pool.parallelFor(1000, 100, [&](std::int64_t begin, std::int64_t end) {
    if (end - begin < 100 && end != 1000)
      ++small;
  });
  EXPECT_EQ(small, 0);
}

TEST(ThreadPool, OneChunkRunsOnTheCaller) {
  ThreadPool pool(4, false);
  std::thread::id ran;
  pool.parallelFor(50, 50, [&](std::int64_t begin, std::int64_t end) {
    EXPECT_EQ(begin, 0);
    EXPECT_EQ(end, 50);
    ran = std::this_thread::get_id();
  });
  EXPECT_EQ(ran, std::this_thread::get_id());
}

TEST(ThreadPool, NestedLoopsRunInline) {
  ThreadPool pool(3, false);
  std::atomic<std::int64_t> sum = 0;
  std::atomic<int> moved = 0;
  pool.parallelFor(20, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      std::thread::id outer = std::this_thread::get_id();
      pool.parallelFor(100, 1, [&](std::int64_t from, std::int64_t to) {
        if (std::this_thread::get_id() != outer)
          ++moved;
        sum += to - from;
      });
    }
  });
  EXPECT_EQ(sum, 2000);
  EXPECT_EQ(moved, 0);
}

TEST(ThreadPool, SeveralThreadsDoTheWork) {
  ThreadPool pool(3, false);
  std::mutex mutex;
  std::set<std::thread::id> ids;
  // Long chunks, so that the workers have time to come.
  pool.parallelFor(12, 1, [&](std::int64_t, std::int64_t) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    std::lock_guard lock(mutex);
    ids.insert(std::this_thread::get_id());
  });
  EXPECT_EQ(ids.size(), 3u);
}
