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
/// as in memory; strings are in `strings` and not in `data`.
struct Tensor {
  std::string name; ///< may be empty
  std::int32_t dtype = 0;
  std::vector<std::int64_t> dims;
  Buffer data;
  std::vector<std::string> strings;

  /// A tensor with uninitialised elements. Fails as tensorBytes does.
  static Result<Tensor> create(std::int32_t dtype, std::vector<std::int64_t> dims);

  /// Bytes of `data`: those that the type and the dims need.
  std::size_t bytes() const { return byteSize; }
  /// "float32 [2, 3]".
  std::string describe() const;

  std::size_t byteSize = 0;
};

} // namespace dougong

#endif // DOUGONG_RUNTIME_TENSOR_H
