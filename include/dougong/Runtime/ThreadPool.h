//===- ThreadPool.h - parallel loops on the host ----------------*- C++ -*-===//
#ifndef DOUGONG_RUNTIME_THREADPOOL_H
#define DOUGONG_RUNTIME_THREADPOOL_H

#include "dougong-c/program.h"

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace dougong {

/// A fork-join pool for the loops of one rank. Chunks are claimed from an atomic
/// counter, about four for each thread, so that a preempted thread holds up one
/// chunk and not its share of the loop. Idle workers spin for at most 50 us and
/// then sleep.
class ThreadPool {
public:
  /// `threads` counts the caller: with 1 there is no worker. `spin` must be
  /// false where ranks x threads exceed the cores of the host.
  ThreadPool(int threads, bool spin);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  int threads() const { return static_cast<int>(workers.size()) + 1; }

  /// Runs `body(argument, begin, end)` over disjoint chunks that cover
  /// [0, count), each of at least `grain` iterations except the last; returns
  /// when all are done. Runs on the caller alone if there is one chunk, and when
  /// called from inside a loop body or while another thread uses the pool.
  void parallelFor(dougong_loop_body body, void *argument, std::int64_t count, std::int64_t grain);

  /// The same for a callable `body(begin, end)`.
  template <typename Body> void parallelFor(std::int64_t count, std::int64_t grain, Body &&body) {
    parallelFor(
        [](void *argument, std::int64_t begin, std::int64_t end) {
          (*static_cast<std::remove_reference_t<Body> *>(argument))(begin, end);
        },
        const_cast<void *>(static_cast<const void *>(&body)), count, grain);
  }

private:
  void work();
  void runChunks();

  // The loop in hand. Written only while closed and with no worker inside.
  dougong_loop_body body = nullptr;
  void *argument = nullptr;
  std::int64_t count = 0;
  std::int64_t chunk = 1;

  alignas(64) std::atomic<std::int64_t> next{0};
  /// Bit 31: a loop is open; below: how many workers are inside.
  alignas(64) std::atomic<std::uint32_t> state{0};
  /// Counts loops; idle workers sleep on it.
  alignas(64) std::atomic<std::uint32_t> epoch{0};
  std::atomic<std::uint32_t> sleepers{0};
  std::atomic<bool> callerSleeps{false};
  std::atomic<bool> busy{false};
  std::atomic<bool> stopping{false};
  bool spin;
  std::vector<std::thread> workers;
};

/// Cores that this process may use.
int availableCores();

} // namespace dougong

#endif // DOUGONG_RUNTIME_THREADPOOL_H
