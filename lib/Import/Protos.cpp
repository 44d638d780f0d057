//===- Protos.cpp - walks over ONNX messages ------------------------------===//
#include "dougong/Import/Protos.h"

using namespace dougong::importer;

namespace {

void visitNodeLists(NodeList &nodes, const std::function<void(NodeList &)> &visit) {
  visit(nodes);
  for (pb::NodeProto &node : nodes)
    for (pb::AttributeProto &attribute : *node.mutable_attribute()) {
      if (attribute.has_g())
        visitNodeLists(*attribute.mutable_g()->mutable_node(), visit);
      for (pb::GraphProto &graph : *attribute.mutable_graphs())
        visitNodeLists(*graph.mutable_node(), visit);
    }
}

using TensorVisitor = std::function<void(pb::TensorProto &, const Owner &)>;

void visitTensors(pb::GraphProto &graph, const TensorVisitor &visit);

void visitTensors(NodeList &nodes, const TensorVisitor &visit) {
  for (int index = 0; index < nodes.size(); ++index) {
    pb::NodeProto &node = nodes[index];
    Owner owner{node.name(), index};
    for (pb::AttributeProto &attribute : *node.mutable_attribute()) {
      if (attribute.has_t())
        visit(*attribute.mutable_t(), owner);
      for (pb::TensorProto &tensor : *attribute.mutable_tensors())
        visit(tensor, owner);
      if (attribute.has_g())
        visitTensors(*attribute.mutable_g(), visit);
      for (pb::GraphProto &graph : *attribute.mutable_graphs())
        visitTensors(graph, visit);
    }
  }
}

void visitTensors(pb::GraphProto &graph, const TensorVisitor &visit) {
  for (pb::TensorProto &tensor : *graph.mutable_initializer())
    visit(tensor, Owner());
  visitTensors(*graph.mutable_node(), visit);
}

} // namespace

void dougong::importer::forEachGraph(pb::GraphProto &graph,
                                     const std::function<void(pb::GraphProto &)> &visit) {
  visit(graph);
  for (pb::NodeProto &node : *graph.mutable_node())
    for (pb::AttributeProto &attribute : *node.mutable_attribute()) {
      if (attribute.has_g())
        forEachGraph(*attribute.mutable_g(), visit);
      for (pb::GraphProto &inner : *attribute.mutable_graphs())
        forEachGraph(inner, visit);
    }
}

void dougong::importer::forEachNodeList(pb::ModelProto &model,
                                        const std::function<void(NodeList &)> &visit) {
  visitNodeLists(*model.mutable_graph()->mutable_node(), visit);
  for (pb::FunctionProto &function : *model.mutable_functions())
    visitNodeLists(*function.mutable_node(), visit);
}

void dougong::importer::forEachNode(NodeList &nodes,
                                    const std::function<void(pb::NodeProto &)> &visit) {
  for (pb::NodeProto &node : nodes) {
    visit(node);
    for (pb::AttributeProto &attribute : *node.mutable_attribute()) {
      if (attribute.has_g())
        forEachNode(*attribute.mutable_g()->mutable_node(), visit);
      for (pb::GraphProto &graph : *attribute.mutable_graphs())
        forEachNode(*graph.mutable_node(), visit);
    }
  }
}

void dougong::importer::forEachTensor(
    pb::ModelProto &model, const std::function<void(pb::TensorProto &, const Owner &)> &visit) {
  visitTensors(*model.mutable_graph(), visit);
  for (pb::FunctionProto &function : *model.mutable_functions())
    visitTensors(*function.mutable_node(), visit);
}

int64_t dougong::importer::getOpsetVersion(const pb::ModelProto &model, const std::string &domain) {
  for (const pb::OperatorSetIdProto &opset : model.opset_import())
    if (opset.domain() == domain || (isDefaultDomain(domain) && isDefaultDomain(opset.domain())))
      return opset.version();
  return 0;
}
