//===- Inference.cpp - types of values, by ONNX's own inference -----------===//
#include "Upgrade.h"

#include "Error.h"
#include "Onnx/IR/Onnx.h"

#include <onnx/shape_inference/implementation.h>

#include <memory>
#include <unordered_map>

using namespace dougong::importer;

namespace {

/// The library's schemas, and for operators of com.microsoft schemas that pass
/// element types from operands to results by the dialect's type variables: so
/// that inference goes on behind them.
class SchemaRegistry : public pb::ISchemaRegistry {
public:
  explicit SchemaRegistry(mlir::MLIRContext *context) : context(context) {}

  const pb::OpSchema *GetSchema(const std::string &name, int maxVersion,
                                const std::string &domain) const override {
    if (domain != "com.microsoft")
      return pb::OpSchemaRegistry::Instance()->GetSchema(name, maxVersion, domain);
    auto [it, inserted] = schemas.try_emplace(name);
    if (inserted)
      it->second = makeSchema(name);
    return it->second.get();
  }

private:
  std::unique_ptr<pb::OpSchema> makeSchema(const std::string &name) const {
    auto opName = mlir::RegisteredOperationName::lookup(
        "onnx." + dougong::onnx::getOpMnemonic("com.microsoft", name), context);
    if (!opName)
      return nullptr;
    auto *interface = opName->getInterface<dougong::onnx::OnnxOpInterface>();
    if (!interface)
      return nullptr;
    const dougong::onnx::OpSchema *known = &interface->getSchema();
    auto schema = std::make_unique<pb::OpSchema>(name, __FILE__, __LINE__);
    schema->SetDomain("com.microsoft").SinceVersion(1);
    schema->TypeAndShapeInferenceFunction(
        [known](pb::InferenceContext &inference) { propagateElementTypes(*known, inference); });
    return schema;
  }

  static void propagateElementTypes(const dougong::onnx::OpSchema &schema,
                                    pb::InferenceContext &inference) {
    auto variable = [](llvm::ArrayRef<llvm::StringRef> variables, size_t index) {
      return variables.empty() ? llvm::StringRef()
                               : variables[std::min(index, variables.size() - 1)];
    };
    for (size_t result = 0; result < inference.getNumOutputs(); ++result) {
      llvm::StringRef wanted = variable(schema.outputVariables, result);
      for (size_t operand = 0; operand < inference.getNumInputs() && !wanted.empty(); ++operand) {
        const pb::TypeProto *type = inference.getInputType(operand);
        if (variable(schema.inputVariables, operand) != wanted || !type || !type->has_tensor_type())
          continue;
        pb::updateOutputElemType(inference, result, type->tensor_type().elem_type());
        break;
      }
    }
  }

  mlir::MLIRContext *context;
  mutable std::unordered_map<std::string, std::unique_ptr<pb::OpSchema>> schemas;
};

} // namespace

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
    schema->GetTypeAndShapeInferenceFunction()(inference);
  } catch (const std::exception &) {
    // Element types are set before shapes are found wanting: keep them.
  }
  return inference.allOutputTypes_;
}
