//===- FigureAttr.cpp - assembly and checks of figures ---------------------===//
#include "Fleet/IR/Fleet.h"

#include <charconv>
#include <cmath>

using namespace mlir;
using namespace dougong::fleet;

/// A number above zero, as a float or an integer literal.
static FailureOr<FloatAttr> parseNumber(AsmParser &parser) {
  double value = 0;
  int64_t integer = 0;
  OptionalParseResult whole = parser.parseOptionalInteger(integer);
  if (whole.has_value()) {
    if (failed(*whole))
      return failure();
    value = static_cast<double>(integer);
  } else if (failed(parser.parseFloat(value))) {
    return failure();
  }
  return parser.getBuilder().getF64FloatAttr(value);
}

/// The shortest literal that reads back exactly. (The printer's own form of an
/// f64 is hexadecimal where six digits do not do.)
static void printNumber(AsmPrinter &printer, FloatAttr value) {
  double number = value.getValueAsDouble();
  if (number == std::floor(number) && number < 1e9) {
    printer << static_cast<int64_t>(number);
    return;
  }
  char buffer[64];
  auto result =
      std::to_chars(buffer, buffer + sizeof buffer, number, std::chars_format::scientific);
  StringRef text(buffer, result.ptr - buffer);
  auto [mantissa, exponent] = text.split('e');
  // A literal needs a point.
  printer << mantissa << (mantissa.contains('.') ? "" : ".0") << 'e' << exponent;
}

static std::optional<FigureKind> parseOptionalKind(AsmParser &parser) {
  for (FigureKind kind :
       {FigureKind::Measured, FigureKind::Published, FigureKind::Derived, FigureKind::Recalled})
    if (succeeded(parser.parseOptionalKeyword(stringifyFigureKind(kind))))
      return kind;
  return std::nullopt;
}

/// An optional string, "" if there is none.
static StringAttr parseOptionalText(AsmParser &parser) {
  std::string text;
  (void)parser.parseOptionalString(&text);
  return parser.getBuilder().getStringAttr(text);
}

static void printOptionalText(AsmPrinter &printer, StringRef keyword, StringAttr text) {
  if (!text || text.empty())
    return;
  printer << ' ';
  if (!keyword.empty())
    printer << keyword << ' ';
  printer << text;
}

static LogicalResult verifyNumber(function_ref<InFlightDiagnostic()> emitError, FloatAttr value) {
  if (!value || !value.getType().isF64())
    return emitError() << "value of a figure must be an f64";
  double number = value.getValueAsDouble();
  if (!std::isfinite(number) || number <= 0)
    return emitError() << "value of a figure must be finite and above zero, got " << value
                       << "; leave out what is not known";
  return success();
}

//===----------------------------------------------------------------------===//
// OtherValueAttr: `<` number kind? string? `>`
//===----------------------------------------------------------------------===//

Attribute OtherValueAttr::parse(AsmParser &parser, Type) {
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess())
    return {};
  FailureOr<FloatAttr> value = parseNumber(parser);
  if (failed(value))
    return {};
  std::optional<FigureKind> kind = parseOptionalKind(parser);
  StringAttr source = parseOptionalText(parser);
  if (parser.parseGreater())
    return {};
  auto emitAt = [&] { return parser.emitError(loc); };
  function_ref<InFlightDiagnostic()> emitError = emitAt;
  return OtherValueAttr::getChecked(emitError, parser.getContext(), *value, kind, source);
}

void OtherValueAttr::print(AsmPrinter &printer) const {
  printer << '<';
  printNumber(printer, getValue());
  if (getKind())
    printer << ' ' << stringifyFigureKind(*getKind());
  printOptionalText(printer, "", getSource());
  printer << '>';
}

LogicalResult OtherValueAttr::verify(function_ref<InFlightDiagnostic()> emitError, FloatAttr value,
                                     std::optional<FigureKind>, StringAttr) {
  return verifyNumber(emitError, value);
}

//===----------------------------------------------------------------------===//
// FigureAttr: `<` number unit kind source? (`date` string)? (`note` string)?
//             (`others` list)? `>`
//===----------------------------------------------------------------------===//

Attribute FigureAttr::parse(AsmParser &parser, Type) {
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess())
    return {};
  FailureOr<FloatAttr> value = parseNumber(parser);
  std::string unit;
  if (failed(value) || parser.parseString(&unit))
    return {};
  SMLoc kindLoc = parser.getCurrentLocation();
  std::optional<FigureKind> kind = parseOptionalKind(parser);
  if (!kind) {
    parser.emitError(kindLoc, "expected measured, published, derived or recalled");
    return {};
  }
  StringAttr source = parseOptionalText(parser);
  StringAttr empty = parser.getBuilder().getStringAttr("");
  StringAttr date = empty, note = empty;
  if (succeeded(parser.parseOptionalKeyword("date")))
    date = parseOptionalText(parser);
  if (succeeded(parser.parseOptionalKeyword("note")))
    note = parseOptionalText(parser);
  SmallVector<OtherValueAttr> others;
  if (succeeded(parser.parseOptionalKeyword("others"))) {
    auto parseOther = [&]() -> ParseResult {
      Attribute other = OtherValueAttr::parse(parser, {});
      if (!other)
        return failure();
      others.push_back(cast<OtherValueAttr>(other));
      return success();
    };
    if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseOther))
      return {};
  }
  if (parser.parseGreater())
    return {};
  auto emitAt = [&] { return parser.emitError(loc); };
  function_ref<InFlightDiagnostic()> emitError = emitAt;
  return FigureAttr::getChecked(emitError, parser.getContext(), *value,
                                parser.getBuilder().getStringAttr(unit), *kind, source, date, note,
                                ArrayRef<OtherValueAttr>(others));
}

void FigureAttr::print(AsmPrinter &printer) const {
  printer << '<';
  printNumber(printer, getValue());
  printer << ' ' << getUnit() << ' ' << stringifyFigureKind(getKind());
  printOptionalText(printer, "", getSource());
  printOptionalText(printer, "date", getDate());
  printOptionalText(printer, "note", getNote());
  if (!getOthers().empty()) {
    printer << " others [";
    llvm::interleaveComma(getOthers(), printer,
                          [&](OtherValueAttr other) { other.print(printer); });
    printer << ']';
  }
  printer << '>';
}

LogicalResult FigureAttr::verify(function_ref<InFlightDiagnostic()> emitError, FloatAttr value,
                                 StringAttr unit, FigureKind, StringAttr, StringAttr, StringAttr,
                                 ArrayRef<OtherValueAttr>) {
  static constexpr StringRef kUnits[] = {"", "B", "B/s", "s", "OP/s", "Hz", "W"};
  if (!unit || !llvm::is_contained(kUnits, unit.getValue()))
    return emitError() << "unit of a figure must be one of \"\", B, B/s, s, OP/s, Hz, W, got "
                       << unit;
  return verifyNumber(emitError, value);
}
