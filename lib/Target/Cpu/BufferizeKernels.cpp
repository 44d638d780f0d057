//===- BufferizeKernels.cpp - tensors of a kernel to buffers --------------===//
#include "Internal.h"

#include "dougong/Target/Cpu/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/Transforms.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace dougong::cpu;

namespace dougong::cpu {
#define GEN_PASS_DEF_CPUBUFFERIZEKERNELSPASS
#include "dougong/Target/Cpu/Passes.h.inc"
} // namespace dougong::cpu

namespace {

MemRefType getBufferType(RankedTensorType type) {
  return MemRefType::get(type.getShape(), type.getElementType());
}

/// Gives the function's tensor arguments memref types; their uses read through
/// `bufferization.to_tensor`, without `writable`, so that nothing writes them.
void bufferizeArguments(func::FuncOp function) {
  OpBuilder builder = OpBuilder::atBlockBegin(&function.front());
  for (BlockArgument argument : function.getArguments()) {
    auto tensor = dyn_cast<RankedTensorType>(argument.getType());
    if (!tensor)
      continue;
    argument.setType(getBufferType(tensor));
    auto read = bufferization::ToTensorOp::create(builder, argument.getLoc(), tensor, argument,
                                                  /*restrict=*/true, /*writable=*/false);
    argument.replaceAllUsesExcept(read.getResult(), read);
  }
}

/// `buffer`, which is contiguous, with the dims of `groups` split into `extents`, of `type`.
Value splitDims(OpBuilder &builder, Location loc, MemRefType type, Value buffer,
                ArrayRef<ReassociationIndices> groups, ArrayRef<OpFoldResult> extents) {
  bool simple = llvm::all_of(groups, [&](const ReassociationIndices &group) {
    return llvm::count_if(group, [&](int64_t dim) { return type.isDynamicDim(dim); }) <= 1;
  });
  if (simple)
    return memref::ExpandShapeOp::create(builder, loc, type, buffer, groups, extents);
  // Upstream crashes where it lowers an expansion of one dim to several dynamic ones.
  SmallVector<OpFoldResult> strides(extents.size(), builder.getIndexAttr(1));
  for (size_t dim = extents.size() - 1; dim-- > 0;) {
    auto stride = getConstantIntValue(strides[dim + 1]);
    auto extent = getConstantIntValue(extents[dim + 1]);
    if (stride && extent)
      strides[dim] = builder.getIndexAttr(*stride * *extent);
    else
      strides[dim] =
          arith::MulIOp::create(builder, loc,
                                getValueOrCreateConstantIndexOp(builder, loc, strides[dim + 1]),
                                getValueOrCreateConstantIndexOp(builder, loc, extents[dim + 1]))
              .getResult();
  }
  return memref::ReinterpretCastOp::create(builder, loc, type, buffer, builder.getIndexAttr(0),
                                           extents, strides);
}

/// Where a result is a reshaped or cast value, lets the unreshaped value be
/// written to the out-parameter seen in the value's own shape: `value` and
/// `destination` become that pair.
void lookThroughReshapes(OpBuilder &builder, Value &value, Value &destination) {
  while (Operation *op = value.getDefiningOp()) {
    Location loc = op->getLoc();
    if (auto cast = dyn_cast<tensor::CastOp>(op)) {
      auto source = dyn_cast<RankedTensorType>(cast.getSource().getType());
      if (!source)
        return;
      destination = memref::CastOp::create(builder, loc, getBufferType(source), destination);
      value = cast.getSource();
    } else if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
      auto type = getBufferType(expand.getSrcType());
      destination = memref::CollapseShapeOp::create(builder, loc, type, destination,
                                                    expand.getReassociationIndices());
      value = expand.getSrc();
    } else if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
      auto type = getBufferType(collapse.getSrcType());
      SmallVector<OpFoldResult> extents = tensor::getMixedSizes(builder, loc, collapse.getSrc());
      destination =
          splitDims(builder, loc, type, destination, collapse.getReassociationIndices(), extents);
      value = collapse.getSrc();
    } else {
      return;
    }
  }
}

/// Makes each result a trailing memref argument that the result is
/// materialized in.
LogicalResult addOutParameters(func::FuncOp function) {
  auto exit = dyn_cast<func::ReturnOp>(function.front().getTerminator());
  if (!exit || !llvm::hasSingleElement(function.getBody()))
    return function.emitError("a kernel must be one block that ends in func.return");
  OpBuilder builder(exit);
  for (Value value : exit.getOperands()) {
    auto tensor = dyn_cast<RankedTensorType>(value.getType());
    if (!tensor)
      return function.emitError() << "kernel result of type " << value.getType()
                                  << ": expected a ranked tensor";
    Value destination = function.front().addArgument(getBufferType(tensor), function.getLoc());
    lookThroughReshapes(builder, value, destination);
    bufferization::MaterializeInDestinationOp::create(builder, exit.getLoc(), Type(), value,
                                                      destination, /*restrict=*/true,
                                                      /*writable=*/true);
  }
  exit->setOperands({});
  return success();
}

