//===- Comparison.cpp - how far two tensors are apart ---------------------===//
#include "Comparison.h"

#include "dougong/Runtime/Half.h"

#include "llvm/Support/FormatVariadic.h"

#include <cmath>
#include <optional>

using namespace dougong;

namespace {

template <typename T> double loadAs(const Tensor &tensor, int64_t index) {
  return static_cast<double>(reinterpret_cast<const T *>(tensor.data.data())[index]);
}

bool isNumeric(int32_t dtype) {
  switch (dtype) {
  case DOUGONG_F32:
  case DOUGONG_F64:
  case DOUGONG_F16:
  case DOUGONG_BF16:
  case DOUGONG_I8:
  case DOUGONG_U8:
  case DOUGONG_BOOL:
  case DOUGONG_I16:
  case DOUGONG_U16:
  case DOUGONG_I32:
  case DOUGONG_U32:
  case DOUGONG_I64:
  case DOUGONG_U64:
    return true;
  default:
    return false;
  }
}

double load(const Tensor &tensor, int64_t index) {
  switch (tensor.dtype) {
  case DOUGONG_F32:
    return loadAs<float>(tensor, index);
  case DOUGONG_F64:
    return loadAs<double>(tensor, index);
  case DOUGONG_F16:
    return f16ToFloat(reinterpret_cast<const uint16_t *>(tensor.data.data())[index]);
  case DOUGONG_BF16:
    return bf16ToFloat(reinterpret_cast<const uint16_t *>(tensor.data.data())[index]);
  case DOUGONG_I8:
    return loadAs<int8_t>(tensor, index);
  case DOUGONG_U8:
  case DOUGONG_BOOL:
    return loadAs<uint8_t>(tensor, index);
  case DOUGONG_I16:
    return loadAs<int16_t>(tensor, index);
  case DOUGONG_U16:
    return loadAs<uint16_t>(tensor, index);
  case DOUGONG_I32:
    return loadAs<int32_t>(tensor, index);
  case DOUGONG_U32:
    return loadAs<uint32_t>(tensor, index);
  case DOUGONG_I64:
    return loadAs<int64_t>(tensor, index);
  default:
    return loadAs<uint64_t>(tensor, index);
  }
}

void compareNumbers(const Tensor &got, const Tensor &expected, const Tolerance &tolerance,
                    Difference &difference) {
  for (int64_t i = 0; i < difference.elements; ++i) {
    double a = load(got, i), b = load(expected, i);
    bool same = a == b || (std::isnan(a) && std::isnan(b));
    double distance = same ? 0 : std::abs(a - b);
    // Not "distance > ...": a NaN on one side is beyond any tolerance.
    if (!same && !(distance <= tolerance.absolute + tolerance.relative * std::abs(b)))
      ++difference.beyond;
    if (b != 0 && distance / std::abs(b) > difference.relative)
      difference.relative = distance / std::abs(b);
    if (difference.index < 0 || distance > difference.absolute || std::isnan(distance)) {
      // The first NaN stays: nothing is farther away.
      if (std::isnan(difference.absolute))
        continue;
      difference.absolute = distance;
      difference.index = i;
      difference.got = a;
      difference.expected = b;
    }
  }
}

/// Counts what is not equal; there is no distance.
void compareExactly(const Tensor &got, const Tensor &expected, Difference &difference) {
  int64_t compared =
      static_cast<int64_t>(got.dtype == DOUGONG_STRING ? got.strings.size() : got.bytes());
  for (int64_t i = 0; i < compared; ++i) {
    bool same = got.dtype == DOUGONG_STRING ? got.strings[i] == expected.strings[i]
                                            : got.data.data()[i] == expected.data.data()[i];
    difference.beyond += !same;
  }
  // Bytes, not elements: at most every element differs.
  difference.beyond = std::min(difference.beyond, difference.elements);
}

/// A number as JSON has it: infinities and NaN, which JSON lacks, as text.
Json number(double value) {
  if (std::isfinite(value))
    return value;
  return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

} // namespace

std::string Difference::describe() const {
  if (!problem.empty())
    return problem;
  std::string text = llvm::formatv("{0} of {1} elements differ; largest difference {2:e2}", beyond,
                                   elements, absolute);
  if (beyond && index >= 0)
    text += llvm::formatv(" at element {0} (got {1}, expected {2})", index, got, expected);
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
    object["largest_at"] =
        Json::Object{{"element", index}, {"got", number(got)}, {"expected", number(expected)}};
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
  if (isNumeric(got.dtype))
    compareNumbers(got, expected, tolerance, difference);
  else
    compareExactly(got, expected, difference);
  return difference;
}
