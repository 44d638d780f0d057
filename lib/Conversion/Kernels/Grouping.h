//===- Grouping.h - which operators share a kernel --------------*- C++ -*-===//
#ifndef DOUGONG_LIB_CONVERSION_KERNELS_GROUPING_H
#define DOUGONG_LIB_CONVERSION_KERNELS_GROUPING_H

#include "mlir/IR/Block.h"
#include "mlir/IR/Operation.h"

namespace dougong {

/// Ops that become one kernel, in program order. The kernel takes the place of
/// the last one: no op outside the group that uses a result of the group comes
/// before it.
using KernelGroup = llvm::SmallVector<mlir::Operation *, 4>;

/// Whether the op computes each element of its result from the elements at the
/// same place (after broadcasting) of its operands.
bool isElementwise(mlir::Operation *op);

/// Whether both are ranked tensors of the same extents, dynamic ones by name.
bool haveSameShape(mlir::Type a, mlir::Type b);

/// Whether the op only gives another shape to the same bytes, so that its
/// result can share its operand's buffer.
bool isViewOp(mlir::Operation *op);

/// Whether the op is a small constant that every kernel that needs it makes by
/// itself.
bool isInlineConstant(mlir::Operation *op);

/// Whether the op belongs to the schedule: views, constants, weights,
/// communication, the terminator.
bool isScheduleOp(mlir::Operation *op);

/// Makes one DequantizeLinear of narrow integers for each op whose kernel can do it
/// while it reads them, so that no real copy of them is made.
void dequantizeForEachUse(mlir::Block &block);

/// Groups the computing ops of a block: each op joins the group of an operand's
/// producer if it is element-wise over that operand's shape and all other uses
/// of the group's values come later; otherwise it begins a group. What dequantises for
/// one op only goes with it.
llvm::SmallVector<KernelGroup> groupOperators(mlir::Block &block);

} // namespace dougong

#endif // DOUGONG_LIB_CONVERSION_KERNELS_GROUPING_H
