//===- MergeCollectives.cpp - fewer and smaller collectives ---------------===//
#include "dougong/Dist/Passes.h"

#include "Dist/IR/Layout.h"
#include "Onnx/IR/Onnx.h"
#include "dougong/Dist/Propagation.h"
#include "dougong/Onnx/DimRanges.h"

#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace dougong::dist {
#define GEN_PASS_DEF_MERGECOLLECTIVESPASS
#include "dougong/Dist/Passes.h.inc"
} // namespace dougong::dist

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;

namespace {

bool isCollective(Operation *op) {
  return isa<AllReduceOp, AllGatherOp, ReduceScatterOp, AllToAllOp, PermuteOp, SliceOp>(op);
}

/// A new op belongs to the stage of the one that it replaces.
template <typename OpTy> OpTy inStageOf(Operation *op, OpTy made) {
  if (Attribute stage = op->getAttr(stageAttrName))
    made->setAttr(stageAttrName, stage);
  return made;
}

/// reduce_scatter, then all_gather along the same dim and axes: all_reduce. It sends
/// as much, or less where the parts are padded, in one call.
struct JoinScatterAndGather : OpRewritePattern<AllGatherOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AllGatherOp gather, PatternRewriter &rewriter) const override {
    auto scatter = gather.getInput().getDefiningOp<ReduceScatterOp>();
    if (!scatter || !scatter->hasOneUse())
      return rewriter.notifyMatchFailure(gather, "is not the only user of a reduce_scatter");
    if (scatter.getDim() != gather.getDim() || scatter.getMesh() != gather.getMesh() ||
        scatter.getAxes() != gather.getAxes() ||
        scatter.getInput().getType() != gather.getResult().getType())
      return rewriter.notifyMatchFailure(gather, "does not undo the scatter");
    auto reduce = AllReduceOp::create(rewriter, scatter.getLoc(), gather.getResult().getType(),
                                      scatter.getInput(), scatter.getMeshAttr(),
                                      scatter.getAxesAttr(), scatter.getReductionAttr());
    rewriter.replaceOp(gather, inStageOf(gather, reduce));
    rewriter.eraseOp(scatter);
    return success();
  }
};

/// all_reduce whose only user takes a part of it along the same axes:
/// reduce_scatter, half the bytes.
struct ScatterInsteadOfSlice : OpRewritePattern<SliceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SliceOp slice, PatternRewriter &rewriter) const override {
    auto reduce = slice.getInput().getDefiningOp<AllReduceOp>();
    if (!reduce || !reduce->hasOneUse())
      return rewriter.notifyMatchFailure(slice, "is not the only user of an all_reduce");
    if (reduce.getMesh() != slice.getMesh() || reduce.getAxes().size() != slice.getAxes().size() ||
        !std::is_permutation(reduce.getAxes().begin(), reduce.getAxes().end(),
                             slice.getAxes().begin()))
      return rewriter.notifyMatchFailure(slice, "is along other axes than the all_reduce");
    auto scatter =
        ReduceScatterOp::create(rewriter, reduce.getLoc(), slice.getResult().getType(),
                                reduce.getInput(), slice.getMeshAttr(), slice.getAxesAttr(),
                                slice.getDimAttr(), slice.getUnitAttr(), reduce.getReductionAttr());
    rewriter.replaceOp(slice, inStageOf(slice, scatter));
    rewriter.eraseOp(reduce);
    return success();
  }
};

/// A slice of what was gathered, and a gather of what was sliced, along the same
/// dim and axes: nothing happened.
template <typename OpTy, typename InverseTy> struct DropInverse : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;
  LogicalResult matchAndRewrite(OpTy op, PatternRewriter &rewriter) const override {
    auto inverse = op.getInput().template getDefiningOp<InverseTy>();
    if (!inverse || inverse.getDim() != op.getDim() || inverse.getMesh() != op.getMesh() ||
        inverse.getAxes() != op.getAxes() ||
        inverse.getInput().getType() != op.getResult().getType())
      return rewriter.notifyMatchFailure(op, "undoes no move");
    rewriter.replaceOp(op, inverse.getInput());
    return success();
  }
};

unsigned getBits(Value value) {
  Type element = cast<RankedTensorType>(value.getType()).getElementType();
  return element.isIntOrFloat() ? element.getIntOrFloatBitWidth() : 0;
}

/// Moves of what a cast made wider: moved first, and cast then. Padding is zero in
/// both types.
struct MoveBeforeWidening : RewritePattern {
  MoveBeforeWidening(MLIRContext *context) : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}
  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    if (!isa<AllGatherOp, AllToAllOp, PermuteOp, SliceOp>(op))
      return failure();
    auto cast = op->getOperand(0).getDefiningOp<onnx::CastOp>();
    if (!cast || cast->getNumOperands() != 1 || getStage(cast) != getStage(op))
      return rewriter.notifyMatchFailure(op, "does not move the result of a cast");
    Value narrow = cast->getOperand(0);
    unsigned before = getBits(narrow), after = getBits(op->getOperand(0));
    if (before < 8 || before >= after)
      return rewriter.notifyMatchFailure(op, "the cast does not widen");
    auto type = mlir::cast<RankedTensorType>(op->getResult(0).getType());
    Type moved = RankedTensorType::get(
        type.getShape(), mlir::cast<RankedTensorType>(narrow.getType()).getElementType(),
        type.getEncoding());
    Operation *move = rewriter.clone(*op);
    move->setOperand(0, narrow);
    move->getResult(0).setType(moved);
    OperationState widen(cast->getLoc(), cast->getName(), move->getResults(), {type},
                         cast->getAttrs());
    rewriter.replaceOp(op, rewriter.create(widen));
    if (cast->use_empty())
      rewriter.eraseOp(cast);
    return success();
  }
};

