//===- RunCommand.cpp - dougong run ---------------------------------------===//
#include "Commands.h"

#include "dougong/Package/Plan.h"

#include <CLI/CLI.hpp>

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

#include <set>
#include <unistd.h>

using namespace dougong;
namespace fs = std::filesystem;

bool dougong::isPackage(const fs::path &path) {
  std::error_code ignored;
  return fs::exists(path / std::string(planFileName), ignored);
}

TemporaryFolder::TemporaryFolder() {
  std::string name = (fs::temp_directory_path() / "dougong-XXXXXX").string();
  if (char *made = mkdtemp(name.data()))
    path = made;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  if (!path.empty())
    fs::remove_all(path, ignored);
}

ExitCode dougong::preparePackage(CompileOptions options, const TemporaryFolder &folder,
                                 fs::path &package) {
  package = options.model;
  if (isPackage(package))
    return exitOk;
  if (folder.getPath().empty()) {
    llvm::errs() << "error: cannot make a temporary folder\n";
    return exitInternal;
  }
  package = folder.getPath() / "package";
  options.output = package.string();
  return compileModel(options, llvm::errs());
}

unsigned dougong::countRanks(const fs::path &package) {
  Result<plan::v1::Plan> plan = readPlan(package);
  if (!plan) {
    llvm::errs() << "error: " << plan.message() << "\n";
    return 0;
  }
  if (plan->ranks_size() > 0)
    return plan->ranks_size();
  unsigned count = 0;
  for (const plan::v1::RankSet &set : plan->rank_sets())
    count += set.count();
  return count;
}

int dougong::startRunner(const fs::path &package, const std::vector<std::string> &arguments,
                         unsigned mpiRanks) {
  // The runner lies beside this tool.
  std::string self = llvm::sys::fs::getMainExecutable(nullptr, reinterpret_cast<void *>(&isPackage));
  std::string runner = (fs::path(self).parent_path() / "dougong-runner").string();
  std::vector<std::string> command = {runner, package.string()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  if (mpiRanks) {
    llvm::ErrorOr<std::string> mpirun = llvm::sys::findProgramByName("mpirun");
    if (!mpirun) {
      llvm::errs() << "error: mpirun is not on the PATH: install Open MPI, or use --ranks threads\n";
      return exitUsage;
    }
    // Ranks may exceed cores here: none may spin, and none is bound.
    std::vector<std::string> launcher = {
        *mpirun, "--oversubscribe", "--bind-to", "none", "--mca", "btl", "self,vader", "--mca",
        "mpi_yield_when_idle", "1", "--mca", "plm", "isolated", "-n", std::to_string(mpiRanks)};
    if (getuid() == 0)
      launcher.insert(launcher.begin() + 1, "--allow-run-as-root");
    launcher.insert(launcher.end(), command.begin(), command.end());
    command = std::move(launcher);
  }
  std::vector<llvm::StringRef> words(command.begin(), command.end());
  std::string message;
  int code = llvm::sys::ExecuteAndWait(words[0], words, std::nullopt, {}, 0, 0, &message);
  if (code < 0) {
    llvm::errs() << "error: cannot start '" << words[0] << "': " << message << "\n";
    return exitInternal;
  }
  return code;
}

Command dougong::addRunCommand(CLI::App &app) {
  struct Options {
    CompileOptions compile;
    std::string ranks = "threads";
    int threads = 0;
    std::vector<std::string> inputs, inputFolders;
    std::string outputs;
    bool json = false, profile = false;
    int repeat = 1;
  };
  auto options = std::make_shared<Options>();
  app.add_option("package", options->compile.model, "package folder, or ONNX model")->required();
  app.add_option("--input", options->inputs, "NAME=FILE (.npy or .pb)");
  app.add_option("--inputs", options->inputFolders,
                 "folder with input_0.pb, ...; may repeat: one step each, state kept between");
  app.add_option("--outputs", options->outputs, "folder for output_0.pb, ...");
  app.add_option("--ranks", options->ranks, "how ranks run")
      ->check(CLI::IsMember(std::set<std::string>{"threads", "mpi"}))
      ->capture_default_str();
  app.add_option("--threads", options->threads, "threads of each rank; 0: cores / ranks");
  app.add_option("--repeat", options->repeat, "repetitions of each step, timed");
  app.add_flag("--json", options->json, "timings as JSON");
  app.add_flag("--profile", options->profile, "where the time of each rank went");
  addCompileOptions(app, options->compile);
  return [options] {
    TemporaryFolder folder;
    fs::path package;
    if (ExitCode code = preparePackage(options->compile, folder, package); code != exitOk)
      return code;
    unsigned mpiRanks = 0;
    if (options->ranks == "mpi" && !(mpiRanks = countRanks(package)))
      return exitInputRefused;
    std::vector<std::string> arguments = {"--ranks", options->ranks};
    auto add = [&](const char *name, const std::string &value) {
      arguments.push_back(name);
      arguments.push_back(value);
    };
    if (options->threads)
      add("--threads", std::to_string(options->threads));
    for (const std::string &input : options->inputs)
      add("--input", input);
    for (const std::string &input : options->inputFolders)
      add("--inputs", input);
    if (!options->outputs.empty())
      add("--outputs", options->outputs);
    for (const std::string &state : options->compile.states)
      add("--state", state);
    if (options->repeat > 1)
      add("--repeat", std::to_string(options->repeat));
    if (options->json)
      arguments.push_back("--json");
    if (options->profile)
      arguments.push_back("--profile");
    return ExitCode(startRunner(package, arguments, mpiRanks));
  };
}
