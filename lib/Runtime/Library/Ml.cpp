//===- Ml.cpp - operators of ai.onnx.ml; constants of texts; Det ----------===//
#include "Numbers.h"

#include <cmath>
#include <cstring>

using namespace dougong;

/// ArrayFeatureExtractor: [z], [x, y (int64)]: columns y of the last dim.
static Result<void> runFeatures(const LibraryCall &call) {
  const dougong_tensor &x = call.tensors[1], &y = call.tensors[2];
  if (x.rank == 0)
    return Error{"expected a tensor with dims"};
  std::int64_t length = x.dims[x.rank - 1], columns = countOf(y);
  std::vector<std::int64_t> dims(x.dims, x.dims + x.rank);
  dims.back() = columns;
  if (x.rank == 1)
    dims.insert(dims.begin(), 1);
  Result<void *> output = call.makeOutput(0, dims);
  if (!output)
    return output.takeError();
  std::size_t size = bufferElementBytes(x.dtype);
  std::int64_t rows = length ? countOf(x) / length : 0;
  auto *to = static_cast<std::byte *>(*output);
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t i = 0; i < columns; ++i, to += size) {
      std::int64_t column = loadInteger(y, i);
      if (column < 0 || column >= length)
        return Error{"column " + std::to_string(column) + " of " + std::to_string(length)};
      std::memcpy(to, static_cast<const std::byte *>(x.data) + (row * length + column) * size,
                  size);
    }
  return {};
}

/// Binarizer: [y], [x], {threshold}: 1 where x is greater, else 0.
static Result<void> runBinarizer(const LibraryCall &call) {
  double threshold = AttributeReader(call.attributes).real();
  const dougong_tensor &x = call.tensors[1];
  Result<void *> output = call.makeOutput(0, dimsOf(x));
  if (!output)
    return output.takeError();
  if (x.dtype == DOUGONG_F16 || x.dtype == DOUGONG_BF16)
    return Error{"elements of " + elementTypeName(x.dtype) + " are not supported"};
  return visitStored(x.dtype, [&]<typename T>() -> Result<void> {
    for (std::int64_t i = 0, count = countOf(x); i < count; ++i)
      static_cast<T *>(*output)[i] = loadNumber(x, i) > threshold ? T(1) : T(0);
    return {};
  });
}

/// ConstantString: [y], [], {texts}.
static Result<void> runConstant(const LibraryCall &call) {
  std::vector<std::string> texts = AttributeReader(call.attributes).texts();
  const dougong_tensor &output = call.tensors[0];
  if (countOf(output) != static_cast<std::int64_t>(texts.size()))
    return Error{"there are " + std::to_string(texts.size()) + " texts for " +
                 std::to_string(countOf(output)) + " elements"};
  for (std::size_t i = 0; i < texts.size(); ++i)
    static_cast<dougong_string *>(output.data)[i] = call.strings->keep(texts[i]);
  return {};
}

