//===- Sha256.cpp - SHA-256 (FIPS 180-4) ----------------------------------===//

#include "dougong/Support/Sha256.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace dougong {
namespace {

alignas(16) constexpr std::uint32_t roundConstants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

std::uint32_t loadBigEndian(const std::uint8_t *p) {
  return std::uint32_t{p[0]} << 24 | std::uint32_t{p[1]} << 16 | std::uint32_t{p[2]} << 8 | p[3];
}

/// FIPS 180-4, 6.2.2.
void compressPortable(std::uint32_t *state, const std::uint8_t *block, std::size_t count) {
  for (; count != 0; --count, block += 64) {
    std::uint32_t w[64];
    for (int i = 0; i != 16; ++i)
      w[i] = loadBigEndian(block + 4 * i);
    for (int i = 16; i != 64; ++i) {
      std::uint32_t s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ (w[i - 15] >> 3);
      std::uint32_t s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ (w[i - 2] >> 10);
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    std::uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    std::uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i != 64; ++i) {
      std::uint32_t s1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
      std::uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + roundConstants[i] + w[i];
      std::uint32_t s0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
      std::uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
      h = g, g = f, f = e, e = d + t1;
      d = c, c = b, b = a, a = t1 + t2;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
  }
}

#if defined(__x86_64__)
/// The same with the SHA extensions, which keep the state as {ABEF} and {CDGH}.
/// Weight files are hashed, so this is worth its lines.
__attribute__((target("sha,sse4.1,ssse3"))) void
compressShaNi(std::uint32_t *state, const std::uint8_t *block, std::size_t count) {
  const __m128i byteSwap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
  __m128i dcba = _mm_loadu_si128(reinterpret_cast<const __m128i *>(state));
  __m128i hgfe = _mm_loadu_si128(reinterpret_cast<const __m128i *>(state + 4));
  __m128i cdab = _mm_shuffle_epi32(dcba, 0xb1);
  __m128i efgh = _mm_shuffle_epi32(hgfe, 0x1b);
  __m128i abef = _mm_alignr_epi8(cdab, efgh, 8);
  __m128i cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);

  for (; count != 0; --count, block += 64) {
    const __m128i abefBefore = abef, cdghBefore = cdgh;
    __m128i w[4];
    for (int i = 0; i != 4; ++i)
      w[i] = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i *>(block + 16 * i)),
                              byteSwap);
    for (int group = 0; group != 16; ++group) {
      __m128i &current = w[group & 3];
      if (group >= 4) {
        // w[i] = w[i-16] + s0(w[i-15]) + w[i-7] + s1(w[i-2]), four at a time;
        // w[group & 3] still holds the words of 16 rounds ago.
        const __m128i next = w[(group + 1) & 3], third = w[(group + 2) & 3];
        const __m128i last = w[(group + 3) & 3];
        current = _mm_sha256msg1_epu32(current, next);
        current = _mm_add_epi32(current, _mm_alignr_epi8(last, third, 4));
        current = _mm_sha256msg2_epu32(current, last);
      }
      __m128i sum = _mm_add_epi32(
          current, _mm_load_si128(reinterpret_cast<const __m128i *>(roundConstants + 4 * group)));
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
    }
    abef = _mm_add_epi32(abef, abefBefore);
    cdgh = _mm_add_epi32(cdgh, cdghBefore);
  }

  __m128i feba = _mm_shuffle_epi32(abef, 0x1b);
  __m128i dchg = _mm_shuffle_epi32(cdgh, 0xb1);
  dcba = _mm_blend_epi16(feba, dchg, 0xf0);
  hgfe = _mm_alignr_epi8(dchg, feba, 8);
  _mm_storeu_si128(reinterpret_cast<__m128i *>(state), dcba);
  _mm_storeu_si128(reinterpret_cast<__m128i *>(state + 4), hgfe);
}

/// CPUID leaf 7, EBX bit 29; clang's __builtin_cpu_supports does not know "sha"
/// in every version.
bool hasShaNi() {
  std::uint32_t a = 7, b = 0, c = 0, d = 0;
  __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  return (b >> 29 & 1) != 0 && __builtin_cpu_supports("sse4.1") != 0;
}
#endif

} // namespace

void Sha256::compress(const std::uint8_t *blocks, std::size_t count) {
#if defined(__x86_64__)
  static const bool fast = hasShaNi();
  if (fast && !portable)
    return compressShaNi(state.data(), blocks, count);
#endif
  compressPortable(state.data(), blocks, count);
}

void Sha256::update(const void *data, std::size_t size) {
  if (size == 0)
    return;
  auto *bytes = static_cast<const std::uint8_t *>(data);
  std::size_t filled = length % 64;
  length += size;
  if (filled != 0) {
    std::size_t taken = std::min(size, 64 - filled);
    std::memcpy(pending.data() + filled, bytes, taken);
    if (filled + taken != 64)
      return;
    compress(pending.data(), 1);
    bytes += taken;
    size -= taken;
  }
  compress(bytes, size / 64);
  std::memcpy(pending.data(), bytes + size / 64 * 64, size % 64);
}

std::string Sha256::finish() {
  const std::uint64_t bits = length * 8;
  std::uint8_t padding[72] = {0x80};
  std::size_t zeros = (length % 64 < 56 ? 56 : 120) - length % 64;
  for (int i = 0; i != 8; ++i)
    padding[zeros + i] = static_cast<std::uint8_t>(bits >> (56 - 8 * i));
  update(padding, zeros + 8);

  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (std::uint32_t word : state)
    for (int shift = 28; shift >= 0; shift -= 4)
      text += digits[word >> shift & 15];
  return text;
}

std::string sha256(std::string_view text) {
  Sha256 hash;
  hash.update(text);
  return hash.finish();
}

Result<std::string> sha256File(const std::filesystem::path &path) {
  auto failure = [&] {
    return Error{"cannot read '" + path.string() + "': " + std::strerror(errno)};
  };
  std::unique_ptr<std::FILE, int (*)(std::FILE *)> file(std::fopen(path.c_str(), "rb"),
                                                        std::fclose);
  if (!file)
    return failure();
  std::vector<std::uint8_t> buffer(1 << 20);
  Sha256 hash;
  while (std::size_t size = std::fread(buffer.data(), 1, buffer.size(), file.get()))
    hash.update(buffer.data(), size);
  if (std::ferror(file.get()))
    return failure();
  return hash.finish();
}

} // namespace dougong
