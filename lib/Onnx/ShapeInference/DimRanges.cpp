//===- DimRanges.cpp - ranges of symbols, as an attribute -----------------===//
#include "dougong/Onnx/DimRanges.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Diagnostics.h"

using namespace mlir;
using namespace dougong;

FailureOr<SymbolRanges> onnx::getDimRanges(Operation *op) {
  SymbolRanges ranges;
  Attribute attribute = op->getAttr(dimRangesAttrName);
  if (!attribute)
    return ranges;
  auto dictionary = dyn_cast<DictionaryAttr>(attribute);
  if (!dictionary)
    return op->emitError() << dimRangesAttrName << " must be a dictionary, got " << attribute;
  for (NamedAttribute entry : dictionary) {
    auto bounds = dyn_cast<DenseI64ArrayAttr>(entry.getValue());
    if (!bounds || bounds.empty() || bounds.size() > 2)
      return op->emitError() << dimRangesAttrName << " of '" << entry.getName().getValue()
                             << "' must be [min] or [min, max], got " << entry.getValue();
    ranges[entry.getName().str()] = {bounds[0], bounds.size() > 1 ? bounds[1] : unboundedDim};
  }
  return ranges;
}
