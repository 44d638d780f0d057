//===- Copy.cpp - copies between strided tensors --------------------------===//
#include "Copy.h"

#include <cstring>

using namespace mlir;
using namespace dougong;

SmallVector<int64_t> dougong::getDenseStrides(ArrayRef<int64_t> sizes) {
  SmallVector<int64_t> strides(sizes.size(), 1);
  for (size_t dim = sizes.size(); dim-- > 1;)
    strides[dim - 1] = strides[dim] * sizes[dim];
  return strides;
}

bool dougong::isDense(const WeightView &view, ArrayRef<int64_t> sizes) {
  int64_t stride = 1;
  for (size_t dim = sizes.size(); dim-- > 0;) {
    if (sizes[dim] != 1 && view.strides[dim] != stride)
      return false;
    stride *= sizes[dim];
  }
  return true;
}

namespace {

/// One loop of a copy: extent, and strides in bytes.
struct Loop {
  int64_t size, from, to;
};

/// Copies a rows x columns tile: `row` has unit stride at the source, `column`
/// at the destination.
template <size_t width>
void transposeTiles(const char *from, char *to, const Loop &row, const Loop &column) {
  // Lines of both sides of a tile fit the smallest first-level cache, also where
  // strides are powers of two and lines compete for the same sets.
  constexpr int64_t tile = 16;
  for (int64_t r0 = 0; r0 < row.size; r0 += tile)
    for (int64_t c0 = 0; c0 < column.size; c0 += tile) {
      int64_t rows = std::min(tile, row.size - r0), columns = std::min(tile, column.size - c0);
      for (int64_t r = 0; r < rows; ++r) {
        const char *source = from + (r0 + r) * row.from + c0 * column.from;
        char *target = to + (r0 + r) * row.to + c0 * column.to;
        for (int64_t c = 0; c < columns; ++c)
          std::memcpy(target + c * column.to, source + c * column.from, width);
      }
    }
}

void transposeTiles(const char *from, char *to, const Loop &row, const Loop &column,
                    int64_t width) {
  switch (width) {
  case 1:
    return transposeTiles<1>(from, to, row, column);
  case 2:
    return transposeTiles<2>(from, to, row, column);
  case 4:
    return transposeTiles<4>(from, to, row, column);
  case 8:
    return transposeTiles<8>(from, to, row, column);
  case 16:
    return transposeTiles<16>(from, to, row, column);
  default:
    llvm_unreachable("elements have 1, 2, 4, 8 or 16 bytes");
  }
}

/// Copies a run for each row and column, where the source has rows farther apart
/// than columns: some rows at a time, so that both sides see short streams.
void copyRuns(const char *from, char *to, const Loop &row, const Loop &column, int64_t run) {
  constexpr int64_t tile = 16;
  for (int64_t r0 = 0; r0 < row.size; r0 += tile)
    for (int64_t c = 0; c < column.size; ++c)
      for (int64_t r = r0; r < std::min(r0 + tile, row.size); ++r)
        std::memcpy(to + r * row.to + c * column.to, from + r * row.from + c * column.from, run);
}

} // namespace

void dougong::copyStrided(const WeightView &view, ArrayRef<int64_t> sizes, int64_t width, char *out,
                          ArrayRef<int64_t> outStrides) {
  SmallVector<Loop> loops;
  for (auto [size, from, to] : llvm::zip(sizes, view.strides, outStrides)) {
    if (size == 0)
      return;
    Loop loop{size, from * width, to * width};
    if (size == 1)
      continue;
    Loop *last = loops.empty() ? nullptr : &loops.back();
    if (last && last->from == size * loop.from && last->to == size * loop.to)
      *last = {last->size * size, loop.from, loop.to};
    else
      loops.push_back(loop);
  }
  // Runs that are contiguous on both sides are the innermost step, else an element
  // is. Two loops around it are walked in tiles, the others counted through.
  int64_t run = width;
  Loop row{1, 0, 0}, column{1, 0, 0};
  if (!loops.empty() && loops.back().from == width && loops.back().to == width)
    run = loops.pop_back_val().size * width;
  else if (!loops.empty())
    column = loops.pop_back_val();
  // In the order of the source: what is read once from memory is the long side.
  llvm::sort(loops, [](const Loop &a, const Loop &b) { return a.from > b.from; });
  if (!loops.empty())
    row = loops.pop_back_val();
  if (run != width && !loops.empty()) {
    column = row;
    row = loops.pop_back_val();
  }
  SmallVector<int64_t> index(loops.size(), 0);
  const char *from = view.data;
  for (;;) {
    if (run != width)
      copyRuns(from, out, row, column, run);
    else
      transposeTiles(from, out, row, column, width);
    size_t dim = loops.size();
    for (; dim-- > 0;) {
      from += loops[dim].from;
      out += loops[dim].to;
      if (++index[dim] < loops[dim].size)
        break;
      from -= loops[dim].from * loops[dim].size;
      out -= loops[dim].to * loops[dim].size;
      index[dim] = 0;
    }
    if (dim == SIZE_MAX)
      return;
  }
}

WeightView dougong::makeDense(const WeightView &view, ArrayRef<int64_t> sizes, int64_t width,
                              std::vector<char> &storage) {
  if (isDense(view, sizes))
    return {view.data, getDenseStrides(sizes)};
  int64_t count = width;
  for (int64_t size : sizes)
    count *= size;
  storage.resize(count);
  SmallVector<int64_t> strides = getDenseStrides(sizes);
  copyStrided(view, sizes, width, storage.data(), strides);
  return {storage.data(), strides};
}
