//===- Packages.cpp - packages that commands make and run -----------------===//
#include "Packages.h"

#include "dougong/Package/Check.h"
#include "dougong/Package/Plan.h"
#include "dougong/Support/Text.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

#include <unistd.h>

using namespace dougong;
namespace fs = std::filesystem;

ExitCode dougong::refuse(const std::string &message, ExitCode code) {
  llvm::errs() << "error: " << escapeControl(message) << "\n";
  return code;
}

bool dougong::isPackage(const fs::path &path) {
  std::error_code ignored;
  return fs::exists(path / std::string(planFileName), ignored);
}

TemporaryFolder::TemporaryFolder() {
  std::error_code none;
  std::string name = (fs::temp_directory_path(none) / "dougong-XXXXXX").string();
  if (char *made = mkdtemp(name.data()))
    guard = RemoveOnInterrupt(path = made);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  if (!path.empty())
    fs::remove_all(path, ignored);
}

/// The first option given that only a compilation heeds; null if there is none.
static const char *findCompileOption(const CompileOptions &options, bool compilesReference) {
  const CompileOptions defaults;
  const std::pair<const char *, bool> given[] = {
      {"--fleet", options.fleet != defaults.fleet},
      {"--strategy", options.strategy != defaults.strategy},
      {"--parallel", options.parallel != defaults.parallel},
      {"--configuration", options.configuration != defaults.configuration},
      {"--dim", !compilesReference && options.dims != defaults.dims},
      {"--timing", !compilesReference && options.timing},
      {"--target", options.target != defaults.target},
      {"--dump-phases", options.dumpPhases != defaults.dumpPhases},
      {"--reproducer", options.reproducer != defaults.reproducer}};
  for (auto [name, isGiven] : given)
    if (isGiven)
      return name;
  return nullptr;
}

ExitCode dougong::preparePackage(CompileOptions options, const TemporaryFolder &folder,
                                 fs::path &package, bool compilesReference) {
  package = options.model;
  if (isPackage(package)) {
    if (const char *name = findCompileOption(options, compilesReference))
      return refuse("'" + options.model + "' is a package: " + name +
                        " was settled when it was compiled",
                    exitUsage);
    Result<plan::v1::Plan> plan = readUnchangedPlan(package);
    if (!plan)
      return refuse(plan.message(), exitInfeasible);
    // Files are the runner's to check: it looks at those that it loads.
    for (const Finding &finding : checkPlan(*plan, /*package=*/{}))
      if (finding.severity == Severity::Error)
        return refuse("'" + options.model + "': " + finding.subject + ": " + finding.message +
                          "; 'dougong check' tells all that is wrong",
                      exitInfeasible);
    return exitOk;
  }
  if (folder.getPath().empty()) {
    return refuse("cannot make a folder for temporary files: set TMPDIR to one that can be written",
                  exitUsage);
  }
  package = folder.getPath() / "package";
  options.output = package.string();
  options.advice = false;
  return compileModel(options, llvm::errs());
}

unsigned dougong::countRanks(const fs::path &package) {
  Result<plan::v1::Plan> plan = readPlan(package);
  if (!plan) {
    refuse(plan.message());
    return 0;
  }
  if (plan->ranks_size() > 0)
    return plan->ranks_size();
  unsigned count = 0;
  for (const plan::v1::RankSet &set : plan->rank_sets())
    count += set.count();
  return count;
}

/// What llvm::sys::ExecuteAndWait returns for a program that ended by a signal.
static constexpr int endedBySignal = -2;

int dougong::startRunner(const fs::path &package, const std::vector<std::string> &arguments,
                         unsigned mpiRanks) {
  // The runner lies beside this tool.
  std::string self =
      llvm::sys::fs::getMainExecutable(nullptr, reinterpret_cast<void *>(&isPackage));
  std::string runner = (fs::path(self).parent_path() / "dougong-runner").string();
  std::vector<std::string> command = {runner, package.string()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  if (mpiRanks) {
    llvm::ErrorOr<std::string> mpirun = llvm::sys::findProgramByName("mpirun");
    if (!mpirun) {
      return refuse("mpirun is not on the PATH: install Open MPI, or use --ranks threads",
                    exitUsage);
    }
    // Ranks may exceed cores here: none may spin, and none is bound.
    std::vector<std::string> launcher = {*mpirun,
                                         "--oversubscribe",
                                         "--bind-to",
                                         "none",
                                         "--mca",
                                         "btl",
                                         "self,vader",
                                         "--mca",
                                         "mpi_yield_when_idle",
                                         "1",
                                         "--mca",
                                         "plm",
                                         "isolated",
                                         "-n",
                                         std::to_string(mpiRanks)};
    if (getuid() == 0)
      launcher.insert(launcher.begin() + 1, "--allow-run-as-root");
    launcher.insert(launcher.end(), command.begin(), command.end());
    command = std::move(launcher);
  }
  std::vector<llvm::StringRef> words(command.begin(), command.end());
  std::string message;
  int code = llvm::sys::ExecuteAndWait(words[0], words, std::nullopt, {}, 0, 0, &message);
  if (code == endedBySignal) {
    return refuse(
        "'" + command[0] + "' was ended by a signal (" + message +
            "): if nobody stopped it and memory was not short, report it with the package",
        exitInternal);
  }
  if (code < 0) {
    return refuse("cannot start '" + command[0] + "': " + message, exitInternal);
  }
  return code;
}
