//===- Steps.h - one step of a weight recipe --------------------*- C++ -*-===//
#ifndef DOUGONG_LIB_PACKAGING_STEPS_H
#define DOUGONG_LIB_PACKAGING_STEPS_H

#include "dougong/Packaging/Recipe.h"

namespace dougong {

/// A new tensor with storage of its own, filled with zeros.
WeightData allocateWeight(mlir::Type elementType, llvm::ArrayRef<int64_t> shape,
                          llvm::MutableArrayRef<char> &bytes);

/// Bytes that an element takes.
int64_t getWeightElementBytes(mlir::Type elementType);

/// The steps. Each fails with a message that says what it expected.
llvm::Expected<WeightData> transposeWeight(const WeightData &input,
                                           llvm::ArrayRef<int64_t> permutation);
llvm::Expected<WeightData> reshapeWeight(const WeightData &input, llvm::ArrayRef<int64_t> shape);
llvm::Expected<WeightData> castWeight(const WeightData &input, mlir::Type elementType);
llvm::Expected<WeightData> combineWeights(llvm::StringRef kind, const WeightData &left,
                                          const WeightData &right);
/// Takes run `index` of ceil(blocks / count) blocks of `unit` elements of a dim,
/// padded with zeros to the common length.
llvm::Expected<WeightData> sliceWeight(const WeightData &input, int64_t dim, int64_t index,
                                       int64_t count, int64_t unit);
/// [..., K, N] -> [..., ceil(N / columns), K, columns].
llvm::Expected<WeightData> packWeight(const WeightData &input, int64_t columns);

} // namespace dougong

#endif // DOUGONG_LIB_PACKAGING_STEPS_H
