//===- WeightsFile.h - writes the weights of a package ----------*- C++ -*-===//
#ifndef DOUGONG_PACKAGING_WEIGHTSFILE_H
#define DOUGONG_PACKAGING_WEIGHTSFILE_H

#include "dougong/Packaging/Recipe.h"

#include "dougong/Package/plan.pb.h"

#include "llvm/Support/raw_ostream.h"

#include <memory>
#include <string>

namespace dougong {

/// Appends shards to the one weights file of a package, one after the other:
/// only the shard being written is in memory. Shards with equal bytes are stored
/// once. Every shard begins at a multiple of 64 bytes, large ones (64 KiB and
/// more) at a multiple of the page size, so that ranks map just what they use.
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
  WeightsFile(std::unique_ptr<llvm::raw_fd_ostream> stream, llvm::StringRef relative)
      : stream(std::move(stream)), relative(relative) {}
  plan::v1::Segment append(llvm::ArrayRef<char> bytes);

  std::unique_ptr<llvm::raw_fd_ostream> stream;
  std::string relative;
  /// SHA-256 of the bytes -> where they are.
  llvm::StringMap<plan::v1::Segment> written;
};

} // namespace dougong

#endif // DOUGONG_PACKAGING_WEIGHTSFILE_H
