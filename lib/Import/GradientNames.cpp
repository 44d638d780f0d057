//===- GradientNames.cpp - names in Gradient operators of functions -------===//
//
// Gradient names values in its attributes. Where it is in a function, the names are those of the
// function's values, which inlining renames in inputs and outputs alone. The function's inputs are
// where differentiation ends: what the caller makes them of is no part of it.
//
//===----------------------------------------------------------------------===//
#include "Error.h"
#include "Prepare.h"

#include "llvm/ADT/STLExtras.h"

#include <fmt/format.h>

#include <set>

using namespace dougong::importer;

namespace {

/// Where the names are inputs: how many inputs the operator has of its own, and how many of the
/// names are xs and zs.
constexpr const char *countsName = "dougong.names";

pb::AttributeProto *find(pb::NodeProto &node, llvm::StringRef name) {
  for (pb::AttributeProto &attribute : *node.mutable_attribute())
    if (attribute.name() == name)
      return &attribute;
  return nullptr;
}

class FunctionGradients {
public:
  explicit FunctionGradients(pb::FunctionProto &function)
      : function(function), formals(function.input().begin(), function.input().end()),
        names(formals.begin(), formals.end()) {}

  void run() {
    expose(*function.mutable_node(), names);
    for (std::string &formal : *function.mutable_input())
      if (ends.count(formal))
        separate(formal);
  }

private:
  void expose(NodeList &nodes, std::set<std::string> visible);
  void expose(pb::NodeProto &node, const std::set<std::string> &visible);
  void separate(std::string &formal);

  pb::FunctionProto &function;
  const std::vector<std::string> formals;
  std::set<std::string> names; ///< of all values
  std::set<std::string> ends;  ///< inputs that are differentiated by
};

} // namespace

void FunctionGradients::expose(NodeList &nodes, std::set<std::string> visible) {
  for (pb::NodeProto &node : nodes) {
    if (isGradient(node))
      expose(node, visible);
    for (pb::AttributeProto &attribute : *node.mutable_attribute())
      if (attribute.has_g()) {
        std::set<std::string> inside = visible;
        for (const pb::ValueInfoProto &input : attribute.g().input())
          inside.insert(input.name());
        for (const pb::TensorProto &tensor : attribute.g().initializer())
          inside.insert(tensor.name());
        expose(*attribute.mutable_g()->mutable_node(), std::move(inside));
      }
    for (const std::string &output : node.output())
      if (!output.empty())
        visible.insert(output);
  }
  names.insert(visible.begin(), visible.end());
}

/// Appends the names y, xs, zs to the inputs. Inputs of the function are added to zs.
void FunctionGradients::expose(pb::NodeProto &node, const std::set<std::string> &visible) {
  std::vector<std::string> given, fixed;
  int64_t counts[] = {node.input_size(), 0, 0};
  for (const char *name : {"y", "xs", "zs"}) {
    pb::AttributeProto *attribute = find(node, name);
    if (!attribute)
      continue;
    if (!attribute->ref_attr_name().empty())
      throw ImportError(fmt::format("{} is attribute '{}' of function '{}', expected names of the "
                                    "function's values",
                                    name, attribute->ref_attr_name(), function.name()),
                        node.name());
    if (*name == 'y') {
      given.push_back(attribute->s());
      continue;
    }
    given.insert(given.end(), attribute->strings().begin(), attribute->strings().end());
    counts[*name == 'x' ? 1 : 2] = attribute->strings_size();
    if (*name == 'x')
      ends.insert(attribute->strings().begin(), attribute->strings().end());
  }
  for (const std::string &name : given)
    if (!visible.count(name))
      throw ImportError("xs, zs or y names '" + name + "', expected a value of function '" +
                            function.name() + "', made before the operator",
                        node.name());
  if (!find(node, "y") || counts[1] == 0 || counts[0] != counts[1] + counts[2])
    return; // refused when it is expanded
  for (const std::string &formal : formals)
    if (!llvm::is_contained(llvm::ArrayRef(given).drop_front(), formal)) {
      fixed.push_back(formal);
      ++counts[2];
    }
  // The operator's own inputs, one for each of xs and zs.
  for (const std::string &formal : fixed)
    node.add_input(formal);
  counts[0] = node.input_size();
  given.insert(given.end(), fixed.begin(), fixed.end());
  for (const std::string &name : given)
    node.add_input(name);
  pb::AttributeProto *mark = node.add_attribute();
  mark->set_name(countsName);
  mark->set_type(pb::AttributeProto::INTS);
  mark->mutable_ints()->Add(std::begin(counts), std::end(counts));
}

/// Makes an input a value of the function's own: the caller may give one value for two inputs.
void FunctionGradients::separate(std::string &formal) {
  std::string given = formal + "/given";
  while (!names.insert(given).second)
    given += "_";
  pb::NodeProto copy;
  copy.set_op_type("Identity");
  copy.set_name(given);
  copy.add_input(given);
  copy.add_output(formal);
  formal = given;
  NodeList nodes;
  *nodes.Add() = std::move(copy);
  nodes.Add(function.mutable_node()->begin(), function.mutable_node()->end());
  function.mutable_node()->Swap(&nodes);
}

bool dougong::importer::isGradient(const pb::NodeProto &node) {
  return node.op_type() == "Gradient" && node.domain() == "ai.onnx.preview.training";
}

void dougong::importer::exposeGradientNames(pb::ModelProto &model) {
  for (pb::FunctionProto &function : *model.mutable_functions())
    FunctionGradients(function).run();
}

void dougong::importer::restoreGradientNames(pb::ModelProto &model) {
  forEachNode(*model.mutable_graph()->mutable_node(), [](pb::NodeProto &node) {
    pb::AttributeProto *mark = find(node, countsName);
    if (!isGradient(node) || !mark)
      return;
    int64_t own = mark->ints(0), xCount = mark->ints(1), zCount = mark->ints(2);
    std::vector<std::string> inputs(node.input().begin(), node.input().end());
    auto names = llvm::ArrayRef(inputs).drop_front(own);
    find(node, "y")->set_s(names.front());
    auto xs = names.slice(1, xCount), zs = names.slice(1 + xCount, zCount);
    find(node, "xs")->mutable_strings()->Assign(xs.begin(), xs.end());
    node.mutable_input()->Assign(inputs.begin(), inputs.begin() + xCount);
    pb::AttributeProto *fixed = find(node, "zs");
    if (!fixed) {
      fixed = node.add_attribute();
      fixed->set_name("zs");
      fixed->set_type(pb::AttributeProto::STRINGS);
    }
    fixed->clear_strings();
    for (int64_t i = 0; i < zCount; ++i)
      if (!zs[i].empty()) { // one that the caller leaves out has no name
        fixed->add_strings(zs[i]);
        node.add_input(inputs[xCount + i]);
      }
    llvm::erase_if(*node.mutable_attribute(),
                   [](const pb::AttributeProto &given) { return given.name() == countsName; });
  });
}
