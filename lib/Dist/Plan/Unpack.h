//===- Unpack.h - packed tensors of attention, apart ------------*- C++ -*-===//
#ifndef DOUGONG_LIB_DIST_PLAN_UNPACK_H
#define DOUGONG_LIB_DIST_PLAN_UNPACK_H

#include "dougong/Dist/Propagation.h"

namespace dougong::dist {

/// Gives attention operators that take query, key and value (or their biases)
/// packed in one tensor an operand for each, so that they can be cut by heads.
void unpackAttention(mlir::ModuleOp module, mlir::func::FuncOp main);

/// Cuts, along axis "tp", the heads of attention whose query, key and value are
/// taken apart at run time: no cut of the product before can reach them.
void cutUnpackedHeads(mlir::func::FuncOp main, llvm::ArrayRef<MeshOp> meshes,
                      Propagation &propagation);

} // namespace dougong::dist

#endif // DOUGONG_LIB_DIST_PLAN_UNPACK_H
