//===- TopK.cpp - the k largest or smallest elements along an axis --------===//
#include "dougong/Runtime/ElementType.h"
#include "dougong/Runtime/Half.h"
#include "dougong/Runtime/Library.h"
#include "dougong/Runtime/ThreadPool.h"

#include <algorithm>
#include <cstdlib>
#include <type_traits>
#include <vector>

using namespace dougong;

namespace {
struct Shape {
  std::int64_t outer, extent, inner, k;
};
template <typename T> struct Same {
  using Stored = T;
  static T load(T value) { return value; }
};
struct FromF16 {
  using Stored = std::uint16_t;
  static float load(Stored value) { return f16ToFloat(value); }
};
struct FromBF16 {
  using Stored = std::uint16_t;
  static float load(Stored value) { return bf16ToFloat(value); }
};
} // namespace

/// True if a comes before b. A NaN counts as larger than every number, as in
/// NumPy's order, which the reference evaluator uses.
template <typename Key> static bool isLess(Key a, Key b) {
  if constexpr (std::is_floating_point_v<Key>) {
    if (b != b)
      return a == a;
    if (a != a)
      return false;
  }
  return a < b;
}

template <typename Type>
static void runTyped(const LibraryCall &call, const Shape &shape, bool largest, bool sorted) {
  using Stored = typename Type::Stored;
  auto *values = static_cast<Stored *>(call.tensors[0].data);
  auto *indices = static_cast<std::int64_t *>(call.tensors[1].data);
  const auto *input = static_cast<const Stored *>(call.tensors[2].data);
  call.pool->parallelFor(
      shape.outer * shape.inner, std::max<std::int64_t>(1, 4096 / (shape.extent + 1)),
      [&](std::int64_t begin, std::int64_t end) {
        std::vector<std::int64_t> order(shape.extent);
        for (std::int64_t line = begin; line < end; ++line) {
          std::int64_t outer = line / shape.inner, inner = line % shape.inner;
          const Stored *first = input + outer * shape.extent * shape.inner + inner;
          auto keyAt = [&](std::int64_t i) { return Type::load(first[i * shape.inner]); };
          // Equal elements: the lower index first, whatever the direction.
          auto before = [&](std::int64_t a, std::int64_t b) {
            auto x = keyAt(a), y = keyAt(b);
            if (largest ? isLess(y, x) : isLess(x, y))
              return true;
            if (largest ? isLess(x, y) : isLess(y, x))
              return false;
            return a < b;
          };
          for (std::int64_t i = 0; i < shape.extent; ++i)
            order[i] = i;
          std::partial_sort(order.begin(), order.begin() + shape.k, order.end(), before);
          if (!sorted) // any order is right; this one keeps equal inputs equal
            std::sort(order.begin(), order.begin() + shape.k);
          std::int64_t to = outer * shape.k * shape.inner + inner;
          for (std::int64_t i = 0; i < shape.k; ++i, to += shape.inner) {
            values[to] = first[order[i] * shape.inner];
            indices[to] = order[i];
          }
        }
      });
}

/// TopK: [values, indices (int64); input], attributes [axis, largest, sorted]. k
/// is the outputs' extent on the axis.
static Result<void> runTopK(const LibraryCall &call) {
  if (call.tensors.size() != 3 || call.attributes.size() != 3)
    return Error{"expected 3 tensors and 3 attributes, got " + std::to_string(call.tensors.size()) +
                 " and " + std::to_string(call.attributes.size())};
  const dougong_tensor &values = call.tensors[0], &indices = call.tensors[1],
                       &input = call.tensors[2];
  std::int64_t axis = call.attributes[0];
  if (axis < 0)
    axis += input.rank;
  if (axis < 0 || axis >= input.rank)
    return Error{"axis " + std::to_string(call.attributes[0]) + " of a tensor with " +
                 std::to_string(input.rank) + " dims"};
  if (values.rank != input.rank || indices.rank != input.rank || values.dtype != input.dtype ||
      indices.dtype != DOUGONG_I64)
    return Error{"types or ranks of input and outputs disagree"};
  Shape shape{1, input.dims[axis], 1, values.dims[axis]};
  for (std::int32_t d = 0; d < input.rank; ++d) {
    if (indices.dims[d] != values.dims[d] || (d != axis && values.dims[d] != input.dims[d]))
      return Error{"dims of input and outputs disagree"};
    (d < axis ? shape.outer : shape.inner) *= d == axis ? 1 : input.dims[d];
  }
  if (shape.k > shape.extent)
    return Error{"k is " + std::to_string(shape.k) + ", the axis has " +
                 std::to_string(shape.extent) + " elements"};
  bool largest = call.attributes[1] != 0, sorted = call.attributes[2] != 0;
  switch (input.dtype) {
  case DOUGONG_F32:
    runTyped<Same<float>>(call, shape, largest, sorted);
    return {};
  case DOUGONG_F64:
    runTyped<Same<double>>(call, shape, largest, sorted);
    return {};
  case DOUGONG_F16:
    runTyped<FromF16>(call, shape, largest, sorted);
    return {};
  case DOUGONG_BF16:
    runTyped<FromBF16>(call, shape, largest, sorted);
    return {};
  case DOUGONG_I8:
    runTyped<Same<std::int8_t>>(call, shape, largest, sorted);
    return {};
  case DOUGONG_I16:
    runTyped<Same<std::int16_t>>(call, shape, largest, sorted);
    return {};
  case DOUGONG_I32:
    runTyped<Same<std::int32_t>>(call, shape, largest, sorted);
    return {};
  case DOUGONG_I64:
    runTyped<Same<std::int64_t>>(call, shape, largest, sorted);
    return {};
  case DOUGONG_U8:
    runTyped<Same<std::uint8_t>>(call, shape, largest, sorted);
    return {};
  case DOUGONG_U16:
    runTyped<Same<std::uint16_t>>(call, shape, largest, sorted);
    return {};
  case DOUGONG_U32:
    runTyped<Same<std::uint32_t>>(call, shape, largest, sorted);
    return {};
  case DOUGONG_U64:
    runTyped<Same<std::uint64_t>>(call, shape, largest, sorted);
    return {};
  default:
    return Error{"elements of " + elementTypeName(input.dtype) + " are not supported"};
  }
}

static LibraryEntry entry("TopK", runTopK);