/// Det: [y], [x]: of each matrix in the last two dims, by elimination with
/// pivots.
static Result<void> runDet(const LibraryCall &call) {
  const dougong_tensor &x = call.tensors[1];
  if (x.rank < 2 || x.dims[x.rank - 1] != x.dims[x.rank - 2])
    return Error{"expected square matrices, got dims " + printDims(dimsOf(x))};
  std::int64_t n = x.dims[x.rank - 1];
  Result<void *> output = call.makeOutput(0, dimsOf(x).first(static_cast<std::size_t>(x.rank) - 2));
  if (!output)
    return output.takeError();
  std::int32_t dtype = call.tensors[0].dtype;
  return visitStored(dtype, [&]<typename T>() -> Result<void> {
    for (std::int64_t matrix = 0, count = countOf(call.tensors[0]); matrix < count; ++matrix) {
      std::vector<double> m(n * n);
      for (std::int64_t i = 0; i < n * n; ++i)
        m[i] = loadNumber(x, matrix * n * n + i);
      double det = 1;
      for (std::int64_t column = 0; column < n && det != 0; ++column) {
        std::int64_t pivot = column;
        for (std::int64_t row = column + 1; row < n; ++row)
          if (std::abs(m[row * n + column]) > std::abs(m[pivot * n + column]))
            pivot = row;
        if (pivot != column) {
          det = -det;
          for (std::int64_t i = 0; i < n; ++i)
            std::swap(m[pivot * n + i], m[column * n + i]);
        }
        det *= m[column * n + column];
        for (std::int64_t row = column + 1; det != 0 && row < n; ++row) {
          double factor = m[row * n + column] / m[column * n + column];
          for (std::int64_t i = column; i < n; ++i)
            m[row * n + i] -= factor * m[column * n + i];
        }
      }
      T &to = static_cast<T *>(*output)[matrix];
      if (dtype == DOUGONG_F16)
        to = static_cast<T>(floatToF16(static_cast<float>(det)));
      else if (dtype == DOUGONG_BF16)
        to = static_cast<T>(floatToBf16(static_cast<float>(det)));
      else
        to = static_cast<T>(det);
    }
    return {};
  });
}

namespace {
/// Keys or values of a LabelEncoder: texts or numbers.
struct Labels {
  bool areTexts;
  std::vector<std::string> texts;
  std::vector<double> numbers;

  explicit Labels(AttributeReader &attributes) : areTexts(attributes.integer() != 0) {
    if (areTexts)
      texts = attributes.texts();
    else
      numbers = attributes.reals();
  }
  std::size_t size() const { return areTexts ? texts.size() : numbers.size(); }
};
} // namespace

/// LabelEncoder: [y], [x], {keys, values, default}: the value of the key that x is.
/// Keys that are NaN fit NaN.
static Result<void> runLabelEncoder(const LibraryCall &call) {
  AttributeReader attributes(call.attributes);
  Labels keys(attributes), values(attributes), fallback(attributes);
  const dougong_tensor &x = call.tensors[1];
  std::int32_t dtype = call.tensors[0].dtype;
  if (keys.size() != values.size() || fallback.size() != 1)
    return Error{"there are " + std::to_string(keys.size()) + " keys and " +
                 std::to_string(values.size()) + " values"};
  if (keys.areTexts != (x.dtype == DOUGONG_STRING) ||
      values.areTexts != (dtype == DOUGONG_STRING) || fallback.areTexts != values.areTexts)
    return Error{"keys, values and default differ in type from the tensors"};
  Result<void *> output = call.makeOutput(0, dimsOf(x));
  if (!output)
    return output.takeError();
  auto find = [&](std::int64_t i) -> std::size_t {
    std::size_t k = 0;
    if (keys.areTexts) {
      while (k < keys.size() && keys.texts[k] != textOf(textsOf(x)[i]))
        ++k;
      return k;
    }
    double value = loadNumber(x, i);
    while (k < keys.size() && keys.numbers[k] != value &&
           !(std::isnan(keys.numbers[k]) && std::isnan(value)))
      ++k;
    return k;
  };
  for (std::int64_t i = 0, count = countOf(x); i < count; ++i) {
    std::size_t k = find(i);
    const Labels &from = k < keys.size() ? values : fallback;
    std::size_t at = k < keys.size() ? k : 0;
    if (from.areTexts) {
      static_cast<dougong_string *>(*output)[i] = call.strings->keep(from.texts[at]);
      continue;
    }
    Result<void> stored = visitStored(dtype, [&]<typename T>() -> Result<void> {
      static_cast<T *>(*output)[i] = static_cast<T>(from.numbers[at]);
      return {};
    });
    if (!stored)
      return stored;
  }
  return {};
}

static LibraryEntry labelEncoder("LabelEncoder", runLabelEncoder);
static LibraryEntry features("ArrayFeatureExtractor", runFeatures);
static LibraryEntry binarizer("Binarizer", runBinarizer);
static LibraryEntry constant("ConstantString", runConstant);
static LibraryEntry det("Det", runDet);
