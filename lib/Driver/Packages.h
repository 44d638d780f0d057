//===- Packages.h - packages that commands make and run ---------*- C++ -*-===//
#ifndef DOUGONG_LIB_DRIVER_PACKAGES_H
#define DOUGONG_LIB_DRIVER_PACKAGES_H

#include "dougong/Pipelines/Compile.h"
#include "dougong/Support/Cleanup.h"

#include <filesystem>
#include <string>
#include <vector>

namespace dougong {

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
  RemoveOnInterrupt guard; ///< of `path`
};

/// Compiles `options.model` into `folder` unless it is a package already, and
/// gives the package's path. A package refuses the options of compilation, but
/// for --dim and --timing where `compilesReference`: they apply to a model that is
/// compiled beside it.
ExitCode preparePackage(CompileOptions options, const TemporaryFolder &folder,
                        std::filesystem::path &package, bool compilesReference);

/// Starts the runner on a package with the given arguments, under mpirun where
/// `mpiRanks` is not 0, and waits. Gives its exit code.
int startRunner(const std::filesystem::path &package, const std::vector<std::string> &arguments,
                unsigned mpiRanks);

/// Number of ranks of a package; 0, after an error, if it cannot be read.
unsigned countRanks(const std::filesystem::path &package);

} // namespace dougong

#endif // DOUGONG_LIB_DRIVER_PACKAGES_H
