//===- FuseKernels.cpp - element-wise fusion on tensors -------------------===//
#include "Internal.h"

#include "dougong/Target/Cpu/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;
using namespace dougong::cpu;

namespace dougong::cpu {
#define GEN_PASS_DEF_CPUFUSEKERNELSPASS
#include "dougong/Target/Cpu/Passes.h.inc"
} // namespace dougong::cpu

namespace {

/// Whether fusing the producer of `operand` into its reader computes nothing
/// twice that costs: the producer has no other reader, and the reader reads
/// each of its elements once; or it reads a value again along the innermost
/// dim only (one scalar for a row, hoisted), or the producer is plain arithmetic.
bool isFusionFree(OpOperand *operand) {
  auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
  auto consumer = dyn_cast<linalg::GenericOp>(operand->getOwner());
  if (!producer || !consumer || !producer->hasOneUse() || consumer.getNumDpsInits() != 1)
    return false;
  AffineMap map = consumer.getMatchingIndexingMap(operand);
  if (map.isPermutation())
    return true;
  if (consumer.getNumReductionLoops() != 0 || consumer.getNumLoops() == 0 ||
      !map.isProjectedPermutation(/*allowZeroInResults=*/true))
    return false;
  bool isRowValue = !map.isFunctionOfDim(consumer.getNumLoops() - 1);
  return isRowValue || llvm::none_of(producer.getBody()->without_terminator(), [](Operation &op) {
           return isa<math::MathDialect>(op.getDialect()) || isa<arith::DivFOp>(op);
         });
}

/// Named element-wise ops and reductions as generics, so that they fuse.
struct GeneralizeNamed : public OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;
  LogicalResult matchAndRewrite(linalg::LinalgOp op, PatternRewriter &rewriter) const override {
    if (isa<linalg::GenericOp, linalg::FillOp, linalg::CopyOp>(op.getOperation()))
      return rewriter.notifyMatchFailure(op, "stays as it is");
    return linalg::generalizeNamedOp(rewriter, op);
  }
};

/// Writes softmax and its kin as generics.
struct DecomposeAggregate : public OpInterfaceRewritePattern<linalg::AggregatedOpInterface> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;
  LogicalResult matchAndRewrite(linalg::AggregatedOpInterface op,
                                PatternRewriter &rewriter) const override {
    FailureOr<SmallVector<Value>> parts = op.decomposeOperation(rewriter);
    if (failed(parts))
      return rewriter.notifyMatchFailure(op, "cannot be decomposed");
    rewriter.replaceOp(op, *parts);
    return success();
  }
};

struct CpuFuseKernelsPass : public dougong::cpu::impl::CpuFuseKernelsPassBase<CpuFuseKernelsPass> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (!isKernel(function))
      return;
    MLIRContext *context = &getContext();
    {
      RewritePatternSet patterns(context);
      patterns.add<DecomposeAggregate, GeneralizeNamed>(context);
      tensor::populateDecomposeTensorConcatPatterns(patterns);
      (void)applyPatternsGreedily(function, std::move(patterns));
    }
    RewritePatternSet patterns(context);
    linalg::populateElementwiseOpsFusionPatterns(patterns, isFusionFree);
    // Not erasing dead results of generics here loses nothing: kernels are
    // formed from live operators.
    linalg::GenericOp::getCanonicalizationPatterns(patterns, context);
    tensor::EmptyOp::getCanonicalizationPatterns(patterns, context);
    GreedyRewriteConfig config;
    // Bounds the work: a pattern set that never ends must not take the machine.
    config.setMaxNumRewrites(100000);
    (void)applyPatternsGreedily(function, std::move(patterns), config);
  }
};

} // namespace
