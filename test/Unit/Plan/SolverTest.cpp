//===- SolverTest.cpp - the sharding solver against exhaustive search -----===//
#include "dougong/Plan/Solver/Certificate.h"
#include "dougong/Plan/Solver/Solve.h"

#include "gtest/gtest.h"

#include <random>

using namespace dougong;
using namespace dougong::planner;

namespace {

struct Optimum {
  Cost cost = forbidden;
  unsigned feasible = 0; ///< choices
};

/// Looks at every choice.
Optimum enumerate(const CostNetwork &network) {
  Optimum optimum;
  Labeling labels(network.getNodes().size(), 0);
  for (;;) {
    if (network.getPeak(labels) <= network.getCapacity())
      if (Cost cost = network.getCost(labels); cost < forbidden) {
        optimum.cost = std::min(optimum.cost, cost);
        ++optimum.feasible;
      }
    size_t i = 0;
    while (i < labels.size() && ++labels[i] == network.getNodes()[i].costs.size())
      labels[i++] = 0;
    if (i == labels.size())
      return optimum;
  }
}

/// Up to 6 nodes of up to 5 alternatives. Among the edges are parallel ones, ones
/// that let a node follow another, and ones that fold into their nodes.
class Generator {
public:
  explicit Generator(uint32_t seed) : engine(seed) {}

