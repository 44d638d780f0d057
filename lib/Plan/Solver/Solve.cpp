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

/// Share of the time that goes to the bound.
constexpr double dualTime = 0.4;

/// The phases over a reduced network.
class Solver {
public:
  Solver(const CostNetwork &network, const SolveOptions &options)
      : network(network), options(options), start(Clock::now()), timeline(network),
        dense(network, HUGE_VAL), dual(network, dense, timeline) {}

  Solution run();

private:
  using Clock = std::chrono::steady_clock;
  double getElapsed() const { return std::chrono::duration<double>(Clock::now() - start).count(); }
  bool isLate() const { return getElapsed() >= options.seconds; }
  bool isCloseEnough() const { return solution.getGap() <= options.gap; }
  /// Runs `step(progress)` until a budget of steps is used up, or a share of time.
  template <typename Step> void repeat(uint64_t budget, double timeShare, const Step &step);
  void ascend(double share);
  void search(LocalSearch &local, double share, const Labeling &from);
  bool isSmall() const;
  void take(const Labeling &labels, Cost cost);

  const CostNetwork &network;
  const SolveOptions &options;
  Clock::time_point start;
  Timeline timeline;
  DenseNetwork dense;
  Dual dual;
  Solution solution;
};

} // namespace

void Solver::take(const Labeling &labels, Cost cost) {
  if (cost >= solution.cost)
    return;
  solution.labels = labels;
  solution.cost = cost;
}

template <typename Step> void Solver::repeat(uint64_t budget, double timeShare, const Step &step) {
  double begin = getElapsed(), seconds = options.seconds * timeShare;
  for (uint64_t done = 0; done < budget; ++done) {
    // In so few bits that a move's time does not count.
    double progress = static_cast<double>(done) / static_cast<double>(budget);
    if (double now = getElapsed(); now >= options.seconds)
      return;
    else if (options.spreadOverTime)
      progress = std::max(progress, (now - begin) / seconds);
    if (progress >= 1)
      return;
    step(progress);
  }
}

/// Sharpens the bound, and looks at what the messages suggest on the way.
void Solver::ascend(double share) {
  repeat(1 + static_cast<uint64_t>(options.dualSweeps * share), dualTime * share, [&](double) {
    double bound = dual.getBound();
    bool isFirst = bound < -1e299;
    double aim = solution.cost < forbidden ? static_cast<double>(solution.cost)
                 : isFirst                 ? 1
                                           : bound + 0.5 * std::abs(bound) + 1;
    dual.step(aim);
    if (dual.isWithinCapacity())
      take(dual.getLabels(), network.getCost(dual.getLabels()));
  });
  solution.lowerBound =
      std::max(solution.lowerBound, getLowerBound(network, dual.getCertificate()));
}

void Solver::search(LocalSearch &local, double share, const Labeling &from) {
  local.setMultipliers(dual.getMultipliers());
  local.start(from);
  double scale = std::max(1.0, std::abs(dual.getBound()));
  repeat(static_cast<uint64_t>(options.moves * share), (1 - dualTime) * share,
         [&](double progress) {
           // Cooling from a fraction of the cost to 0.
           double left = 1 - progress;
           local.move(1e-4 * scale * left * left * left);
         });
  if (!local.getBest().empty())
    take(local.getBest(), local.getBestCost());
}

/// Exact search keeps a copy of all costs for each depth.
bool Solver::isSmall() const {
  size_t alternatives = 0;
  for (const CostNetwork::Node &node : network.getNodes())
    alternatives += node.costs.size();
  return alternatives * network.getNodes().size() <= 2'000'000;
}

Solution Solver::run() {
  constexpr double first = 0.4, shares[] = {0.1, 0.2, 0.15, 0.2, 0.15, 0.2};
  ascend(first);
  // No choice that breaks a pair may look cheaper.
  LocalSearch local(network, timeline, std::max(1.0, std::abs(dual.getBound())), options.seed);
  // Walks from the choice that the prices suggest, which may be in another valley, and
  // from the best one take turns.
  bool fromPrices = true;
  for (double share : shares) {
    if (isLate() || isCloseEnough())
      break;
    search(local, share,
           fromPrices || solution.labels.empty() ? dual.getLabels() : solution.labels);
    fromPrices = !fromPrices;
    if (!isCloseEnough())
      ascend((1 - first) * share);
  }
  if (solution.cost > solution.lowerBound && isSmall() && !isLate()) {
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
