//===- Shapes.h - symbols' values from the inputs' shapes -------*- C++ -*-===//
#ifndef DOUGONG_LIB_RUNTIME_SHAPES_H
#define DOUGONG_LIB_RUNTIME_SHAPES_H

#include "dougong/Package/Plan.h"
#include "dougong/Support/DimExpr.h"

#include <cstdint>
#include <span>
#include <vector>

namespace dougong {

/// The dims of a value, parsed.
using DimExprs = std::vector<DimExpr>;
Result<DimExprs> parseDims(const plan::v1::Value &value);

/// Their values; the error names the value and the dim.
Result<std::vector<std::int64_t>> evaluateDims(const plan::v1::Value &value, const DimExprs &dims,
                                               const SymbolValues &symbols);

/// What a step is given for one model input.
struct GivenInput {
  std::int32_t dtype;
  std::vector<std::int64_t> dims;
};

/// Solves the symbols from the inputs' extents. A dim that is a plain symbol sets
/// it; an expression with one unknown that is linear in it is solved for it; all
/// dims are then checked, as are the symbols' ranges. The error names the input,
/// the dim, what was expected and what was got. Conditions are not checked.
Result<SymbolValues> solveSymbols(const plan::v1::Model &model,
                                  const std::vector<DimExprs> &inputDims,
                                  std::span<const GivenInput> given);

/// What the operators demand of the symbols. The error names the node and the values.
Result<void> checkConditions(const plan::v1::Model &model, const SymbolValues &symbols);

} // namespace dougong

#endif // DOUGONG_LIB_RUNTIME_SHAPES_H
