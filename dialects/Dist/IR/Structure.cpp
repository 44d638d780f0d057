//===- Structure.cpp - meshes, stages and links ---------------------------===//
#include "Dist/IR/Dist.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace dougong::dist;

//===----------------------------------------------------------------------===//
// Text forms
//===----------------------------------------------------------------------===//

/// `<"dp" = 2, "tp" = 4>`; a mesh of one rank may be `<>`.
static ParseResult parseMeshAxes(OpAsmParser &parser, ArrayAttr &axes, DenseI64ArrayAttr &sizes) {
  SmallVector<Attribute> names;
  SmallVector<int64_t> values;
  auto parseAxis = [&]() -> ParseResult {
    std::string name;
    int64_t size;
    if (parser.parseString(&name) || parser.parseEqual() || parser.parseInteger(size))
      return failure();
    names.push_back(parser.getBuilder().getStringAttr(name));
    values.push_back(size);
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::LessGreater, parseAxis))
    return failure();
  axes = parser.getBuilder().getArrayAttr(names);
  sizes = parser.getBuilder().getDenseI64ArrayAttr(values);
  return success();
}

static void printMeshAxes(OpAsmPrinter &printer, MeshOp, ArrayAttr axes, DenseI64ArrayAttr sizes) {
  printer << "<";
  llvm::interleaveComma(llvm::zip(axes, sizes.asArrayRef()), printer.getStream(), [&](auto pair) {
    printer << std::get<0>(pair) << " = " << std::get<1>(pair);
  });
  printer << ">";
}

/// `@stage0[2]` or `"input_ids"`.
static ParseResult parseLinkEnd(OpAsmParser &parser, Attribute &end, IntegerAttr &port) {
  std::string name;
  if (succeeded(parser.parseOptionalString(&name))) {
    end = parser.getBuilder().getStringAttr(name);
    return success();
  }
  FlatSymbolRefAttr stage;
  int64_t index;
  if (parser.parseAttribute(stage) || parser.parseLSquare() || parser.parseInteger(index) ||
      parser.parseRSquare())
    return failure();
  end = stage;
  port = parser.getBuilder().getI64IntegerAttr(index);
  return success();
}

static void printLinkEnd(OpAsmPrinter &printer, LinkOp, Attribute end, IntegerAttr port) {
  printer << end;
  if (port)
    printer << "[" << port.getInt() << "]";
}

#define GET_OP_CLASSES
#include "Dist/IR/DistOps.cpp.inc"

//===----------------------------------------------------------------------===//
// MeshOp
//===----------------------------------------------------------------------===//

LogicalResult MeshOp::verify() {
  if (getAxes().size() != getSizes().size())
    return emitOpError("has ") << getAxes().size() << " axes but " << getSizes().size() << " sizes";
  llvm::StringSet<> seen;
  int64_t ranks = 1;
  for (auto [axis, size] : llvm::zip(getAxes().getAsValueRange<StringAttr>(), getSizes())) {
    if (axis.empty())
      return emitOpError("has an axis without a name");
    if (!seen.insert(axis).second)
      return emitOpError("has axis \"") << axis << "\" twice";
    if (size < 1)
      return emitOpError("axis \"") << axis << "\" must have a size of at least 1, got " << size;
    if (llvm::MulOverflow(ranks, size, ranks) || ranks > (int64_t(1) << 31))
      return emitOpError("has more ranks than 2^31");
  }
  if (getFirstRank().value_or(0) < 0)
    return emitOpError("first_rank must not be negative, got ") << *getFirstRank();
  return success();
}

int64_t MeshOp::getNumRanks() {
  int64_t ranks = 1;
  for (int64_t size : getSizes())
    ranks *= size;
  return ranks;
}

std::optional<int64_t> MeshOp::getAxisSize(StringRef axis) {
  for (auto [name, size] : llvm::zip(getAxes().getAsValueRange<StringAttr>(), getSizes()))
    if (name == axis)
      return size;
  return std::nullopt;
}

std::optional<int64_t> MeshOp::getNumShards(ArrayRef<StringAttr> axes) {
  int64_t count = 1;
  for (StringAttr axis : axes) {
    std::optional<int64_t> size = getAxisSize(axis.getValue());
    if (!size)
      return std::nullopt;
    count *= *size;
  }
  return count;
}

//===----------------------------------------------------------------------===//
// StageOp, LinkOp
//===----------------------------------------------------------------------===//

LogicalResult StageOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (!symbols.lookupNearestSymbolFrom<MeshOp>(*this, getMeshAttr()))
    return emitOpError("mesh ") << getMeshAttr() << " is not declared in this module";
  if (getProgramAttr() && !symbols.lookupNearestSymbolFrom<ModuleOp>(*this, getProgramAttr()))
    return emitOpError("program ") << getProgramAttr() << " is not a module in this module";
  return success();
}

LogicalResult LinkOp::verify() {
  for (auto [end, port, what] : {std::tuple(getSource(), getSourcePort(), "source"),
                                 std::tuple(getTarget(), getTargetPort(), "target")}) {
    if (!isa<FlatSymbolRefAttr, StringAttr>(end))
      return emitOpError(what) << " must be a port of a stage or the name of a model value, got "
                               << end;
    if (isa<FlatSymbolRefAttr>(end) != port.has_value())
      return emitOpError(what) << " must have a port number exactly if it is a stage";
    if (port && static_cast<int64_t>(*port) < 0)
      return emitOpError(what) << " port must not be negative, got " << static_cast<int64_t>(*port);
  }
  return success();
}

LogicalResult LinkOp::verifySymbolUses(SymbolTableCollection &symbols) {
  for (Attribute end : {getSource(), getTarget()})
    if (auto stage = dyn_cast<FlatSymbolRefAttr>(end))
      if (!symbols.lookupNearestSymbolFrom<StageOp>(*this, stage))
        return emitOpError("stage ") << stage << " is not declared in this module";
  return success();
}
