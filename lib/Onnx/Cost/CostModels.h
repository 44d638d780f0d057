//===- CostModels.h - arithmetic of the operators ---------------*- C++ -*-===//
#ifndef DOUGONG_LIB_ONNX_COST_COSTMODELS_H
#define DOUGONG_LIB_ONNX_COST_COSTMODELS_H

#include "Onnx/IR/Onnx.h"

#include "dougong/Support/DimExpr.h"

#include <optional>

namespace dougong::onnx {

/// The extents of a tensor value as expressions; nothing if one is not known.
std::optional<llvm::SmallVector<DimExpr>> getCostExtents(mlir::Value value);
/// Number of elements; 0 for what is no tensor or not known.
DimExpr getElements(mlir::Value value);
/// Bytes of all operands and results, each counted once.
DimExpr getTraffic(mlir::Operation *op);

/// Flops of matrix products, convolutions, attention and experts; nothing for
/// other operators. Per operator: a multiply-add counts 2.
std::optional<DimExpr> getProductFlops(mlir::Operation *op);

} // namespace dougong::onnx

#endif // DOUGONG_LIB_ONNX_COST_COSTMODELS_H
