//===- TensorViews.cpp - tensors as programs see them ---------------------===//
#include "dougong/Runtime/TensorViews.h"

#include "dougong/Runtime/ElementType.h"

#include <cstring>

using namespace dougong;

Result<dougong_tensor> TensorViews::view(const Tensor &tensor) {
  dougong_tensor result = {tensor.data.data(), tensor.dims.data(),
                           static_cast<std::int32_t>(tensor.dims.size()), tensor.dtype};
  if (tensor.dtype == DOUGONG_STRING) {
    std::vector<dougong_string> &own = texts.emplace_back();
    for (const std::string &text : tensor.strings)
      own.push_back({text.data(), static_cast<std::int64_t>(text.size())});
    result.data = own.data();
  } else if (isSequenceType(tensor.dtype)) {
    std::vector<dougong_tensor> own;
    for (const Tensor &value : tensor.values) {
      Result<dougong_tensor> element = view(value);
      if (!element)
        return element;
      own.push_back(*element);
    }
    values.push_back(std::move(own));
    sequences.push_back({values.back().data(), static_cast<std::int64_t>(values.back().size())});
    result.data = &sequences.back();
  } else if (elementBits(tensor.dtype) < 8) {
    Result<std::int64_t> count = elementCount(tensor.dims);
    if (!count)
      return count.takeError();
    std::vector<std::byte> &own = unpacked.emplace_back(static_cast<std::size_t>(*count));
    unpackElements(tensor.dtype, tensor.data.data(), own);
    result.data = own.data();
  }
  return result;
}

void TensorViews::clear() {
  texts.clear();
  unpacked.clear();
  values.clear();
  sequences.clear();
}

Result<Tensor> dougong::ownTensor(const dougong_tensor &value) {
  Result<Tensor> tensor =
      Tensor::create(value.dtype, {value.dims, value.dims + static_cast<std::size_t>(value.rank)});
  if (!tensor)
    return tensor;
  if (value.dtype == DOUGONG_STRING) {
    const auto *texts = static_cast<const dougong_string *>(value.data);
    for (std::size_t i = 0; i < tensor->strings.size(); ++i)
      tensor->strings[i].assign(texts[i].data, static_cast<std::size_t>(texts[i].size));
  } else if (isSequenceType(value.dtype)) {
    const auto &sequence = *static_cast<const dougong_sequence *>(value.data);
    for (std::int64_t i = 0; i < sequence.size; ++i) {
      Result<Tensor> element = ownTensor(sequence.values[i]);
      if (!element)
        return element;
      tensor->values.push_back(std::move(*element));
    }
  } else {
    Result<std::size_t> bytes = bufferBytes(value.dtype, tensor->dims);
    if (!bytes)
      return bytes.takeError();
    const auto *elements = static_cast<const std::byte *>(value.data);
    if (elementBits(value.dtype) < 8)
      packElements(value.dtype, {elements, *bytes}, tensor->data.data());
    else if (*bytes)
      std::memcpy(tensor->data.data(), elements, *bytes);
  }
  return tensor;
}
