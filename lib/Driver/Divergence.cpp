//===- Divergence.cpp - where a model parts from its reference ------------===//
#include "Divergence.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"

using namespace dougong;

static std::string printRow(const Difference &difference) {
  if (!difference.problem.empty())
    return difference.problem;
  return llvm::formatv("{0} of {1} differ, largest difference {2:e2}, relative {3:e2}",
                       difference.beyond, difference.elements, difference.absolute,
                       difference.relative);
}

std::optional<Divergence>
dougong::findFirstDivergence(const ValueGraph &graph,
                             const std::map<std::string, Difference> &values) {
  auto find = [&](const std::string &name) -> const Difference * {
    auto found = values.find(name);
    return name.empty() || found == values.end() ? nullptr : &found->second;
  };
  for (const GraphNode &node : graph.nodes) {
    Divergence divergence{&node, {}, {}};
    bool agrees = true;
    for (const std::string &output : node.outputs)
      if (const Difference *difference = find(output)) {
        divergence.outputs.push_back(difference);
        agrees &= difference->agrees();
      }
    if (agrees)
      continue;
    for (const GraphNode::Input &input : node.inputs)
      if (const Difference *difference = find(input.value))
        divergence.inputs.push_back(difference);
    return divergence;
  }
  return std::nullopt;
}

std::string dougong::describeDivergence(const Divergence &divergence) {
  const GraphNode &node = *divergence.node;
  std::string text = llvm::formatv("first diverging node: '{0}' ({1})\n", node.name, node.op);
  for (const Difference *output : divergence.outputs)
    text += llvm::formatv("  output   {0}: {1}\n", output->value, printRow(*output));
  for (const GraphNode::Input &input : node.inputs) {
    auto found = llvm::find_if(divergence.inputs, [&](const Difference *difference) {
      return difference->value == input.value;
    });
    std::string difference = found != divergence.inputs.end() ? printRow(**found)
                             : input.kind == "model input"    ? "given, the same for both"
                                                              : "not compared";
    if (input.kind == "constant")
      text += "  input    a constant\n";
    else
      text += llvm::formatv("  input    {0}: {1}\n",
                            input.value.empty() ? "without a name" : input.value, difference);
  }
  return text;
}

Json dougong::divergenceToJson(const Divergence &divergence) {
  auto list = [](const std::vector<const Difference *> &differences) {
    Json::Array array;
    for (const Difference *difference : differences)
      array.push_back(difference->toJson());
    return array;
  };
  return Json::Object{{"node", divergence.node->name},
                      {"op", divergence.node->op},
                      {"outputs", list(divergence.outputs)},
                      {"inputs", list(divergence.inputs)}};
}
