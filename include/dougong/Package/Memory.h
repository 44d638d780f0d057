//===- Memory.h - how much memory a rank can need ---------------*- C++ -*-===//
#ifndef DOUGONG_PACKAGE_MEMORY_H
#define DOUGONG_PACKAGE_MEMORY_H

#include "dougong/Package/plan.pb.h"
#include "dougong/Support/DimExpr.h"
#include "dougong/Support/Result.h"

#include <cstdint>
#include <set>
#include <string>

namespace dougong {

/// A reduction of up to so many bytes gathers the sources of all members on each
/// of them; a larger one is cut into parts, of which each member reduces one.
inline constexpr std::uint64_t gatheredReduceBytes = 8192;

/// The range of every symbol of a model, and which upper bounds are assumed.
struct ModelRanges {
  SymbolRanges ranges;
  /// Symbols without an upper bound: taken at their least extent, at least 1.
  std::set<std::string> assumed;

  static ModelRanges of(const plan::v1::Model &model);
};

/// The most that a rank of a stage needs, over all extents in `ranges`.
struct MemoryBound {
  /// The parts, their total, and `bound`: exact (no extent matters), upper, or
  /// estimate (something below is not empty). Without pool and capacity.
  plan::v1::Memory memory;
  std::set<std::string> assumed;  ///< symbols that matter and have no upper bound
  std::set<std::string> unproved; ///< nodes whose temporaries have no expression
  bool hasStrings = false;        ///< the characters of strings are not counted
};

/// Bounds the memory of stage number `stage`. What is counted is what
/// dougong-runner takes while a step runs:
///
///   weights      each once, the largest shard of each
///   state        the carried value and the new one
///   activations  the arena between kernels
///   io           the other inputs and outputs of the program
///   collectives  buffers of transfers between stages and of reductions
///   workspace    temporaries inside the kernel that needs most
///
/// Of micro-batches it counts the arena, inputs and workspace of one, and states and
/// outputs of all: a rank may be done with all of them before others have taken any.
/// Not counted: code, the tensors that the caller passes in and gets back, and
/// what the allocator keeps for reuse. Fails if the plan names an unknown
/// program or mesh, an expression is unreadable, or a bound exceeds 64 bits.
Result<MemoryBound> boundMemory(const plan::v1::Plan &plan, int stage, const ModelRanges &ranges);

/// Writes the bound for stage number `stage` into the plan. `pool` names the
/// memory, `capacity` is its size in bytes (0: not known).
Result<void> proveMemory(plan::v1::Plan &plan, int stage, const std::string &pool,
                         std::uint64_t capacity);

/// For a stage whose memory exceeds its capacity: what is too much, on which
/// chip, which part binds, and the nearest request that would fit. Empty if it
/// fits, or if the capacity is not known.
std::string describeMisfit(const plan::v1::Plan &plan, int stage);

} // namespace dougong

#endif // DOUGONG_PACKAGE_MEMORY_H
