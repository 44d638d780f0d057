//===- Verify.cpp - checks that every operator op shares ------------------===//
#include "Onnx/IR/Onnx.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

/// The type that a type variable stands for: element types of tensors (the
/// shapes differ), other types as they are. Null if the value is absent.
Type getVariableType(Type type) {
  if (isa<NoneType>(type))
    return {};
  if (auto shaped = dyn_cast<ShapedType>(type))
    return isa<SequenceType, OptionalType>(shaped.getElementType())
               ? getVariableType(shaped.getElementType())
               : shaped.getElementType();
  // Sequences and optionals hold tensors of any shape: compare what they hold.
  if (auto sequence = dyn_cast<SequenceType>(type))
    return getVariableType(sequence.getElementType());
  if (auto optional = dyn_cast<OptionalType>(type))
    return getVariableType(optional.getElementType());
  return type;
}

/// Binds type variables to types, and reports the first contradiction.
class VariableBinder {
public:
  explicit VariableBinder(Operation *op) : op(op) {}

  LogicalResult bind(ArrayRef<StringRef> variables, TypeRange types, StringRef what) {
    for (auto [index, type] : llvm::enumerate(types)) {
      if (variables.empty())
        return success();
      StringRef variable = variables[std::min<size_t>(index, variables.size() - 1)];
      Type bound = getVariableType(type);
      if (variable.empty() || !bound)
        continue;
      auto [it, inserted] = bindings.try_emplace(variable, bound, what.str(), index);
      if (inserted || std::get<0>(it->second) == bound)
        continue;
      auto &[firstType, firstWhat, firstIndex] = it->second;
      return op->emitOpError() << what << " " << index << " has element type " << bound << ", but "
                               << firstWhat << " " << firstIndex << " has " << firstType
                               << ": both are of type variable " << variable;
    }
    return success();
  }

private:
  Operation *op;
  llvm::StringMap<std::tuple<Type, std::string, size_t>> bindings;
};

} // namespace

LogicalResult dougong::onnx::verifyAgainstSchema(Operation *op) {
  const OpSchema &schema = cast<OnnxOpInterface>(op).getSchema();
  VariableBinder binder(op);
  if (failed(binder.bind(schema.inputVariables, op->getOperandTypes(), "operand")))
    return failure();
  return binder.bind(schema.outputVariables, op->getResultTypes(), "result");
}

StringRef dougong::onnx::getNodeName(Location loc) {
  if (auto named = dyn_cast<NameLoc>(loc))
    return named.getName();
  if (auto fused = dyn_cast<FusedLoc>(loc))
    for (Location part : fused.getLocations())
      if (StringRef name = getNodeName(part); !name.empty())
        return name;
  if (auto call = dyn_cast<CallSiteLoc>(loc))
    return getNodeName(call.getCallee());
  return "";
}

std::string dougong::onnx::getOpMnemonic(StringRef domain, StringRef opType) {
  StringRef prefix = llvm::StringSwitch<StringRef>(domain)
                         .Cases({"", "ai.onnx"}, "")
                         .Case("ai.onnx.ml", "ml.")
                         .Case("ai.onnx.preview", "preview.")
                         .Case("ai.onnx.preview.training", "training.")
                         .Case("com.microsoft", "ms.")
                         .Default("?.");
  return (prefix + opType).str();
}