  CostNetwork make() {
    CostNetwork network;
    unsigned count = 1 + pick(6);
    std::vector<unsigned> sizes;
    int64_t least = 0, most = 0;
    for (unsigned i = 0; i < count; ++i) {
      CostNetwork::Node node;
      sizes.push_back(1 + pick(5));
      for (unsigned s = 0; s < sizes[i]; ++s)
        node.costs.push_back(pick(20) == 0 ? forbidden : pick(3) * pick(40));
      for (unsigned term = pick(3); term > 0; --term) {
        int64_t from = pick(8);
        CostNetwork::MemoryTerm memory{from, from + pick(5), {}};
        int64_t same = pick(20);
        bool isSame = pick(4) == 0;
        for (unsigned s = 0; s < sizes[i]; ++s)
          memory.bytes.push_back(isSame ? same : pick(30));
        least += *std::min_element(memory.bytes.begin(), memory.bytes.end());
        most += *std::max_element(memory.bytes.begin(), memory.bytes.end());
        node.memory.push_back(std::move(memory));
      }
      network.addNode(std::move(node));
    }
    for (unsigned edges = count > 1 ? pick(2 * count) : 0; edges > 0; --edges) {
      unsigned first = pick(count), second = (first + 1 + pick(count - 1)) % count;
      network.addEdge(first, second, makeTable(sizes[first], sizes[second]));
    }
    if (pick(3) > 0)
      network.setCapacity(pick(4) == 0 ? least / 2 + pick(20)
                                       : least + pick(static_cast<unsigned>(most - least) + 1) / 2);
    return network;
  }

private:
  unsigned pick(unsigned count) { return engine() % count; }
  std::vector<Cost> makeTable(unsigned rows, unsigned columns) {
    std::vector<Cost> table;
    unsigned kind = pick(5), shift = pick(columns);
    for (unsigned s = 0; s < rows; ++s)
      for (unsigned t = 0; t < columns; ++t) {
        bool isForbidden = kind == 0 ? t != (s + shift) % columns : kind < 3 && pick(4) == 0;
        Cost cost = kind == 4 ? Cost(3 * s + 7 * t) : Cost(pick(50));
        table.push_back(isForbidden ? forbidden : cost);
      }
    return table;
  }
  std::mt19937 engine;
};

/// The numbers of instances that were infeasible, and that had bounded memory that
/// excluded some choice, so that the test knows that it saw them.
struct Seen {
  unsigned infeasible = 0, optimal = 0;
};

Seen compareAll(const SolveOptions &options, bool mustBeOptimal) {
  Seen seen;
  Generator generator(20260101);
  for (unsigned i = 0; i < 1500; ++i) {
    CostNetwork network = generator.make();
    Optimum optimum = enumerate(network);
    Result<Solution> solution = solve(network, options);
    EXPECT_TRUE(bool(solution)) << i << ": " << solution.message();
    if (!solution)
      continue;
    EXPECT_LE(solution->lowerBound, optimum.cost) << i;
    if (optimum.feasible == 0) {
      ++seen.infeasible;
      EXPECT_TRUE(solution->labels.empty()) << i;
      if (mustBeOptimal)
        EXPECT_EQ(solution->status, Solution::Status::Infeasible) << i;
      continue;
    }
    EXPECT_NE(solution->status, Solution::Status::Infeasible) << i;
    if (!solution->labels.empty()) {
      EXPECT_TRUE(network.isFeasible(solution->labels)) << i;
      EXPECT_EQ(network.getCost(solution->labels), solution->cost) << i;
      EXPECT_GE(solution->cost, optimum.cost) << i;
    }
    if (mustBeOptimal) {
      EXPECT_EQ(solution->status, Solution::Status::Optimal) << i;
      EXPECT_EQ(solution->cost, optimum.cost) << i;
      EXPECT_EQ(solution->lowerBound, optimum.cost) << i;
    }
    seen.optimal += solution->status == Solution::Status::Optimal;
  }
  return seen;
}

TEST(SolverTest, EqualsExhaustiveSearch) {
  SolveOptions options;
  options.dualSweeps = 60;
  options.moves = 100;
  Seen seen = compareAll(options, true);
  EXPECT_GT(seen.infeasible, 100u);
  EXPECT_GT(seen.optimal, 1000u);
}

/// Without branch-and-bound: optimal only where the certificate says so.
TEST(SolverTest, BoundsHoldWithoutExactSearch) {
  SolveOptions options;
  options.dualSweeps = 100;
  options.moves = 100;
  options.branches = 0;
  Seen seen = compareAll(options, false);
  EXPECT_GT(seen.optimal, 600u) << "the bound should mostly close the gap of such small networks";
}

/// Any dual values give a lower bound.
TEST(SolverTest, NoCertificateIsAboveTheOptimum) {
  Generator generator(7);
  std::mt19937 engine(8);
  auto real = [&](double most) { return most * (static_cast<double>(engine()) / 0x1p32 - 0.5); };
  for (unsigned i = 0; i < 1500; ++i) {
    CostNetwork network = generator.make();
    Certificate certificate;
    for (int64_t time = 0; time < 12 && network.getCapacity() < 1'000'000; time += 1 + engine() % 3)
      certificate.multipliers.push_back({time, real(2)});
    for (const CostNetwork::Edge &edge : network.getEdges()) {
      auto make = [&](unsigned node) {
        std::vector<double> values;
        for (size_t s = 0; s < network.getNodes()[node].costs.size(); ++s)
          values.push_back(real(100));
        return values;
      };
      certificate.toFirst.push_back(make(edge.first));
      certificate.toSecond.push_back(make(edge.second));
    }
    EXPECT_LE(getLowerBound(network, certificate), enumerate(network).cost) << i;
  }
}

TEST(SolverTest, TheSameBudgetGivesTheSameResult) {
  Generator generator(11);
  SolveOptions options;
  options.dualSweeps = 20;
  options.moves = 20;
  options.branches = 10;
  for (unsigned i = 0; i < 100; ++i) {
    CostNetwork network = generator.make();
    Result<Solution> first = solve(network, options), second = solve(network, options);
    ASSERT_TRUE(bool(first) && bool(second));
    EXPECT_EQ(first->labels, second->labels);
    EXPECT_EQ(first->lowerBound, second->lowerBound);
  }
}

TEST(SolverTest, EqualTablesAreStoredOnce) {
  CostNetwork network;
  for (int i = 0; i < 3; ++i)
    network.addNode({{1, 2}, {}});
  network.addEdge(0, 1, {0, 5, 5, 0});
  network.addEdge(1, 2, {0, 5, 5, 0});
  network.addEdge(0, 2, {0, 5, 5, 1});
  EXPECT_EQ(network.getNumTables(), 2u);
  EXPECT_EQ(network.getCost({1, 1, 0}), 2 + 2 + 1 + 0 + 5 + 5);
}

TEST(SolverTest, PeakIsThatOfTheFullestTime) {
  CostNetwork network;
  network.addNode({{0, 0}, {{0, 2, {10, 20}}, {3, 3, {99, 99}}}});
  network.addNode({{0}, {{2, 4, {7}}}});
  network.addNode({{0}, {{1, 2, {5}}}});
  EXPECT_EQ(network.getPeak({0, 0, 0}), 15);
  EXPECT_EQ(network.getPeak({1, 0, 0}), 25);
}

TEST(SolverTest, WrongNetworksAreRefused) {
  auto refuse = [](CostNetwork network) {
    Result<Solution> solution = solve(network);
    return solution ? std::string("no error") : solution.message();
  };
  CostNetwork network;
  network.addNode({{1, 2}, {}});
  network.addNode({{1}, {{0, 1, {3}}}});
  CostNetwork wrong = network;
  wrong.addEdge(0, 1, {1, 2, 3});
  EXPECT_EQ(refuse(wrong), "edge 0 must have 2 costs, got: 3");
  wrong = network;
  wrong.addEdge(1, 1, {1});
  EXPECT_EQ(refuse(wrong), "edge 0 must join two of the 2 nodes, got: 1, 1");
  wrong = network;
  wrong.addNode({{}, {}});
  EXPECT_EQ(refuse(wrong), "node 2 has no alternative");
  wrong = network;
  wrong.addNode({{1}, {{0, 1, {1, 2}}}});
  EXPECT_EQ(refuse(wrong), "node 2 has 1 alternatives, but bytes for 2");
  wrong = network;
  wrong.addNode({{1}, {{0, 1, {-4}}}});
  EXPECT_EQ(refuse(wrong), "node 2 has a negative number of bytes: -4");
  wrong = network;
  wrong.addNode({{Cost(1) << 53}, {}});
  EXPECT_EQ(refuse(wrong), "the largest costs add up to more than 2^52, use a larger unit");
}

} // namespace
