//===- SchemaRegistry.cpp - ONNX's schemas as inference sees them ---------===//
#include "SchemaRegistry.h"

#include "Onnx/IR/Onnx.h"

#include <onnx/defs/shape_inference.h>
#include <onnx/defs/tensor_proto_util.h>

#include "llvm/ADT/StringMap.h"

using namespace dougong::importer;

namespace {

/// No tensor has more dims: longer lists of extents are senseless, and the library
/// makes an element of its own for each.
constexpr int64_t greatestRank = 1024;

bool isLongList(const pb::TypeProto *type) {
  if (!type || !type->has_tensor_type())
    return false;
  const pb::TensorShapeProto &shape = type->tensor_type().shape();
  return shape.dim_size() == 1 && shape.dim(0).dim_value() > greatestRank;
}

/// The operand that is a list of extents, by operator.
const llvm::StringMap<size_t> &getShapeOperands() {
  static const llvm::StringMap<size_t> operands = {
      {"AffineGrid", 1}, {"ConstantOfShape", 0}, {"Expand", 1}, {"Reshape", 1}, {"Resize", 3}};
  return operands;
}

bool needsGuard(const pb::OpSchema &schema) {
  return schema.has_data_propagation_function() || getShapeOperands().count(schema.Name()) != 0 ||
         schema.Name() == "SplitToSequence";
}

void propagateElementTypes(const dougong::onnx::OpSchema &schema, pb::InferenceContext &inference) {
  auto variable = [](llvm::ArrayRef<llvm::StringRef> variables, size_t index) {
    return variables.empty() ? llvm::StringRef() : variables[std::min(index, variables.size() - 1)];
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

/// `schema` with guards before its functions.
std::unique_ptr<pb::OpSchema> makeGuarded(const pb::OpSchema &schema) {
  auto copy = std::make_unique<pb::OpSchema>(schema);
  if (schema.has_type_and_shape_inference_function())
    copy->TypeAndShapeInferenceFunction(
        [name = schema.Name(),
         infer = schema.GetTypeAndShapeInferenceFunction()](pb::InferenceContext &inference) {
          guardInference(name, inference);
          infer(inference);
        });
  if (schema.has_data_propagation_function())
    copy->PartialDataPropagationFunction(
        [propagate = schema.GetDataPropagationFunction()](pb::DataPropagationContext &data) {
          for (size_t index = 0; index < data.getNumInputs(); ++index)
            if (isLongList(data.getInputType(index)))
              return;
          propagate(data);
        });
  return copy;
}

} // namespace

void dougong::importer::guardInference(const std::string &opType,
                                       const pb::InferenceContext &inference) {
  if (auto operand = getShapeOperands().find(opType); operand != getShapeOperands().end())
    if (operand->second < inference.getNumInputs() &&
        isLongList(inference.getInputType(operand->second)))
      throw pb::InferenceError("a list of more than " + std::to_string(greatestRank) + " extents");
  if (opType != "SplitToSequence" || inference.getNumInputs() < 2)
    return;
  if (const pb::TensorProto *sizes = inference.getInputData(1)) {
    bool isZero = sizes->data_type() == pb::TensorProto::INT64
                      ? llvm::is_contained(pb::ParseData<int64_t>(sizes), 0)
                      : sizes->data_type() == pb::TensorProto::INT32 &&
                            llvm::is_contained(pb::ParseData<int32_t>(sizes), 0);
    if (isZero)
      throw pb::InferenceError("a part of size 0");
  }
}

std::unique_ptr<pb::OpSchema> SchemaRegistry::makeMicrosoftSchema(const std::string &name) const {
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

const pb::OpSchema *SchemaRegistry::GetSchema(const std::string &name, int maxVersion,
                                              const std::string &domain) const {
  if (domain == "com.microsoft") {
    auto [it, inserted] = microsoft.try_emplace(name);
    if (inserted)
      it->second = makeMicrosoftSchema(name);
    return it->second.get();
  }
  const pb::OpSchema *schema =
      pb::OpSchemaRegistry::Instance()->GetSchema(name, maxVersion, domain);
  if (!schema || !needsGuard(*schema))
    return schema;
  auto [it, inserted] = guarded.try_emplace(schema);
  if (inserted)
    it->second = makeGuarded(*schema);
  return it->second.get();
}
