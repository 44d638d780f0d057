//===- Cleanup.cpp - nothing is left behind by Ctrl-C ---------------------===//

#include "dougong/Support/Cleanup.h"

#include <csignal>
#include <fcntl.h>
#include <mutex>
#include <set>
#include <thread>
#include <unistd.h>

namespace dougong {

namespace fs = std::filesystem;

namespace {

struct Folders {
  std::mutex mutex;
  std::set<fs::path> names;
};

/// Never destroyed: an interrupt may come while the process ends.
Folders &folders() {
  static Folders &all = *new Folders;
  return all;
}

int signalPipe[2];

/// All that a handler may do: the thread that waits does the rest.
void tellThread(int signal) {
  auto number = static_cast<unsigned char>(signal);
  [[maybe_unused]] ssize_t ignored = ::write(signalPipe[1], &number, 1);
}

void removeAll() {
  // The lock is kept: nothing is committed or made any more.
  folders().mutex.lock();
  for (const fs::path &folder : folders().names)
    // Other threads may still write into it.
    for (int attempt = 0; attempt != 100 && fs::exists(fs::symlink_status(folder)); ++attempt) {
      std::error_code ignored;
      fs::remove_all(folder, ignored);
    }
}

} // namespace

void installInterruptCleanup() {
  if (::pipe2(signalPipe, O_CLOEXEC) != 0)
    return;
  folders();
  std::thread([] {
    unsigned char number = 0;
    while (::read(signalPipe[0], &number, 1) != 1)
      ;
    try {
      removeAll();
    } catch (...) {
    }
    std::signal(number, SIG_DFL);
    ::kill(::getpid(), number);
  }).detach();
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction old{};
    if (::sigaction(signal, nullptr, &old) != 0 || old.sa_handler == SIG_IGN)
      continue;
    struct sigaction action{};
    action.sa_handler = tellThread;
    action.sa_flags = SA_RESTART;
    ::sigaction(signal, &action, nullptr);
  }
}

RemoveOnInterrupt::RemoveOnInterrupt(const fs::path &folder) : folder(folder) {
  std::lock_guard lock(folders().mutex);
  folders().names.insert(folder);
}

RemoveOnInterrupt::RemoveOnInterrupt(RemoveOnInterrupt &&other) noexcept
    : folder(std::move(other.folder)) {
  other.folder.clear();
}

RemoveOnInterrupt &RemoveOnInterrupt::operator=(RemoveOnInterrupt &&other) noexcept {
  release();
  folder = std::move(other.folder);
  other.folder.clear();
  return *this;
}

void RemoveOnInterrupt::release() {
  if (folder.empty())
    return;
  std::lock_guard lock(folders().mutex);
  folders().names.erase(folder);
  folder.clear();
}

} // namespace dougong
