//===- Half.h - 16-bit floating point conversions ---------------*- C++ -*-===//
//
// IEEE binary16 and bfloat16 to and from f32, round to nearest even. Written
// without branches where it matters, so that loops over them vectorise on every
// target; no compiler support for 16-bit floats is needed.
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_RUNTIME_HALF_H
#define DOUGONG_RUNTIME_HALF_H

#include <bit>
#include <cstdint>

namespace dougong {

/// bfloat16 bits to f32: the upper half of the f32.
inline float bf16ToFloat(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

/// f32 to bfloat16 bits. NaNs stay NaNs (quiet).
inline std::uint16_t floatToBf16(float value) {
  std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  std::uint32_t rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
  std::uint32_t quiet = bits | 0x00400000u;
  bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
  return static_cast<std::uint16_t>((nan ? quiet : rounded) >> 16);
}

/// binary16 bits to f32, exact.
inline float f16ToFloat(std::uint16_t bits) {
  std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  std::uint32_t magnitude = static_cast<std::uint32_t>(bits & 0x7fffu) << 13;
  // Exponent re-biased by a multiplication with 2^112: right for normal and
  // subnormal numbers alike; infinity and NaN need the f32 exponent 255.
  float scaled = std::bit_cast<float>(magnitude) * std::bit_cast<float>(0x77800000u);
  std::uint32_t finite = std::bit_cast<std::uint32_t>(scaled);
  std::uint32_t special = magnitude | 0x7f800000u;
  return std::bit_cast<float>(sign | (magnitude >= 0x0f800000u ? special : finite));
}

/// f32 to binary16 bits. Too large numbers become infinity, NaNs stay NaNs.
inline std::uint16_t floatToF16(float value) {
  std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  std::uint32_t sign = (bits >> 16) & 0x8000u;
  std::uint32_t magnitude = bits & 0x7fffffffu;
  // Normal results: re-bias, add half of the last place less one, and the last
  // bit itself so that ties go to even; a carry moves into the exponent.
  std::uint32_t normal = (magnitude - (112u << 23) + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
  // Subnormal results: adding 0.5 makes the f32 unit round at the binary16 one.
  float shifted = std::bit_cast<float>(magnitude) + 0.5f;
  std::uint32_t subnormal = std::bit_cast<std::uint32_t>(shifted) - 0x3f000000u;
  std::uint32_t result = magnitude < 0x38800000u ? subnormal : normal;
  result = magnitude >= 0x477ff000u ? 0x7c00u : result; // 65520 and above
  result = magnitude > 0x7f800000u ? 0x7e00u : result;
  return static_cast<std::uint16_t>(sign | result);
}

} // namespace dougong

#endif // DOUGONG_RUNTIME_HALF_H
