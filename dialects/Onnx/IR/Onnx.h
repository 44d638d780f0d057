//===- Onnx.h - the onnx dialect --------------------------------*- C++ -*-===//
#ifndef DOUGONG_DIALECTS_ONNX_IR_ONNX_H
#define DOUGONG_DIALECTS_ONNX_IR_ONNX_H

#include "Onnx/IR/OpSchema.h"
#include "Onnx/IR/ShardingRule.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/IR/TensorEncoding.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace dougong::onnx {

class ShapeScope;

/// Parses and prints the assembly form that all operator ops share:
/// `(operands) attr-dict : functional-type regions`.
mlir::ParseResult parseOnnxOp(mlir::OpAsmParser &parser, mlir::OperationState &result);
void printOnnxOp(mlir::Operation *op, mlir::OpAsmPrinter &printer);

/// Checks what TableGen constraints cannot say: operands and results of one
/// type variable have one element type, and required operands are present.
llvm::LogicalResult verifyAgainstSchema(mlir::Operation *op);

/// Name of the ONNX node that `loc` stands for, or "" if it names none.
llvm::StringRef getNodeName(mlir::Location loc);

/// The MLIR name (without "onnx.") of an operator: "MatMul", "ms.MoE", "ml.Scaler".
std::string getOpMnemonic(llvm::StringRef domain, llvm::StringRef opType);

} // namespace dougong::onnx

#include "Onnx/IR/OnnxDialect.h.inc"

#define GET_TYPEDEF_CLASSES
#include "Onnx/IR/OnnxTypes.h.inc"
#define GET_ATTRDEF_CLASSES
#include "Onnx/IR/OnnxAttrs.h.inc"
#include "Onnx/IR/OnnxInterfaces.h.inc"

#define GET_OP_CLASSES
#include "Onnx/IR/OnnxStructureOps.h.inc"
#define GET_OP_CLASSES
#include "Onnx/IR/OnnxOps.h.inc"

#endif // DOUGONG_DIALECTS_ONNX_IR_ONNX_H
