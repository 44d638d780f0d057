//===- ElementType.cpp - facts about element types ------------------------===//
#include "dougong/Runtime/ElementType.h"

#include "dougong/Runtime/Library.h"

using namespace dougong;

namespace {
struct TypeFact {
  const char *name;
  int bits;
};
} // namespace

static TypeFact factOf(std::int32_t dtype) {
  switch (dtype) {
  case DOUGONG_F32:
    return {"float32", 32};
  case DOUGONG_U8:
    return {"uint8", 8};
  case DOUGONG_I8:
    return {"int8", 8};
  case DOUGONG_U16:
    return {"uint16", 16};
  case DOUGONG_I16:
    return {"int16", 16};
  case DOUGONG_I32:
    return {"int32", 32};
  case DOUGONG_I64:
    return {"int64", 64};
  case DOUGONG_STRING:
    return {"string", 8 * sizeof(dougong_string)};
  case DOUGONG_BOOL:
    return {"bool", 8};
  case DOUGONG_F16:
    return {"float16", 16};
  case DOUGONG_F64:
    return {"float64", 64};
  case DOUGONG_U32:
    return {"uint32", 32};
  case DOUGONG_U64:
    return {"uint64", 64};
  case typeComplex64:
    return {"complex64", 64};
  case typeComplex128:
    return {"complex128", 128};
  case DOUGONG_BF16:
    return {"bfloat16", 16};
  case typeF8E4M3FN:
    return {"float8e4m3fn", 8};
  case typeF8E4M3FNUZ:
    return {"float8e4m3fnuz", 8};
  case typeF8E5M2:
    return {"float8e5m2", 8};
  case typeF8E5M2FNUZ:
    return {"float8e5m2fnuz", 8};
  case typeU4:
    return {"uint4", 4};
  case typeI4:
    return {"int4", 4};
  case typeF4E2M1:
    return {"float4e2m1", 4};
  case typeF8E8M0:
    return {"float8e8m0", 8};
  case typeU2:
    return {"uint2", 2};
  case typeI2:
    return {"int2", 2};
  case DOUGONG_SEQUENCE:
    return {"sequence", 8 * sizeof(dougong_sequence)};
  case DOUGONG_OPTIONAL:
    return {"optional", 8 * sizeof(dougong_sequence)};
  default:
    return {nullptr, 0};
  }
}

std::string dougong::elementTypeName(std::int32_t dtype) {
  const char *name = factOf(dtype).name;
  return name ? name : "type " + std::to_string(dtype);
}

int dougong::elementBits(std::int32_t dtype) { return factOf(dtype).bits; }

Result<std::int64_t> dougong::elementCount(std::span<const std::int64_t> dims) {
  std::int64_t count = 1;
  bool empty = false;
  for (std::int64_t dim : dims) {
    if (dim < 0)
      return Error{"a dim of " + printDims(dims) + " is negative"};
    if (dim == 0)
      empty = true;
    else if (count > (std::int64_t{1} << 62) / dim)
      return Error{"a tensor of dims " + printDims(dims) + " has more than 2^62 elements"};
    else
      count *= dim;
  }
  return empty ? 0 : count;
}

Result<std::size_t> dougong::tensorBytes(std::int32_t dtype, std::span<const std::int64_t> dims) {
  int bits = elementBits(dtype);
  if (bits == 0)
    return Error{"element " + elementTypeName(dtype) + " is unknown"};
  Result<std::int64_t> count = elementCount(dims);
  if (!count)
    return count.takeError();
  if (std::int64_t perByte = 8 / bits; perByte > 1)
    return static_cast<std::size_t>(*count / perByte + (*count % perByte != 0));
  std::int64_t bytes = bits / 8;
  if (*count > (std::int64_t{1} << 62) / bytes)
    return Error{"a tensor of dims " + printDims(dims) + " has more than 2^62 bytes"};
  return static_cast<std::size_t>(*count * bytes);
}

Result<std::size_t> dougong::bufferBytes(std::int32_t dtype, std::span<const std::int64_t> dims) {
  bool isSubByte = elementBits(dtype) > 0 && elementBits(dtype) < 8;
  return tensorBytes(isSubByte ? static_cast<std::int32_t>(DOUGONG_U8) : dtype, dims);
}

void dougong::unpackElements(std::int32_t dtype, const std::byte *packed,
                             std::span<std::byte> elements) {
  int bits = elementBits(dtype), perByte = 8 / bits;
  unsigned mask = (1u << bits) - 1;
  bool isSigned = dtype == typeI4 || dtype == typeI2;
  for (std::size_t i = 0; i < elements.size(); ++i) {
    unsigned value = std::to_integer<unsigned>(packed[i / perByte]) >> (i % perByte * bits) & mask;
    if (isSigned && value >> (bits - 1))
      value |= ~mask;
    elements[i] = static_cast<std::byte>(value);
  }
}

void dougong::packElements(std::int32_t dtype, std::span<const std::byte> elements,
                           std::byte *packed) {
  int bits = elementBits(dtype), perByte = 8 / bits;
  unsigned mask = (1u << bits) - 1;
  for (std::size_t i = 0; i < elements.size(); ++i) {
    std::byte value{static_cast<unsigned char>((std::to_integer<unsigned>(elements[i]) & mask)
                                               << (i % perByte * bits))};
    std::byte &target = packed[i / perByte];
    target = i % perByte == 0 ? value : target | value;
  }
}

std::string dougong::printDims(std::span<const std::int64_t> dims) {
  std::string text = "[";
  for (std::size_t i = 0; i < dims.size(); ++i)
    text += (i ? ", " : "") + std::to_string(dims[i]);
  return text + "]";
}
