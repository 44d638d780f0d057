//===- Tensor.cpp - a dense tensor in host memory -------------------------===//
#include "dougong/Runtime/Tensor.h"

using namespace dougong;

Result<Tensor> Tensor::create(std::int32_t dtype, std::vector<std::int64_t> dims) {
  Tensor tensor;
  tensor.dtype = dtype;
  tensor.dims = std::move(dims);
  Result<std::int64_t> count = elementCount(tensor.dims);
  if (!count)
    return count.takeError();
  if (dtype == DOUGONG_STRING) {
    tensor.strings.resize(*count);
    return tensor;
  }
  Result<std::size_t> bytes = tensorBytes(dtype, tensor.dims);
  if (!bytes)
    return bytes.takeError();
  Result<Buffer> data = Buffer::allocate(*bytes);
  if (!data)
    return data.takeError();
  tensor.data = std::move(*data);
  tensor.byteSize = *bytes;
  return tensor;
}

std::string Tensor::describe() const { return elementTypeName(dtype) + " " + printDims(dims); }
