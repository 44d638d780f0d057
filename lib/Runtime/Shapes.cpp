//===- Shapes.cpp - symbols' values from the inputs' shapes ---------------===//
#include "Shapes.h"

#include "dougong/Package/Binding.h"
#include "dougong/Runtime/ElementType.h"

#include <algorithm>
#include <optional>
#include <set>

using namespace dougong;

Result<DimExprs> dougong::parseDims(const plan::v1::Value &value) {
  DimExprs dims;
  for (const std::string &text : value.dims()) {
    Result<DimExpr> dim = DimExpr::parse(text);
    if (!dim)
      return Error{"value '" + value.name() + "': " + dim.message()};
    dims.push_back(std::move(*dim));
  }
  return dims;
}

Result<std::vector<std::int64_t>> dougong::evaluateDims(const plan::v1::Value &value,
                                                        const DimExprs &dims,
                                                        const SymbolValues &symbols) {
  std::vector<std::int64_t> extents;
  for (std::size_t d = 0; d < dims.size(); ++d) {
    Result<std::int64_t> extent = dims[d].evaluate(symbols);
    if (!extent)
      return Error{"value '" + value.name() + "', dim " + std::to_string(d) + ": " +
                   extent.message()};
    if (*extent < 0)
      return Error{"value '" + value.name() + "', dim " + std::to_string(d) + ": " +
                   dims[d].print() + " is " + std::to_string(*extent)};
    extents.push_back(*extent);
  }
  return extents;
}

/// The value of `symbol`, the only unknown of `dim` and linear in it, for which it
/// is `wanted`; none if no integer is.
static std::optional<std::int64_t> solveFor(const std::string &symbol, const DimExpr &dim,
                                            std::int64_t wanted, const SymbolValues &symbols) {
  auto at = [&](std::int64_t x) {
    SymbolValues trial = symbols;
    trial[symbol] = x;
    return dim.evaluate(trial);
  };
  Result<std::int64_t> zero = at(0), one = at(1);
  std::int64_t slope, rise;
  if (!zero || !one || __builtin_sub_overflow(*one, *zero, &slope) || slope == 0 ||
      __builtin_sub_overflow(wanted, *zero, &rise) || rise % slope != 0)
    return std::nullopt;
  Result<std::int64_t> check = at(rise / slope);
  return check && *check == wanted ? std::optional(rise / slope) : std::nullopt;
}

static Result<void> checkInput(const plan::v1::Value &value, const GivenInput &given) {
  if (given.dtype != value.dtype())
    return Error{"input '" + value.name() + "': expected " + elementTypeName(value.dtype()) +
                 ", got " + elementTypeName(given.dtype)};
  if (given.dims.size() != static_cast<std::size_t>(value.dims_size()))
    return Error{"input '" + value.name() + "': expected " + std::to_string(value.dims_size()) +
                 " dims, got " + printDims(given.dims)};
  return {};
}

/// "input 'cache', dim 2 (past)": the first dim that is the symbol; where it is only
/// a part of dims "past in input 'cache', dim 2 (past + seq)".
static std::string describeSymbol(const plan::v1::Model &model,
                                  const std::vector<DimExprs> &inputDims,
                                  const std::string &symbol) {
  std::string part;
  for (int i = 0; i < model.inputs_size(); ++i)
    for (std::size_t d = 0; d < inputDims[i].size(); ++d) {
      const DimExpr &dim = inputDims[i][d];
      std::string where = "input '" + model.inputs(i).name() + "', dim " + std::to_string(d) +
                          " (" + dim.print() + ")";
      if (dim == DimExpr::symbol(symbol))
        return where;
      if (part.empty() && dim.symbols().contains(symbol))
        part = symbol + " in " + where;
    }
  return part.empty() ? "dim " + symbol : part;
}

/// "b = 4, mb = 3": the values of the symbols of `exprs`.
static std::string printValues(std::span<const DimExpr> exprs, const SymbolValues &symbols) {
  std::set<std::string> names;
  for (const DimExpr &expr : exprs)
    names.merge(expr.symbols());
  std::string text;
  for (const std::string &name : names)
    text += (text.empty() ? "" : ", ") + name + " = " + std::to_string(symbols.at(name));
  return text;
}

