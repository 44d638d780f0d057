//===- Progress.h - which phase runs, and what each took --------*- C++ -*-===//
#ifndef DOUGONG_PIPELINES_PROGRESS_H
#define DOUGONG_PIPELINES_PROGRESS_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>
#include <string>

namespace dougong {

/// Tells which phase of a compilation runs, once that has taken a second in all.
/// With `timing` tells of every part when it ends: seconds, CPU seconds and the
/// process's peak memory so far.
class Progress {
public:
  Progress(llvm::raw_ostream &stream, bool timing);

  /// Ends the part before, if there is one.
  void begin(llvm::StringRef part);
  /// Ends the last part.
  void end();

private:
  using Clock = std::chrono::steady_clock;

  llvm::raw_ostream &stream;
  bool timing;
  std::string current;
  Clock::time_point start, partStart;
  double cpuStart = 0;
};

} // namespace dougong

#endif // DOUGONG_PIPELINES_PROGRESS_H
