//===- TensorViews.h - tensors as programs see them -------------*- C++ -*-===//
#ifndef DOUGONG_RUNTIME_TENSORVIEWS_H
#define DOUGONG_RUNTIME_TENSORVIEWS_H

#include "dougong/Runtime/Tensor.h"

#include <deque>

namespace dougong {

/// Tensors in the form in which programs have them, and what they point to.
class TensorViews {
public:
  /// `tensor` as a program sees it, with sub-byte elements and strings in the form
  /// of buffers. Lives as long as the tensor and until `clear`.
  Result<dougong_tensor> view(const Tensor &tensor);
  void clear();

private:
  std::deque<std::vector<dougong_string>> texts;
  std::deque<std::vector<std::byte>> unpacked;
  std::deque<std::vector<dougong_tensor>> values;
  std::deque<dougong_sequence> sequences;
};

/// The inverse: a copy of all that `value` points to.
Result<Tensor> ownTensor(const dougong_tensor &value);

} // namespace dougong

#endif // DOUGONG_RUNTIME_TENSORVIEWS_H
