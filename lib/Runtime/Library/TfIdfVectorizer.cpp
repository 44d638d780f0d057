//===- TfIdfVectorizer.cpp - TfIdfVectorizer ------------------------------===//
#include "Numbers.h"

#include <map>

using namespace dougong;

/// TfIdfVectorizer: [y (float32)], [x], {shortest, longest n-gram, most skips, mode,
/// n-gram counts, n-gram indexes, pool of int64s, pool of texts, weights}.
static Result<void> runTfIdf(const LibraryCall &call) {
  AttributeReader attributes(call.attributes);
  std::int64_t shortest = attributes.integer(), longest = attributes.integer();
  std::int64_t mostSkips = attributes.integer();
  std::string mode = attributes.text();
  std::vector<std::int64_t> counts = attributes.integers(), indexes = attributes.integers();
  std::vector<std::int64_t> numbers = attributes.integers();
  std::vector<std::string> texts = attributes.texts();
  std::vector<double> weights = attributes.reals();
  const dougong_tensor &x = call.tensors[1];
  if (x.rank != 1 && x.rank != 2)
    return Error{"expected dims [n] or [rows, n], got " + printDims(dimsOf(x))};

  // Tokens as texts, so that one table serves both pools.
  using Gram = std::vector<std::string>;
  std::vector<std::string> pool = texts;
  for (std::int64_t number : numbers)
    pool.push_back(std::to_string(number));
  std::map<Gram, std::size_t> grams; // to its number in the pool
  std::size_t gram = 0;
  for (std::size_t n = 0; n < counts.size(); ++n) {
    std::size_t begin = static_cast<std::size_t>(counts[n]);
    std::size_t end = n + 1 < counts.size() ? static_cast<std::size_t>(counts[n + 1]) : pool.size();
    if (end > pool.size() || begin > end)
      return Error{"ngram_counts do not fit a pool of " + std::to_string(pool.size()) + " tokens"};
    for (std::size_t at = begin; at + n < end; at += n + 1)
      grams[Gram(pool.begin() + at, pool.begin() + at + n + 1)] = gram++;
  }
  if (gram > indexes.size())
    return Error{"there are " + std::to_string(gram) + " n-grams and " +
                 std::to_string(indexes.size()) + " ngram_indexes"};
  std::int64_t width = 0;
  for (std::int64_t index : indexes)
    width = std::max(width, index + 1);

  std::vector<std::int64_t> dims(x.dims, x.dims + x.rank);
  std::int64_t length = dims.back(), rows = x.rank == 2 ? dims[0] : 1;
  dims.back() = width;
  Result<void *> output = call.makeOutput(0, dims);
  if (!output)
    return output.takeError();
  auto tokenAt = [&](std::int64_t i) {
    return x.dtype == DOUGONG_STRING ? std::string(textOf(textsOf(x)[i]))
                                     : std::to_string(loadInteger(x, i));
  };
  for (std::int64_t row = 0; row < rows; ++row) {
    std::vector<std::int64_t> found(gram, 0);
    for (std::int64_t n = shortest; n <= longest; ++n)
      for (std::int64_t skip = 1; skip <= (n == 1 ? 1 : mostSkips + 1); ++skip)
        for (std::int64_t start = 0; start + (n - 1) * skip < length; ++start) {
          Gram candidate;
          for (std::int64_t i = 0; i < n; ++i)
            candidate.push_back(tokenAt(row * length + start + i * skip));
          if (auto at = grams.find(candidate); at != grams.end())
            ++found[at->second];
        }
    float *to = static_cast<float *>(*output) + row * width;
    std::fill(to, to + width, 0.0f);
    for (std::size_t i = 0; i < found.size(); ++i) {
      double weight = i < weights.size() ? weights[i] : 1;
      double value = mode == "TF"
                         ? static_cast<double>(found[i])
                         : (found[i] > 0 ? (mode == "IDF" ? weight : weight * found[i]) : 0);
      to[indexes[i]] += static_cast<float>(value);
    }
  }
  return {};
}

static LibraryEntry tfIdf("TfIdfVectorizer", runTfIdf);
