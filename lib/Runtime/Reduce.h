//===- Reduce.h - element-wise reduction over ranks -------------*- C++ -*-===//
#ifndef DOUGONG_LIB_RUNTIME_REDUCE_H
#define DOUGONG_LIB_RUNTIME_REDUCE_H

#include "dougong-c/program.h"
#include "dougong/Support/Result.h"

#include <cstdint>
#include <span>

namespace dougong {

/// Fails if elements of `dtype` cannot be reduced, or `reduction` is unknown.
Result<void> checkReduction(dougong_dtype dtype, dougong_reduction reduction);

/// result[i] = sources[0][i] op sources[1][i] op ..., in this order, written to
/// each of `results`: the order of additions, and so the rounding, is the same
/// in every back end and on every rank. 16-bit floats accumulate in f32 and are
/// rounded once; integers wrap; for bool, sum and max mean or, prod and min mean
/// and; max and min give NaN if a source is NaN. A result may be the same array
/// as a source.
void reduceElements(dougong_dtype dtype, dougong_reduction reduction,
                    std::span<const void *const> sources, std::span<void *const> results,
                    std::int64_t count);

} // namespace dougong

#endif // DOUGONG_LIB_RUNTIME_REDUCE_H
