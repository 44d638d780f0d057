//===- MappedFile.h - a file in memory, a little at a time ------*- C++ -*-===//
#ifndef DOUGONG_LIB_PACKAGING_MAPPEDFILE_H
#define DOUGONG_LIB_PACKAGING_MAPPEDFILE_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/FileSystem.h"

#include <memory>
#include <string>

namespace dougong {

/// A file, mapped for reading, by any number of threads. Pages that were touched
/// stay with the process until they are released, so whoever reads does that.
class MappedFile {
public:
  static llvm::Expected<std::shared_ptr<MappedFile>> open(const std::string &path);
  ~MappedFile();

  llvm::StringRef getBytes() const { return {region.const_data(), region.size()}; }

  /// Memory that touching `runs` runs of `bytes` bytes each takes: the kernel maps
  /// a neighbourhood of pages that are in its cache.
  static int64_t getResident(int64_t runs, int64_t bytes);

  /// Gives the pages of a range back to the kernel's cache. They may be read again.
  void release(int64_t offset, int64_t bytes) const;

  /// Copies bytes without touching the mapping: for short runs far apart, where
  /// each fault would map a neighbourhood that nobody reads.
  void read(int64_t offset, char *out, int64_t bytes) const;

private:
  llvm::sys::fs::file_t file = llvm::sys::fs::kInvalidFile;
  llvm::sys::fs::mapped_file_region region;
};

} // namespace dougong

#endif // DOUGONG_LIB_PACKAGING_MAPPEDFILE_H
