//===- Steps.cpp - weight recipe steps that move bytes --------------------===//
#include "Steps.h"

#include "llvm/Support/FormatVariadic.h"

#include <cstring>

using namespace mlir;
using namespace dougong;

namespace {

template <typename... Args> llvm::Error makeError(const char *format, Args &&...args) {
  return llvm::createStringError(llvm::formatv(format, std::forward<Args>(args)...).str());
}

int64_t product(ArrayRef<int64_t> extents) {
  int64_t result = 1;
  for (int64_t extent : extents)
    result *= extent;
  return result;
}

} // namespace

int64_t dougong::getWeightElementBytes(Type elementType) {
  if (auto complex = dyn_cast<ComplexType>(elementType))
    return 2 * getWeightElementBytes(complex.getElementType());
  return llvm::divideCeil(elementType.getIntOrFloatBitWidth(), 8);
}

WeightData dougong::allocateWeight(Type elementType, ArrayRef<int64_t> shape,
                                   MutableArrayRef<char> &bytes) {
  auto storage =
      std::make_shared<std::vector<char>>(product(shape) * getWeightElementBytes(elementType));
  bytes = *storage;
  return {elementType, SmallVector<int64_t>(shape), ArrayRef<char>(*storage), storage};
}

llvm::Expected<WeightData> dougong::transposeWeight(const WeightData &input,
                                                    ArrayRef<int64_t> permutation) {
  size_t rank = input.shape.size();
  if (permutation.size() != rank)
    return makeError("cannot permute {0} dims of a tensor of rank {1}", permutation.size(), rank);
  SmallVector<int64_t> inputStrides(rank, 1), shape, strides;
  for (int64_t dim = static_cast<int64_t>(rank) - 2; dim >= 0; --dim)
    inputStrides[dim] = inputStrides[dim + 1] * input.shape[dim + 1];
  for (int64_t dim : permutation) {
    if (dim < 0 || dim >= static_cast<int64_t>(rank))
      return makeError("permutation names dim {0} of a tensor of rank {1}", dim, rank);
    shape.push_back(input.shape[dim]);
    strides.push_back(inputStrides[dim]);
  }
  MutableArrayRef<char> bytes;
  WeightData result = allocateWeight(input.elementType, shape, bytes);
  if (bytes.empty())
    return result;
  int64_t width = getWeightElementBytes(input.elementType);
  // The innermost dim of the input moves in long strides: walk blocks of the two
  // innermost dims of the result so that both sides stay in cache.
  if (rank == 0) {
    std::memcpy(bytes.data(), input.bytes.data(), width);
    return result;
  }
  int64_t inner = shape[rank - 1], innerStride = strides[rank - 1];
  int64_t middle = rank > 1 ? shape[rank - 2] : 1, middleStride = rank > 1 ? strides[rank - 2] : 0;
  int64_t outer = product(ArrayRef(shape).drop_back(std::min<size_t>(rank, 2)));
  constexpr int64_t block = 64;
  auto copy = [&](auto element) {
    using T = decltype(element);
    auto *out = reinterpret_cast<T *>(bytes.data());
    for (int64_t o = 0; o < outer; ++o) {
      int64_t rest = o, offset = 0;
      for (int64_t dim = static_cast<int64_t>(rank) - 3; dim >= 0; --dim) {
        offset += rest % shape[dim] * strides[dim];
        rest /= shape[dim];
      }
      for (int64_t m0 = 0; m0 < middle; m0 += block)
        for (int64_t i0 = 0; i0 < inner; i0 += block)
          for (int64_t m = m0; m < std::min(m0 + block, middle); ++m)
            for (int64_t i = i0; i < std::min(i0 + block, inner); ++i) {
              // memcpy: the source may be unaligned in its file.
              std::memcpy(&out[(o * middle + m) * inner + i],
                          input.bytes.data() + (offset + m * middleStride + i * innerStride) *
                                                   static_cast<int64_t>(sizeof(T)),
                          sizeof(T));
            }
    }
  };
  switch (width) {
  case 1: copy(uint8_t()); break;
  case 2: copy(uint16_t()); break;
  case 4: copy(uint32_t()); break;
  case 8: copy(uint64_t()); break;
  default: return makeError("cannot transpose elements of {0} bytes", width);
  }
  return result;
}

llvm::Expected<WeightData> dougong::reshapeWeight(const WeightData &input,
                                                  ArrayRef<int64_t> shape) {
  if (product(shape) != product(input.shape))
    return makeError("cannot give {0} elements a shape of {1}", product(input.shape),
                     product(shape));
  WeightData result = input;
  result.shape.assign(shape.begin(), shape.end());
  return result;
}

llvm::Expected<WeightData> dougong::sliceWeight(const WeightData &input, int64_t dim,
                                                int64_t index, int64_t count, int64_t unit) {
  if (dim < 0 || dim >= static_cast<int64_t>(input.shape.size()))
    return makeError("slice of dim {0} of a tensor of rank {1}", dim, input.shape.size());
  if (count < 1 || unit < 1 || index < 0 || index >= count)
    return makeError("slice {0} of {1} in units of {2} does not exist", index, count, unit);
  int64_t extent = input.shape[dim];
  int64_t local = llvm::divideCeil(llvm::divideCeil(extent, unit), count) * unit;
  int64_t begin = std::min(index * local, extent);
  int64_t length = std::min(local, extent - begin);
  SmallVector<int64_t> shape = input.shape;
  shape[dim] = local;
  MutableArrayRef<char> bytes;
  WeightData result = allocateWeight(input.elementType, shape, bytes);
  int64_t outer = product(ArrayRef(shape).take_front(dim));
  int64_t inner =
      product(ArrayRef(shape).drop_front(dim + 1)) * getWeightElementBytes(input.elementType);
  if (length > 0)
    for (int64_t o = 0; o < outer; ++o)
      std::memcpy(bytes.data() + o * local * inner,
                  input.bytes.data() + (o * extent + begin) * inner, length * inner);
  return result;
}

llvm::Expected<WeightData> dougong::packWeight(const WeightData &input, int64_t columns) {
  size_t rank = input.shape.size();
  if (rank < 2 || columns < 1)
    return makeError("cannot pack a tensor of rank {0} into panels of {1} columns", rank, columns);
  int64_t k = input.shape[rank - 2], n = input.shape[rank - 1];
  int64_t panels = llvm::divideCeil(n, columns);
  SmallVector<int64_t> shape(ArrayRef(input.shape).drop_back(2));
  int64_t matrices = product(shape);
  shape.append({panels, k, columns});
  MutableArrayRef<char> bytes;
  WeightData result = allocateWeight(input.elementType, shape, bytes);
  int64_t width = getWeightElementBytes(input.elementType);
  for (int64_t matrix = 0; matrix < matrices; ++matrix)
    for (int64_t panel = 0; panel < panels; ++panel) {
      int64_t length = std::min(columns, n - panel * columns) * width;
      char *out = bytes.data() + (matrix * panels + panel) * k * columns * width;
      const char *in = input.bytes.data() + (matrix * k * n + panel * columns) * width;
      for (int64_t row = 0; row < k; ++row)
        std::memcpy(out + row * columns * width, in + row * n * width, length);
    }
  return result;
}
