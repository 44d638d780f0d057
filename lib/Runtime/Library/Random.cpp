//===- Random.cpp - random numbers, and Dropout ---------------------------===//
//
// The generator is the Mersenne twister MT19937 as NumPy's RandomState uses it, so
// that a seed gives what it gives in the reference implementation of ONNX. Each step
// starts anew from the seed, and all ranks draw the same.
//
//===----------------------------------------------------------------------===//
#include "Numbers.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>

using namespace dougong;

namespace {
class Generator {
public:
  explicit Generator(std::int64_t seed) : bits(static_cast<std::uint32_t>(seed)) {}

  /// In [0, 1), with 53 bits.
  double uniform() {
    std::uint32_t high = bits() >> 5, low = bits() >> 6;
    return (high * 67108864.0 + low) / 9007199254740992.0;
  }
  /// By the polar method, which makes two numbers at a time.
  double normal() {
    if (kept) {
      double value = *kept;
      kept.reset();
      return value;
    }
    double x, y, square;
    do {
      x = 2 * uniform() - 1;
      y = 2 * uniform() - 1;
      square = x * x + y * y;
    } while (square >= 1 || square == 0);
    double factor = std::sqrt(-2 * std::log(square) / square);
    kept = factor * x;
    return factor * y;
  }

private:
  std::mt19937 bits;
  std::optional<double> kept;
};
} // namespace

/// Fills output 0, whose dims are known, with numbers.
template <typename Draw> static Result<void> fill(const LibraryCall &call, Draw draw) {
  dougong_tensor &output = call.tensors[0];
  Result<void *> memory = output.dims ? call.makeOutput(0, dimsOf(output))
                                      : call.makeOutput(0, dimsOf(call.tensors[1]));
  if (!memory)
    return memory.takeError();
  for (std::int64_t i = 0, count = countOf(output); i < count; ++i)
    if (Result<void> stored = storeNumber(output, i, draw()); !stored)
      return stored;
  return {};
}

/// RandomUniform, RandomUniformLike: [values], [like, or none], {seed, low, high}.
static Result<void> runUniform(const LibraryCall &call) {
  AttributeReader attributes(call.attributes);
  Generator generator(attributes.integer());
  double low = attributes.real(), high = attributes.real();
  return fill(call, [&] { return generator.uniform() * (high - low) + low; });
}

/// RandomNormal, RandomNormalLike: [values], [like, or none], {seed, mean, scale}.
static Result<void> runNormal(const LibraryCall &call) {
  AttributeReader attributes(call.attributes);
  Generator generator(attributes.integer());
  double mean = attributes.real(), scale = attributes.real();
  return fill(call, [&] { return generator.normal() * scale + mean; });
}

/// Multinomial: [classes], [logarithms of unnormalised probabilities], {seed}.
static Result<void> runMultinomial(const LibraryCall &call) {
  Generator generator(AttributeReader(call.attributes).integer());
  const dougong_tensor &weights = call.tensors[1];
  const dougong_tensor &output = call.tensors[0];
  if (weights.rank != 2 || output.rank != 2 || !output.data || output.dims[0] != weights.dims[0])
    return Error{"weights have dims " + printDims(dimsOf(weights)) + ", expected 2 dims"};
  std::int64_t classes = weights.dims[1], samples = output.dims[1];
  if (classes == 0 && samples > 0)
    return Error{"there are no classes to draw from"};
  for (std::int64_t row = 0; row < weights.dims[0]; ++row) {
    double greatest = -INFINITY, sum = 0;
    for (std::int64_t c = 0; c < classes; ++c)
      greatest = std::max(greatest, loadNumber(weights, row * classes + c));
    std::vector<double> sums;
    for (std::int64_t c = 0; c < classes; ++c)
      sums.push_back(sum += std::exp(loadNumber(weights, row * classes + c) - greatest));
    for (std::int64_t s = 0; s < samples; ++s) {
      double drawn = generator.uniform() * sum;
      auto place = std::upper_bound(sums.begin(), sums.end() - 1, drawn) - sums.begin();
      if (Result<void> stored = storeNumber(output, row * samples + s, double(place)); !stored)
        return stored;
    }
  }
  return {};
}

/// Dropout: [output, mask], [data, ratio, training mode], {seed}.
static Result<void> runDropout(const LibraryCall &call) {
  Generator generator(AttributeReader(call.attributes).integer());
  std::span<dougong_tensor> tensors = call.tensors;
  const dougong_tensor &data = tensors[2];
  auto given = [&](std::size_t index) {
    return tensors.size() > index && isPresent(tensors[index]);
  };
  double ratio = given(3) ? loadNumber(tensors[3], 0) : 0.5;
  bool drops = given(4) && loadNumber(tensors[4], 0) != 0 && ratio != 0;
  if (!(ratio >= 0 && ratio < 1))
    return Error{"the ratio is " + std::to_string(ratio) + ", expected at least 0 and below 1"};
  Result<void *> values = call.makeOutput(0, dimsOf(data));
  Result<void *> mask = call.makeOutput(1, dimsOf(data));
  if (!values || !mask)
    return values ? mask.takeError() : values.takeError();
  double scale = drops ? 1 / (1 - ratio) : 1;
  for (std::int64_t i = 0, count = countOf(data); i < count; ++i) {
    bool keeps = !drops || generator.uniform() >= ratio;
    if (isPresent(tensors[0]))
      if (Result<void> stored =
              storeNumber(tensors[0], i, keeps ? loadNumber(data, i) * scale : 0.0);
          !stored)
        return stored;
    if (*mask)
      static_cast<std::uint8_t *>(*mask)[i] = keeps;
  }
  return {};
}

static LibraryEntry uniformEntry("RandomUniform", runUniform);
static LibraryEntry normalEntry("RandomNormal", runNormal);
static LibraryEntry multinomialEntry("Multinomial", runMultinomial);
static LibraryEntry dropoutEntry("Dropout", runDropout);
