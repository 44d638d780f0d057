//===- Sha256.h - SHA-256 (FIPS 180-4) --------------------------*- C++ -*-===//
#ifndef DOUGONG_SUPPORT_SHA256_H
#define DOUGONG_SUPPORT_SHA256_H

#include "dougong/Support/Result.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace dougong {

/// The SHA-256 digest of a stream of bytes.
class Sha256 {
public:
  /// `portable`: without the processor's SHA instructions, e.g. to compare.
  explicit Sha256(bool portable = false) : portable(portable) {}

  void update(const void *data, std::size_t size);
  void update(std::string_view text) { update(text.data(), text.size()); }

  /// The digest as 64 lower-case hexadecimal digits. The object is spent.
  std::string finish();

private:
  void compress(const std::uint8_t *blocks, std::size_t count);

  std::array<std::uint32_t, 8> state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::uint8_t, 64> pending{};
  std::uint64_t length = 0; // in bytes
  bool portable;
};

/// The digest of `text`, in hexadecimal.
std::string sha256(std::string_view text);

/// The digest of a file's bytes, read in bounded memory. The error names the file.
Result<std::string> sha256File(const std::filesystem::path &path);

} // namespace dougong

#endif // DOUGONG_SUPPORT_SHA256_H
