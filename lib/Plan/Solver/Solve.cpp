//===- Solve.cpp - the solver of cost-function networks -------------------===//
#include "dougong/Plan/Solver/Solve.h"

#include "BranchAndBound.h"
#include "LocalSearch.h"
#include "Reduce.h"

#include <algorithm>
#include <chrono>
#include <cmath>

using namespace dougong;
using namespace dougong::planner;

double Solution::getGap() const {
  if (labels.empty())
    return std::numeric_limits<double>::infinity();
  if (cost == lowerBound)
    return 0;
  double difference = static_cast<double>(cost) - static_cast<double>(lowerBound);
  return difference / std::max(1.0, std::abs(static_cast<double>(cost)));
}

namespace {

/// The phases over a reduced network.
class Solver {
public:
  Solver(const CostNetwork &network, const SolveOptions &options)
      : network(network), options(options), timeline(network), dense(network, HUGE_VAL),
        dual(network, dense, timeline), start(std::chrono::steady_clock::now()) {}

  Solution run();

private:
  bool isLate() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() >=
           options.seconds;
  }
  bool isCloseEnough() const { return solution.getGap() <= options.gap; }
  void ascend(unsigned sweeps);
  void search(uint64_t moves, LocalSearch &local);
  void take(const Labeling &labels, Cost cost);

  const CostNetwork &network;
  const SolveOptions &options;
  Timeline timeline;
  DenseNetwork dense;
  Dual dual;
  std::chrono::steady_clock::time_point start;
  Solution solution;
};

} // namespace

void Solver::take(const Labeling &labels, Cost cost) {
  if (cost >= solution.cost)
    return;
  solution.labels = labels;
  solution.cost = cost;
}

/// Sharpens the bound, and looks at what the messages suggest on the way.
void Solver::ascend(unsigned sweeps) {
  for (unsigned sweep = 0; sweep < sweeps && !isLate(); ++sweep) {
    double aim = solution.cost < forbidden ? static_cast<double>(solution.cost)
                                           : dual.getBound() + 0.05 * std::abs(dual.getBound()) + 1;
    dual.step(sweep == 0 && solution.cost >= forbidden ? 1 : aim);
    const Labeling &labels = dual.getLabels();
    if (network.isFeasible(labels))
      take(labels, network.getCost(labels));
  }
  solution.lowerBound =
      std::max(solution.lowerBound, getLowerBound(network, dual.getCertificate()));
}

void Solver::search(uint64_t moves, LocalSearch &local) {
  local.setMultipliers(dual.getMultipliers());
  local.start(solution.labels.empty() ? dual.getLabels() : solution.labels);
  double scale = std::max(1.0, std::abs(dual.getBound()));
  for (uint64_t move = 0; move < moves; ++move) {
    if (move % 16 == 0 && isLate())
      break;
    // Cooling from a fraction of the cost to 0.
    double left = 1 - static_cast<double>(move) / static_cast<double>(moves);
    local.move(1e-4 * scale * left * left * left);
  }
  if (!local.getBest().empty())
    take(local.getBest(), local.getBestCost());
}

Solution Solver::run() {
  ascend(1 + options.dualSweeps / 8);
  // Any cheaper choice is worth more than breaking this many pairs.
  LocalSearch local(network, timeline, std::max(1.0, std::abs(dual.getBound())), options.seed);
  constexpr unsigned rounds = 4;
  for (unsigned round = 0; round < rounds && !isLate() && !isCloseEnough(); ++round) {
    search(options.moves / rounds, local);
    if (!isCloseEnough())
      ascend(options.dualSweeps / rounds);
  }
  if (solution.labels.empty() || solution.cost > solution.lowerBound) {
    bool isComplete = searchExactly(
        network, timeline, dual.getCertificate(), options.branches, [&] { return isLate(); },
        solution.labels, solution.cost);
    if (isComplete)
      solution.lowerBound = solution.labels.empty() ? forbidden : solution.cost;
  }
  if (solution.lowerBound >= forbidden)
    solution.status = Solution::Status::Infeasible;
  else if (solution.labels.empty())
    solution.status = Solution::Status::NotFound;
  else
    solution.status = solution.cost == solution.lowerBound ? Solution::Status::Optimal
                                                           : Solution::Status::Feasible;
  return solution;
}

Result<Solution> planner::solve(const CostNetwork &network, const SolveOptions &options) {
  auto start = std::chrono::steady_clock::now();
  if (Result<void> valid = network.validate(); !valid)
    return valid.takeError();
  Reduction reduction = reduce(network);
  if (reduction.isInfeasible) {
    Solution infeasible;
    infeasible.status = Solution::Status::Infeasible;
    infeasible.lowerBound = forbidden;
    return infeasible;
  }
  SolveOptions left = options;
  left.seconds -= std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  Solution solution = Solver(reduction.network, left).run();
  if (!solution.labels.empty())
    solution.labels = reduction.expand(solution.labels);
  return solution;
}
