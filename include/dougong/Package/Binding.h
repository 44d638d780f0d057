//===- Binding.h - which extents tell a symbol ------------------*- C++ -*-===//
#ifndef DOUGONG_PACKAGE_BINDING_H
#define DOUGONG_PACKAGE_BINDING_H

#include "dougong/Support/DimExpr.h"

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace dougong {

/// The symbol of `dim` that is not in `known`, if there is exactly one and `dim` is
/// linear in it, by its form: an extent then tells the symbol. Rounding, `mod`, `min`
/// and `max` of it are not linear.
std::optional<std::string> findSolvable(const DimExpr &dim, const std::set<std::string> &known);

/// A dim of an input that has a symbol which no extents of inputs tell.
struct UnboundDim {
  std::size_t input, dim;
  std::string symbol;
};

/// The first such dim of inputs with dims `inputs`. A symbol is told by a dim that
/// is the symbol, or by one that is linear in it when all others there are told.
std::optional<UnboundDim> findUnboundDim(const std::vector<std::vector<DimExpr>> &inputs);

} // namespace dougong

#endif // DOUGONG_PACKAGE_BINDING_H
