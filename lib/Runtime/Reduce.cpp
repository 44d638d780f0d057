//===- Reduce.cpp - element-wise reduction over ranks ---------------------===//
#include "Reduce.h"

#include "dougong/Runtime/ElementType.h"
#include "dougong/Runtime/Half.h"
#include "dougong/Support/Reducible.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

using namespace dougong;

/// Elements in hand at a time: the accumulators stay in the first-level cache.
static constexpr std::int64_t blockSize = 1024;

namespace {
/// How elements of a type are read into and written from accumulators.
template <typename T> struct Plain {
  using Stored = T;
  using Value = T;
  static Value load(Stored stored) { return stored; }
  static Stored store(Value value) { return value; }
};
struct F16 {
  using Stored = std::uint16_t;
  using Value = float;
  static Value load(Stored stored) { return f16ToFloat(stored); }
  static Stored store(Value value) { return floatToF16(value); }
};
struct BF16 {
  using Stored = std::uint16_t;
  using Value = float;
  static Value load(Stored stored) { return bf16ToFloat(stored); }
  static Stored store(Value value) { return floatToBf16(value); }
};
/// Any non-zero byte is true; results are 0 or 1.
struct Bool {
  using Stored = std::uint8_t;
  using Value = std::uint8_t;
  static Value load(Stored stored) { return stored != 0; }
  static Stored store(Value value) { return value != 0; }
};
} // namespace

template <typename Value, dougong_reduction reduction> static Value combine(Value a, Value b) {
  if constexpr (reduction == DOUGONG_SUM || reduction == DOUGONG_PROD) {
    if constexpr (std::is_integral_v<Value>) {
      // Unsigned and 64 bits wide: wraps, and 16-bit operands do not promote to
      // a signed type.
      auto x = static_cast<std::uint64_t>(a), y = static_cast<std::uint64_t>(b);
      return static_cast<Value>(reduction == DOUGONG_SUM ? x + y : x * y);
    } else {
      return reduction == DOUGONG_SUM ? a + b : a * b;
    }
  } else {
    // `b != b` keeps a NaN that comes in; a NaN in `a` fails the comparison.
    bool takeB = reduction == DOUGONG_MAX ? b > a : b < a;
    return takeB || b != b ? b : a;
  }
}

template <typename Type, dougong_reduction reduction>
static void reduceBlocks(std::span<const void *const> sources, std::span<void *const> results,
                         std::int64_t count) {
  using Stored = typename Type::Stored;
  using Value = typename Type::Value;
  Value sum[blockSize];
  Stored rounded[blockSize];
  for (std::int64_t begin = 0; begin < count; begin += blockSize) {
    std::int64_t size = std::min(blockSize, count - begin);
    const Stored *source = static_cast<const Stored *>(sources[0]) + begin;
    for (std::int64_t i = 0; i < size; ++i)
      sum[i] = Type::load(source[i]);
    for (const void *other : sources.subspan(1)) {
      source = static_cast<const Stored *>(other) + begin;
      for (std::int64_t i = 0; i < size; ++i)
        sum[i] = combine<Value, reduction>(sum[i], Type::load(source[i]));
    }
    for (std::int64_t i = 0; i < size; ++i)
      rounded[i] = Type::store(sum[i]);
    for (void *result : results)
      std::memcpy(static_cast<Stored *>(result) + begin, rounded, size * sizeof(Stored));
  }
}

template <typename Type>
static void reduceAs(dougong_reduction reduction, std::span<const void *const> sources,
                     std::span<void *const> results, std::int64_t count) {
  // A bool's sum is "or" (any non-zero count is true) and its product "and".
  switch (reduction) {
  case DOUGONG_SUM:
    return std::is_same_v<Type, Bool> ? reduceBlocks<Type, DOUGONG_MAX>(sources, results, count)
                                      : reduceBlocks<Type, DOUGONG_SUM>(sources, results, count);
  case DOUGONG_MAX:
    return reduceBlocks<Type, DOUGONG_MAX>(sources, results, count);
  case DOUGONG_MIN:
    return reduceBlocks<Type, DOUGONG_MIN>(sources, results, count);
  default:
    return reduceBlocks<Type, DOUGONG_PROD>(sources, results, count);
  }
}

Result<void> dougong::checkReduction(dougong_dtype dtype, dougong_reduction reduction) {
  if (reduction < DOUGONG_SUM || reduction > DOUGONG_PROD)
    return Error{"reduction " + std::to_string(reduction) + " is unknown, expected 0 to 3"};
  if (!isReducible(dtype))
    return Error{"elements of " + elementTypeName(dtype) + " cannot be reduced"};
  return {};
}

void dougong::reduceElements(dougong_dtype dtype, dougong_reduction reduction,
                             std::span<const void *const> sources, std::span<void *const> results,
                             std::int64_t count) {
  switch (dtype) {
  case DOUGONG_F32:
    return reduceAs<Plain<float>>(reduction, sources, results, count);
  case DOUGONG_F64:
    return reduceAs<Plain<double>>(reduction, sources, results, count);
  case DOUGONG_F16:
    return reduceAs<F16>(reduction, sources, results, count);
  case DOUGONG_BF16:
    return reduceAs<BF16>(reduction, sources, results, count);
  case DOUGONG_U8:
    return reduceAs<Plain<std::uint8_t>>(reduction, sources, results, count);
  case DOUGONG_I8:
    return reduceAs<Plain<std::int8_t>>(reduction, sources, results, count);
  case DOUGONG_U16:
    return reduceAs<Plain<std::uint16_t>>(reduction, sources, results, count);
  case DOUGONG_I16:
    return reduceAs<Plain<std::int16_t>>(reduction, sources, results, count);
  case DOUGONG_U32:
    return reduceAs<Plain<std::uint32_t>>(reduction, sources, results, count);
  case DOUGONG_I32:
    return reduceAs<Plain<std::int32_t>>(reduction, sources, results, count);
  case DOUGONG_U64:
    return reduceAs<Plain<std::uint64_t>>(reduction, sources, results, count);
  case DOUGONG_I64:
    return reduceAs<Plain<std::int64_t>>(reduction, sources, results, count);
  case DOUGONG_BOOL:
    return reduceAs<Bool>(reduction, sources, results, count);
  default:
    return; // refused by checkReduction
  }
}
