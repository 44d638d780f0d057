//===- ContestReader.h - instances of the sharding contest ------*- C++ -*-===//
#ifndef DOUGONG_BENCH_PLANNER_CONTESTREADER_H
#define DOUGONG_BENCH_PLANNER_CONTESTREADER_H

#include "dougong/Plan/Solver/CostNetwork.h"

#include <string_view>

namespace dougong::bench {

/// Reads an instance of the ASPLOS 2025 contest on intra-operator parallelism
/// (JSON, `problem.nodes.{intervals,costs,usages}`, `problem.edges.{nodes,costs}`,
/// `problem.usage_limit`). Costs of 10^18 mean forbidden. Errors name the offset.
Result<planner::CostNetwork> readContest(std::string_view text);

} // namespace dougong::bench

#endif // DOUGONG_BENCH_PLANNER_CONTESTREADER_H
