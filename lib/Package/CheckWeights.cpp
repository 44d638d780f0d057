//===- CheckWeights.cpp - the bytes of weights are what was packed --------===//
//
// Ids: weights (hashes are missing), hash-mismatch.
//
//===----------------------------------------------------------------------===//

#include "Checker.h"
#include "dougong/Package/Plan.h"
#include "dougong/Package/WeightHashes.h"

#include <algorithm>
#include <thread>

namespace dougong::package {

namespace fs = std::filesystem;
using plan::v1::Segment;

namespace {

/// The segments of a file, each once, and the first weight that has it.
using Segments = std::map<const Segment *, std::string, bool (*)(const Segment *, const Segment *)>;

bool isBefore(const Segment *a, const Segment *b) {
  auto key = [](const Segment *s) { return std::tuple(s->offset(), s->bytes()); };
  if (key(a) != key(b))
    return key(a) < key(b);
  return std::lexicographical_compare(a->sha256().begin(), a->sha256().end(), b->sha256().begin(),
                                      b->sha256().end());
}

} // namespace

void checkWeights(Checker &checker) {
  std::map<std::string, Segments> files;
  for (const auto &program : checker.plan.programs())
    for (const auto &weight : program.weights()) {
      std::string subject = "program " + quote(program.id()) + " weight " + quote(weight.name());
      for (const Segment &segment : weight.shards()) {
        std::uint64_t hashes = countHashes(segment.bytes());
        if (static_cast<std::uint64_t>(segment.sha256_size()) != hashes)
          checker.error("weights", subject,
                        "a shard of " + std::to_string(segment.bytes()) + " bytes has " +
                            std::to_string(segment.sha256_size()) + " hashes, expected " +
                            std::to_string(hashes),
                        "compile again: the plan is of an older version, or was changed");
        else if (segment.bytes() != 0)
          files.try_emplace(segment.file(), isBefore).first->second.try_emplace(&segment, subject);
      }
    }
  if (checker.folder.empty() || !checker.options.hashes)
    return;
  int threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  for (const auto &[name, segments] : files) {
    auto path = packagePath(checker.folder, name);
    std::error_code error;
    std::uint64_t size = path ? fs::file_size(*path, error) : 0;
    if (!path || error)
      continue; // checkFiles says so
    std::vector<const Segment *> inside;
    for (const auto &[segment, subject] : segments)
      if (segment->bytes() <= size && segment->offset() <= size - segment->bytes())
        inside.push_back(segment);
    bool wholeFile = inside.size() == segments.size(); // else checkFiles says what is wrong
    for (const WeightDamage &damage : findWeightDamage(*path, inside, wholeFile, threads))
      checker.error("hash-mismatch", name,
                    "bytes " + std::to_string(damage.begin) + " to " + std::to_string(damage.end) +
                        (damage.segment ? " (" + segments.at(damage.segment) + "): " : ": ") +
                        damage.message,
                    "copy the whole package again, or compile again");
  }
}

} // namespace dougong::package