/// Equal collectives of one operand are one.
void shareEqual(Block &block) {
  llvm::MapVector<std::pair<Value, StringRef>, SmallVector<Operation *>> seen;
  for (Operation &op : llvm::make_early_inc_range(block)) {
    if (!isCollective(&op))
      continue;
    SmallVector<Operation *> &before = seen[{op.getOperand(0), op.getName().getStringRef()}];
    auto same = llvm::find_if(before, [&](Operation *other) {
      return other->getResultTypes() == op.getResultTypes() &&
             other->getAttrDictionary() == op.getAttrDictionary();
    });
    if (same == before.end()) {
      before.push_back(&op);
      continue;
    }
    op.getResult(0).replaceAllUsesWith((*same)->getResult(0));
    op.erase();
  }
}

/// Puts small all-reduces of one kind, group and type into one: they are bound by
/// latency.
class ReductionMerger {
public:
  ReductionMerger(Block &block, int64_t greatest, const SymbolRanges &ranges)
      : block(block), greatest(greatest), ranges(ranges) {}

  void run() {
    // Groups of reductions that stand before all users of each other.
    SmallVector<AllReduceOp> open;
    for (Operation &op : llvm::make_early_inc_range(block)) {
      bool isUser = llvm::any_of(open, [&](AllReduceOp reduce) {
        return llvm::any_of(reduce->getUsers(),
                            [&](Operation *user) { return op.isAncestor(user); });
      });
      if (isUser)
        merge(open);
      auto reduce = dyn_cast<AllReduceOp>(op);
      if (!reduce || !isSmall(reduce))
        continue;
      if (!open.empty() && !isAlike(open.front(), reduce))
        merge(open);
      open.push_back(reduce);
    }
    merge(open);
  }

private:
  bool isSmall(AllReduceOp reduce) const {
    auto type = cast<RankedTensorType>(reduce.getInput().getType());
    FailureOr<SmallVector<DimExpr>> extents = getExtents(type);
    if (failed(extents) || extents->empty())
      return false;
    DimExpr bytes = static_cast<int64_t>(llvm::divideCeil(getBits(reduce.getInput()), 8));
    for (const DimExpr &extent : *extents)
      bytes = bytes * extent;
    Result<DimRange> range = bytes.range(ranges);
    return range && range->max <= greatest;
  }

  static bool isAlike(AllReduceOp a, AllReduceOp b) {
    return a.getInput().getType() == b.getInput().getType() &&
           a->getAttrDictionary() == b->getAttrDictionary();
  }

  void merge(SmallVectorImpl<AllReduceOp> &open) {
    SmallVector<AllReduceOp> group = std::move(open);
    open.clear();
    if (group.size() < 2)
      return;
    AllReduceOp last = group.back();
    OpBuilder builder(last);
    Location loc = last.getLoc();
    auto type = cast<RankedTensorType>(last.getInput().getType());
    SmallVector<DimExpr> extents = *getExtents(type);
    extents[0] = extents[0] * static_cast<int64_t>(group.size());
    RankedTensorType joined = getTensorType(extents, type.getElementType());
    auto create = [&](StringRef name, ValueRange operands, TypeRange types,
                      ArrayRef<NamedAttribute> attributes) {
      return inStageOf(last,
                       builder.create(OperationState(loc, name, operands, types, attributes)));
    };
    NamedAttribute axis = builder.getNamedAttr("axis", builder.getI64IntegerAttr(0));
    SmallVector<Value> inputs;
    for (AllReduceOp reduce : group)
      inputs.push_back(reduce.getInput());
    Value all = create("onnx.Concat", inputs, Type(joined), {axis})->getResult(0);
    AllReduceOp reduced = AllReduceOp::create(builder, loc, joined, all, last.getMeshAttr(),
                                              last.getAxesAttr(), last.getReductionAttr());
    inStageOf(last, reduced);
    Value none = inStageOf(last, onnx::NoneOp::create(builder, loc, builder.getNoneType()));
    Operation *parts = create(
        "onnx.Split", ValueRange{reduced.getResult(), none}, SmallVector<Type>(group.size(), type),
        {axis, builder.getNamedAttr("num_outputs", builder.getI64IntegerAttr(group.size()))});
    for (auto [reduce, part] : llvm::zip_equal(group, parts->getResults())) {
      reduce.getResult().replaceAllUsesWith(part);
      reduce.erase();
    }
  }

  Block &block;
  int64_t greatest;
  const SymbolRanges &ranges;
};

struct MergeCollectivesPass : dougong::dist::impl::MergeCollectivesPassBase<MergeCollectivesPass> {
  using MergeCollectivesPassBase::MergeCollectivesPassBase;

  void runOnOperation() override {
    FailureOr<func::FuncOp> main = getMainFunction(getOperation());
    if (failed(main))
      return signalPassFailure();
    FailureOr<SymbolRanges> ranges = onnx::getDimRanges(*main);
    if (failed(ranges))
      return signalPassFailure();
    Block &block = main->front();
    shareEqual(block);
    RewritePatternSet patterns(&getContext());
    patterns.add<JoinScatterAndGather, ScatterInsteadOfSlice, DropInverse<SliceOp, AllGatherOp>,
                 DropInverse<AllGatherOp, SliceOp>, MoveBeforeWidening>(&getContext());
    SmallVector<Operation *> ops;
    for (Operation &op : block)
      if (isCollective(&op))
        ops.push_back(&op);
    if (failed(applyOpPatternsGreedily(ops, std::move(patterns))))
      return signalPassFailure();
    shareEqual(block); // a moved cast may have made equal ones
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
      if (isCollective(&op) && op.use_empty())
        op.erase();
    ReductionMerger(block, mergeBytes, *ranges).run();
  }
};

} // namespace
