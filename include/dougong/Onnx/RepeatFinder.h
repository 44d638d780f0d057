//===- RepeatFinder.h - runs of equal blocks in a sequence ------*- C++ -*-===//
#ifndef DOUGONG_ONNX_REPEATFINDER_H
#define DOUGONG_ONNX_REPEATFINDER_H

#include "llvm/ADT/ArrayRef.h"

#include <cstddef>
#include <optional>

namespace dougong::onnx {

/// `count` equal blocks of `period` tokens, one behind the other, from `begin`.
/// The blocks may as well start up to `slack` tokens later.
struct Repeat {
  size_t begin = 0, period = 0, count = 0, slack = 0;

  /// Tokens that are gone when all blocks are one.
  size_t saved() const { return (count - 1) * period; }
};

/// The run of equal blocks of at least `minPeriod` tokens that saves most; of
/// several the one with the shortest blocks, then the first one. Periods are tried
/// that are distances of consecutive equal tokens, the `maxPeriods` most frequent
/// ones: linear in the number of tokens.
std::optional<Repeat> findBestRepeat(llvm::ArrayRef<unsigned> tokens, size_t minPeriod,
                                     size_t maxPeriods = 32);

} // namespace dougong::onnx

#endif // DOUGONG_ONNX_REPEATFINDER_H
