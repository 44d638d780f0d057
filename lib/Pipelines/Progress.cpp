//===- Progress.cpp - which phase runs, and what each took ----------------===//
#include "dougong/Pipelines/Progress.h"

#include "dougong/Pipelines/Compile.h"

#include "mlir/Pass/PassInstrumentation.h"
#include "llvm/Support/FormatVariadic.h"

#include <sys/resource.h>

using namespace mlir;
using namespace dougong;

/// What the process has used: CPU seconds of all threads, and peak memory in MB.
static std::pair<double, double> getUsage() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval &time) { return time.tv_sec + time.tv_usec * 1e-6; };
  return {seconds(usage.ru_utime) + seconds(usage.ru_stime), usage.ru_maxrss * 1024e-6};
}

/// Looks at the clock between passes: parts themselves may take long.
class Progress::Instrumentation : public PassInstrumentation {
public:
  explicit Instrumentation(Progress &progress) : progress(progress) {}

  void runBeforePass(Pass *, Operation *op) override {
    if (progress.isDue())
      progress.tell(describe(op));
  }

  void runAfterPassFailed(Pass *pass, Operation *) override {
    // Pass managers inside are passes too, without a name: the first one failed.
    if (progress.failedPass.empty())
      progress.failedPass = pass->getArgument().str();
  }

private:
  /// "kernel 31 of 80" for the function of a kernel.
  static std::string describe(Operation *op) {
    auto isKernel = [](Operation &function) { return function.hasAttr("dougong.kernel"); };
    if (!op->getParentOp() || !isKernel(*op))
      return "";
    Block &functions = *op->getBlock();
    auto number = std::count_if(functions.begin(), std::next(op->getIterator()), isKernel);
    return llvm::formatv("kernel {0} of {1}", number, llvm::count_if(functions, isKernel));
  }

  Progress &progress;
};

Progress::Progress(raw_ostream &stream, const CompileOptions &options)
    : stream(stream), options(options), start(Clock::now()), partStart(start) {}

bool Progress::isDue() const {
  Clock::time_point now = Clock::now();
  return !options.timing && !options.quiet && now - start > std::chrono::seconds(1) &&
         now - told > std::chrono::seconds(1);
}

void Progress::tell(StringRef kernel) {
  std::string text = current;
  for (StringRef more : {StringRef(detail), kernel})
    if (!more.empty())
      text += (text == current ? ": " : ", ") + more.str();
  if (text == last)
    return;
  told = Clock::now();
  stream << llvm::formatv("[{0,6:f1} s] {1}\n", std::chrono::duration<double>(told - start).count(),
                          text);
  last = std::move(text);
}

void Progress::begin(StringRef part) {
  end();
  current = part.str();
  if (isDue())
    tell();
  partStart = Clock::now();
  cpuStart = getUsage().first;
}

void Progress::setDetail(std::string text) {
  detail = std::move(text);
  if (isDue())
    tell();
}

void Progress::end() {
  if (options.timing && !current.empty()) {
    double seconds = std::chrono::duration<double>(Clock::now() - partStart).count();
    auto [cpu, peak] = getUsage();
    stream << llvm::formatv("timing: {0,-10} {1,8:f3} s {2,8:f3} s CPU {3,7:f0} MB peak\n", current,
                            seconds, cpu - cpuStart, peak);
  }
  current.clear();
  detail.clear();
}

void Progress::watch(PassManager &manager) {
  manager.addInstrumentation(std::make_unique<Instrumentation>(*this));
  if (!options.reproducer.empty())
    manager.enableCrashReproducerGeneration(options.reproducer, /*genLocalReproducer=*/true);
}
