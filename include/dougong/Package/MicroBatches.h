//===- MicroBatches.h - the batch of a plan ---------------------*- C++ -*-===//
#ifndef DOUGONG_PACKAGE_MICROBATCHES_H
#define DOUGONG_PACKAGE_MICROBATCHES_H

#include "dougong/Package/plan.pb.h"
#include "dougong/Support/Result.h"

#include <cstdint>
#include <optional>
#include <string>

namespace dougong {

/// The most that a plan may have.
inline constexpr std::int64_t maxMicroBatches = 4096;

/// How many micro-batches a step has at most; 1 without.
std::int64_t microBatchCount(const plan::v1::Model &model);

/// The dim of a model input or output that is the symbol `batch`, if one is. Fails if a
/// dim depends on it otherwise, or two dims are it.
Result<std::optional<int>> batchDim(const plan::v1::Value &value, const std::string &batch);

} // namespace dougong

#endif // DOUGONG_PACKAGE_MICROBATCHES_H
