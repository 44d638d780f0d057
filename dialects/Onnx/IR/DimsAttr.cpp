//===- DimsAttr.cpp - symbolic dims of a tensor type ----------------------===//
#include "Onnx/IR/Onnx.h"
#include "dougong/Support/DimExpr.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

Attribute DimsAttr::parse(AsmParser &parser, Type) {
  SmallVector<StringAttr> exprs;
  auto parseDim = [&]() -> ParseResult {
    if (succeeded(parser.parseOptionalKeyword("_"))) {
      exprs.push_back(StringAttr());
      return success();
    }
    std::string text;
    if (parser.parseString(&text))
      return failure();
    exprs.push_back(StringAttr::get(parser.getContext(), text));
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::LessGreater, parseDim))
    return {};
  return DimsAttr::get(parser.getContext(), exprs);
}

void DimsAttr::print(AsmPrinter &printer) const {
  printer << "<";
  llvm::interleaveComma(getExprs(), printer.getStream(), [&](StringAttr expr) {
    if (expr)
      printer << expr;
    else
      printer << "_";
  });
  printer << ">";
}

LogicalResult DimsAttr::verifyEncoding(ArrayRef<int64_t> shape, Type,
                                       function_ref<InFlightDiagnostic()> emitError) const {
  if (shape.size() != getExprs().size())
    return emitError() << "#onnx.dims has " << getExprs().size() << " entries for a tensor of rank "
                       << shape.size();
  for (auto [index, extent, expr] : llvm::enumerate(shape, getExprs())) {
    if (ShapedType::isDynamic(extent) && !expr)
      return emitError() << "#onnx.dims has no expression for dynamic dim " << index;
    if (!ShapedType::isDynamic(extent) && expr)
      return emitError() << "#onnx.dims has expression " << expr << " for dim " << index
                         << " of static extent " << extent;
    if (!expr)
      continue;
    Result<DimExpr> parsed = DimExpr::parse(expr.str());
    if (!parsed)
      return emitError() << "#onnx.dims has " << expr << ": " << parsed.message();
    if (std::string canonical = parsed->print(); canonical != expr.getValue())
      return emitError() << "#onnx.dims has " << expr
                         << ", which is not the canonical form: expected \"" << canonical << "\"";
  }
  return success();
}
