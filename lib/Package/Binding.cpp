//===- Binding.cpp - which extents tell a symbol --------------------------===//
#include "dougong/Package/Binding.h"

#include <algorithm>

using namespace dougong;

static bool isLinearIn(const DimExpr &dim, const std::string &symbol) {
  auto has = [&](const DimExpr &part) { return part.symbols().contains(symbol); };
  if (!has(dim))
    return true;
  const std::vector<DimExpr> &operands = dim.operands();
  switch (dim.kind()) {
  case DimExpr::Kind::Symbol:
    return true;
  case DimExpr::Kind::Mul:
    if (std::count_if(operands.begin(), operands.end(), has) != 1)
      return false;
    [[fallthrough]];
  case DimExpr::Kind::Add:
    return std::all_of(operands.begin(), operands.end(),
                       [&](const DimExpr &part) { return isLinearIn(part, symbol); });
  default:
    return false;
  }
}

std::optional<std::string> dougong::findSolvable(const DimExpr &dim,
                                                 const std::set<std::string> &known) {
  std::optional<std::string> unknown;
  for (const std::string &name : dim.symbols()) {
    if (known.contains(name))
      continue;
    if (unknown)
      return std::nullopt;
    unknown = name;
  }
  return unknown && isLinearIn(dim, *unknown) ? unknown : std::nullopt;
}

std::optional<UnboundDim> dougong::findUnboundDim(const std::vector<std::vector<DimExpr>> &inputs) {
  std::set<std::string> known;
  for (bool progress = true; progress;) {
    progress = false;
    for (const std::vector<DimExpr> &dims : inputs)
      for (const DimExpr &dim : dims)
        if (std::optional<std::string> symbol = findSolvable(dim, known))
          progress |= known.insert(*symbol).second;
  }
  for (std::size_t i = 0; i < inputs.size(); ++i)
    for (std::size_t d = 0; d < inputs[i].size(); ++d)
      for (const std::string &symbol : inputs[i][d].symbols())
        if (!known.contains(symbol))
          return UnboundDim{i, d, symbol};
  return std::nullopt;
}
