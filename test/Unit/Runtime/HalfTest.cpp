//===- HalfTest.cpp - 16-bit floats against arithmetic on doubles ---------===//
#include "dougong/Runtime/Half.h"

#include "Oracle.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

using namespace dougong;

TEST(Half, EveryF16IsExact) {
  for (int bits = 0; bits < 0x10000; ++bits) {
    float value = f16ToFloat(static_cast<std::uint16_t>(bits));
    int exponent = (bits >> 10) & 31, mantissa = bits & 1023;
    double expected = exponent == 31 ? (mantissa ? NAN : INFINITY)
                      : exponent     ? std::ldexp(1024 + mantissa, exponent - 25)
                                     : std::ldexp(mantissa, -24);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(value));
      EXPECT_TRUE(std::isnan(f16ToFloat(floatToF16(value))));
      continue;
    }
    EXPECT_EQ(value, bits & 0x8000 ? -expected : expected) << bits;
    EXPECT_EQ(floatToF16(value), bits);
  }
}

TEST(Half, EveryBF16RoundTrips) {
  for (int bits = 0; bits < 0x10000; ++bits) {
    float value = bf16ToFloat(static_cast<std::uint16_t>(bits));
    if (std::isnan(value))
      EXPECT_TRUE(std::isnan(bf16ToFloat(floatToBf16(value))));
    else
      EXPECT_EQ(floatToBf16(value), bits);
  }
}

TEST(Half, RoundsToNearestEven) {
  std::mt19937 random(2);
  auto check = [](float value) {
    if (std::isnan(value))
      return;
    EXPECT_EQ(f16ToFloat(floatToF16(value)), static_cast<float>(roundF16(value))) << value;
    EXPECT_EQ(bf16ToFloat(floatToBf16(value)), static_cast<float>(roundBf16(value))) << value;
  };
  for (int i = 0; i < 200000; ++i) {
    check(std::bit_cast<float>(static_cast<std::uint32_t>(random())));
    check(std::ldexp(static_cast<float>(random()), static_cast<int>(random() % 60) - 60));
  }
  // Half-way points and their neighbours.
  for (int bits = 0; bits < 0x7c00; ++bits) {
    float low = f16ToFloat(static_cast<std::uint16_t>(bits));
    float high = bits == 0x7bff ? 65536.0f : f16ToFloat(static_cast<std::uint16_t>(bits + 1));
    float middle = low + (high - low) / 2;
    for (float value : {middle, std::nextafter(middle, 0.0f), std::nextafter(middle, 1e9f)}) {
      check(value);
      check(-value);
    }
  }
}
