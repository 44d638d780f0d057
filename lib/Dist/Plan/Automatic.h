//===- Automatic.h - cuts that nobody asked for in detail -------*- C++ -*-===//
#ifndef DOUGONG_LIB_DIST_PLAN_AUTOMATIC_H
#define DOUGONG_LIB_DIST_PLAN_AUTOMATIC_H

#include "dougong/Dist/Propagation.h"

namespace dougong::dist {

/// Gives ops their stages: `count` runs of about equal weight, at places where
/// few values cross.
void splitIntoStages(mlir::func::FuncOp main, int64_t count);

/// Cuts the batch along axis "dp": dim 0 of the inputs that share its extent.
void cutBatch(mlir::func::FuncOp main, llvm::ArrayRef<MeshOp> meshes, Propagation &propagation);

/// Proves that parts of the batch can go through the model one behind the other: no op
/// reads or adds up rows of several, and each input and output has the batch as a dim or
/// does not depend on it. Emits an error at the op that does. Notes the batch and its
/// parts on the module (`dist.micro_batches`).
llvm::LogicalResult cutIntoMicroBatches(mlir::ModuleOp module, mlir::func::FuncOp main,
                                        int64_t count);

/// Cuts the tokens along axis "cp": dim 1 of the inputs that share its extent.
/// Emits an error if the model has no such inputs.
llvm::LogicalResult cutContext(mlir::func::FuncOp main, llvm::ArrayRef<MeshOp> meshes,
                               Propagation &propagation);

/// Writes `is_causal` of Attention as a mask, so that its queries can be cut.
void writeCausality(mlir::func::FuncOp main);

/// Cuts dim `dim` of values that enter a later stage along `axis`, where that
/// of the inputs was cut: nothing spreads between stages.
void cutCrossing(mlir::func::FuncOp main, llvm::ArrayRef<MeshOp> meshes, llvm::StringRef axis,
                 unsigned dim, Propagation &propagation);

/// Cuts norms and residuals along the sequence, over the axis that cuts weights.
/// Comes after cutWeights. Emits an error if there is none to cut.
llvm::LogicalResult cutSequence(mlir::func::FuncOp main, llvm::ArrayRef<MeshOp> meshes,
                                llvm::StringRef axis, Propagation &propagation);

/// Writes the cuts of an operand to its op as a directive (`dist.in`).
void writeDirective(mlir::Operation *op, unsigned operand, Propagation &propagation);

/// Cuts weights along axis "tp" of the meshes that have it, and writes the cuts
/// to the ops as directives (`dist.in`). Emits an error if a stage asks for more
/// ranks than any of its products can be cut into.
llvm::LogicalResult cutWeights(mlir::func::FuncOp main, llvm::ArrayRef<MeshOp> meshes,
                               Propagation &propagation);

/// A product with a weight: its features, as factors of its rule.
struct WeightProduct {
  unsigned weight;             ///< operand number
  std::optional<unsigned> in;  ///< summed over
  std::optional<unsigned> out; ///< features of the result
};

/// The op as a product with a weight matrix, if it is one.
std::optional<WeightProduct> getWeightProduct(mlir::Operation *op, const onnx::ShardingRule &rule);

/// An extent as text ("128", "batch"), or "" if there is no such dim.
std::string getExtentText(mlir::Value value, unsigned dim);

/// Bytes of a static tensor type, rounded up; 0 for others.
int64_t getBytes(mlir::Type type);

} // namespace dougong::dist

#endif // DOUGONG_LIB_DIST_PLAN_AUTOMATIC_H
