//===- Prepare.cpp - a model file made fit for the ONNX library -----------===//
#include "Prepare.h"
#include "Error.h"
#include "ExternalData.h"

#include "Onnx/IR/Onnx.h"

#include <onnx/checker.h>
#include <onnx/defs/schema.h>

using namespace dougong::importer;
using llvm::StringRef;

namespace {

/// Brings the two names of the default domain to "", here and in functions.
template <typename Opsets> void unifyOpsets(Opsets &opsets) {
  for (pb::OperatorSetIdProto &opset : opsets)
    if (opset.domain() == "ai.onnx")
      opset.set_domain("");
}

/// Checks that every input of a node is defined before it. A graph inside a
/// node sees what its node sees.
class OrderChecker {
public:
  void check(const pb::GraphProto &graph) {
    scopes.emplace_back();
    for (const pb::ValueInfoProto &input : graph.input())
      scopes.back().insert(input.name());
    for (const pb::TensorProto &tensor : graph.initializer())
      scopes.back().insert(tensor.name());
    for (const pb::SparseTensorProto &tensor : graph.sparse_initializer())
      scopes.back().insert(tensor.values().name());
    for (int index = 0; index < graph.node_size(); ++index) {
      const pb::NodeProto &node = graph.node(index);
      for (const std::string &input : node.input())
        if (!input.empty() && !isVisible(input))
          refuse(graph, index, input);
      for (const pb::AttributeProto &attribute : node.attribute()) {
        if (attribute.has_g())
          check(attribute.g());
        for (const pb::GraphProto &inner : attribute.graphs())
          check(inner);
      }
      scopes.back().insert(node.output().begin(), node.output().end());
    }
    scopes.pop_back();
  }

private:
  bool isVisible(const std::string &name) const {
    return llvm::any_of(llvm::reverse(scopes),
                        [&](const auto &scope) { return scope.count(name) != 0; });
  }

  [[noreturn]] static void refuse(const pb::GraphProto &graph, int index,
                                  const std::string &input) {
    const pb::NodeProto &node = graph.node(index);
    for (int later = index; later < graph.node_size(); ++later)
      if (llvm::is_contained(graph.node(later).output(), input))
        throw ImportError("input '" + input + "' is made by " +
                              (later == index
                                   ? "the node itself"
                                   : "the later node '" + graph.node(later).name() + "'") +
                              ": the graph is cyclic or its nodes are not sorted",
                          node.name(), index);
    throw ImportError("input '" + input + "' is not defined in the graph", node.name(), index);
  }

  std::vector<std::unordered_set<std::string>> scopes;
};

/// Names the outputs without a name that belong to a list of any length (those of Split): an
/// op's list has no absent values.
void nameListedOutputs(pb::ModelProto &model) {
  std::vector<std::string *> unnamed;
  std::unordered_set<std::string> names;
  forEachNodeList(model, [&](NodeList &nodes) {
    for (pb::NodeProto &node : nodes) {
      const pb::OpSchema *schema =
          pb::OpSchemaRegistry::Instance()->GetSchema(node.op_type(), newestOpset, node.domain());
      int first = schema && !schema->outputs().empty() &&
                          schema->outputs().back().GetOption() == pb::OpSchema::Variadic
                      ? static_cast<int>(schema->outputs().size()) - 1
                      : node.output_size();
      for (int index = 0; index < node.output_size(); ++index)
        if (index >= first && node.output(index).empty())
          unnamed.push_back(node.mutable_output(index));
        else
          names.insert(node.output(index));
    }
  });
  int number = 0;
  for (std::string *output : unnamed)
    do
      *output = "dougong.unnamed_" + std::to_string(number++);
    while (!names.insert(*output).second);
}

} // namespace

void dougong::importer::importDomain(pb::ModelProto &model, const char *domain) {
  if (getOpsetVersion(model, domain) != 0)
    return;
  pb::OperatorSetIdProto *opset = model.add_opset_import();
  opset->set_domain(domain);
  opset->set_version(1);
}

bool dougong::importer::isInDialect(const std::string &domain, const std::string &opType,
                                    mlir::MLIRContext *context) {
  std::string name = "onnx." + dougong::onnx::getOpMnemonic(domain, opType);
  return mlir::RegisteredOperationName::lookup(name, context).has_value();
}

