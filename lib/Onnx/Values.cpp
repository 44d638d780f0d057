//===- Values.cpp - ONNX names of values ----------------------------------===//
#include "dougong/Onnx/Values.h"

#include "Onnx/IR/Onnx.h"

using namespace mlir;
using namespace dougong;

DictionaryAttr onnx::getNotes(Location loc) {
  if (auto named = dyn_cast<NameLoc>(loc))
    return getNotes(named.getChildLoc());
  if (auto fused = dyn_cast<FusedLoc>(loc)) {
    if (auto notes = dyn_cast_or_null<DictionaryAttr>(fused.getMetadata()))
      return notes;
    for (Location part : fused.getLocations())
      if (DictionaryAttr notes = getNotes(part))
        return notes;
  }
  if (auto call = dyn_cast<CallSiteLoc>(loc))
    return getNotes(call.getCallee());
  return {};
}

StringRef onnx::getOutputName(Location loc, unsigned index) {
  DictionaryAttr notes = getNotes(loc);
  auto outputs = notes ? notes.getAs<ArrayAttr>("outputs") : ArrayAttr();
  if (!outputs || index >= outputs.size())
    return "";
  auto name = dyn_cast<StringAttr>(outputs[index]);
  return name ? name.getValue() : "";
}

bool onnx::isConstantSource(Operation *op) {
  return isa<UseOp, ConstantOp, NoneOp, DimOp, DimsTensorOp>(op);
}

int64_t onnx::normalizeAxis(int64_t axis, int64_t rank) {
  if (axis < 0)
    axis += rank;
  return axis < 0 || axis >= rank ? -1 : axis;
}
