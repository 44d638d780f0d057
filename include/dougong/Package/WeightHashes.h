//===- WeightHashes.h - the bytes of weights are what was packed -*- C++ -*-===//
#ifndef DOUGONG_PACKAGE_WEIGHTHASHES_H
#define DOUGONG_PACKAGE_WEIGHTHASHES_H

#include "dougong/Package/plan.pb.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace dougong {

/// Bytes of a segment that one hash is of; the last one may be of fewer.
inline constexpr std::uint64_t hashedBlock = 16 << 20;

/// How many hashes a segment of `bytes` bytes has.
inline std::uint64_t countHashes(std::uint64_t bytes) {
  return bytes / hashedBlock + (bytes % hashedBlock != 0);
}

/// A range of a file, and what it is not.
struct WeightDamage {
  std::uint64_t begin = 0, end = 0;           ///< bytes of the file
  std::string message;                        ///< "expected sha256 ..., got ..."
  const plan::v1::Segment *segment = nullptr; ///< nullptr: no segment covers it
};

/// Reads `segments` of `file` (each named once) on up to `threads` threads, in
/// bounded memory, and returns the blocks that are not what their hashes say, in
/// the order of the file. With `wholeFile` what lies between and behind them must
/// be zero.
std::vector<WeightDamage> findWeightDamage(const std::filesystem::path &file,
                                           std::vector<const plan::v1::Segment *> segments,
                                           bool wholeFile, int threads);

} // namespace dougong

#endif // DOUGONG_PACKAGE_WEIGHTHASHES_H
