//===- Progress.cpp - which phase runs, and what each took ----------------===//
#include "dougong/Pipelines/Progress.h"

#include "llvm/Support/FormatVariadic.h"

#include <sys/resource.h>

using namespace dougong;

/// What the process has used: CPU seconds of all threads, and peak memory in MB.
static std::pair<double, double> getUsage() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval &time) { return time.tv_sec + time.tv_usec * 1e-6; };
  return {seconds(usage.ru_utime) + seconds(usage.ru_stime), usage.ru_maxrss * 1024e-6};
}

Progress::Progress(llvm::raw_ostream &stream, bool timing)
    : stream(stream), timing(timing), start(Clock::now()), partStart(start) {}

void Progress::begin(llvm::StringRef part) {
  end();
  double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  if (!timing && seconds > 1)
    stream << llvm::formatv("[{0,6:f1} s] {1}\n", seconds, part);
  current = part.str();
  partStart = Clock::now();
  cpuStart = getUsage().first;
}

void Progress::end() {
  if (timing && !current.empty()) {
    double seconds = std::chrono::duration<double>(Clock::now() - partStart).count();
    auto [cpu, peak] = getUsage();
    stream << llvm::formatv("timing: {0,-10} {1,8:f3} s {2,8:f3} s CPU {3,7:f0} MB peak\n", current,
                            seconds, cpu - cpuStart, peak);
  }
  current.clear();
}
