//===- Tensor.cpp - a dense tensor in host memory -------------------------===//
#include "dougong/Runtime/Tensor.h"

#include <cstring>

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
  if (isSequenceType(dtype) && !tensor.dims.empty())
    return Error{"a " + elementTypeName(dtype) + " has dims " + printDims(tensor.dims) +
                 ", expected none"};
  if (isSequenceType(dtype))
    return tensor;
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

Result<Tensor> Tensor::clone() const {
  Result<Tensor> copy = create(dtype, dims);
  if (!copy)
    return copy;
  copy->name = name;
  if (bytes())
    std::memcpy(copy->data.data(), data.data(), bytes());
  copy->strings = strings;
  for (const Tensor &value : values) {
    Result<Tensor> element = value.clone();
    if (!element)
      return element;
    copy->values.push_back(std::move(*element));
  }
  return copy;
}

std::string Tensor::describe() const {
  if (isSequenceType(dtype))
    return elementTypeName(dtype) + " of " + std::to_string(values.size());
  return elementTypeName(dtype) + " " + printDims(dims);
}
