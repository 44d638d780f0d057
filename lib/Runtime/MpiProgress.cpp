//===- MpiProgress.cpp - who is in which MPI call -------------------------===//
#include "MpiProgress.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>

using namespace dougong;

/// What the process ends with after a timeout: "step failed".
static constexpr int timeoutExitCode = 5;

/// MPI aligns each rank's part of shared memory to 8 bytes only. The memory is mapped by
/// pages, so that the place of a line is the same one in all processes.
void *MpiProgress::alignLine(void *part) {
  std::size_t space = lineBytes;
  return std::align(alignof(Entry), sizeof(Entry), part, space);
}

MpiProgress::MpiProgress(MPI_Comm world, std::chrono::milliseconds timeout) : timeout(timeout) {
  MPI_Comm_rank(world, &rank);
  MPI_Comm_size(world, &worldSize);
  MPI_Comm_split_type(world, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &host);
  MPI_Comm_size(host, &hostSize);
  boardRanks.resize(hostSize);
  MPI_Allgather(&rank, 1, MPI_INT, boardRanks.data(), 1, MPI_INT, host);

  // Without shared memory (a refused mapping) the board has only our own line.
  MPI_Comm_set_errhandler(host, MPI_ERRORS_RETURN);
  void *base = nullptr;
  if (MPI_Win_allocate_shared(lineBytes, 1, MPI_INFO_NULL, host, &base, &window) == MPI_SUCCESS) {
    mine = new (alignLine(base)) Entry{};
    MPI_Barrier(host);
    for (int i = 0; i < hostSize; ++i) {
      MPI_Aint size = 0;
      int unit = 0;
      void *other = nullptr;
      MPI_Win_shared_query(window, i, &size, &unit, &other);
      board.push_back(static_cast<Entry *>(alignLine(other)));
    }
  } else {
    window = MPI_WIN_NULL;
    mine = new Entry{};
    board = {mine};
    boardRanks = {rank};
  }
  watchdog = std::thread([this] { watch(); });
}

MpiProgress::~MpiProgress() {
  {
    std::lock_guard lock(mutex);
    stopping = true;
  }
  stopped.notify_all();
  watchdog.join();
  if (window != MPI_WIN_NULL)
    MPI_Win_free(&window);
  else
    delete mine;
  MPI_Comm_free(&host);
}

MpiProgress::Guard MpiProgress::enter(const char *what, int group, const CallSite &where) {
  std::lock_guard lock(mutex);
  if (inside)
    return Guard(nullptr);
  inside = true;
  entered = std::chrono::steady_clock::now();
  kind = what;
  site = where;
  std::snprintf(mine->kind, sizeof(mine->kind), "%s", what);
  mine->call.store(where.call, std::memory_order_relaxed);
  mine->inside.store(1, std::memory_order_relaxed);
  mine->calls.fetch_add(1, std::memory_order_release);
  return Guard(this);
}

void MpiProgress::leave() {
  std::lock_guard lock(mutex);
  inside = false;
  mine->inside.store(0, std::memory_order_release);
}

std::string MpiProgress::describeOthers() const {
  std::string text;
  for (std::size_t i = 0; i < board.size(); ++i) {
    if (board[i] == mine)
      continue;
    const Entry &other = *board[i];
    text += (text.empty() ? "" : ", ") + std::string("rank ") + std::to_string(boardRanks[i]);
    if (other.calls.load(std::memory_order_acquire) == 0) {
      text += " made no call yet";
      continue;
    }
    text += other.inside.load() ? " is in " : " is computing after ";
    text += describeCall(other.kind, {other.call.load(), nullptr});
  }
  if (static_cast<int>(board.size()) < worldSize)
    text += (text.empty() ? "" : ", ") + std::string("ranks of other hosts are not known");
  return text;
}

void MpiProgress::watch() {
  auto period =
      std::clamp(timeout / 8, std::chrono::milliseconds(10), std::chrono::milliseconds(1000));
  std::unique_lock lock(mutex);
  while (!stopped.wait_for(lock, period, [&] { return stopping; })) {
    if (!inside || std::chrono::steady_clock::now() - entered < timeout)
      continue;
    std::fprintf(stderr, "dougong-runner: error: rank %d: %s timed out after %lld ms: %s\n", rank,
                 describeCall(kind, site).c_str(), static_cast<long long>(timeout.count()),
                 describeOthers().c_str());
    std::fflush(stderr);
    // MPI belongs to the other thread; the launcher ends the other ranks when a
    // process ends without MPI_Finalize.
    std::_Exit(timeoutExitCode);
  }
}
