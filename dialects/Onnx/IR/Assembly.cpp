//===- Assembly.cpp - the assembly form of operator ops -------------------===//
//
//   %y = onnx.Conv(%x, %w, %none) {group = 1 : i64}
//       : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>, none) -> tensor<1x4x6x6xf32>
//   %r = onnx.If(%c) : (tensor<i1>) -> tensor<f32> ({ ... }, { ... })
//
//===----------------------------------------------------------------------===//
#include "Onnx/IR/Onnx.h"

using namespace mlir;

ParseResult dougong::onnx::parseOnnxOp(OpAsmParser &parser, OperationState &result) {
  SmallVector<OpAsmParser::UnresolvedOperand> operands;
  SMLoc operandsLoc = parser.getCurrentLocation();
  SMLoc attributesLoc;
  FunctionType type;
  if (parser.parseOperandList(operands, OpAsmParser::Delimiter::Paren) ||
      parser.getCurrentLocation(&attributesLoc) ||
      parser.parseOptionalAttrDict(result.attributes) ||
      // An attribute of the wrong kind would be dropped without a word.
      failed(result.name.verifyInherentAttrs(result.attributes,
                                             [&] {
                                               return parser.emitError(attributesLoc)
                                                      << "'" << result.name.getStringRef()
                                                      << "' op ";
                                             })) ||
      parser.parseColonType(type) ||
      parser.resolveOperands(operands, type.getInputs(), operandsLoc, result.operands))
    return failure();
  result.addTypes(type.getResults());
  if (failed(parser.parseOptionalLParen()))
    return success();
  do {
    auto region = std::make_unique<Region>();
    if (parser.parseRegion(*region))
      return failure();
    result.addRegion(std::move(region));
  } while (succeeded(parser.parseOptionalComma()));
  return parser.parseRParen();
}

void dougong::onnx::printOnnxOp(Operation *op, OpAsmPrinter &printer) {
  printer << "(";
  printer.printOperands(op->getOperands());
  printer << ")";
  printer.printOptionalAttrDict(op->getAttrDictionary().getValue());
  printer << " : ";
  printer.printFunctionalType(op);
  if (op->getNumRegions() == 0)
    return;
  printer << " (";
  llvm::interleaveComma(op->getRegions(), printer.getStream(),
                        [&](Region &region) { printer.printRegion(region); });
  printer << ")";
}
