//===- ValueGraph.h - which node makes which value --------------*- C++ -*-===//
#ifndef DOUGONG_TOOLS_DOUGONG_VALUEGRAPH_H
#define DOUGONG_TOOLS_DOUGONG_VALUEGRAPH_H

#include "Commands.h"
#include "Comparison.h"

#include <map>
#include <optional>

namespace dougong {

/// A node of the normalized model.
struct GraphNode {
  struct Input {
    std::string value; ///< "" for one without a name
    std::string kind;  ///< "value", "model input" or "constant"
  };
  std::string name, op; ///< ONNX node, operator ("MatMul")
  std::vector<Input> inputs;
  std::vector<std::string> outputs; ///< "" for one without a name
};

/// A model as `compile` with `exposeValues` has it.
struct ValueGraph {
  std::vector<GraphNode> nodes;     ///< in the order in which they run
  std::vector<std::string> outputs; ///< of the model itself
};

/// Imports and normalizes the model of `options` once more.
ExitCode readValueGraph(const CompileOptions &options, ValueGraph &graph);

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

#endif // DOUGONG_TOOLS_DOUGONG_VALUEGRAPH_H
