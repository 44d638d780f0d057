//===- ExternalData.h - weights as ONNX files have them ---------*- C++ -*-===//
#ifndef DOUGONG_PACKAGING_EXTERNALDATA_H
#define DOUGONG_PACKAGING_EXTERNALDATA_H

#include "dougong/Packaging/Recipe.h"

#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

#include <memory>
#include <string>
#include <vector>

namespace dougong {

/// Bytes of a file.
struct FileRange {
  uint64_t offset = 0, length = 0;
};

/// Where a tensor lies in a file of external data whose tensors so far end at `end`:
/// large ones begin at a multiple of the page size.
FileRange placeTensor(uint64_t end, mlir::Type elementType, llvm::ArrayRef<int64_t> shape);

/// All elements of a weight, as the reader gives them.
std::vector<char> readWeight(WeightReader &reader);

/// A file of external data: tensors one behind the other as placeTensor says,
/// row-major, elements of 2 and 4 bits packed.
class ExternalDataFile {
public:
  static llvm::Expected<std::unique_ptr<ExternalDataFile>> create(llvm::StringRef path);

  /// Appends a weight, of which a few MiB are in memory.
  void add(WeightReader &reader);

  /// Closes the file. An OutputError if it could not take everything.
  llvm::Error finish();

private:
  ExternalDataFile(llvm::StringRef path, std::unique_ptr<llvm::raw_fd_ostream> stream)
      : path(path), stream(std::move(stream)) {}

  std::string path;
  std::unique_ptr<llvm::raw_fd_ostream> stream;
};

} // namespace dougong

#endif // DOUGONG_PACKAGING_EXTERNALDATA_H
