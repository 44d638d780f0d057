//===- Loader.h - programs and weights of a package -------------*- C++ -*-===//
#ifndef DOUGONG_RUNTIME_LOADER_H
#define DOUGONG_RUNTIME_LOADER_H

#include "dougong-c/program.h"
#include "dougong/Package/Plan.h"
#include "dougong/Runtime/Buffer.h"

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace dougong {

/// A program that is loaded into this process.
class LoadedProgram {
public:
  /// Loads `program` of the package in `folder`. Refuses another kind than
  /// "cpu-so", another SHA-256 than the plan's, another ABI version, and a file
  /// without the three functions.
  static Result<std::shared_ptr<LoadedProgram>> load(const std::filesystem::path &folder,
                                                     const plan::v1::Program &program);
  ~LoadedProgram();
  LoadedProgram(const LoadedProgram &) = delete;

  dougong_program_shapes_fn shapes = nullptr;
  dougong_program_run_fn run = nullptr;

private:
  LoadedProgram() = default;
  void *library = nullptr;
};

/// A file mapped read-only into memory.
class MappedFile {
public:
  static Result<std::shared_ptr<MappedFile>> map(const std::filesystem::path &path);
  ~MappedFile();
  MappedFile(const MappedFile &) = delete;

  const std::byte *data() const { return address; }
  std::size_t size() const { return length; }

private:
  MappedFile() = default;
  const std::byte *address = nullptr;
  std::size_t length = 0;
};

/// The weights of one rank for one program.
struct RankWeights {
  /// One for each weight of the program, 64-byte aligned.
  std::vector<void *> pointers;
  /// What keeps them in memory.
  std::vector<std::shared_ptr<MappedFile>> files;
  std::vector<std::shared_ptr<Buffer>> copies;
  std::size_t bytes = 0; ///< of all segments, each once
};

/// An opened package: the plan, and what its ranks share in this process. Safe
/// to use from several threads.
class Package {
public:
  /// Reads the plan of `path` (a package or its plan.json). Refuses what
  /// readPlan refuses; whether the plan can run is found as ranks are set up.
  /// With `trustWeights` the bytes of weights are not compared with their hashes.
  static Result<std::shared_ptr<Package>> open(const std::filesystem::path &path,
                                               bool trustWeights = false);

  const plan::v1::Plan &plan() const { return thePlan; }
  const std::filesystem::path &folder() const { return theFolder; }

  /// The program, loaded once.
  Result<std::shared_ptr<LoadedProgram>> program(const plan::v1::Program &program);

  /// The shard of every weight of `program` for the rank at `coordinates` of
  /// `mesh`. Each file is mapped once, each segment compared with its hashes once,
  /// on `threads` threads; a segment that does not start at a 64-byte border is
  /// copied.
  Result<RankWeights> weights(const plan::v1::Program &program, const plan::v1::Mesh &mesh,
                              const std::vector<std::int64_t> &coordinates, int threads = 1);

private:
  Package() = default;
  /// Compares the segments that no rank has compared yet.
  Result<void> verify(const std::vector<const plan::v1::Segment *> &segments, int threads);
  Result<std::shared_ptr<MappedFile>> file(const std::string &relative);

  plan::v1::Plan thePlan;
  std::filesystem::path theFolder;
  std::mutex mutex;                                                         // of the rest
  std::map<std::string, std::shared_ptr<LoadedProgram>> programs;           // by path
  std::map<std::string, std::shared_ptr<MappedFile>> files;                 // by path
  std::set<std::tuple<std::string, std::uint64_t, std::uint64_t>> verified; // file, offset, bytes
  bool trustWeights = false;
};

} // namespace dougong

#endif // DOUGONG_RUNTIME_LOADER_H
