//===- ValueGraph.h - which node makes which value --------------*- C++ -*-===//
#ifndef DOUGONG_PIPELINES_VALUEGRAPH_H
#define DOUGONG_PIPELINES_VALUEGRAPH_H

#include "dougong/Pipelines/Compile.h"

#include <string>
#include <vector>

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

/// Imports and normalizes the model of `options` once more. Diagnostics go to
/// `errors`, one line each.
ExitCode readValueGraph(const CompileOptions &options, ValueGraph &graph,
                        llvm::raw_ostream &errors);

} // namespace dougong

#endif // DOUGONG_PIPELINES_VALUEGRAPH_H
