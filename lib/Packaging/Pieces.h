//===- Pieces.h - a tensor in pieces of bounded size ------------*- C++ -*-===//
#ifndef DOUGONG_LIB_PACKAGING_PIECES_H
#define DOUGONG_LIB_PACKAGING_PIECES_H

#include "dougong/Packaging/Recipe.h"

#include <algorithm>

namespace dougong {

/// Calls `body` with boxes that make up elements `begin` to `end` of a tensor in
/// row-major order, each of at most `limit` elements.
void forEachPiece(llvm::ArrayRef<int64_t> shape, int64_t begin, int64_t end, int64_t limit,
                  auto &&body) {
  while (begin < end) {
    // Dims from `dim` on are whole; those before it, but one, are of extent 1.
    size_t dim = shape.size();
    int64_t inner = 1, most = std::min(limit, end - begin);
    while (dim > 0 && inner * shape[dim - 1] <= most && begin % (inner * shape[dim - 1]) == 0)
      inner *= shape[--dim];
    WeightBox box{llvm::SmallVector<int64_t>(shape.size(), 0), llvm::SmallVector<int64_t>(shape)};
    int64_t rest = begin / inner, count = inner;
    for (size_t i = dim; i-- > 0; rest /= shape[i]) {
      box.offsets[i] = rest % shape[i];
      box.sizes[i] = i + 1 == dim ? std::min(most / inner, shape[i] - box.offsets[i]) : 1;
      count *= box.sizes[i];
    }
    body(box);
    begin += count;
  }
}

} // namespace dougong

#endif // DOUGONG_LIB_PACKAGING_PIECES_H