void dougong::importer::prepareModel(pb::ModelProto &model, mlir::MLIRContext *context) {
  if (!model.has_graph())
    throw ImportError("the file has no graph: it is no ONNX model");
  if (model.ir_version() > pb::IR_VERSION)
    throw ImportError("the model is of IR version " + std::to_string(model.ir_version()) +
                      ", this version reads up to " + std::to_string(pb::IR_VERSION));
  unifyOpsets(*model.mutable_opset_import());
  for (const pb::OperatorSetIdProto &opset : model.opset_import())
    if (opset.domain().empty() && opset.version() < 1)
      throw ImportError("the model is of opset " + std::to_string(opset.version()) +
                        ", expected 1 or more");
  for (pb::FunctionProto &function : *model.mutable_functions())
    unifyOpsets(*function.mutable_opset_import());

  std::set<std::pair<std::string, std::string>> functions;
  for (const pb::FunctionProto &function : model.functions())
    functions.emplace(function.domain(), function.name());

  const pb::ISchemaRegistry *registry = pb::OpSchemaRegistry::Instance();
  bool moved = false, unknown = false;
  forEachNodeList(model, [&](NodeList &nodes) {
    for (int index = 0; index < nodes.size(); ++index) {
      pb::NodeProto &node = nodes[index];
      if (node.name().empty())
        node.set_name(node.op_type() + "_" + std::to_string(index));
      if (!isDefaultDomain(node.domain()))
        continue;
      node.set_domain("");
      // The library crashes on some of these.
      if (pb::checker::check_is_experimental_op(node))
        throw ImportError("operator " + node.op_type() +
                              " was an experiment that ONNX has removed; export the model again "
                              "without it",
                          node.name(), index);
      if (functions.count({"", node.op_type()}) ||
          registry->GetSchema(node.op_type(), newestOpset, ""))
        continue;
      if (isInDialect("com.microsoft", node.op_type(), context)) {
        node.set_domain("com.microsoft");
        pb::StringStringEntryProto *mark = node.add_metadata_props();
        mark->set_key(movedDomainKey);
        moved = true;
      } else {
        node.set_domain(unknownDomain);
        unknown = true;
      }
    }
  });
  if (moved)
    importDomain(model, "com.microsoft");
  if (unknown)
    importDomain(model, unknownDomain);
  for (pb::FunctionProto &function : *model.mutable_functions())
    if (moved || unknown)
      for (const pb::OperatorSetIdProto &opset : model.opset_import())
        if (opset.domain() == unknownDomain || opset.domain() == "com.microsoft") {
          bool known = llvm::any_of(function.opset_import(), [&](const auto &own) {
            return own.domain() == opset.domain();
          });
          if (!known)
            *function.add_opset_import() = opset;
        }
  OrderChecker().check(model.graph());
  nameListedOutputs(model);
}

namespace {

/// Outputs that the file leaves to shape inference have a type while this lives: the
/// checker demands one of the whole graph's outputs, and a shape with it.
class TypedOutputs {
public:
  explicit TypedOutputs(pb::GraphProto &graph) : graph(graph), outputs(graph.output()) {
    for (pb::ValueInfoProto &output : *graph.mutable_output()) {
      if (!output.has_type())
        output.mutable_type()->mutable_tensor_type()->set_elem_type(pb::TensorProto::FLOAT);
      if (output.type().has_tensor_type())
        output.mutable_type()->mutable_tensor_type()->mutable_shape();
    }
  }
  ~TypedOutputs() { graph.mutable_output()->Swap(&outputs); }
  TypedOutputs(const TypedOutputs &) = delete;
  TypedOutputs &operator=(const TypedOutputs &) = delete;

private:
  pb::GraphProto &graph;
  google::protobuf::RepeatedPtrField<pb::ValueInfoProto> outputs;
};

} // namespace

void dougong::importer::checkModel(pb::ModelProto &model) {
  // The library lets them pass, but outputs are asked for by name.
  std::unordered_set<std::string> outputs;
  for (const pb::ValueInfoProto &output : model.graph().output())
    if (!outputs.insert(output.name()).second)
      throw ImportError("graph output '" + output.name() +
                        "' is listed twice: name each output once");
  HiddenData hidden(model);
  TypedOutputs typed(*model.mutable_graph());
  // Functions of another opset are brought to the model's when they are inlined.
  pb::checker::check_model(model, /*full_check=*/false, /*skip_opset_compatibility_check=*/true);
}
