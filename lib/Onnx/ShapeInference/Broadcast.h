//===- Broadcast.h - one-way broadcasting of shapes -------------*- C++ -*-===//
#ifndef DOUGONG_LIB_ONNX_SHAPEINFERENCE_BROADCAST_H
#define DOUGONG_LIB_ONNX_SHAPEINFERENCE_BROADCAST_H

#include "dougong/Onnx/ShapeScope.h"

namespace dougong::onnx {

/// Whether `dims` broadcasts to the trailing dims of `target`, whose extents stand
/// whatever `dims` is: each is 1 or that of `target`. Which of the two an extent is
/// that the user chooses is left open, and checked at entry. An error names `what`.
llvm::LogicalResult broadcastTo(mlir::Operation *op, ShapeScope &scope,
                                llvm::ArrayRef<DimExpr> dims, llvm::ArrayRef<DimExpr> target,
                                const llvm::Twine &what);

/// Checks operand `index` of `op`, a scale or zero point (if given) of data with extents
/// `data`: one number, a vector along dim `dim`, or of higher rank and broadcast to them.
llvm::LogicalResult checkParameter(mlir::Operation *op, ShapeScope &scope, unsigned index,
                                   llvm::ArrayRef<DimExpr> data, std::optional<unsigned> dim);

/// Operand `index`, called `name` in messages, has the extents `expected`: checked at entry
/// where that is not known.
llvm::LogicalResult unifyDims(mlir::Operation *op, ShapeScope &scope, unsigned index,
                              llvm::ArrayRef<DimExpr> expected, llvm::StringRef name);

} // namespace dougong::onnx

#endif // DOUGONG_LIB_ONNX_SHAPEINFERENCE_BROADCAST_H
