//===- Steps.h - readers that apply one step of a recipe --------*- C++ -*-===//
#ifndef DOUGONG_LIB_PACKAGING_STEPS_H
#define DOUGONG_LIB_PACKAGING_STEPS_H

#include "dougong/Packaging/Recipe.h"

#include <memory>

namespace dougong {

using ReaderPtr = std::unique_ptr<WeightReader>;
using ExpectedReader = llvm::Expected<ReaderPtr>;

// Sources.

/// `length` bytes of a file at `offset`, which lie inside it, as a tensor.
/// Elements of 2 and 4 bits lie four or two to a byte in files.
ReaderPtr readFile(std::shared_ptr<MappedFile> file, int64_t offset, mlir::Type elementType,
                   llvm::ArrayRef<int64_t> shape);
/// The elements of a dense attribute.
ExpectedReader readElements(mlir::ElementsAttr elements);

// Steps that move elements.

ExpectedReader transposeWeight(ReaderPtr input, llvm::ArrayRef<int64_t> permutation);
ExpectedReader reshapeWeight(ReaderPtr input, llvm::ArrayRef<int64_t> shape);
/// Takes run `index` of ceil(blocks / count) blocks of `unit` elements of a dim,
/// padded with zeros to the common length.
ExpectedReader sliceWeight(ReaderPtr input, int64_t dim, int64_t index, int64_t count,
                           int64_t unit);
/// Elements [begin, begin + size) of a dim.
ExpectedReader takePart(ReaderPtr input, int64_t dim, int64_t begin, int64_t size);
/// [..., K, N] -> [..., ceil(N / columns), K, columns].
ExpectedReader packWeight(ReaderPtr input, int64_t columns);

/// Elements of `left`, then those of `right`, along dim 0.
ExpectedReader joinWeights(ReaderPtr left, ReaderPtr right);

// Steps that compute.

ExpectedReader castWeight(ReaderPtr input, mlir::Type elementType);
/// `kind` is add, sub, mul or div; the operands broadcast. Or it is concat, and
/// they are joined along dim 0.
ExpectedReader combineWeights(llvm::StringRef kind, ReaderPtr left, ReaderPtr right);

} // namespace dougong

#endif // DOUGONG_LIB_PACKAGING_STEPS_H
