//===- Tensor.h - a dense tensor in host memory -----------------*- C++ -*-===//
#ifndef DOUGONG_RUNTIME_TENSOR_H
#define DOUGONG_RUNTIME_TENSOR_H

#include "dougong/Runtime/Buffer.h"
#include "dougong/Runtime/ElementType.h"

#include <cstdint>
#include <string>
#include <vector>

namespace dougong {

/// A whole tensor, row-major, that owns its elements. Numbers are little-endian
/// as in memory; strings are in `strings` and not in `data`. A sequence or an
/// optional value is a scalar (DOUGONG_SEQUENCE, DOUGONG_OPTIONAL) with `values`.
struct Tensor {
  std::string name; ///< may be empty
  std::int32_t dtype = 0;
  std::vector<std::int64_t> dims;
  Buffer data;
  std::vector<std::string> strings;
  std::vector<Tensor> values;

  /// A tensor with uninitialised elements. Fails as tensorBytes does.
  static Result<Tensor> create(std::int32_t dtype, std::vector<std::int64_t> dims);

  /// A copy of all that it holds.
  Result<Tensor> clone() const;

  /// Bytes of `data`: those that the type and the dims need.
  std::size_t bytes() const { return byteSize; }
  /// "float32 [2, 3]".
  std::string describe() const;

  std::size_t byteSize = 0;
};

/// Whether `dtype` is that of a sequence or an optional value.
inline bool isSequenceType(std::int32_t dtype) {
  return dtype == DOUGONG_SEQUENCE || dtype == DOUGONG_OPTIONAL;
}

/// Whether elements of `dtype` point to memory of this process.
inline bool holdsPointers(std::int32_t dtype) {
  return dtype == DOUGONG_STRING || isSequenceType(dtype);
}

} // namespace dougong

#endif // DOUGONG_RUNTIME_TENSOR_H
