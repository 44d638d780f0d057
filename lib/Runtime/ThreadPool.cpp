//===- ThreadPool.cpp - parallel loops on the host ------------------------===//
#include "dougong/Runtime/ThreadPool.h"

#include "Futex.h"

#include <algorithm>

#include <sched.h>

using namespace dougong;

static constexpr std::uint32_t openBit = 1u << 31;
static constexpr std::int64_t chunksPerThread = 4;

/// Set while this thread runs chunks of any pool: nested loops run inline.
static thread_local bool insideLoop = false;

int dougong::availableCores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0)
    return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

ThreadPool::ThreadPool(int threads, bool spin) : spin(spin) {
  workers.reserve(std::max(0, threads - 1));
  for (int i = 1; i < threads; ++i)
    workers.emplace_back([this] { work(); });
}

ThreadPool::~ThreadPool() {
  stopping = true;
  epoch.fetch_add(1);
  futexWake(epoch);
  for (std::thread &worker : workers)
    worker.join();
}

void ThreadPool::runChunks() {
  std::int64_t begin;
  while ((begin = next.fetch_add(chunk, std::memory_order_relaxed)) < count)
    body(argument, begin, std::min(begin + chunk, count));
}

void ThreadPool::work() {
  insideLoop = true;
  std::uint32_t seen = 0;
  while (true) {
    auto changed = [&] { return epoch.load(std::memory_order_acquire) != seen; };
    if (!(spin && spinUntil(changed))) {
      // The caller raises the epoch and then reads `sleepers`; we count
      // ourselves first and the kernel then compares the epoch, so one of the
      // two sees the other.
      sleepers.fetch_add(1);
      while (!changed())
        futexWait(epoch, seen);
      sleepers.fetch_sub(1);
    }
    seen = epoch.load(std::memory_order_acquire);
    if (stopping)
      return;
    // Enter the loop if it is still open. A worker that comes late finds it
    // closed, or a later loop that it may as well help with.
    std::uint32_t now = state.load(std::memory_order_acquire);
    while ((now & openBit) && !state.compare_exchange_weak(now, now + 1, std::memory_order_acq_rel))
      ;
    if (!(now & openBit))
      continue;
    runChunks();
    if (state.fetch_sub(1, std::memory_order_seq_cst) == 1 && callerSleeps.load())
      futexWake(state, 1);
  }
}

void ThreadPool::parallelFor(dougong_loop_body loopBody, void *loopArgument,
                             std::int64_t iterations, std::int64_t grain) {
  if (iterations <= 0)
    return;
  grain = std::max<std::int64_t>(grain, 1);
  std::int64_t parts = threads() * chunksPerThread;
  std::int64_t size = std::max(grain, iterations / parts + (iterations % parts != 0));
  if (workers.empty() || size >= iterations || insideLoop ||
      busy.exchange(true, std::memory_order_acquire)) {
    loopBody(loopArgument, 0, iterations);
    return;
  }

  body = loopBody;
  argument = loopArgument;
  count = iterations;
  chunk = size;
  next.store(0, std::memory_order_relaxed);
  state.store(openBit, std::memory_order_release);
  epoch.fetch_add(1);
  if (std::uint32_t asleep = sleepers.load()) {
    std::int64_t useful = iterations / size; // chunks beside the caller's first
    futexWake(epoch, static_cast<int>(std::min<std::int64_t>(asleep, useful)));
  }

  insideLoop = true;
  runChunks();
  insideLoop = false;

  // Every chunk is claimed. Close, so that nobody enters any more, and wait for
  // the workers that are inside.
  if (state.fetch_and(~openBit) != openBit) {
    auto left = [&] { return state.load(std::memory_order_acquire) == 0; };
    if (!(spin && spinUntil(left))) {
      callerSleeps.store(true);
      for (std::uint32_t now; (now = state.load()) != 0;)
        futexWait(state, now);
      callerSleeps.store(false);
    }
  }
  busy.store(false, std::memory_order_release);
}
