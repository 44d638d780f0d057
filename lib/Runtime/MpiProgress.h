//===- MpiProgress.h - who is in which MPI call -----------------*- C++ -*-===//
//
// Blocking MPI calls have no timeout. Each rank writes what it is doing to a
// board in memory shared by the ranks of a host; a watchdog thread ends the job
// when this rank is in one call for too long, and reads from the board which
// ranks did not come.
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_LIB_RUNTIME_MPIPROGRESS_H
#define DOUGONG_LIB_RUNTIME_MPIPROGRESS_H

#include "dougong/Runtime/Collectives.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <mpi.h>

namespace dougong {

class MpiProgress {
public:
  /// Collective over `world`.
  MpiProgress(MPI_Comm world, std::chrono::milliseconds timeout);
  /// Collective: all ranks come here when the job ends well.
  ~MpiProgress();

  /// How many ranks run on this host.
  int hostRanks() const { return hostSize; }

  /// In a call while it lives. Nested calls count as the outer one.
  class Guard {
  public:
    explicit Guard(MpiProgress *progress) : progress(progress) {}
    Guard(const Guard &) = delete;
    ~Guard() {
      if (progress)
        progress->leave();
    }

  private:
    MpiProgress *progress;
  };
  /// `kind` and the site's node must live as long as the guard.
  [[nodiscard]] Guard enter(const char *kind, int group, const CallSite &site);

private:
  /// One rank's line on the board.
  struct alignas(64) Entry {
    std::atomic<std::int64_t> calls;  ///< begun so far
    std::atomic<std::int64_t> call;   ///< index in the program's list, or -1
    std::atomic<std::int64_t> inside; ///< 1 while in a call
    char kind[64];                    ///< of the last call begun
  };
  /// What a rank asks for, so that an aligned line fits in.
  static constexpr std::size_t lineBytes = sizeof(Entry) + alignof(Entry);
  static void *alignLine(void *part);

  void leave();
  void watch();
  std::string describeOthers() const;

  std::chrono::milliseconds timeout;
  int rank = 0;
  MPI_Comm host = MPI_COMM_NULL;
  MPI_Win window = MPI_WIN_NULL;
  std::vector<Entry *> board;  ///< of the ranks on this host
  std::vector<int> boardRanks; ///< their world ranks
  Entry *mine = nullptr;
  int worldSize = 0, hostSize = 0;

  std::mutex mutex; // of the rest
  std::condition_variable stopped;
  bool stopping = false;
  bool inside = false;
  std::chrono::steady_clock::time_point entered;
  const char *kind = nullptr;
  CallSite site;
  std::thread watchdog;
};

} // namespace dougong

#endif // DOUGONG_LIB_RUNTIME_MPIPROGRESS_H
