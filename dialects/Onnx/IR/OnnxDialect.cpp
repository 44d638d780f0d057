//===- OnnxDialect.cpp - registration and structural ops ------------------===//
#include "Onnx/IR/Onnx.h"

#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace dougong::onnx;

#include "Onnx/IR/OnnxDialect.cpp.inc"
#include "Onnx/IR/OnnxInterfaces.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "Onnx/IR/OnnxTypes.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "Onnx/IR/OnnxAttrs.cpp.inc"
#define GET_OP_CLASSES
#include "Onnx/IR/OnnxStructureOps.cpp.inc"

void OnnxDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "Onnx/IR/OnnxTypes.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "Onnx/IR/OnnxAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "Onnx/IR/OnnxStructureOps.cpp.inc"
      >();
  // The generated operator ops, defined in OnnxOps.<shard>.cpp.
  registerOnnxDialectOperations(this);
}

LogicalResult WeightOp::verify() {
  auto type = dyn_cast<RankedTensorType>(getType());
  if (!type || !type.hasStaticShape())
    return emitOpError("type must be a tensor of static shape, got ") << getType();
  if (!isa<ExternalAttr, DerivedAttr, ElementsAttr>(getValue()))
    return emitOpError("value must be #onnx.external, #onnx.derived or elements, got ")
           << getValue();
  return success();
}

LogicalResult UseOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto weight = symbols.lookupNearestSymbolFrom<WeightOp>(*this, getWeightAttr());
  if (!weight)
    return emitOpError("weight ") << getWeightAttr() << " is not declared in this module";
  if (weight.getType() != getType()) {
    InFlightDiagnostic diagnostic =
        emitOpError("type ") << getType() << " differs from the weight's type " << weight.getType();
    diagnostic.attachNote(weight.getLoc()) << "weight declared here";
    return diagnostic;
  }
  return success();
}

LogicalResult DimsTensorOp::verify() {
  if (int64_t(getExprs().size()) != getType().getNumElements())
    return emitOpError() << "has " << getExprs().size() << " expressions for "
                         << getType().getNumElements() << " elements";
  return success();
}

OpFoldResult NoneOp::fold(FoldAdaptor) { return UnitAttr::get(getContext()); }
