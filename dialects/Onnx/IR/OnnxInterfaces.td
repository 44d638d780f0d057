//===- OnnxInterfaces.td - what every onnx op can say of itself -----------===//
#ifndef DOUGONG_ONNX_INTERFACES
#define DOUGONG_ONNX_INTERFACES

include "mlir/IR/OpBase.td"

def OnnxOpInterface : OpInterface<"OnnxOpInterface"> {
  let cppNamespace = "::dougong::onnx";
  let description = [{
    An operator of an ONNX schema: gives that schema's facts (domain, operator
    type, version, type variables of inputs and outputs, names of graph
    attributes). Implemented by all generated ops.
  }];
  let methods = [
    StaticInterfaceMethod<"The schema of the operator.",
                          "const ::dougong::onnx::OpSchema &", "getSchema">,
  ];
  let verify = [{ return ::dougong::onnx::verifyAgainstSchema($_op); }];
}

def ShapeInferenceOpInterface : OpInterface<"ShapeInferenceOpInterface"> {
  let cppNamespace = "::dougong::onnx";
  let description = [{
    Symbolic shape inference. Implementations are external models, in
    lib/Onnx/ShapeInference, one file for each operator family.
  }];
  let methods = [
    InterfaceMethod<[{
      Sets the shapes (and, where they are known, the integer contents) of the
      results from those of the operands. Emits an error and fails if operands
      contradict the operator's rules.
    }], "::llvm::LogicalResult", "inferShapes", (ins "::dougong::onnx::ShapeScope &":$scope)>,
  ];
}

def ShardingRuleOpInterface : OpInterface<"ShardingRuleOpInterface"> {
  let cppNamespace = "::dougong::onnx";
  let description = [{
    Which dims of operands and results may be cut together, as einsum-like
    factors. Propagation, partitioning, cost and the choice of strategies read
    this one rule. External models in lib/Onnx/Sharding.
  }];
  let methods = [
    InterfaceMethod<"The sharding rule of the op as it stands (types known).",
                    "::dougong::onnx::ShardingRule", "getShardingRule">,
  ];
}

def CostOpInterface : OpInterface<"CostOpInterface"> {
  let cppNamespace = "::dougong::onnx";
  let description = [{
    Arithmetic of one execution of the op, as expressions over its symbols.
    External models in lib/Onnx/Cost.
  }];
  let methods = [
    InterfaceMethod<"Floating-point (or integer) operations; a multiply-add is 2.",
                    "::dougong::onnx::OpCost", "getCost">,
  ];
}

#endif // DOUGONG_ONNX_INTERFACES
