//===- Reshape.cpp - weight recipe step: the same elements, another shape -===//
#include "Copy.h"
#include "Steps.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace dougong;

namespace {

int64_t product(ArrayRef<int64_t> extents) {
  int64_t result = 1;
  for (int64_t extent : extents)
    result *= extent;
  return result;
}

/// Dims [fromBegin, fromEnd) of the input that hold the same elements as dims
/// [toBegin, toEnd) of the result, as few as possible.
struct Group {
  size_t fromBegin, fromEnd, toBegin, toEnd;
};

/// A box of the input's dims of a group, and where its first element is in the
/// flattened box of the result's dims.
struct Segment {
  SmallVector<int64_t> offsets, sizes;
  int64_t position;
};

/// Elements [begin, end) of a dense tensor as boxes, in order: at most two for
/// each dim but the first.
void splitRange(ArrayRef<int64_t> shape, int64_t begin, int64_t end, int64_t position,
                SmallVector<int64_t> prefix, SmallVectorImpl<Segment> &segments) {
  if (begin >= end)
    return;
  size_t rank = prefix.size() + shape.size();
  auto add = [&](int64_t first, int64_t count, int64_t at) {
    Segment segment{prefix, SmallVector<int64_t>(prefix.size(), 1), at};
    if (!shape.empty()) {
      segment.offsets.push_back(first);
      segment.sizes.push_back(count);
      segment.offsets.resize(rank, 0);
      segment.sizes.append(shape.begin() + 1, shape.end());
    }
    segments.push_back(std::move(segment));
  };
  if (shape.empty())
    return add(0, 1, position);
  int64_t inner = product(shape.drop_front());
  int64_t first = begin / inner, last = end / inner; // whole ones: [ceil(begin), last)
  auto descend = [&](int64_t index, int64_t from, int64_t to) {
    SmallVector<int64_t> deeper = prefix;
    deeper.push_back(index);
    splitRange(shape.drop_front(), from, to, position + index * inner + from - begin, deeper,
               segments);
  };
  if (begin % inner != 0) {
    descend(first, begin % inner, std::min(inner, end - first * inner));
    ++first;
  }
  if (first < last)
    add(first, last - first, position + first * inner - begin);
  if (last >= first && end % inner != 0)
    descend(last, 0, end % inner);
}

class ReshapeReader : public WeightReader {
public:
  ReshapeReader(ReaderPtr input, ArrayRef<int64_t> shape)
      : WeightReader(input->getElementType(), shape), input(std::move(input)) {
    ArrayRef<int64_t> from = this->input->getShape();
    if (product(shape) == 0)
      return; // nothing is ever read
    size_t i = 0, j = 0;
    while (i < from.size() || j < shape.size()) {
      Group group{i, i, j, j};
      int64_t a = 1, b = 1;
      // An extent of 1 is taken where it is met.
      if (i < from.size())
        a *= from[i++];
      if (j < shape.size())
        b *= shape[j++];
      while (a != b) {
        if (a < b && i < from.size())
          a *= from[i++];
        else if (j < shape.size())
          b *= shape[j++];
        else
          a *= from[i++];
      }
      group.fromEnd = i;
      group.toEnd = j;
      groups.push_back(group);
    }
  }

  WeightView get(const WeightBox &box) override {
    SmallVector<SmallVector<Segment>> segments;
    size_t cells = 1;
    for (const Group &group : groups) {
      segments.push_back(split(group, box));
      cells *= segments.back().size();
    }
    if (cells == 1)
      return getWhole(box, segments);
    return gather(box, segments, cells);
  }

private:
  ArrayRef<int64_t> fromShape(const Group &group) const {
    return input->getShape().slice(group.fromBegin, group.fromEnd - group.fromBegin);
  }

