//===- Progress.h - which phase runs, and what each took --------*- C++ -*-===//
#ifndef DOUGONG_PIPELINES_PROGRESS_H
#define DOUGONG_PIPELINES_PROGRESS_H

#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>
#include <string>

namespace dougong {

struct CompileOptions;

/// Tells what a compilation is at, once it has taken a second in all and then at
/// most once a second, unless the options say `quiet`:
///
///     [   2.4 s] lower: program 1 of 2, kernel 31 of 80
///
/// With `timing` tells of every part when it ends instead: seconds, CPU seconds
/// and the process's peak memory so far. Has the pass that fails write the
/// `reproducer`.
class Progress {
public:
  Progress(llvm::raw_ostream &stream, const CompileOptions &options);

  /// Ends the part before, if there is one.
  void begin(llvm::StringRef part);
  /// What the part is at: "program 1 of 2".
  void setDetail(std::string text);
  /// Ends the last part.
  void end();

  /// Watches the passes of a manager that is about to run.
  void watch(mlir::PassManager &manager);
  /// The argument of the pass that failed last; empty if none did.
  llvm::StringRef getFailedPass() const { return failedPass; }

private:
  using Clock = std::chrono::steady_clock;
  class Instrumentation;

  /// Whether it is time for another line.
  bool isDue() const;
  void tell(llvm::StringRef kernel = "");

  llvm::raw_ostream &stream;
  const CompileOptions &options;
  std::string current, detail;
  std::string last; ///< the text told last
  std::string failedPass;
  Clock::time_point start, partStart, told;
  double cpuStart = 0;
};

} // namespace dougong

#endif // DOUGONG_PIPELINES_PROGRESS_H
