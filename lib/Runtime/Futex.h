//===- Futex.h - sleep and wake on a 32-bit word ----------------*- C++ -*-===//
#ifndef DOUGONG_LIB_RUNTIME_FUTEX_H
#define DOUGONG_LIB_RUNTIME_FUTEX_H

#include <atomic>
#include <chrono>
#include <climits>
#include <cstdint>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace dougong {

/// Sleeps while `word` holds `expected`, until woken or for `limit` at most
/// (negative: for ever). May return early: the caller looks at the word again.
inline void futexWait(const std::atomic<std::uint32_t> &word, std::uint32_t expected,
                      std::chrono::nanoseconds limit = std::chrono::nanoseconds(-1)) {
  timespec time = {};
  time.tv_sec = limit.count() / 1'000'000'000;
  time.tv_nsec = limit.count() % 1'000'000'000;
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, limit.count() < 0 ? nullptr : &time,
          nullptr, 0);
}

/// Wakes up to `count` sleepers on `word`.
inline void futexWake(const std::atomic<std::uint32_t> &word, int count = INT_MAX) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

/// Tells the core that this is a spin loop.
inline void spinPause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// How long to spin before sleeping: a sleep and wake costs about as much.
inline constexpr std::chrono::microseconds spinLimit{50};

/// Spins until `done()` or for spinLimit; returns the last done().
template <typename Done> bool spinUntil(Done done) {
  auto end = std::chrono::steady_clock::now() + spinLimit;
  do {
    for (int i = 0; i < 64; ++i) {
      if (done())
        return true;
      spinPause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return done();
}

} // namespace dougong

#endif // DOUGONG_LIB_RUNTIME_FUTEX_H
