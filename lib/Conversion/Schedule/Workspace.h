//===- Workspace.h - what kernels need beside their arguments ---*- C++ -*-===//
#ifndef DOUGONG_LIB_CONVERSION_SCHEDULE_WORKSPACE_H
#define DOUGONG_LIB_CONVERSION_SCHEDULE_WORKSPACE_H

#include "dougong/Support/DimExpr.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace dougong {

/// An argument of a `<kernel>_workspace` function: the extents of a memref, or
/// the one value of an index.
using WorkspaceArgument = llvm::SmallVector<DimExpr>;

/// The bytes that a `<kernel>_workspace` function returns, as an expression.
/// Nothing if it computes them by an op that expressions do not have.
std::optional<DimExpr> getWorkspaceExpr(mlir::func::FuncOp size,
                                        llvm::ArrayRef<WorkspaceArgument> arguments);

} // namespace dougong

#endif // DOUGONG_LIB_CONVERSION_SCHEDULE_WORKSPACE_H
