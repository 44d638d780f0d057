//===- Select.cpp - NonZero, Compress, Unique -----------------------------===//
#include "Numbers.h"

#include <algorithm>
#include <cstring>
#include <numeric>

using namespace dougong;

/// NonZero: [indices (int64)], [data]: the coordinates of what is not 0, one
/// column each, in row-major order.
static Result<void> runNonZero(const LibraryCall &call) {
  const dougong_tensor &data = call.tensors[1];
  std::vector<std::int64_t> places;
  for (std::int64_t i = 0, count = countOf(data); i < count; ++i)
    if (loadNumber(data, i) != 0)
      places.push_back(i);
  std::int64_t columns = static_cast<std::int64_t>(places.size());
  std::int64_t dims[] = {data.rank, columns};
  Result<void *> output = call.makeOutput(0, dims);
  if (!output)
    return output.takeError();
  auto *to = static_cast<std::int64_t *>(*output);
  for (std::int64_t column = 0; column < columns; ++column) {
    std::int64_t rest = places[column];
    for (std::int32_t d = data.rank; d-- > 0;) {
      to[d * columns + column] = rest % data.dims[d];
      rest /= data.dims[d];
    }
  }
  return {};
}

/// Compress: [output], [data, condition (bool)], {has axis, axis}: the slices (or,
/// without an axis, elements) for which the condition holds.
static Result<void> runCompress(const LibraryCall &call) {
  AttributeReader attributes(call.attributes);
  bool hasAxis = attributes.integer() != 0;
  const dougong_tensor &data = call.tensors[1], &condition = call.tensors[2];
  std::int64_t count = countOf(data);
  std::vector<std::int64_t> dims = {count};
  std::int64_t axis = 0;
  if (hasAxis) {
    Result<std::int64_t> normal = normalAxis(attributes.integer(), data.rank);
    if (!normal)
      return normal.takeError();
    axis = *normal;
    dims.assign(data.dims, data.dims + data.rank);
  }
  AroundDim around(dims, axis);
  std::vector<std::int64_t> chosen;
  std::int64_t conditions = std::min(countOf(condition), around.size);
  for (std::int64_t i = 0; i < conditions; ++i)
    if (static_cast<const std::uint8_t *>(condition.data)[i])
      chosen.push_back(i);
  dims[axis] = static_cast<std::int64_t>(chosen.size());
  Result<void *> output = call.makeOutput(0, dims);
  if (!output)
    return output.takeError();
  std::size_t row = around.inner * bufferElementBytes(data.dtype);
  const auto *from = static_cast<const std::byte *>(data.data);
  auto *to = static_cast<std::byte *>(*output);
  for (std::int64_t outer = 0; outer < around.outer; ++outer)
    for (std::int64_t i : chosen) {
      if (row)
        std::memcpy(to, from + (outer * around.size + i) * row, row);
      to += row;
    }
  return {};
}

/// Unique: [values, first places, inverse, counts (int64)], [data], {has axis, axis,
/// sorted}. Slices along the axis are compared in order of their elements.
static Result<void> runUnique(const LibraryCall &call) {
  AttributeReader attributes(call.attributes);
  bool hasAxis = attributes.integer() != 0;
  std::int64_t given = attributes.integer();
  bool sorted = attributes.integer() != 0;
  const dougong_tensor &data = call.tensors[4];
  std::vector<std::int64_t> dims = {countOf(data)};
  std::int64_t axis = 0;
  if (hasAxis) {
    Result<std::int64_t> normal = normalAxis(given, data.rank);
    if (!normal)
      return normal.takeError();
    axis = *normal;
    dims.assign(data.dims, data.dims + data.rank);
  }
  AroundDim around(dims, axis);
  auto offsetOf = [&](std::int64_t slice, std::int64_t i) {
    return (i / around.inner * around.size + slice) * around.inner + i % around.inner;
  };
  auto compareElements = [&](std::int64_t x, std::int64_t y) -> int {
    if (data.dtype == DOUGONG_STRING)
      return textOf(textsOf(data)[x]).compare(textOf(textsOf(data)[y]));
    if (data.dtype == DOUGONG_I64 || data.dtype == DOUGONG_U64) {
      // A double does not hold them all.
      auto a = static_cast<const std::int64_t *>(data.data)[x];
      auto b = static_cast<const std::int64_t *>(data.data)[y];
      if (data.dtype == DOUGONG_U64)
        return static_cast<std::uint64_t>(a) < static_cast<std::uint64_t>(b) ? -1 : a != b;
      return a < b ? -1 : a > b;
    }
    double a = loadNumber(data, x), b = loadNumber(data, y);
    if (a != a || b != b) // NaN last, equal to itself
      return (a != a) - (b != b);
    return a < b ? -1 : a > b;
  };
  std::int64_t length = around.outer * around.inner;
  auto compare = [&](std::int64_t a, std::int64_t b) {
    for (std::int64_t i = 0; i < length; ++i)
      if (int order = compareElements(offsetOf(a, i), offsetOf(b, i)))
        return order;
    return 0;
  };
  std::vector<std::int64_t> order(around.size);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    int difference = compare(a, b);
    return difference ? difference < 0 : a < b;
  });
  std::vector<std::int64_t> first, groupOf(around.size), counts;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || compare(order[i - 1], order[i]) != 0) {
      first.push_back(order[i]);
      counts.push_back(0);
    }
    ++counts.back();
    groupOf[order[i]] = static_cast<std::int64_t>(first.size()) - 1;
  }
  std::vector<std::int64_t> rank(first.size()); // from group to place in the result
  std::iota(rank.begin(), rank.end(), 0);
  if (!sorted) {
    std::sort(rank.begin(), rank.end(),
              [&](std::int64_t a, std::int64_t b) { return first[a] < first[b]; });
  }
  std::vector<std::int64_t> place(first.size());
  for (std::size_t i = 0; i < rank.size(); ++i)
    place[rank[i]] = static_cast<std::int64_t>(i);

  std::int64_t unique = static_cast<std::int64_t>(first.size());
  dims[axis] = unique;
  Result<void *> values = call.makeOutput(0, dims);
  if (!values)
    return values.takeError();
  std::size_t size = bufferElementBytes(data.dtype);
  for (std::int64_t i = 0; *values && i < length; ++i)
    for (std::int64_t u = 0; u < unique; ++u) {
      std::int64_t to = (i / around.inner * unique + u) * around.inner + i % around.inner;
      std::memcpy(static_cast<std::byte *>(*values) + to * size,
                  static_cast<const std::byte *>(data.data) + offsetOf(first[rank[u]], i) * size,
                  size);
    }
  auto write = [&](std::size_t index, std::int64_t count, auto value) -> Result<void> {
    Result<void *> output = call.makeOutput(index, {&count, 1});
    if (!output)
      return output.takeError();
    for (std::int64_t i = 0; *output && i < count; ++i)
      static_cast<std::int64_t *>(*output)[i] = value(i);
    return {};
  };
  if (Result<void> done = write(1, unique, [&](std::int64_t i) { return first[rank[i]]; }); !done)
    return done;
  if (Result<void> done = write(2, around.size, [&](std::int64_t i) { return place[groupOf[i]]; });
      !done)
    return done;
  return write(3, unique, [&](std::int64_t i) { return counts[rank[i]]; });
}

static LibraryEntry nonZero("NonZero", runNonZero);
static LibraryEntry compress("Compress", runCompress);
static LibraryEntry unique("Unique", runUnique);
