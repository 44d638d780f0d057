//===- Oracle.h - slow and plain counterparts for tests ---------*- C++ -*-===//
#ifndef DOUGONG_TEST_UNIT_RUNTIME_ORACLE_H
#define DOUGONG_TEST_UNIT_RUNTIME_ORACLE_H

#include <cmath>

namespace dougong {

/// `value` rounded to nearest even with `digits` significant bits, numbers below
/// 2^minExponent to multiples of its last place; infinity from `limit` on. Plain
/// arithmetic on doubles, which hold all of it exactly.
inline double roundTo(double value, int digits, int minExponent, double limit) {
  if (value == 0 || std::isinf(value) || std::isnan(value))
    return value;
  int exponent = 0;
  std::frexp(value, &exponent); // |value| in [2^(exponent-1), 2^exponent)
  int last = std::max(exponent - 1, minExponent) - (digits - 1);
  double rounded = std::ldexp(std::nearbyint(std::ldexp(value, -last)), last);
  return std::fabs(rounded) >= limit ? std::copysign(INFINITY, value) : rounded;
}

inline double roundF16(double value) { return roundTo(value, 11, -14, 65536.0); }
inline double roundBf16(double value) { return roundTo(value, 8, -126, std::ldexp(1.0, 128)); }

} // namespace dougong

#endif // DOUGONG_TEST_UNIT_RUNTIME_ORACLE_H
