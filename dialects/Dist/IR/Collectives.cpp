//===- Collectives.cpp - checks of communication ops ----------------------===//
#include "Dist/IR/Layout.h"

#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;

/// Finds the number of ranks of a group. Emits an error, with a note at the
/// mesh, if the mesh or an axis is missing or an axis occurs twice.
static FailureOr<int64_t> verifyGroup(Operation *op, SymbolTableCollection &symbols,
                                      FlatSymbolRefAttr meshName, ArrayAttr axes) {
  auto mesh = symbols.lookupNearestSymbolFrom<MeshOp>(op, meshName);
  if (!mesh)
    return op->emitOpError("mesh ") << meshName << " is not declared in this module";
  llvm::StringSet<> seen;
  int64_t count = 1;
  for (StringAttr axis : axes.getAsRange<StringAttr>()) {
    std::optional<int64_t> size = mesh.getAxisSize(axis.getValue());
    if (!size) {
      InFlightDiagnostic diagnostic = op->emitOpError("mesh ")
                                      << meshName << " has no axis " << axis;
      diagnostic.attachNote(mesh.getLoc()) << "mesh declared here";
      return diagnostic;
    }
    if (!seen.insert(axis.getValue()).second)
      return op->emitOpError("axis ") << axis << " is listed twice";
    count *= *size;
  }
  return count;
}

/// Checks that `whole` and `part` differ in `dim` alone, and there as a whole
/// dim and a rank's part of it; other dims of `cutDims` are checked elsewhere.
static LogicalResult verifyPart(Operation *op, RankedTensorType whole, RankedTensorType part,
                                int64_t dim, int64_t unit, int64_t count, int64_t otherDim = -1) {
  if (unit < 1)
    return op->emitOpError("unit must be at least 1, got ") << unit;
  if (whole.getRank() != part.getRank() || whole.getElementType() != part.getElementType())
    return op->emitOpError("operand and result must have the same rank and element type");
  if (dim < 0 || dim >= whole.getRank())
    return op->emitOpError("dim ") << dim << " is out of range for rank " << whole.getRank();
  FailureOr<SmallVector<DimExpr>> wholeExtents = getExtents(whole), partExtents = getExtents(part);
  if (failed(wholeExtents) || failed(partExtents))
    return op->emitOpError("needs types whose extents are known, as numbers or expressions");
  for (int64_t index = 0; index < whole.getRank(); ++index) {
    if (index == otherDim)
      continue;
    DimExpr expected = (*wholeExtents)[index];
    if (index == dim)
      expected = getLocalExtent(expected, unit, count);
    if (!((*partExtents)[index] == expected))
      return op->emitOpError("dim ")
             << index << " of the local part must have extent " << expected.print() << ", got "
             << (*partExtents)[index].print();
  }
  return success();
}

bool dist::isReducible(Type elementType) {
  if (auto integer = dyn_cast<IntegerType>(elementType))
    return llvm::is_contained({1u, 8u, 16u, 32u, 64u}, integer.getWidth());
  return isa<Float16Type, BFloat16Type, Float32Type, Float64Type>(elementType);
}

static LogicalResult verifyReducible(Operation *op, RankedTensorType type) {
  if (isReducible(type.getElementType()))
    return success();
  return op->emitOpError("elements of ") << type.getElementType() << " cannot be reduced";
}

LogicalResult AllReduceOp::verify() { return verifyReducible(*this, getInput().getType()); }

LogicalResult ReduceScatterOp::verify() { return verifyReducible(*this, getInput().getType()); }

LogicalResult AllReduceOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyGroup(*this, symbols, getMeshAttr(), getAxes());
}

LogicalResult AllGatherOp::verifySymbolUses(SymbolTableCollection &symbols) {
  FailureOr<int64_t> count = verifyGroup(*this, symbols, getMeshAttr(), getAxes());
  if (failed(count))
    return failure();
  return verifyPart(*this, getResult().getType(), getInput().getType(), getDim(), getUnit(),
                    *count);
}

