//===- FunctionShapes.cpp - shape inference of one function ---------------===//
#include "FunctionShapes.h"

#include "dougong/Onnx/DimOption.h"

#include "dougong/Onnx/DimRanges.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

namespace {

/// Visits of all ops until nothing new is learnt; more are never needed in
/// models that converge.
constexpr unsigned maxRounds = 8;

std::string getArgumentName(func::FuncOp function, unsigned index) {
  if (auto name = function.getArgAttrOfType<StringAttr>(index, "onnx.name"))
    return name.str();
  return "arg" + std::to_string(index);
}

} // namespace

LogicalResult FunctionShapes::readArguments() {
  for (BlockArgument argument : function.getArguments()) {
    Dims dims;
    std::string name = getArgumentName(function, argument.getArgNumber());
    if (auto type = dyn_cast<ShapedType>(argument.getType())) {
      if (!type.hasRank())
        return function.emitError() << "input '" << name << "' has an unknown rank";
      auto known = getTypeDims(type);
      for (int64_t axis = 0; axis < type.getRank(); ++axis) {
        if (known)
          dims.push_back((*known)[axis]);
        else if (!type.isDynamicDim(axis))
          dims.push_back(DimExpr(type.getDimSize(axis)));
        else // the file does not name it
          dims.push_back(DimExpr::symbol(name + "." + std::to_string(axis)));
        solver.addInputDim(dims.back());
      }
    }
    arguments.push_back(std::move(dims));
  }
  return success();
}

LogicalResult FunctionShapes::readAttributes() {
  FailureOr<SymbolRanges> ranges = getDimRanges(function);
  if (failed(ranges))
    return failure();
  for (const auto &[symbol, range] : *ranges)
    solver.setRange(symbol, range);
  auto checks = function->getAttrOfType<ArrayAttr>("onnx.checks");
  if (!checks)
    return success();
  for (Attribute attribute : checks) {
    auto check = dyn_cast<DictionaryAttr>(attribute);
    auto text = [&](StringRef key) {
      auto value = check ? check.getAs<StringAttr>(key) : StringAttr();
      return value ? value.str() : std::string();
    };
    auto lhs = DimExpr::parse(text("lhs")), rhs = DimExpr::parse(text("rhs"));
    if (!lhs || !rhs)
      return function.emitError() << "onnx.checks entry " << attribute
                                  << " has no valid lhs and rhs";
    if (check.contains("or")) {
      auto other = DimExpr::parse(text("or"));
      if (!other)
        return function.emitError() << "onnx.checks entry " << attribute << " has no valid or";
      solver.requireOneOf(*lhs, *rhs, *other, text("node"));
    } else if (text("op") == "<=") {
      solver.assumeLessOrEqual(*lhs, *rhs, text("node"));
    } else if (solver.equate(*lhs, *rhs, text("node")) == Equality::Undecided) {
      solver.requireEqual(*lhs, *rhs, text("node"));
    }
  }
  return success();
}

llvm::Expected<DimOption> onnx::parseDimOption(StringRef text) {
  auto [target, value] = text.split('=');
  auto [first, last] = value.trim().split("..");
  DimOption option{target.trim(), 0, 0, value.contains("..")};
  bool isNumber = !first.getAsInteger(10, option.low);
  option.high = option.low;
  bool isEnd = !option.isRange || !last.getAsInteger(10, option.high);
  if (!option.target.empty() && isNumber && isEnd && option.low >= 0 && option.high >= option.low)
    return option;
  return llvm::createStringError("'" + text +
                                 "' is not of the form name=value, name=min..max or "
                                 "input[axis]=value, with values from 0 on");
}

LogicalResult FunctionShapes::readOption(StringRef option) {
  llvm::Expected<DimOption> parsed = parseDimOption(option);
  if (!parsed)
    return function.emitError() << "dim " << llvm::toString(parsed.takeError());
  auto [target, low, high, isRange] = *parsed;

  std::optional<DimExpr> dim;
  auto [input, axisText] = target.split('[');
  int64_t axis;
  bool isAxis = axisText.consume_back("]") && !axisText.getAsInteger(10, axis);
  std::set<std::string> symbols;
  for (auto [index, dims] : llvm::enumerate(arguments)) {
    for (const DimExpr &each : dims)
      for (const std::string &symbol : each.symbols())
        symbols.insert(symbol);
    if (isAxis && getArgumentName(function, index) == input) {
      if (axis < 0 || axis >= int64_t(dims.size()))
        return function.emitError()
               << "dim '" << option << "': input '" << input << "' has rank " << dims.size();
      dim = dims[axis];
    }
  }
  if (!dim && symbols.count(target.str()))
    dim = DimExpr::symbol(target.str());
  if (!dim) {
    InFlightDiagnostic diagnostic = function.emitError();
    diagnostic << "dim '" << target << "' is not in the model; it has";
    if (symbols.empty())
      diagnostic << " no symbolic dims";
    for (const std::string &symbol : symbols)
      diagnostic << (symbol == *symbols.begin() ? " " : ", ") << symbol;
    return diagnostic;
  }
  if (isRange) {
    DimExpr symbol = solver.canonical(*dim);
    if (symbol.kind() != DimExpr::Kind::Symbol) {
      InFlightDiagnostic diagnostic = function.emitError();
      diagnostic << "dim '" << option << "' is " << symbol.print() << " in the model";
      for (const std::string &name : symbol.symbols())
        diagnostic << (name == *symbol.symbols().begin() ? ": give a range for " : " and for ")
                   << name;
      return diagnostic;
    }
    solver.setRange(symbol.name(), {low, high});
    if (DimRange known = solver.getRanges().at(symbol.name()); known.min > known.max)
      return function.emitError() << "dim '" << option << "' leaves no extent for "
                                  << symbol.print() << ": another range or the model excludes it";
    return success();
  }
  Equality equality = solver.equate(*dim, DimExpr(low), "--dim " + option.str());
  if (equality == Equality::Contradiction || equality == Equality::Undecided)
    return function.emitError() << "dim '" << option << "' contradicts the model, where it is "
                                << solver.canonical(*dim).print();
  return success();
}

