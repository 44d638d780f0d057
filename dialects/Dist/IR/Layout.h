//===- Layout.h - extents of local parts ------------------------*- C++ -*-===//
#ifndef DOUGONG_DIALECTS_DIST_IR_LAYOUT_H
#define DOUGONG_DIALECTS_DIST_IR_LAYOUT_H

#include "Dist/IR/Dist.h"

#include "dougong/Support/DimExpr.h"

namespace dougong::dist {

/// The extents of a tensor type, static and symbolic. Fails, without a message,
/// if a dynamic extent has no expression or one that cannot be read.
llvm::FailureOr<llvm::SmallVector<DimExpr>> getExtents(mlir::RankedTensorType type);

/// A tensor type of these extents: static where they are constants, else with
/// an `#onnx.dims` encoding.
mlir::RankedTensorType getTensorType(llvm::ArrayRef<DimExpr> extents, mlir::Type elementType);

/// The extent that each of `count` ranks holds of a dim of `extent` elements
/// that is cut into blocks of `unit`: unit * ceil(ceil(extent / unit) / count).
DimExpr getLocalExtent(const DimExpr &extent, int64_t unit, int64_t count);

/// Whether the parts fill up the dim exactly, provably.
bool isEvenlyCut(const DimExpr &extent, int64_t unit, int64_t count);

/// The type of a rank's part of a value of type `global`. Fails, without a
/// message, if the sharding has another rank than the type, an axis is not one
/// of the mesh, or an extent is unknown.
llvm::FailureOr<mlir::RankedTensorType> getLocalType(mlir::RankedTensorType global,
                                                     ShardingAttr sharding, MeshOp mesh);

} // namespace dougong::dist

#endif // DOUGONG_DIALECTS_DIST_IR_LAYOUT_H
