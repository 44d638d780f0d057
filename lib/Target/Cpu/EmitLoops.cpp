//===- EmitLoops.cpp - linalg ops of a kernel to vectorised loops ---------===//
#include "Internal.h"

#include "Loops/EmitNest.h"
#include "Loops/Remarks.h"

#include "dougong/Target/Cpu/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;
using namespace dougong::cpu;

namespace dougong::cpu {
#define GEN_PASS_DEF_CPUEMITLOOPSPASS
#include "dougong/Target/Cpu/Passes.h.inc"
} // namespace dougong::cpu

namespace {

/// The buffer that `value` is a view of.
Value getRoot(Value value) {
  while (auto view = value.getDefiningOp<ViewLikeOpInterface>())
    value = view.getViewSource();
  return value;
}

/// The next op behind `op` in its block that reads or writes memory.
Operation *getNextEffect(Operation *op) {
  for (op = op->getNextNode(); op; op = op->getNextNode())
    if (!isMemoryEffectFree(op) && !isa<memref::AllocOp>(op))
      return op;
  return nullptr;
}

/// Whether `op` touches the buffer that `root` is.
bool touches(Operation *op, Value root) {
  return llvm::any_of(op->getOperands(), [&](Value operand) {
    return isa<BaseMemRefType>(operand.getType()) && getRoot(operand) == root;
  });
}

/// Whether the output of `op` is read nowhere but by `reader`: a temporary that
/// `op` (and a fill before it) writes.
bool isOnlyReadBy(linalg::LinalgOp op, linalg::LinalgOp reader) {
  auto alloc = op.getDpsInits().front().getDefiningOp<memref::AllocOp>();
  if (!alloc)
    return false;
  return llvm::all_of(alloc->getUsers(), [&](Operation *user) {
    return user == op || user == reader || isa<linalg::FillOp, memref::DimOp>(user);
  });
}

/// The element-wise op that can run on `op`'s results in registers, and its
/// input that they are.
std::pair<linalg::LinalgOp, unsigned> findEpilogue(linalg::LinalgOp op) {
  if (op.getNumDpsInits() != 1 || op.getNumReductionLoops() == 0)
    return {};
  auto next = dyn_cast_or_null<linalg::LinalgOp>(getNextEffect(op));
  if (!next || !isSupported(next) || next.getNumReductionLoops() != 0 ||
      next.getNumLoops() != op.getNumParallelLoops() || next.getNumDpsInits() != 1)
    return {};
  Value result = op.getDpsInits().front();
  AffineMap written = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!written.isProjectedPermutation())
    return {};
  int operand = -1;
  for (OpOperand *input : next.getDpsInputOperands()) {
    if (getRoot(input->get()) != getRoot(result))
      continue;
    if (operand >= 0 || input->get() != result ||
        !next.getMatchingIndexingMap(input).isPermutation())
      return {};
    operand = input->getOperandNumber();
  }
  if (operand < 0)
    return {};
  // Tiles of `next` are written while other tiles of `op` are still to come.
  Value target = getRoot(next.getDpsInits().front());
  for (Value input : op.getDpsInputs())
    if (isa<BaseMemRefType>(input.getType()) && getRoot(input) == target)
      return {};
  // In place is fine only where each point reads what it overwrites itself.
  if (target == getRoot(result) &&
      next.getMatchingIndexingMap(next.getDpsInitOperand(0)) !=
          next.getMatchingIndexingMap(next.getDpsInputOperand(operand)))
    return {};
  return {next, unsigned(operand)};
}

/// The fill that gives `op` its initial value, if nothing lies between.
linalg::FillOp findFill(linalg::LinalgOp op) {
  if (op.getNumDpsInits() != 1 || op.getNumReductionLoops() == 0)
    return nullptr;
  Value result = op.getDpsInits().front();
  for (Operation *before = op->getPrevNode(); before; before = before->getPrevNode()) {
    auto fill = dyn_cast<linalg::FillOp>(before);
    if (fill && fill.getOutputs().front() == result)
      return fill;
    if (!isMemoryEffectFree(before) && touches(before, getRoot(result)))
      return nullptr;
    if (before->getNumRegions() != 0 && !isa<linalg::LinalgOp>(before))
      return nullptr;
  }
  return nullptr;
}

struct CpuEmitLoopsPass : public dougong::cpu::impl::CpuEmitLoopsPassBase<CpuEmitLoopsPass> {
  using CpuEmitLoopsPassBase::CpuEmitLoopsPassBase;

  void emit(linalg::LinalgOp op, Remarks &remarks) {
    auto [epilogue, operand] = findEpilogue(op);
    linalg::FillOp fill = findFill(op);
    Operation *place = epilogue ? epilogue.getOperation() : op.getOperation();
    OpBuilder builder(place);
    // (before the nest adds readers of its own)
    bool storesMain = !epilogue || !isOnlyReadBy(op, epilogue);
    Nest nest = buildNest(builder, op, epilogue, operand);
    if (fill)
      nest.init = fill.getInputs().front();
    nest.storesMain = storesMain;
    TileLimits limits{lanes, tileRows, tileVectors, pairProducts};
    // A parallel loop inside another op's loop would be forked again and again.
    bool isParallel = parallel && isa<func::FuncOp>(op->getParentOp());
    if (!emitNest(builder, nest, limits, isParallel))
      remarks.addScalar(op);
    // A temporary that nothing reads now goes with the next canonicalization.
    if (epilogue)
      epilogue->erase();
    op->erase();
    if (fill)
      fill->erase();
  }

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (!isKernel(function))
      return;
    Remarks remarks(function);
    remarks.addScalarLoops();
    // An op is erased together with its epilogue and its fill, which are
    // elsewhere in the list: fills are written last.
    SmallVector<linalg::LinalgOp> ops;
    auto collect = [&](auto filter) {
      ops.clear();
      function.walk([&](linalg::LinalgOp op) {
        if (filter(op) && isSupported(op))
          ops.push_back(op);
      });
    };
    collect([](linalg::LinalgOp op) { return op.getNumReductionLoops() != 0; });
    for (linalg::LinalgOp op : ops)
      emit(op, remarks);
    collect([](linalg::LinalgOp) { return true; });
    for (linalg::LinalgOp op : ops)
      emit(op, remarks);
    function.walk([&](linalg::LinalgOp op) { remarks.addScalar(op); });
    remarks.attach();
  }
};

} // namespace