LogicalResult FunctionShapes::setArguments() {
  for (auto [argument, dims] : llvm::zip(function.getArguments(), arguments))
    if (isa<ShapedType>(argument.getType()))
      scope.setDims(argument, dims);
    else if (auto element = getElementDims(argument.getType()))
      scope.setDims(argument, *element);
  return success();
}

LogicalResult FunctionShapes::infer(ArrayRef<std::string> dims) {
  if (failed(readArguments()) || failed(readAttributes()))
    return failure();
  for (const std::string &option : dims)
    if (failed(readOption(option)))
      return failure();
  // What one visit learns of symbols may decide what it left open earlier on.
  for (unsigned round = 0; round < maxRounds; ++round) {
    unsigned before = solver.getVersion();
    scope.resetOpen();
    if (failed(setArguments()) || failed(scope.inferBlock(function.getBody().front())))
      return failure();
    if (!scope.isOpen())
      return success();
    if (solver.getVersion() == before)
      break;
  }
  scope.setStrict(true);
  return failure(failed(setArguments()) || failed(scope.inferBlock(function.getBody().front())));
}

void FunctionShapes::apply() {
  std::set<std::string> symbols;
  auto update = [&](Value value) {
    if (!scope.isKnown(value) || !isa<ShapedType>(value.getType()))
      return;
    for (const DimExpr &dim : scope.getDims(value))
      if (!dim.constant())
        for (const std::string &symbol : dim.symbols())
          symbols.insert(symbol);
    Type type = scope.getInferredType(value);
    if (type != value.getType())
      value.setType(type);
  };
  function->walk([&](Operation *op) {
    for (Region &region : op->getRegions())
      for (Block &block : region)
        for (BlockArgument argument : block.getArguments())
          update(argument);
    for (Value result : op->getResults())
      update(result);
  });
  Operation *terminator = function.getBody().front().getTerminator();
  function.setType(FunctionType::get(function.getContext(),
                                     function.getBody().front().getArgumentTypes(),
                                     terminator->getOperandTypes()));
  writeAttributes(symbols);
}

void FunctionShapes::writeAttributes(const std::set<std::string> &symbols) {
  Builder builder(function.getContext());
  auto set = [&](StringRef name, Attribute value, bool isEmpty) {
    if (isEmpty)
      function->removeAttr(name);
    else
      function->setAttr(name, value);
  };
  SmallVector<Attribute> checks;
  for (const DimCheck &check : solver.getChecks()) {
    NamedAttrList entry;
    entry.set("lhs", builder.getStringAttr(check.lhs.print()));
    entry.set("op", builder.getStringAttr(check.kind == DimCheck::Kind::LessOrEqual ? "<=" : "=="));
    entry.set("rhs", builder.getStringAttr(check.rhs.print()));
    if (check.kind == DimCheck::Kind::OneOf)
      entry.set("or", builder.getStringAttr(check.other.print()));
    entry.set("node", builder.getStringAttr(check.node));
    checks.push_back(entry.getDictionary(builder.getContext()));
  }
  set("onnx.checks", builder.getArrayAttr(checks), checks.empty());
  SmallVector<StringRef> dependent;
  SmallVector<NamedAttribute> ranges;
  for (const std::string &symbol : symbols) {
    if (solver.getOrigin(symbol) == DimSolver::Origin::Fresh)
      dependent.push_back(symbol);
    auto it = solver.getRanges().find(symbol);
    if (it == solver.getRanges().end())
      continue;
    SmallVector<int64_t, 2> bounds = {it->second.min};
    if (it->second.max != unboundedDim)
      bounds.push_back(it->second.max);
    ranges.push_back(builder.getNamedAttr(symbol, builder.getDenseI64ArrayAttr(bounds)));
  }
  set("onnx.data_dependent", builder.getStrArrayAttr(dependent), dependent.empty());
  set(dimRangesAttrName, builder.getDictionaryAttr(ranges), ranges.empty());
}
