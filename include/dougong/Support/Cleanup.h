//===- Cleanup.h - nothing is left behind by Ctrl-C -------------*- C++ -*-===//
#ifndef DOUGONG_SUPPORT_CLEANUP_H
#define DOUGONG_SUPPORT_CLEANUP_H

#include <filesystem>

namespace dougong {

/// From now on SIGINT, SIGTERM and SIGHUP remove what `removeOnInterrupt` named
/// before they end the process, as they would have. Signals that are ignored stay
/// ignored. For `main`, once.
void installInterruptCleanup();

/// A folder to be removed, with all in it, if the process is interrupted.
class RemoveOnInterrupt {
public:
  RemoveOnInterrupt() = default;
  explicit RemoveOnInterrupt(const std::filesystem::path &folder);
  RemoveOnInterrupt(RemoveOnInterrupt &&other) noexcept;
  RemoveOnInterrupt &operator=(RemoveOnInterrupt &&other) noexcept;
  /// The folder is complete, or gone.
  ~RemoveOnInterrupt() { release(); }
  void release();

private:
  std::filesystem::path folder;
};

} // namespace dougong

#endif // DOUGONG_SUPPORT_CLEANUP_H
