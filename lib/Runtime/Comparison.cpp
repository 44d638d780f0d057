//===- Comparison.cpp - how far two tensors are apart ---------------------===//
#include "dougong/Runtime/Comparison.h"

#include "dougong/Runtime/Half.h"

#include <cmath>
#include <concepts>
#include <cstring>
#include <fmt/format.h>
#include <limits>

using namespace dougong;

namespace {

/// A number as JSON has it: infinities and NaN, which JSON lacks, as text.
Json number(double value) {
  if (std::isfinite(value))
    return value;
  return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
}
template <std::integral T> Json number(T value) { return value; }

std::string print(const Json &number) {
  const std::string *text = number.asString();
  return text ? *text : number.print();
}

template <typename T> const T *elementsOf(const Tensor &tensor) {
  return reinterpret_cast<const T *>(tensor.data.data());
}

/// Keeps the pair if it is the farthest apart so far.
template <typename T>
void keepFarthest(Difference &difference, int64_t index, double distance, T got, T expected) {
  if (double size = std::abs(static_cast<double>(expected));
      size != 0 && distance / size > difference.relative)
    difference.relative = distance / size;
  // The first NaN stays: nothing is farther away.
  if (std::isnan(difference.absolute) || (difference.index >= 0 && distance <= difference.absolute))
    return;
  difference.absolute = distance;
  difference.index = index;
  difference.got = number(got);
  difference.expected = number(expected);
}

/// `load(tensor, i)` is the i-th part; a complex element has two.
template <typename Load>
void compareLoaded(const Tensor &got, const Tensor &expected, const Tolerance &tolerance,
                   Difference &difference, Load load, int parts = 1) {
  for (int64_t i = 0; i < difference.elements; ++i) {
    bool agrees = true;
    for (int part = 0; part < parts; ++part) {
      double a = load(got, i * parts + part), b = load(expected, i * parts + part);
      bool same = a == b || (std::isnan(a) && std::isnan(b));
      double distance = same ? 0 : std::abs(a - b);
      // An infinite reference would make the tolerance infinite.
      agrees &= same || (std::isfinite(a) && std::isfinite(b) &&
                         distance <= tolerance.absolute + tolerance.relative * std::abs(b));
      keepFarthest(difference, i, distance, a, b);
    }
    difference.beyond += !agrees;
  }
}

template <typename T>
void compareFloats(const Tensor &got, const Tensor &expected, const Tolerance &tolerance,
                   Difference &difference, int parts = 1) {
  auto load = [](const Tensor &tensor, int64_t index) -> double {
    return elementsOf<T>(tensor)[index];
  };
  compareLoaded(got, expected, tolerance, difference, load, parts);
}

/// Never by way of double, which does not hold every 64-bit integer.
template <typename T>
void compareIntegers(const T *got, const T *expected, uint64_t allowed, Difference &difference) {
  for (int64_t i = 0; i < difference.elements; ++i) {
    uint64_t a = static_cast<uint64_t>(got[i]), b = static_cast<uint64_t>(expected[i]);
    uint64_t distance = got[i] > expected[i] ? a - b : b - a;
    difference.beyond += distance > allowed;
    keepFarthest(difference, i, static_cast<double>(distance), got[i], expected[i]);
  }
}

template <typename T>
void compareIntegers(const Tensor &got, const Tensor &expected, uint64_t allowed,
                     Difference &difference) {
  compareIntegers(elementsOf<T>(got), elementsOf<T>(expected), allowed, difference);
}

/// The integers that an absolute tolerance lets pass: none below 1.
uint64_t integerTolerance(double absolute) {
  if (!(absolute >= 1))
    return 0;
  return absolute < 0x1p64 ? static_cast<uint64_t>(absolute) : std::numeric_limits<uint64_t>::max();
}

/// Elements of less than a byte, one to a byte.
std::vector<std::byte> unpack(const Tensor &tensor, int64_t elements) {
  std::vector<std::byte> unpacked(elements);
  unpackElements(tensor.dtype, tensor.data.data(), unpacked);
  return unpacked;
}

/// Counts what is not equal; there is no distance.
void compareExactly(const std::byte *got, const std::byte *expected, size_t width,
                    Difference &difference) {
  for (int64_t i = 0; i < difference.elements; ++i)
    difference.beyond += std::memcmp(got + i * width, expected + i * width, width) != 0;
}

void compareElements(const Tensor &got, const Tensor &expected, const Tolerance &tolerance,
                     Difference &difference) {
  uint64_t allowed = integerTolerance(tolerance.absolute);
  switch (got.dtype) {
  case DOUGONG_F32:
    return compareFloats<float>(got, expected, tolerance, difference);
  case DOUGONG_F64:
    return compareFloats<double>(got, expected, tolerance, difference);
  case typeComplex64:
    return compareFloats<float>(got, expected, tolerance, difference, 2);
  case typeComplex128:
    return compareFloats<double>(got, expected, tolerance, difference, 2);
  case DOUGONG_F16:
    return compareLoaded(got, expected, tolerance, difference, [](const Tensor &tensor, int64_t i) {
      return f16ToFloat(elementsOf<uint16_t>(tensor)[i]);
    });
  case DOUGONG_BF16:
    return compareLoaded(got, expected, tolerance, difference, [](const Tensor &tensor, int64_t i) {
      return bf16ToFloat(elementsOf<uint16_t>(tensor)[i]);
    });
  case DOUGONG_BOOL:
    return compareIntegers<uint8_t>(got, expected, 0, difference);
  case DOUGONG_I8:
    return compareIntegers<int8_t>(got, expected, allowed, difference);
  case DOUGONG_U8:
    return compareIntegers<uint8_t>(got, expected, allowed, difference);
  case DOUGONG_I16:
    return compareIntegers<int16_t>(got, expected, allowed, difference);
  case DOUGONG_U16:
    return compareIntegers<uint16_t>(got, expected, allowed, difference);
  case DOUGONG_I32:
    return compareIntegers<int32_t>(got, expected, allowed, difference);
  case DOUGONG_U32:
    return compareIntegers<uint32_t>(got, expected, allowed, difference);
  case DOUGONG_I64:
    return compareIntegers<int64_t>(got, expected, allowed, difference);
  case DOUGONG_U64:
    return compareIntegers<uint64_t>(got, expected, allowed, difference);
  case DOUGONG_STRING:
    for (int64_t i = 0; i < difference.elements; ++i)
      difference.beyond += got.strings[i] != expected.strings[i];
    return;
  default:
    break;
  }
  if (size_t width = elementBytes(got.dtype))
    return compareExactly(got.data.data(), expected.data.data(), width, difference);
  std::vector<std::byte> a = unpack(got, difference.elements);
  std::vector<std::byte> b = unpack(expected, difference.elements);
  if (got.dtype == typeF4E2M1)
    return compareExactly(a.data(), b.data(), 1, difference);
  // Extended by their sign: as bytes with a sign both kinds are right.
  compareIntegers(reinterpret_cast<const int8_t *>(a.data()),
                  reinterpret_cast<const int8_t *>(b.data()), allowed, difference);
}

} // namespace

