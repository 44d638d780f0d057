//===- Divergence.h - where a model parts from its reference ----*- C++ -*-===//
#ifndef DOUGONG_LIB_DRIVER_DIVERGENCE_H
#define DOUGONG_LIB_DRIVER_DIVERGENCE_H

#include "dougong/Pipelines/ValueGraph.h"
#include "dougong/Runtime/Comparison.h"

#include <map>
#include <optional>

namespace dougong {

/// A node whose outputs differ where every node before it agrees.
struct Divergence {
  const GraphNode *node = nullptr;
  std::vector<const Difference *> inputs, outputs; ///< those that were compared
};

/// The first node, in order, that makes a value beyond the tolerance.
std::optional<Divergence> findFirstDivergence(const ValueGraph &graph,
                                              const std::map<std::string, Difference> &values);

/// A table: the node, its outputs, its inputs.
std::string describeDivergence(const Divergence &divergence);
Json divergenceToJson(const Divergence &divergence);

} // namespace dougong

#endif // DOUGONG_LIB_DRIVER_DIVERGENCE_H