/// Clones `tensor.empty` for each of its uses: CSE and canonicalization merge
/// them, which makes two writes of one buffer out of two buffers.
void separateEmptyTensors(func::FuncOp function) {
  SmallVector<tensor::EmptyOp> empties;
  function.walk([&](tensor::EmptyOp op) { empties.push_back(op); });
  for (tensor::EmptyOp empty : empties) {
    SmallVector<OpOperand *> uses;
    for (OpOperand &use : llvm::drop_begin(llvm::make_early_inc_range(empty->getUses())))
      uses.push_back(&use);
    OpBuilder builder(empty);
    for (OpOperand *use : uses)
      use->set(builder.clone(*empty)->getResult(0));
  }
}

/// Whether `value` is `argument` with parts of it written over: then both are
/// one buffer.
bool isUpdateOf(Value value, Value argument) {
  while (value != argument) {
    auto result = dyn_cast<OpResult>(value);
    if (!result)
      return false;
    Operation *op = result.getOwner();
    if (auto style = dyn_cast<DestinationStyleOpInterface>(op))
      value = style.getTiedOpOperand(result)->get();
    else if (auto loop = dyn_cast<scf::ForOp>(op))
      value = loop.getInitArgs()[result.getResultNumber()];
    else
      return false;
  }
  return true;
}

/// A loop must carry a tensor in one buffer. Where it yields a tensor that is
/// made anew in each iteration, that one is copied to the carried buffer.
void writeBackCarriedTensors(func::FuncOp function) {
  function.walk([](scf::ForOp loop) {
    auto yield = cast<scf::YieldOp>(loop.getBody()->getTerminator());
    OpBuilder builder(yield);
    for (auto [operand, argument] :
         llvm::zip_equal(yield->getOpOperands(), loop.getRegionIterArgs())) {
      if (!isa<RankedTensorType>(argument.getType()) || isUpdateOf(operand.get(), argument))
        continue;
      operand.set(bufferization::MaterializeInDestinationOp::create(builder, yield.getLoc(),
                                                                    operand.get(), argument)
                      .getResult());
    }
  });
}

struct CpuBufferizeKernelsPass
    : public dougong::cpu::impl::CpuBufferizeKernelsPassBase<CpuBufferizeKernelsPass> {
  void getDependentDialects(DialectRegistry &registry) const override {
    registerBufferization(registry);
  }
  void runOnOperation() override;
};

void CpuBufferizeKernelsPass::runOnOperation() {
  func::FuncOp function = getOperation();
  if (!isKernel(function) || function.isExternal())
    return;
  if (failed(addOutParameters(function)))
    return signalPassFailure();
  bufferizeArguments(function);
  function.setType(FunctionType::get(&getContext(), function.front().getArgumentTypes(), {}));
  // Argument attributes (extents' names) stay; out-parameters have none.
  if (ArrayAttr attributes = function.getArgAttrsAttr()) {
    SmallVector<Attribute> all(attributes.begin(), attributes.end());
    all.resize(function.getNumArguments(), DictionaryAttr::get(&getContext()));
    function.setArgAttrsAttr(ArrayAttr::get(&getContext(), all));
  }
  function.removeResAttrsAttr();

  writeBackCarriedTensors(function);
  separateEmptyTensors(function);
  IRRewriter rewriter(&getContext());
  if (failed(bufferization::eliminateEmptyTensors(rewriter, function)))
    return signalPassFailure();

  bufferization::OneShotBufferizationOptions options;
  options.unknownTypeConverterFn = [](TensorType type, Attribute space,
                                      const bufferization::BufferizationOptions &) {
    return bufferization::getMemRefTypeWithStaticIdentityLayout(type, space);
  };
  options.memCpyFn = [](OpBuilder &builder, Location loc, Value from, Value to) {
    linalg::CopyOp::create(builder, loc, from, to);
    return success();
  };
  bufferization::BufferizationState state;
  if (failed(bufferization::runOneShotBufferize(function, options, state)))
    return signalPassFailure();

  // Some ops copy by themselves.
  function.walk([&](memref::CopyOp copy) {
    rewriter.setInsertionPoint(copy);
    if (copy.getSource() != copy.getTarget())
      linalg::CopyOp::create(rewriter, copy.getLoc(), copy.getSource(), copy.getTarget());
    rewriter.eraseOp(copy);
  });
}

} // namespace
