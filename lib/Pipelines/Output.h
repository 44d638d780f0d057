//===- Output.h - where a compilation may write -----------------*- C++ -*-===//
#ifndef DOUGONG_LIB_PIPELINES_OUTPUT_H
#define DOUGONG_LIB_PIPELINES_OUTPUT_H

#include "dougong/Support/Cleanup.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <filesystem>

namespace dougong {

/// What a folder is made to hold.
enum class OutputKind { Package, OnnxExport };

/// Whether output can be written to `folder`: a new one, an empty one, or one that
/// holds output of that kind and nothing else, in a place where folders can be made.
/// The current folder and those around it are refused.
llvm::Error checkOutputFolder(llvm::StringRef folder, OutputKind kind);

/// Whether a file can be written to `path`: a new one or one that is there, in a
/// folder that is there and lets files be made.
llvm::Error checkOutputFile(llvm::StringRef path);

/// Makes a folder, unless it is there, in which files can be made.
llvm::Error makeOutputFolder(llvm::StringRef folder);

/// A folder that takes the place of another when it is complete, and vanishes
/// if it never is.
class PendingFolder {
public:
  static llvm::Expected<PendingFolder> create(llvm::StringRef target, OutputKind kind);
  PendingFolder(PendingFolder &&other)
      : kind(other.kind), target(std::move(other.target)), folder(std::move(other.folder)),
        guard(std::move(other.guard)) {
    other.folder.clear();
  }
  ~PendingFolder();

  const std::filesystem::path &getPath() const { return folder; }

  /// What was there goes only when the new folder is in its place.
  llvm::Error commit();

private:
  PendingFolder() = default;
  /// A name beside the target that no other process uses.
  std::filesystem::path beside(const char *kind) const;
  OutputKind kind = OutputKind::Package;
  std::filesystem::path target, folder;
  RemoveOnInterrupt guard; ///< of `folder`
};

} // namespace dougong

#endif // DOUGONG_LIB_PIPELINES_OUTPUT_H
