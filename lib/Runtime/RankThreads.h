//===- RankThreads.h - threads that stand for ranks -------------*- C++ -*-===//
#ifndef DOUGONG_LIB_RUNTIME_RANKTHREADS_H
#define DOUGONG_LIB_RUNTIME_RANKTHREADS_H

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace dougong {

/// One thread for each rank but 0, which is the caller. They live as long as the
/// object, so that what a rank keeps by thread stays warm.
class RankThreads {
public:
  explicit RankThreads(int ranks) {
    for (int rank = 1; rank < ranks; ++rank)
      threads.emplace_back([this, rank] { work(rank); });
  }
  ~RankThreads() {
    {
      std::lock_guard lock(mutex);
      stopping = true;
    }
    wake.notify_all();
    for (std::thread &thread : threads)
      thread.join();
  }

  /// Runs `task(rank)` on every rank's thread; returns when all are done.
  void run(const std::function<void(int)> &newTask) {
    {
      std::lock_guard lock(mutex);
      task = &newTask;
      left = threads.size();
      ++round;
    }
    wake.notify_all();
    newTask(0);
    std::unique_lock lock(mutex);
    done.wait(lock, [&] { return left == 0; });
  }

private:
  void work(int rank) {
    std::size_t seen = 0;
    std::unique_lock lock(mutex);
    while (true) {
      wake.wait(lock, [&] { return stopping || round != seen; });
      if (stopping)
        return;
      seen = round;
      const std::function<void(int)> *mine = task;
      lock.unlock();
      (*mine)(rank);
      lock.lock();
      if (--left == 0)
        done.notify_one();
    }
  }

  std::mutex mutex; // of all below
  std::condition_variable wake, done;
  const std::function<void(int)> *task = nullptr;
  std::size_t round = 0, left = 0;
  bool stopping = false;
  std::vector<std::thread> threads;
};

} // namespace dougong

#endif // DOUGONG_LIB_RUNTIME_RANKTHREADS_H
