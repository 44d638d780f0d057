//===- Inference.cpp - types of values, by ONNX's own inference -----------===//
#include "Upgrade.h"

#include "SchemaRegistry.h"

#include <onnx/shape_inference/implementation.h>

#include <memory>
#include <unordered_map>

using namespace dougong::importer;

void dougong::importer::inferTypes(pb::ModelProto &model, mlir::MLIRContext *context) {
  SchemaRegistry registry(context);
  pb::ShapeInferenceOptions options(/*check_type=*/false, /*strict_mode=*/0, /*data_prop=*/true);
  try {
    pb::shape_inference::InferShapes(model, &registry, options);
  } catch (const std::exception &) {
    // Exporters leave wrong shapes behind in value_info: it is a hint. Inputs
    // and outputs are not.
    forEachGraph(*model.mutable_graph(), [](pb::GraphProto &graph) { graph.clear_value_info(); });
    pb::shape_inference::InferShapes(model, &registry, options);
  }
}

std::vector<pb::TypeProto>
dougong::importer::inferNode(const pb::NodeProto &node, int64_t opset,
                             llvm::ArrayRef<const pb::TypeProto *> inputs) {
  const pb::OpSchema *schema =
      pb::OpSchemaRegistry::Instance()->GetSchema(node.op_type(), opset, node.domain());
  if (!schema || !schema->has_type_and_shape_inference_function())
    return {};
  pb::NodeProto copy = node;
  std::unordered_map<std::string, pb::TypeProto *> types;
  std::vector<pb::TypeProto> storage(inputs.size());
  for (size_t index = 0; index < inputs.size(); ++index)
    if (inputs[index] && !node.input(index).empty()) {
      storage[index] = *inputs[index];
      types.emplace(node.input(index), &storage[index]);
    }
  std::unordered_map<std::string, const pb::TensorProto *> noData;
  std::unordered_map<std::string, const pb::SparseTensorProto *> noSparseData;
  pb::shape_inference::InferenceContextImpl inference(copy, types, noData, noSparseData,
                                                      pb::ShapeInferenceOptions());
  try {
    guardInference(node.op_type(), inference);
    schema->GetTypeAndShapeInferenceFunction()(inference);
  } catch (const std::exception &) {
    // Element types are set before shapes are found wanting: keep them.
  }
  return inference.allOutputTypes_;
}
