//===- WeightsFile.h - writes the weights of a package ----------*- C++ -*-===//
#ifndef DOUGONG_PACKAGING_WEIGHTSFILE_H
#define DOUGONG_PACKAGING_WEIGHTSFILE_H

#include "dougong/Packaging/Recipe.h"

#include "dougong/Package/plan.pb.h"

#include "llvm/Support/raw_ostream.h"

#include <memory>
#include <string>
#include <vector>

namespace dougong {

/// Appends shards to the one weights file of a package, one after the other, each
/// in pieces: a sixteenth of a shard is in memory, and never more than 64 MiB.
/// Shards with equal bytes are stored once. Every shard begins at a multiple of 64
/// bytes, large ones (64 KiB and more) at a multiple of the page size, so that
/// ranks map just what they use.
class WeightsFile {
public:
  /// Creates `path`; `relative` is its name inside the package.
  static llvm::Expected<std::unique_ptr<WeightsFile>> create(llvm::StringRef path,
                                                             llvm::StringRef relative);

  /// Writes all shards of `name`, as `evaluator` gives them, and describes them.
  /// `mesh` gives the sizes of the axes that cut it.
  llvm::Expected<plan::v1::Weight> add(WeightEvaluator &evaluator, llvm::StringRef name,
                                       const plan::v1::Mesh &mesh);

  /// Ends the file. Nothing may be added after.
  llvm::Error finish();

private:
  WeightsFile(std::unique_ptr<llvm::raw_fd_ostream> stream, llvm::StringRef path,
              llvm::StringRef relative)
      : stream(std::move(stream)), path(path), relative(relative) {}
  /// Writes a shard behind the last one, or finds it among those there are.
  llvm::Expected<plan::v1::Segment> append(WeightReader &reader);
  /// Whether two ranges of the file hold the same bytes.
  llvm::Expected<bool> isEqual(uint64_t first, uint64_t second, uint64_t bytes);
  llvm::Error makeError(const std::string &reason) const;

  std::unique_ptr<llvm::raw_fd_ostream> stream;
  std::string path, relative;
  uint64_t end = 0; ///< of the last shard
  std::vector<char> piece;
  /// Length and hash of samples -> shards that have them.
  llvm::DenseMap<std::pair<uint64_t, uint64_t>, llvm::SmallVector<plan::v1::Segment, 1>> written;
};

} // namespace dougong

#endif // DOUGONG_PACKAGING_WEIGHTSFILE_H
