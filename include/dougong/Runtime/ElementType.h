//===- ElementType.h - facts about element types ----------------*- C++ -*-===//
//
// Element types are numbered as onnx.TensorProto.DataType everywhere: in plans,
// in the program ABI (dougong-c/program.h) and in files.
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_RUNTIME_ELEMENTTYPE_H
#define DOUGONG_RUNTIME_ELEMENTTYPE_H

#include "dougong-c/program.h"
#include "dougong/Support/Result.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace dougong {

/// Element types that files may hold beyond those of the program ABI.
enum : std::int32_t {
  typeComplex64 = 14,
  typeComplex128 = 15,
  typeF8E4M3FN = 17,
  typeF8E4M3FNUZ = 18,
  typeF8E5M2 = 19,
  typeF8E5M2FNUZ = 20,
  typeU4 = 21,
  typeI4 = 22,
  typeF4E2M1 = 23,
  typeF8E8M0 = 24,
  typeU2 = 25,
  typeI2 = 26,
};

/// "float32", "bool", ...; "type 99" for a number that ONNX does not use.
std::string elementTypeName(std::int32_t dtype);

/// Bits of one element in memory: 8 for bool, 4 and 2 for the sub-byte types
/// (packed, the first element in the low bits), 128 for strings (a
/// dougong_string). 0 for an unknown type.
int elementBits(std::int32_t dtype);

/// Bytes of one element; 0 for unknown and sub-byte types.
inline std::size_t elementBytes(std::int32_t dtype) { return elementBits(dtype) / 8; }

/// Bytes of one element in the buffers of programs: sub-byte elements take a byte
/// each there, extended by their sign. 0 for an unknown type.
inline std::size_t bufferElementBytes(std::int32_t dtype) { return (elementBits(dtype) + 7) / 8; }

/// The product of `dims`. Fails on a negative dim and above 2^62.
Result<std::int64_t> elementCount(std::span<const std::int64_t> dims);

/// Bytes of a dense tensor, sub-byte types rounded up to whole bytes. Fails as
/// elementCount does, and for an unknown type.
Result<std::size_t> tensorBytes(std::int32_t dtype, std::span<const std::int64_t> dims);

/// Bytes of a tensor in a buffer of a program. Fails as tensorBytes does.
Result<std::size_t> bufferBytes(std::int32_t dtype, std::span<const std::int64_t> dims);

/// Sub-byte elements from their packed form in a Tensor to one to a byte, and back.
void unpackElements(std::int32_t dtype, const std::byte *packed, std::span<std::byte> elements);
void packElements(std::int32_t dtype, std::span<const std::byte> elements, std::byte *packed);

/// "[2, 3]".
std::string printDims(std::span<const std::int64_t> dims);

} // namespace dougong

#endif // DOUGONG_RUNTIME_ELEMENTTYPE_H
