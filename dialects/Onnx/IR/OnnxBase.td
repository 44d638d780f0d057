//===- OnnxBase.td - the class of all onnx ops ----------------------------===//
#ifndef DOUGONG_ONNX_BASE
#define DOUGONG_ONNX_BASE

include "Onnx/IR/OnnxDialect.td"
include "Onnx/IR/OnnxTypes.td"
include "Onnx/IR/OnnxAttrs.td"
include "Onnx/IR/OnnxInterfaces.td"
include "mlir/IR/CommonAttrConstraints.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

// All ops of a schema share one assembly form:
//   %y = onnx.Softmax(%x) {axis = -1 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
class Onnx_Op<string mnemonic, list<Trait> traits = []>
    : Op<Onnx_Dialect, mnemonic, traits> {
  let hasCustomAssemblyFormat = 1;
  string extraOnnxDefinition = [{
    ::mlir::ParseResult $cppClass::parse(::mlir::OpAsmParser &parser,
                                         ::mlir::OperationState &result) {
      return ::dougong::onnx::parseOnnxOp(parser, result);
    }
    void $cppClass::print(::mlir::OpAsmPrinter &printer) {
      ::dougong::onnx::printOnnxOp(*this, printer);
    }
  }];
}

#endif // DOUGONG_ONNX_BASE