static Result<void> checkCondition(const plan::v1::Condition &condition,
                                   const SymbolValues &symbols) {
  std::string where = "node '" + condition.node() + "': ";
  std::vector<std::string> texts = {condition.left(), condition.right()};
  if (!condition.other().empty())
    texts.push_back(condition.other());
  DimExprs exprs;
  std::vector<std::int64_t> values;
  for (const std::string &text : texts) {
    Result<DimExpr> expr = DimExpr::parse(text);
    if (!expr)
      return Error{where + expr.message()};
    Result<std::int64_t> value = expr->evaluate(symbols);
    if (!value)
      return Error{where + value.message()};
    exprs.push_back(std::move(*expr));
    values.push_back(*value);
  }
  bool holds = condition.at_most()
                   ? values[0] <= values[1]
                   : std::find(values.begin() + 1, values.end(), values[0]) != values.end();
  if (holds)
    return {};
  std::string extents = ", for the inputs' extents " + printValues(exprs, symbols);
  if (values.size() == 2)
    return Error{where + "expected " + exprs[0].print() + (condition.at_most() ? " <= " : " = ") +
                 exprs[1].print() + ", got " + std::to_string(values[0]) + " and " +
                 std::to_string(values[1]) + extents};
  // "expected mb to be 1 or b = 4, got 3"
  auto describe = [&](std::size_t i) {
    return (exprs[i].constant() ? "" : exprs[i].print() + " = ") + std::to_string(values[i]);
  };
  return Error{where + "expected " + exprs[0].print() + " to be " + describe(1) + " or " +
               describe(2) + ", got " + std::to_string(values[0]) + extents};
}

Result<void> dougong::checkConditions(const plan::v1::Model &model, const SymbolValues &symbols) {
  for (const plan::v1::Condition &condition : model.conditions())
    if (Result<void> held = checkCondition(condition, symbols); !held)
      return held;
  return {};
}

Result<SymbolValues> dougong::solveSymbols(const plan::v1::Model &model,
                                           const std::vector<DimExprs> &inputDims,
                                           std::span<const GivenInput> given) {
  SymbolValues symbols;
  std::set<std::string> known;
  for (int i = 0; i < model.inputs_size(); ++i) {
    if (Result<void> valid = checkInput(model.inputs(i), given[i]); !valid)
      return valid.takeError();
    for (std::size_t d = 0; d < inputDims[i].size(); ++d)
      if (inputDims[i][d].kind() == DimExpr::Kind::Symbol)
        symbols.emplace(inputDims[i][d].name(), given[i].dims[d]);
  }
  for (const auto &[name, value] : symbols)
    known.insert(name);
  for (bool progress = true; progress;) {
    progress = false;
    for (int i = 0; i < model.inputs_size(); ++i)
      for (std::size_t d = 0; d < inputDims[i].size(); ++d)
        if (std::optional<std::string> symbol = findSolvable(inputDims[i][d], known))
          if (auto value = solveFor(*symbol, inputDims[i][d], given[i].dims[d], symbols)) {
            symbols.emplace(*symbol, *value);
            progress |= known.insert(*symbol).second;
          }
  }

  for (int i = 0; i < model.inputs_size(); ++i) {
    const plan::v1::Value &value = model.inputs(i);
    for (std::size_t d = 0; d < inputDims[i].size(); ++d) {
      std::string where = "input '" + value.name() + "', dim " + std::to_string(d);
      const DimExpr &dim = inputDims[i][d];
      Result<std::int64_t> expected = dim.evaluate(symbols);
      if (std::optional<std::string> symbol = findSolvable(dim, known))
        return Error{where + ": expected " + dim.print() + " for an integer " + *symbol + ", got " +
                     std::to_string(given[i].dims[d])};
      if (!expected)
        return Error{where + ": " + expected.message()};
      if (*expected == given[i].dims[d])
        continue;
      std::string meaning = dim.constant() ? "" : " (" + dim.print() + ")";
      return Error{where + ": expected " + std::to_string(*expected) + meaning + ", got " +
                   std::to_string(given[i].dims[d])};
    }
  }
  for (const plan::v1::Symbol &symbol : model.symbols()) {
    auto value = symbols.find(symbol.name());
    if (value == symbols.end())
      continue;
    if (value->second < symbol.min() || // no extent is negative
        (symbol.has_max() && value->second > symbol.max()))
      return Error{describeSymbol(model, inputDims, symbol.name()) + ": expected " +
                   std::to_string(symbol.min()) +
                   (symbol.has_max() ? " to " + std::to_string(symbol.max()) : " or more") +
                   ", got " + std::to_string(value->second)};
  }
  return symbols;
}