std::string Difference::describe() const {
  if (!problem.empty())
    return problem;
  std::string text = fmt::format("{} of {} elements differ; largest difference {:.2e}", beyond,
                                 elements, absolute);
  if (beyond && index >= 0)
    text += fmt::format(" at element {} (got {}, expected {})", index, print(got), print(expected));
  return text;
}

Json Difference::toJson() const {
  Json::Object object{{"value", value}, {"agrees", agrees()}};
  if (!problem.empty()) {
    object["problem"] = problem;
    return object;
  }
  object["elements"] = elements;
  object["differing"] = beyond;
  object["largest_absolute"] = number(absolute);
  object["largest_relative"] = number(relative);
  if (index >= 0)
    object["largest_at"] = Json::Object{{"element", index}, {"got", got}, {"expected", expected}};
  return object;
}

Difference dougong::compareTensors(const std::string &value, const Tensor &got,
                                   const Tensor &expected, const Tolerance &tolerance) {
  Difference difference;
  difference.value = value;
  if (got.dtype != expected.dtype || got.dims != expected.dims) {
    difference.problem = "got " + got.describe() + ", expected " + expected.describe();
    return difference;
  }
  difference.elements = 1;
  for (int64_t dim : expected.dims)
    difference.elements *= dim;
  compareElements(got, expected, tolerance, difference);
  return difference;
}
