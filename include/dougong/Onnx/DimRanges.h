//===- DimRanges.h - ranges of symbols, as an attribute ---------*- C++ -*-===//
#ifndef DOUGONG_ONNX_DIMRANGES_H
#define DOUGONG_ONNX_DIMRANGES_H

#include "dougong/Support/DimExpr.h"

#include "mlir/IR/Operation.h"

#include <limits>

namespace dougong::onnx {

/// Of a function, or of the module that is left of it: a dictionary of symbol to
/// `[min, max]`, or `[min]` where there is no upper bound.
inline constexpr llvm::StringLiteral dimRangesAttrName = "onnx.dim_ranges";

/// The `max` of a symbol without an upper bound.
inline constexpr int64_t unboundedDim = std::numeric_limits<int64_t>::max();

/// Reads the attribute; none are no ranges. Emits an error if it is malformed.
llvm::FailureOr<SymbolRanges> getDimRanges(mlir::Operation *op);

} // namespace dougong::onnx

#endif // DOUGONG_ONNX_DIMRANGES_H
