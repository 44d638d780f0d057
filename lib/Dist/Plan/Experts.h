//===- Experts.h - experts apart from their router --------------*- C++ -*-===//
#ifndef DOUGONG_LIB_DIST_PLAN_EXPERTS_H
#define DOUGONG_LIB_DIST_PLAN_EXPERTS_H

#include "dougong/Dist/Propagation.h"

namespace dougong::dist {

/// Writes every mixture of experts as shares, which come from the router, and one
/// onnx.part.Experts: MoE, QMoE, and experts that are written out one by one under the
/// indices of a TopK. With `dispatch` their rows are cut along the axis of the experts
/// too. Emits an error at a mixture of another form, and if there is none.
llvm::LogicalResult separateExperts(mlir::ModuleOp module, mlir::func::FuncOp main, bool dispatch);

/// Cuts the experts along `axis` of the meshes that have it, and writes the cuts to the ops as
/// directives (`dist.in`). Emits an error if an axis has more ranks than a mixture has experts.
llvm::LogicalResult cutExperts(mlir::func::FuncOp main, llvm::ArrayRef<MeshOp> meshes,
                               llvm::StringRef axis, Propagation &propagation);

} // namespace dougong::dist

#endif // DOUGONG_LIB_DIST_PLAN_EXPERTS_H
