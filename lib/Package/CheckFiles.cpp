//===- CheckFiles.cpp - the files that a plan names are there ------------===//
//
// Ids: schema (paths), file-missing, hash-mismatch, weights (bounds).
//
//===----------------------------------------------------------------------===//

#include "Checker.h"
#include "dougong/Package/Plan.h"
#include "dougong/Support/Sha256.h"

namespace dougong::package {

namespace fs = std::filesystem;

namespace {

/// The size of a file of the package, reported once if it cannot be had.
class Sizes {
public:
  explicit Sizes(Checker &checker) : checker(checker) {}

  std::optional<std::uint64_t> of(const std::string &file, const std::string &subject) {
    auto known = sizes.find(file);
    if (known != sizes.end())
      return known->second;
    return sizes[file] = look(file, subject);
  }

private:
  std::optional<std::uint64_t> look(const std::string &file, const std::string &subject) {
    auto path = packagePath(checker.folder, file);
    if (!path) {
      checker.error("schema", subject, path.message());
      return std::nullopt;
    }
    if (checker.folder.empty())
      return std::nullopt;
    std::error_code error;
    if (!fs::is_regular_file(*path, error)) {
      checker.error("file-missing", file, subject + " needs this file, and it is not there",
                    "copy the whole package, or compile again");
      return std::nullopt;
    }
    auto size = fs::file_size(*path, error);
    if (error) {
      checker.error("file-missing", file, "its size cannot be read: " + error.message());
      return std::nullopt;
    }
    return size;
  }

  Checker &checker;
  std::map<std::string, std::optional<std::uint64_t>> sizes;
};

void checkProgramFile(Checker &checker, Sizes &sizes, const plan::v1::Program &program) {
  auto size = sizes.of(program.path(), "program " + quote(program.id()));
  if (!size)
    return;
  const char *remedy = "compile again: the file is not the one that was planned";
  if (*size != program.size_bytes()) {
    checker.error("hash-mismatch", program.path(),
                  "expected " + std::to_string(program.size_bytes()) + " bytes, got " +
                      std::to_string(*size),
                  remedy);
    return;
  }
  if (!checker.options.hashes)
    return;
  auto hash = sha256File(checker.folder / program.path());
  if (!hash)
    checker.error("file-missing", program.path(), hash.message());
  else if (*hash != program.sha256())
    checker.error("hash-mismatch", program.path(),
                  "expected sha256 " + program.sha256() + ", got " + *hash, remedy);
}

} // namespace

void checkFiles(Checker &checker) {
  Sizes sizes(checker);
  for (const auto &program : checker.plan.programs()) {
    checkProgramFile(checker, sizes, program);
    for (const auto &weight : program.weights()) {
      std::string subject = "program " + quote(program.id()) + " weight " + quote(weight.name());
      for (const auto &segment : weight.shards()) {
        if (segment.bytes() == 0)
          continue; // an empty shard needs no file
        auto size = sizes.of(segment.file(), subject);
        std::uint64_t end;
        if (__builtin_add_overflow(segment.offset(), segment.bytes(), &end) ||
            (size && end > *size))
          checker.error("weights", subject,
                        "a shard of " + std::to_string(segment.bytes()) + " bytes at offset " +
                            std::to_string(segment.offset()) + " lies outside " +
                            quote(segment.file()) +
                            (size ? ", which has " + std::to_string(*size) + " bytes" : ""));
      }
    }
  }
}

} // namespace dougong::package
