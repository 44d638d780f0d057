//===- Numbers.h - elements of any number type ------------------*- C++ -*-===//
#ifndef DOUGONG_LIB_RUNTIME_LIBRARY_NUMBERS_H
#define DOUGONG_LIB_RUNTIME_LIBRARY_NUMBERS_H

#include "dougong/Runtime/ElementType.h"
#include "dougong/Runtime/Half.h"
#include "dougong/Runtime/Library.h"

#include <bit>

namespace dougong {

/// Calls `function.template operator()<T>()` with the C++ type in which elements
/// of `dtype` are stored: 16-bit floats as their bits.
template <typename Function> Result<void> visitStored(std::int32_t dtype, Function function) {
  switch (dtype) {
  case DOUGONG_F32:
    return function.template operator()<float>();
  case DOUGONG_F64:
    return function.template operator()<double>();
  case DOUGONG_F16:
  case DOUGONG_BF16:
  case DOUGONG_U16:
    return function.template operator()<std::uint16_t>();
  case DOUGONG_I8:
    return function.template operator()<std::int8_t>();
  case DOUGONG_BOOL:
  case DOUGONG_U8:
    return function.template operator()<std::uint8_t>();
  case DOUGONG_I16:
    return function.template operator()<std::int16_t>();
  case DOUGONG_I32:
    return function.template operator()<std::int32_t>();
  case DOUGONG_U32:
    return function.template operator()<std::uint32_t>();
  case DOUGONG_I64:
    return function.template operator()<std::int64_t>();
  case DOUGONG_U64:
    return function.template operator()<std::uint64_t>();
  default:
    return Error{"elements of " + elementTypeName(dtype) + " are not supported"};
  }
}

/// Element `index` as a double; 0 for types without numbers.
inline double loadNumber(const dougong_tensor &tensor, std::int64_t index) {
  double value = 0;
  (void)visitStored(tensor.dtype, [&]<typename T>() -> Result<void> {
    T stored = static_cast<const T *>(tensor.data)[index];
    if (tensor.dtype == DOUGONG_F16)
      value = f16ToFloat(static_cast<std::uint16_t>(stored));
    else if (tensor.dtype == DOUGONG_BF16)
      value = bf16ToFloat(static_cast<std::uint16_t>(stored));
    else
      value = static_cast<double>(stored);
    return {};
  });
  return value;
}

/// Sets element `index`, rounded to the type's precision.
inline Result<void> storeNumber(const dougong_tensor &tensor, std::int64_t index, double value) {
  return visitStored(tensor.dtype, [&]<typename T>() -> Result<void> {
    T &stored = static_cast<T *>(tensor.data)[index];
    if (tensor.dtype == DOUGONG_F16)
      stored = static_cast<T>(floatToF16(static_cast<float>(value)));
    else if (tensor.dtype == DOUGONG_BF16)
      stored = static_cast<T>(floatToBf16(static_cast<float>(value)));
    else if (tensor.dtype == DOUGONG_BOOL)
      stored = static_cast<T>(value != 0);
    else
      stored = static_cast<T>(value);
    return {};
  });
}

/// Element `index` of a tensor of int32 or int64.
inline std::int64_t loadInteger(const dougong_tensor &tensor, std::int64_t index) {
  return tensor.dtype == DOUGONG_I32 ? static_cast<const std::int32_t *>(tensor.data)[index]
                                     : static_cast<const std::int64_t *>(tensor.data)[index];
}

/// Number of elements.
inline std::int64_t countOf(const dougong_tensor &tensor) {
  std::int64_t count = 1;
  for (std::int64_t dim : dimsOf(tensor))
    count *= dim;
  return count;
}

/// `axis`, counted from the end if negative.
inline Result<std::int64_t> normalAxis(std::int64_t axis, std::int64_t rank) {
  if (axis < -rank || axis >= rank)
    return Error{"axis " + std::to_string(axis) + " of a tensor with " + std::to_string(rank) +
                 " dims"};
  return axis < 0 ? axis + rank : axis;
}

/// A tensor seen as [outer, size, inner] around one dim.
struct AroundDim {
  std::int64_t outer = 1, size = 1, inner = 1;
  AroundDim(std::span<const std::int64_t> dims, std::int64_t axis) : size(dims[axis]) {
    for (std::int64_t d = 0; d < static_cast<std::int64_t>(dims.size()); ++d)
      if (d != axis)
        (d < axis ? outer : inner) *= dims[d];
  }
};

inline std::string_view textOf(const dougong_string &text) {
  return {text.data, static_cast<std::size_t>(text.size)};
}
inline std::span<const dougong_string> textsOf(const dougong_tensor &tensor) {
  return {static_cast<const dougong_string *>(tensor.data),
          static_cast<std::size_t>(countOf(tensor))};
}

} // namespace dougong

#endif // DOUGONG_LIB_RUNTIME_LIBRARY_NUMBERS_H
