//===- Copy.h - copies between strided tensors ------------------*- C++ -*-===//
#ifndef DOUGONG_LIB_PACKAGING_COPY_H
#define DOUGONG_LIB_PACKAGING_COPY_H

#include "dougong/Packaging/Recipe.h"

#include <vector>

namespace dougong {

/// Row-major strides, in elements.
llvm::SmallVector<int64_t> getDenseStrides(llvm::ArrayRef<int64_t> sizes);

/// Whether the elements of a box of `sizes` lie one behind the other, in order.
bool isDense(const WeightView &view, llvm::ArrayRef<int64_t> sizes);

/// Copies `sizes` elements of `width` bytes to `out`, whose strides are in
/// elements. Dims of both sides that are one are copied as one; where source and
/// destination have different innermost dims, in tiles that stay in cache.
void copyStrided(const WeightView &from, llvm::ArrayRef<int64_t> sizes, int64_t width, char *out,
                 llvm::ArrayRef<int64_t> outStrides);

/// The view, or a dense copy of it in `storage` if it is not dense.
WeightView makeDense(const WeightView &view, llvm::ArrayRef<int64_t> sizes, int64_t width,
                     std::vector<char> &storage);

} // namespace dougong

#endif // DOUGONG_LIB_PACKAGING_COPY_H
