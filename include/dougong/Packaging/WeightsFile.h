//===- WeightsFile.h - writes the weights of a package ----------*- C++ -*-===//
#ifndef DOUGONG_PACKAGING_WEIGHTSFILE_H
#define DOUGONG_PACKAGING_WEIGHTSFILE_H

#include "dougong/Packaging/Recipe.h"

#include "dougong/Package/plan.pb.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/ThreadPool.h"

#include <map>
#include <memory>
#include <string>

namespace dougong {

/// Appends shards to the one weights file of a package, one after the other, each
/// in pieces that are made, hashed and written on all cores: a quarter of a large
/// shard is in memory, and at most 32 MiB for each core. Shards with equal bytes are
/// stored once. Every shard begins at a multiple of 64 bytes, large ones (64 KiB and
/// more) at a multiple of the page size, so that ranks map just what they use.
class WeightsFile {
public:
  /// Creates `path`; `relative` is its name inside the package.
  static llvm::Expected<std::unique_ptr<WeightsFile>> create(llvm::StringRef path,
                                                             llvm::StringRef relative);
  ~WeightsFile();

  /// Writes all shards of `name`, as `evaluator` gives them, and describes them. An
  /// OutputError where the file cannot take them.
  /// `mesh` gives the sizes of the axes that cut it.
  llvm::Expected<plan::v1::Weight> add(WeightEvaluator &evaluator, llvm::StringRef name,
                                       const plan::v1::Mesh &mesh);

  /// Ends the file. Nothing may be added after.
  llvm::Error finish();

private:
  WeightsFile(llvm::sys::fs::file_t file, llvm::StringRef relative)
      : file(file), relative(relative) {}
  /// Writes a shard behind the last one, or finds it among those there are. `open`
  /// makes readers for more threads than that of `first`.
  llvm::Expected<plan::v1::Segment>
  append(llvm::function_ref<llvm::Expected<std::unique_ptr<WeightReader>>()> open,
         WeightReader &first);
  llvm::Error makeError(int code) const;

  llvm::sys::fs::file_t file;
  std::string relative;
  uint64_t end = 0; ///< of the last shard
  llvm::DefaultThreadPool pool{llvm::hardware_concurrency()};
  /// Length and hashes -> the shard.
  std::map<std::pair<uint64_t, std::string>, plan::v1::Segment> written;
};

} // namespace dougong

#endif // DOUGONG_PACKAGING_WEIGHTSFILE_H
