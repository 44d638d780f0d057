//===- Schedule.h - which stage runs which rows, and when -------*- C++ -*-===//
#ifndef DOUGONG_LIB_RUNTIME_SCHEDULE_H
#define DOUGONG_LIB_RUNTIME_SCHEDULE_H

#include "Wiring.h"

#include <cstdint>
#include <vector>

namespace dougong {

/// The rows [begin, end) of the batch.
struct RowRange {
  std::int64_t begin = 0, end = 0;
  bool operator==(const RowRange &) const = default;
};

/// The rows of the micro-batches: runs of ceil(rows / count), the last of which may be
/// shorter. Those that would be empty are left out; without rows there is one.
std::vector<RowRange> cutRows(std::int64_t rows, std::int64_t count);

/// One stage's work on one micro-batch.
struct Task {
  int stage = 0, microBatch = 0;
  bool operator==(const Task &) const = default;
};

/// The tasks of a rank in the order in which it runs them: each of its stages, with each
/// micro-batch once.
///
/// A rank with one stage takes the micro-batches in their order (without a backward
/// pass GPipe and 1F1B are this). A rank with several takes as many micro-batches as
/// there are sets of ranks through its first stage, then these through the next one,
/// and so on, before it goes on to the next micro-batches: the interleaved order, in
/// which every set of ranks has work while a value goes round.
///
/// All ranks follow one order of all tasks, (group of micro-batches, stage in
/// Wiring::order, micro-batch), in which a task comes behind those that feed it: as
/// sends do not block, no ranks can wait for each other.
std::vector<Task> orderTasks(const Wiring &wiring, int rank, int microBatches);

} // namespace dougong

#endif // DOUGONG_LIB_RUNTIME_SCHEDULE_H
