//===- Attributes.cpp - text form and checks of shardings -----------------===//
#include "Dist/IR/Dist.h"

#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;
using namespace dougong::dist;

/// `{"dp", "tp" : unit 16}`; the unit is printed where it is not 1.
static FailureOr<CutAttr> parseCut(AsmParser &parser) {
  SmallVector<StringAttr> axes;
  int64_t unit = 1;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLBrace())
    return failure();
  if (succeeded(parser.parseOptionalRBrace()))
    return CutAttr::get(parser.getContext(), axes, unit);
  do {
    std::string axis;
    if (parser.parseString(&axis))
      return failure();
    axes.push_back(StringAttr::get(parser.getContext(), axis));
  } while (succeeded(parser.parseOptionalComma()));
  if (succeeded(parser.parseOptionalColon()) &&
      (parser.parseKeyword("unit") || parser.parseInteger(unit)))
    return failure();
  if (parser.parseRBrace())
    return failure();
  if (unit < 1)
    return parser.emitError(loc, "the unit of a cut must be at least 1, got ") << unit;
  if (llvm::SmallPtrSet<StringAttr, 4>(axes.begin(), axes.end()).size() != axes.size())
    return parser.emitError(loc, "an axis cuts the dim twice");
  return CutAttr::get(parser.getContext(), axes, unit);
}

static void printCut(AsmPrinter &printer, CutAttr cut) {
  printer << "{";
  llvm::interleaveComma(cut.getAxes(), printer.getStream(),
                        [&](StringAttr axis) { printer << axis; });
  if (cut.getUnit() != 1)
    printer << " : unit " << cut.getUnit();
  printer << "}";
}

Attribute CutAttr::parse(AsmParser &parser, Type) {
  if (parser.parseLess())
    return {};
  FailureOr<CutAttr> cut = parseCut(parser);
  if (failed(cut) || parser.parseGreater())
    return {};
  return *cut;
}

void CutAttr::print(AsmPrinter &printer) const {
  printer << "<";
  printCut(printer, *this);
  printer << ">";
}

LogicalResult CutAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                              ArrayRef<StringAttr> axes, int64_t unit) {
  if (unit < 1)
    return emitError() << "the unit of a cut must be at least 1, got " << unit;
  llvm::SmallPtrSet<StringAttr, 4> seen;
  for (StringAttr axis : axes)
    if (!seen.insert(axis).second)
      return emitError() << "axis " << axis << " cuts the dim twice";
  return success();
}

Attribute ShardingAttr::parse(AsmParser &parser, Type) {
  FlatSymbolRefAttr mesh;
  SmallVector<CutAttr> dims;
  SmallVector<PartialAttr> partial;
  SMLoc loc = parser.getCurrentLocation();
  auto parseDim = [&]() -> ParseResult {
    FailureOr<CutAttr> cut = parseCut(parser);
    if (failed(cut))
      return failure();
    dims.push_back(*cut);
    return success();
  };
  auto parsePartial = [&]() -> ParseResult {
    std::string axis;
    StringRef keyword;
    SMLoc keywordLoc;
    if (parser.parseString(&axis) || parser.getCurrentLocation(&keywordLoc) ||
        parser.parseKeyword(&keyword))
      return failure();
    std::optional<Reduction> reduction = symbolizeReduction(keyword);
    if (!reduction)
      return parser.emitError(keywordLoc, "expected sum, max, min or prod, got ") << keyword;
    partial.push_back(PartialAttr::get(parser.getContext(),
                                       StringAttr::get(parser.getContext(), axis), *reduction));
    return success();
  };
  if (parser.parseLess() || parser.parseAttribute(mesh) || parser.parseComma() ||
      parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseDim))
    return {};
  if (succeeded(parser.parseOptionalComma()) &&
      (parser.parseKeyword("partial") ||
       parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parsePartial)))
    return {};
  if (parser.parseGreater())
    return {};
  auto emitError = [&] { return parser.emitError(loc); };
  return ShardingAttr::getChecked(function_ref<InFlightDiagnostic()>(emitError),
                                  parser.getContext(), mesh, ArrayRef<CutAttr>(dims),
                                  ArrayRef<PartialAttr>(partial));
}

void ShardingAttr::print(AsmPrinter &printer) const {
  printer << "<" << getMesh() << ", [";
  llvm::interleaveComma(getDims(), printer.getStream(),
                        [&](CutAttr cut) { printCut(printer, cut); });
  printer << "]";
  if (!getPartial().empty()) {
    printer << ", partial [";
    llvm::interleaveComma(getPartial(), printer.getStream(), [&](PartialAttr partial) {
      printer << partial.getAxis() << " " << stringifyReduction(partial.getReduction());
    });
    printer << "]";
  }
  printer << ">";
}

LogicalResult ShardingAttr::verify(function_ref<InFlightDiagnostic()> emitError, FlatSymbolRefAttr,
                                   ArrayRef<CutAttr> dims, ArrayRef<PartialAttr> partial) {
  llvm::SmallPtrSet<StringAttr, 4> seen;
  for (CutAttr cut : dims)
    for (StringAttr axis : cut.getAxes())
      if (!seen.insert(axis).second)
        return emitError() << "axis " << axis << " occurs twice in a sharding";
  for (PartialAttr entry : partial)
    if (!seen.insert(entry.getAxis()).second)
      return emitError() << "axis " << entry.getAxis() << " occurs twice in a sharding";
  return success();
}

bool ShardingAttr::isReplicated() const {
  return getPartial().empty() &&
         llvm::all_of(getDims(), [](CutAttr cut) { return cut.getAxes().empty(); });
}
