//===- Schedule.cpp - which stage runs which rows, and when ---------------===//
#include "Schedule.h"

#include <algorithm>
#include <set>
#include <utility>

using namespace dougong;

std::vector<RowRange> dougong::cutRows(std::int64_t rows, std::int64_t count) {
  std::int64_t run = rows / count + (rows % count != 0);
  std::vector<RowRange> ranges;
  for (std::int64_t begin = 0; begin < rows; begin += run)
    ranges.push_back({begin, begin + std::min(run, rows - begin)});
  if (ranges.empty())
    ranges.push_back({0, 0});
  return ranges;
}

std::vector<Task> dougong::orderTasks(const Wiring &wiring, int rank, int microBatches) {
  std::set<std::pair<int, int>> rankSets;
  for (const WiredStage &stage : wiring.stages)
    rankSets.emplace(stage.firstRank, stage.ranks);
  int group = static_cast<int>(rankSets.size());
  std::vector<Task> tasks;
  for (int first = 0; first < microBatches; first += group)
    for (int stage : wiring.order)
      if (wiring.stages[stage].contains(rank))
        for (int number = first; number < std::min(first + group, microBatches); ++number)
          tasks.push_back({stage, number});
  return tasks;
}
