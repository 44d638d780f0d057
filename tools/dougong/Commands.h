//===- Commands.h - the commands of the dougong tool ------------*- C++ -*-===//
#ifndef DOUGONG_TOOLS_DOUGONG_COMMANDS_H
#define DOUGONG_TOOLS_DOUGONG_COMMANDS_H

#include "dougong/Pipelines/Compile.h"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
} // namespace CLI

namespace dougong {

/// A command registers its options with `app` and returns what runs it.
using Command = std::function<ExitCode()>;

Command addCompileCommand(CLI::App &app);
Command addRunCommand(CLI::App &app);
Command addVerifyCommand(CLI::App &app);
Command addCheckCommand(CLI::App &app);
Command addExplainCommand(CLI::App &app);
Command addFleetCommand(CLI::App &app);

/// Options of `compile` that `run` and `verify` share.
void addCompileOptions(CLI::App &app, CompileOptions &options);

/// An option that may repeat and takes one value each time, so that what follows
/// may be an argument.
CLI::Option *addListOption(CLI::App &app, const char *name, std::vector<std::string> &values,
                           const char *text);

/// --ranks threads|mpi.
void addRanksOption(CLI::App &app, std::string &ranks);

/// Tells an error on stderr and gives its exit code.
ExitCode refuse(const std::string &message, ExitCode code = exitInputRefused);

/// Whether `path` is a package (a folder with a plan).
bool isPackage(const std::filesystem::path &path);

/// A folder that is removed with everything in it at the end.
class TemporaryFolder {
public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder &) = delete;
  const std::filesystem::path &getPath() const { return path; }

private:
  std::filesystem::path path;
};

/// Compiles `options.model` into `folder` unless it is a package already, and
/// gives the package's path. A package refuses the options of compilation, but
/// for --dim where `dimsApply`: to a reference that is compiled beside it.
ExitCode preparePackage(CompileOptions options, const TemporaryFolder &folder,
                        std::filesystem::path &package, bool dimsApply = true);

/// Starts the runner on a package with the given arguments, under mpirun where
/// `mpiRanks` is not 0, and waits. Gives its exit code.
int startRunner(const std::filesystem::path &package, const std::vector<std::string> &arguments,
                unsigned mpiRanks);

/// Number of ranks of a package; 0, after an error, if it cannot be read.
unsigned countRanks(const std::filesystem::path &package);

} // namespace dougong

#endif // DOUGONG_TOOLS_DOUGONG_COMMANDS_H