LogicalResult ReduceScatterOp::verifySymbolUses(SymbolTableCollection &symbols) {
  FailureOr<int64_t> count = verifyGroup(*this, symbols, getMeshAttr(), getAxes());
  if (failed(count))
    return failure();
  return verifyPart(*this, getInput().getType(), getResult().getType(), getDim(), getUnit(),
                    *count);
}

LogicalResult SliceOp::verifySymbolUses(SymbolTableCollection &symbols) {
  FailureOr<int64_t> count = verifyGroup(*this, symbols, getMeshAttr(), getAxes());
  if (failed(count))
    return failure();
  return verifyPart(*this, getInput().getType(), getResult().getType(), getDim(), getUnit(),
                    *count);
}

LogicalResult AllToAllOp::verifySymbolUses(SymbolTableCollection &symbols) {
  FailureOr<int64_t> count = verifyGroup(*this, symbols, getMeshAttr(), getAxes());
  if (failed(count))
    return failure();
  if (getSplit() == getConcat())
    return emitOpError("split and concat must be different dims, got ") << getSplit();
  RankedTensorType input = getInput().getType(), result = getResult().getType();
  if (failed(verifyPart(*this, input, result, getSplit(), getSplitUnit(), *count, getConcat())))
    return failure();
  return verifyPart(*this, result, input, getConcat(), getConcatUnit(), *count, getSplit());
}

LogicalResult RaggedAllToAllOp::verifySymbolUses(SymbolTableCollection &symbols) {
  FailureOr<int64_t> count = verifyGroup(*this, symbols, getMeshAttr(), getAxes());
  if (failed(count))
    return failure();
  for (Value counts : {Value(getCounts()), Value(getReceived())})
    if (int64_t members = cast<RankedTensorType>(counts.getType()).getDimSize(0); members != *count)
      return emitOpError("expected a count for each of ")
             << *count << " ranks, got " << counts.getType();
  RankedTensorType input = getInput().getType(), result = getResult().getType();
  FailureOr<SmallVector<DimExpr>> from = getExtents(input), to = getExtents(result);
  if (failed(from) || failed(to))
    return emitOpError("needs types whose extents are known, as numbers or expressions");
  if (input.getRank() < 1 || result.getRank() < 1 ||
      input.getElementType() != result.getElementType() ||
      !llvm::equal(llvm::drop_begin(*from), llvm::drop_begin(*to)))
    return emitOpError("rows of operand and result must be of one type, got ")
           << input << " and " << result;
  return success();
}

LogicalResult PermuteOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (failed(verifyGroup(*this, symbols, getMeshAttr(), getAxes())) ||
      failed(verifyGroup(*this, symbols, getMeshAttr(), getFrom())))
    return failure();
  if (!std::is_permutation(getAxes().begin(), getAxes().end(), getFrom().begin(), getFrom().end()))
    return emitOpError("the senders must be numbered over the same axes in another order, got ")
           << getFrom() << " and " << getAxes();
  return success();
}

LogicalResult AxisIndexOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyGroup(*this, symbols, getMeshAttr(), getAxes());
}

LogicalResult TransferOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto global = dyn_cast<RankedTensorType>(getGlobal());
  if (!global)
    return emitOpError("the whole type must be a ranked tensor, got ") << getGlobal();
  for (auto [sharding, type, what] : {std::tuple(getSource(), getInput().getType(), "operand"),
                                      std::tuple(getTarget(), getResult().getType(), "result")}) {
    auto mesh = symbols.lookupNearestSymbolFrom<MeshOp>(*this, sharding.getMesh());
    if (!mesh)
      return emitOpError("mesh ") << sharding.getMesh() << " is not declared in this module";
    if (!sharding.getPartial().empty())
      return emitOpError("partial values cannot be transferred: reduce the ") << what << " first";
    FailureOr<RankedTensorType> expected = getLocalType(global, sharding, mesh);
    if (failed(expected))
      return emitOpError("sharding ") << sharding << " does not fit type " << global;
    if (*expected != type)
      return emitOpError(what) << " must have type " << *expected << ", got " << type;
  }
  return success();
}
