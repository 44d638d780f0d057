//===- Moves.cpp - weight recipe steps that move elements -----------------===//
#include "Copy.h"
#include "Steps.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace dougong;

namespace {

template <typename... Args> llvm::Error makeError(const char *format, Args &&...args) {
  return llvm::createStringError(llvm::formatv(format, std::forward<Args>(args)...).str());
}

class TransposeReader : public WeightReader {
public:
  TransposeReader(ReaderPtr input, ArrayRef<int64_t> permutation, ArrayRef<int64_t> shape)
      : WeightReader(input->getElementType(), shape), input(std::move(input)),
        permutation(permutation) {}

  WeightView get(const WeightBox &box) override {
    size_t rank = permutation.size();
    WeightBox source{SmallVector<int64_t>(rank), SmallVector<int64_t>(rank)};
    for (auto [dim, from] : llvm::enumerate(permutation)) {
      source.offsets[from] = box.offsets[dim];
      source.sizes[from] = box.sizes[dim];
    }
    WeightView view = input->get(source), result{view.data, {}};
    for (int64_t from : permutation)
      result.strides.push_back(view.strides[from]);
    return result;
  }

private:
  ReaderPtr input;
  SmallVector<int64_t> permutation;
};

class SliceReader : public WeightReader {
public:
  SliceReader(ReaderPtr input, int64_t dim, int64_t begin, ArrayRef<int64_t> shape)
      : WeightReader(input->getElementType(), shape), input(std::move(input)), dim(dim),
        begin(begin) {}

  WeightView get(const WeightBox &box) override {
    WeightBox source = box;
    source.offsets[dim] += begin;
    int64_t valid =
        std::clamp<int64_t>(input->getShape()[dim] - source.offsets[dim], 0, box.sizes[dim]);
    if (valid == box.sizes[dim])
      return input->get(source);
    storage.assign(box.getNumElements() * getElementBytes(), 0);
    SmallVector<int64_t> strides = getDenseStrides(box.sizes);
    source.sizes[dim] = valid;
    if (valid > 0)
      copyStrided(input->get(source), source.sizes, getElementBytes(), storage.data(), strides);
    return {storage.data(), strides};
  }

private:
  ReaderPtr input;
  int64_t dim, begin;
  std::vector<char> storage;
};

class PackReader : public WeightReader {
public:
  PackReader(ReaderPtr input, ArrayRef<int64_t> shape)
      : WeightReader(input->getElementType(), shape), input(std::move(input)) {}

  WeightView get(const WeightBox &box) override {
    size_t outer = getShape().size() - 3;
    int64_t columns = getShape().back(), n = input->getShape().back();
    auto boxOf = [&](int64_t first, int64_t count) {
      WeightBox source{SmallVector<int64_t>(ArrayRef(box.offsets).take_front(outer)),
                       SmallVector<int64_t>(ArrayRef(box.sizes).take_front(outer))};
      source.offsets.append({box.offsets[outer + 1], first});
      source.sizes.append({box.sizes[outer + 1], count});
      return source;
    };
    int64_t panel = box.offsets[outer], panels = box.sizes[outer];
    int64_t column = box.offsets[outer + 2], width = box.sizes[outer + 2];
    // Of whole panels, or of one: the matrix seen in another order.
    auto viewOf = [&](WeightBox source) {
      WeightView view = input->get(source);
      int64_t k = view.strides[outer], step = view.strides[outer + 1];
      view.strides.truncate(outer);
      view.strides.append({columns * step, k, step});
      return view;
    };
    int64_t end = (panel + panels - 1) * columns + column + width;
    if (end <= n && (panels == 1 || width == columns))
      return viewOf(boxOf(panel * columns + column, panels == 1 ? width : panels * columns));
    storage.assign(box.getNumElements() * getElementBytes(), 0);
    SmallVector<int64_t> strides = getDenseStrides(box.sizes), sizes(box.sizes);
    sizes[outer] = 1;
    for (int64_t p = 0; p < panels; ++p) {
      int64_t first = (panel + p) * columns + column;
      sizes[outer + 2] = std::min(width, n - first);
      if (sizes[outer + 2] > 0)
        copyStrided(viewOf(boxOf(first, sizes[outer + 2])), sizes, getElementBytes(),
                    storage.data() + p * strides[outer] * getElementBytes(), strides);
    }
    return {storage.data(), strides};
  }

private:
  ReaderPtr input;
  std::vector<char> storage;
};

class JoinReader : public WeightReader {
public:
  JoinReader(ReaderPtr left, ReaderPtr right, ArrayRef<int64_t> shape)
      : WeightReader(left->getElementType(), shape), left(std::move(left)),
        right(std::move(right)) {}

