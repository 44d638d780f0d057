//===- Expand.cpp - operators by function bodies --------------------------===//
#include "MicrosoftFunctions.h"
#include "Prepare.h"
#include "Upgrade.h"

#include <onnx/defs/function.h>
#include <onnx/defs/schema.h>

#include "llvm/ADT/StringSet.h"

#include <map>

using namespace dougong::importer;

namespace {

/// The domain of the functions that stand for expanded operators.
constexpr const char *expandedDomain = "dougong.expanded";

/// Operators that have no lowering of their own: their bodies consist of ops
/// that have one.
bool isExpanded(const pb::NodeProto &node) {
  static const llvm::StringSet<> names = {"Bernoulli",
                                          "BlackmanWindow",
                                          "CenterCropPad",
                                          "FlexAttention",
                                          "HammingWindow",
                                          "HannWindow",
                                          "SequenceMap",
                                          "NegativeLogLikelihoodLoss",
                                          "SoftmaxCrossEntropyLoss"};
  bool isStandard = node.domain().empty() || node.domain() == "ai.onnx.preview";
  return isStandard && names.contains(node.op_type());
}

/// Operators that are replaced by bodies.
struct Expansion {
  llvm::function_ref<bool(const pb::NodeProto &node)> takes;
  /// The body of a node that is taken, for these types of values; false if there is none.
  bool (*build)(const pb::NodeProto &node, const pb::ModelProto &model, const Types &types,
                pb::FunctionProto &body);
};

bool hasExpanded(pb::ModelProto &model, const Expansion &expansion) {
  bool found = false;
  forEachGraph(*model.mutable_graph(), [&](pb::GraphProto &graph) {
    found |= llvm::any_of(graph.node(), expansion.takes);
  });
  return found;
}

/// The body of the operator at the model's opset for these operand types.
bool buildBody(const pb::NodeProto &node, int64_t opset, const Types &types,
               pb::FunctionProto &body) {
  const pb::OpSchema *schema =
      pb::OpSchemaRegistry::Instance()->GetSchema(node.op_type(), opset, node.domain());
  if (!schema)
    return false;
  if (schema->HasFunction())
    if (const pb::FunctionProto *function = schema->GetFunction(opset)) {
      body = *function;
      return true;
    }
  if (!schema->HasContextDependentFunction())
    return false;
  std::vector<pb::TypeProto> inputs;
  for (const std::string &input : node.input()) {
    auto found = types.find(input);
    inputs.push_back(found == types.end() ? pb::TypeProto() : found->second);
  }
  pb::FunctionBodyBuildContextImpl context(node, inputs);
  return schema->BuildContextDependentFunction(context, body, opset);
}

/// Writes out attributes that the node leaves to their defaults: a body refers to
/// them by name.
void addDefaults(pb::NodeProto &node, int64_t opset) {
  const pb::OpSchema *schema =
      pb::OpSchemaRegistry::Instance()->GetSchema(node.op_type(), opset, node.domain());
  if (!schema)
    return;
  for (const auto &[name, attribute] : schema->attributes()) {
    bool isGiven = llvm::any_of(node.attribute(), [&](const pb::AttributeProto &given) {
      return given.name() == attribute.name;
    });
    if (!isGiven && attribute.default_value.type() != pb::AttributeProto::UNDEFINED)
      *node.add_attribute() = attribute.default_value;
  }
}

bool buildStandard(const pb::NodeProto &node, const pb::ModelProto &model, const Types &types,
                   pb::FunctionProto &body) {
  return buildBody(node, getOpsetVersion(model, node.domain()), types, body);
}

void expand(pb::ModelProto &model, mlir::MLIRContext *context, const Expansion &expansion) {
  // A body may hold operators that are expanded too.
  while (hasExpanded(model, expansion)) {
    inferTypes(model, context);
    bool changed = false;
    Types types;
    forEachGraph(*model.mutable_graph(), [&](pb::GraphProto &graph) {
      addTypes(graph, types);
      for (pb::NodeProto &node : *graph.mutable_node()) {
        pb::FunctionProto body;
        if (!expansion.takes(node) || !expansion.build(node, model, types, body))
          continue;
        addDefaults(node, getOpsetVersion(model, node.domain()));
        nameNodes(*body.mutable_node(), node.name());
        // The call of a function of the model: inlining knows how to go on.
        body.set_domain(expandedDomain);
        body.set_name(node.op_type() + "_" + std::to_string(model.functions_size()));
        node.set_domain(body.domain());
        node.set_op_type(body.name());
        *model.add_functions() = std::move(body);
        changed = true;
      }
    });
    if (!changed)
      return;
    importDomain(model, expandedDomain);
    inlineFunctions(model, context);
  }
}

} // namespace

void dougong::importer::addTypes(const pb::GraphProto &graph, Types &types) {
  for (const auto *values : {&graph.value_info(), &graph.input(), &graph.output()})
    for (const pb::ValueInfoProto &info : *values)
      types[info.name()] = info.type();
  for (const pb::TensorProto &tensor : graph.initializer()) {
    pb::TypeProto::Tensor *type = types[tensor.name()].mutable_tensor_type();
    type->set_elem_type(tensor.data_type());
    type->mutable_shape()->clear_dim();
    for (int64_t dim : tensor.dims())
      type->mutable_shape()->add_dim()->set_dim_value(dim);
  }
}

void dougong::importer::nameNodes(NodeList &nodes, const std::string &prefix) {
  for (int index = 0; index < nodes.size(); ++index) {
    pb::NodeProto &node = nodes[index];
    if (node.name().empty())
      node.set_name(prefix + "/" + node.op_type() + "_" + std::to_string(index));
    for (pb::AttributeProto &attribute : *node.mutable_attribute())
      if (attribute.has_g())
        nameNodes(*attribute.mutable_g()->mutable_node(), node.name());
  }
}

void dougong::importer::expandOperators(pb::ModelProto &model, mlir::MLIRContext *context) {
  expand(model, context, {isExpanded, buildStandard});
}

void dougong::importer::expandMicrosoft(pb::ModelProto &model, mlir::MLIRContext *context) {
  expand(model, context, {hasMicrosoftBody, buildMicrosoftBody});
}

void dougong::importer::expandNodes(pb::ModelProto &model, mlir::MLIRContext *context,
                                    llvm::function_ref<bool(const pb::NodeProto &)> takes) {
  expand(model, context, {takes, buildStandard});
}
