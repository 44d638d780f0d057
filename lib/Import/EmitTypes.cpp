//===- EmitTypes.cpp - types of results that inference left open -----------===//
#include "GraphEmitter.h"
#include "Upgrade.h"
#include "dougong/Import/ElementTypes.h"
#include "dougong/Import/Types.h"

using namespace mlir;
using namespace dougong::importer;

/// What the library infers for this node alone: in graphs that its inference
/// does not enter, and behind operators that it does not know.
Type GraphEmitter::inferResultType(const pb::NodeProto &node, unsigned index,
                                   const OperationState &op) {
  auto opset = llvm::find_if(state.opsets, [&](const pb::OperatorSetIdProto &opset) {
    return opset.domain() == node.domain();
  });
  if (opset == state.opsets.end())
    return {};
  std::vector<pb::TypeProto> storage(node.input_size());
  std::vector<const pb::TypeProto *> inputs(node.input_size(), nullptr);
  for (int input = 0; input < node.input_size(); ++input)
    if (convertType(op.operands[input].getType(), storage[input]))
      inputs[input] = &storage[input];
  std::vector<pb::TypeProto> results = inferNode(node, opset->version(), inputs);
  return index < results.size() ? convertType(results[index], state.getContext()) : Type();
}

/// Brings operands of one type variable to the element type of the first, for
/// graphs that are planned, not run: some generators mix float and bfloat16.
void GraphEmitter::unifyOperands(const onnx::OpSchema &schema, OperationState &op) {
  llvm::StringMap<Type> bound;
  for (auto [index, operand] : llvm::enumerate(op.operands)) {
    auto type = dyn_cast<TensorType>(operand.getType());
    if (!type || schema.inputVariables.empty())
      continue;
    StringRef variable =
        schema.inputVariables[std::min<size_t>(index, schema.inputVariables.size() - 1)];
    if (variable.empty())
      continue;
    Type wanted = bound.try_emplace(variable, type.getElementType()).first->second;
    int32_t dataType = getDataType(wanted);
    if (wanted == type.getElementType() || dataType == pb::TensorProto::STRING)
      continue;
    // The first stands for all: a mixture of experts has thousands.
    if (state.castInputs++ == 0)
      emitWarning(op.location) << "node '" << onnx::getNodeName(op.location) << "': input " << index
                               << " has element type " << type.getElementType() << ", but "
                               << wanted << " is required: a Cast was put in between";
    op.operands[index] =
        onnx::CastOp::create(
            builder, op.location, TypeRange{type.clone(wanted)}, ValueRange{operand},
            ArrayRef{builder.getNamedAttr("to", builder.getI64IntegerAttr(dataType))})
            .getOutput();
  }
}

/// The type that follows from operands and regions where inference knows none.
/// `guessed` is set if nothing is known.
Type GraphEmitter::getResultType(const pb::NodeProto &node, unsigned index,
                                 const onnx::OpSchema *schema, const OperationState &op,
                                 bool &guessed) {
  if (const pb::TypeProto *type = findType(node.output(index)))
    if (Type converted = convertType(*type, state.getContext()))
      return converted;
  if (Type type = inferResultType(node, index, op))
    return type;
  auto unranked = [](Type type) -> Type {
    if (auto tensor = dyn_cast<TensorType>(type))
      return UnrankedTensorType::get(tensor.getElementType());
    return type;
  };
  auto variable = [](ArrayRef<StringRef> variables, unsigned position) {
    return variables.empty() ? StringRef()
                             : variables[std::min<size_t>(position, variables.size() - 1)];
  };
  if (schema)
    if (StringRef wanted = variable(schema->outputVariables, index); !wanted.empty())
      for (auto [position, operand] : llvm::enumerate(op.operands))
        if (variable(schema->inputVariables, position) == wanted &&
            !isa<NoneType>(operand.getType()))
          return unranked(operand.getType());
  // A loop's body yields its condition first.
  unsigned yielded = index + (node.op_type() == "Loop");
  if (!op.regions.empty() && !op.regions.front()->empty())
    if (Operation *yield = op.regions.front()->front().getTerminator();
        yielded < yield->getNumOperands())
      return unranked(yield->getOperand(yielded).getType());
  guessed = true;
  for (Value operand : op.operands)
    if (isa<TensorType>(operand.getType()))
      return unranked(operand.getType());
  return UnrankedTensorType::get(Float32Type::get(state.getContext()));
}