  WeightView get(const WeightBox &box) override {
    int64_t border = left->getShape()[0], begin = box.offsets[0], size = box.sizes[0];
    int64_t before = std::clamp<int64_t>(border - begin, 0, size);
    WeightBox source = box;
    if (before == size)
      return left->get(source);
    source.offsets[0] = std::max<int64_t>(begin - border, 0);
    source.sizes[0] = size - before;
    if (before == 0)
      return right->get(source);
    int64_t width = getElementBytes();
    storage.resize(box.getNumElements() * width);
    SmallVector<int64_t> strides = getDenseStrides(box.sizes);
    copyStrided(right->get(source), source.sizes, width,
                storage.data() + before * strides[0] * width, strides);
    source = box;
    source.sizes[0] = before;
    copyStrided(left->get(source), source.sizes, width, storage.data(), strides);
    return {storage.data(), strides};
  }

private:
  ReaderPtr left, right;
  std::vector<char> storage;
};

} // namespace

ExpectedReader dougong::joinWeights(ReaderPtr left, ReaderPtr right) {
  ArrayRef<int64_t> a = left->getShape(), b = right->getShape();
  if (a.empty() || a.size() != b.size() || a.drop_front() != b.drop_front())
    return makeError("only tensors that differ in dim 0 alone can be joined");
  SmallVector<int64_t> shape(a);
  shape[0] += b[0];
  return std::make_unique<JoinReader>(std::move(left), std::move(right), shape);
}

ExpectedReader dougong::transposeWeight(ReaderPtr input, ArrayRef<int64_t> permutation) {
  size_t rank = input->getShape().size();
  if (permutation.size() != rank)
    return makeError("cannot permute {0} dims of a tensor of rank {1}", permutation.size(), rank);
  SmallVector<int64_t> shape;
  llvm::SmallBitVector seen(rank);
  for (int64_t dim : permutation) {
    if (dim < 0 || dim >= static_cast<int64_t>(rank) || seen[dim])
      return makeError("permutation names dim {0} of a tensor of rank {1} wrongly or twice", dim,
                       rank);
    seen[dim] = true;
    shape.push_back(input->getShape()[dim]);
  }
  return std::make_unique<TransposeReader>(std::move(input), permutation, shape);
}

ExpectedReader dougong::sliceWeight(ReaderPtr input, int64_t dim, int64_t index, int64_t count,
                                    int64_t unit) {
  ArrayRef<int64_t> full = input->getShape();
  if (dim < 0 || dim >= static_cast<int64_t>(full.size()))
    return makeError("slice of dim {0} of a tensor of rank {1}", dim, full.size());
  if (count < 1 || unit < 1 || index < 0 || index >= count)
    return makeError("slice {0} of {1} in units of {2} does not exist", index, count, unit);
  int64_t local = llvm::divideCeil(llvm::divideCeil(full[dim], unit), count) * unit;
  SmallVector<int64_t> shape(full);
  shape[dim] = local;
  return std::make_unique<SliceReader>(std::move(input), dim, index * local, shape);
}

ExpectedReader dougong::takePart(ReaderPtr input, int64_t dim, int64_t begin, int64_t size) {
  ArrayRef<int64_t> full = input->getShape();
  if (dim < 0 || dim >= static_cast<int64_t>(full.size()))
    return makeError("part of dim {0} of a tensor of rank {1}", dim, full.size());
  if (begin < 0 || size < 0 || begin > full[dim] - size)
    return makeError("part [{0}, {1}) of a dim of {2} does not exist", begin, begin + size,
                     full[dim]);
  SmallVector<int64_t> shape(full);
  shape[dim] = size;
  return std::make_unique<SliceReader>(std::move(input), dim, begin, shape);
}

ExpectedReader dougong::packWeight(ReaderPtr input, int64_t columns) {
  ArrayRef<int64_t> full = input->getShape();
  if (full.size() < 2 || columns < 1)
    return makeError("cannot pack a tensor of rank {0} into panels of {1} columns", full.size(),
                     columns);
  SmallVector<int64_t> shape(full.drop_back(2));
  shape.append({static_cast<int64_t>(llvm::divideCeil(full.back(), columns)), full[full.size() - 2],
                columns});
  return std::make_unique<PackReader>(std::move(input), shape);
}
