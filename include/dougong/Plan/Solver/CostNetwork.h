//===- CostNetwork.h - choices with costs and a memory bound ----*- C++ -*-===//
//
// The intra-operator sharding problem as a cost-function network: each node takes
// one of its alternatives, each edge charges a pair of them, and the bytes that
// are live at any time stay within a capacity.
//
//     min  sum_v cost_v(x_v) + sum_uv cost_uv(x_u, x_v)
//     s.t. for every time t:  sum_{terms of v live at t} bytes(x_v) <= capacity
//
// Costs are integers, in any unit of the caller's (picoseconds for example), so
// that bounds and comparisons are exact.
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_PLAN_SOLVER_COSTNETWORK_H
#define DOUGONG_PLAN_SOLVER_COSTNETWORK_H

#include "dougong/Support/Result.h"

#include <cstdint>
#include <limits>
#include <unordered_map>
#include <vector>

namespace dougong::planner {

using Cost = int64_t;
/// The cost of what must not be chosen; so is any cost above it.
inline constexpr Cost forbidden = Cost(1) << 60;
/// The sum of two costs, or `forbidden`.
inline Cost addCosts(Cost a, Cost b) {
  return a >= forbidden || b >= forbidden ? forbidden : a + b;
}

/// The alternative of each node.
using Labeling = std::vector<unsigned>;

class CostNetwork {
public:
  /// Bytes that a node holds at the times `from` <= t < `to`, by alternative.
  struct MemoryTerm {
    int64_t from, to;
    std::vector<int64_t> bytes;
  };
  struct Node {
    std::vector<Cost> costs; ///< by alternative; at least one
    std::vector<MemoryTerm> memory;
  };
  struct Edge {
    unsigned first, second, table;
  };

  /// Returns the number of the new node.
  unsigned addNode(Node node);
  /// `costs[a * n + b]`, n the alternatives of `second`. Equal tables are stored
  /// once. Two nodes may have several edges.
  void addEdge(unsigned first, unsigned second, std::vector<Cost> costs);
  void setCapacity(int64_t bytes) { capacity = bytes; }

  /// Says what is wrong: sizes that do not match, negative bytes, an edge of a node
  /// with itself, costs whose sum could leave the exact range (2^52).
  Result<void> validate() const;

  const std::vector<Node> &getNodes() const { return nodes; }
  const std::vector<Edge> &getEdges() const { return edges; }
  const std::vector<Cost> &getTable(const Edge &edge) const { return tables[edge.table]; }
  unsigned getNumTables() const { return tables.size(); }
  /// Bytes; the largest number where memory is not bounded.
  int64_t getCapacity() const { return capacity; }

  /// The cost of a choice; `forbidden` if it holds a forbidden alternative or pair.
  Cost getCost(const Labeling &labels) const;
  /// The bytes at the fullest time.
  int64_t getPeak(const Labeling &labels) const;
  bool isFeasible(const Labeling &labels) const {
    return getCost(labels) < forbidden && getPeak(labels) <= capacity;
  }

private:
  std::vector<Node> nodes;
  std::vector<Edge> edges;
  std::vector<std::vector<Cost>> tables;
  std::unordered_multimap<uint64_t, unsigned> tableByHash;
  int64_t capacity = std::numeric_limits<int64_t>::max();
};

} // namespace dougong::planner

#endif // DOUGONG_PLAN_SOLVER_COSTNETWORK_H
