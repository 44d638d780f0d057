//===- ContestBench.cpp - the solver on the contest's instances -----------===//
//
// Reads an instance from standard input; prints one line of JSON. Usage:
// contest-bench SECONDS [DUAL-SWEEPS MOVES BRANCHES SEED]. See bench_contest.py.
//
//===----------------------------------------------------------------------===//
#include "ContestReader.h"

#include "dougong/Plan/Solver/Solve.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

using namespace dougong;
using namespace dougong::planner;

int main(int argc, char **argv) {
  std::string text;
  char block[1 << 16];
  while (size_t count = std::fread(block, 1, sizeof(block), stdin))
    text.append(block, count);
  Result<CostNetwork> network = bench::readContest(text);
  if (!network) {
    std::fprintf(stderr, "error: %s\n", network.message().c_str());
    return 1;
  }
  text = {};
  SolveOptions options;
  auto number = [&](int i, uint64_t standard) {
    return argc > i ? std::strtoull(argv[i], nullptr, 10) : standard;
  };
  options.seconds = argc > 1 ? std::strtod(argv[1], nullptr) : 60;
  options.spreadOverTime = true;
  options.dualSweeps = number(2, 1'000'000);
  options.moves = number(3, 1'000'000'000);
  options.branches = number(4, options.branches);
  options.seed = number(5, options.seed);
  auto start = std::chrono::steady_clock::now();
  Result<Solution> solution = solve(*network, options);
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!solution) {
    std::fprintf(stderr, "error: %s\n", solution.message().c_str());
    return 1;
  }
  // Against the instance itself, not against what the solver says.
  bool isFeasible = !solution->labels.empty() && network->isFeasible(solution->labels);
  Cost cost = isFeasible ? network->getCost(solution->labels) : forbidden;
  std::printf("{\"feasible\": %s, \"cost\": %lld, \"lower_bound\": %lld, \"seconds\": %.2f, "
              "\"cpu_seconds\": %.2f}\n",
              isFeasible ? "true" : "false", static_cast<long long>(cost),
              static_cast<long long>(solution->lowerBound), seconds,
              static_cast<double>(std::clock()) / CLOCKS_PER_SEC);
}