  /// The parts of the input that make up the box's part of a group.
  SmallVector<Segment> split(const Group &group, const WeightBox &box) const {
    ArrayRef<int64_t> shape = getShape().slice(group.toBegin, group.toEnd - group.toBegin);
    ArrayRef<int64_t> offsets = ArrayRef(box.offsets).slice(group.toBegin, shape.size());
    ArrayRef<int64_t> sizes = ArrayRef(box.sizes).slice(group.toBegin, shape.size());
    SmallVector<int64_t> strides = getDenseStrides(shape);
    size_t inner = shape.size();
    int64_t run = 1, first = 0, outer = 1;
    while (inner > 0) {
      --inner;
      run *= sizes[inner];
      if (sizes[inner] != shape[inner])
        break;
    }
    // Leading extents of 1 do not break a run.
    for (size_t dim = 0; dim < inner; ++dim)
      outer *= sizes[dim];
    for (auto [offset, stride] : llvm::zip(offsets, strides))
      first += offset * stride;
    SmallVector<Segment> result;
    SmallVector<int64_t> index(inner, 0);
    for (int64_t count = 0; count < outer; ++count) {
      splitRange(fromShape(group), first, first + run, count * run, {}, result);
      for (size_t dim = inner; dim-- > 0;) {
        first += strides[dim];
        if (++index[dim] < sizes[dim])
          break;
        first -= strides[dim] * sizes[dim];
        index[dim] = 0;
      }
    }
    return result;
  }

  WeightBox boxOf(ArrayRef<SmallVector<Segment>> segments, ArrayRef<size_t> chosen) const {
    WeightBox source;
    for (auto [list, index] : llvm::zip(segments, chosen)) {
      source.offsets.append(list[index].offsets);
      source.sizes.append(list[index].sizes);
    }
    return source;
  }

  /// The input's box with each group as one dim. Where that cannot be seen in
  /// memory as it lies, it is copied first.
  WeightView getGrouped(const WeightBox &source) {
    WeightView view = input->get(source);
    auto collapse = [&](SmallVectorImpl<int64_t> &strides) {
      for (const Group &group : groups) {
        int64_t stride = 1, size = 1;
        bool any = false;
        for (size_t dim = group.fromEnd; dim-- > group.fromBegin;) {
          if (source.sizes[dim] == 1)
            continue;
          if (any && view.strides[dim] != stride * size)
            return false;
          if (!any)
            stride = view.strides[dim];
          any = true;
          size *= source.sizes[dim];
        }
        strides.push_back(stride);
      }
      return true;
    };
    WeightView result{view.data, {}};
    if (collapse(result.strides))
      return result;
    view = makeDense(view, source.sizes, getElementBytes(), dense);
    result = {view.data, {}};
    collapse(result.strides);
    return result;
  }

  WeightView getWhole(const WeightBox &box, ArrayRef<SmallVector<Segment>> segments) {
    WeightView grouped = getGrouped(boxOf(segments, SmallVector<size_t>(groups.size(), 0)));
    WeightView result{grouped.data, SmallVector<int64_t>(box.sizes.size(), 1)};
    for (auto [group, stride] : llvm::zip(groups, grouped.strides)) {
      // One run: all dims behind the first that is longer than 1 are whole.
      for (size_t dim = group.toEnd; dim-- > group.toBegin;) {
        result.strides[dim] = stride;
        stride *= getShape()[dim];
      }
    }
    return result;
  }

  WeightView gather(const WeightBox &box, ArrayRef<SmallVector<Segment>> segments, size_t cells) {
    int64_t width = getElementBytes();
    storage.resize(box.getNumElements() * width);
    SmallVector<int64_t> whole; // the box with each group as one dim
    for (const Group &group : groups)
      whole.push_back(
          product(ArrayRef(box.sizes).slice(group.toBegin, group.toEnd - group.toBegin)));
    SmallVector<int64_t> strides = getDenseStrides(whole);
    SmallVector<size_t> chosen(groups.size(), 0);
    for (size_t cell = 0; cell < cells; ++cell) {
      SmallVector<int64_t> sizes;
      int64_t position = 0;
      for (auto [list, index, stride] : llvm::zip(segments, chosen, strides)) {
        sizes.push_back(product(list[index].sizes));
        position += list[index].position * stride;
      }
      copyStrided(getGrouped(boxOf(segments, chosen)), sizes, width,
                  storage.data() + position * width, strides);
      for (size_t dim = groups.size(); dim-- > 0;) {
        if (++chosen[dim] < segments[dim].size())
          break;
        chosen[dim] = 0;
      }
    }
    return {storage.data(), getDenseStrides(box.sizes)};
  }

  ReaderPtr input;
  SmallVector<Group> groups;
  std::vector<char> dense, storage;
};

} // namespace

ExpectedReader dougong::reshapeWeight(ReaderPtr input, ArrayRef<int64_t> shape) {
  if (product(shape) != product(input->getShape()))
    return llvm::createStringError(llvm::formatv("cannot give {0} elements a shape of {1}",
                                                 product(input->getShape()), product(shape))
                                       .str());
  return std::make_unique<ReshapeReader>(std::move(input), shape);
}
