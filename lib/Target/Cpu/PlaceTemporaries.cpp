//===- PlaceTemporaries.cpp - stack and workspace for kernels -------------===//
#include "Internal.h"

#include "dougong/Target/Cpu/Passes.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace dougong::cpu;

namespace dougong::cpu {
#define GEN_PASS_DEF_CPUPLACETEMPORARIESPASS
#include "dougong/Target/Cpu/Passes.h.inc"
} // namespace dougong::cpu

namespace {

constexpr int64_t alignment = 64;
/// The largest single buffer on the stack, in bytes.
constexpr int64_t maxStackBuffer = 8192;

int64_t getElementBytes(Type type) {
  if (isa<IndexType>(type))
    return 8;
  if (auto complex = dyn_cast<ComplexType>(type))
    return 2 * getElementBytes(complex.getElementType());
  return llvm::divideCeil(type.getIntOrFloatBitWidth(), 8);
}

/// Copies computations of index values to another place, from the arguments of
/// the kernel: the extents of a temporary must be known before the kernel runs.
class ExtentCloner {
public:
  ExtentCloner(OpBuilder &builder, IRMapping mapping)
      : builder(builder), mapping(std::move(mapping)) {}

  /// `value` at the insertion point, or null if it depends on data.
  Value clone(Value value) {
    // Depth first with a stack of our own: chains may be long.
    SmallVector<Value> stack = {value};
    while (!stack.empty()) {
      Value current = stack.back();
      if (mapping.contains(current)) {
        stack.pop_back();
        continue;
      }
      Operation *op = current.getDefiningOp();
      if (!op)
        return nullptr;
      // The extent of a temporary is its alloc's operand.
      if (auto dim = dyn_cast<memref::DimOp>(op))
        if (auto alloc = dim.getSource().getDefiningOp<memref::AllocOp>()) {
          std::optional<int64_t> index = dim.getConstantIndex();
          if (!index)
            return nullptr;
          if (!alloc.getType().isDynamicDim(*index)) {
            mapping.map(current, arith::ConstantIndexOp::create(
                                     builder, op->getLoc(), alloc.getType().getDimSize(*index)));
            continue;
          }
          Value extent = alloc.getDynamicSizes()[alloc.getType().getDynamicDimIndex(*index)];
          if (!mapping.contains(extent)) {
            stack.push_back(extent);
            continue;
          }
          mapping.map(current, mapping.lookup(extent));
          continue;
        }
      if (!isMemoryEffectFree(op) || op->getNumRegions() != 0)
        return nullptr;
      bool ready = true;
      for (Value operand : op->getOperands())
        if (!mapping.contains(operand)) {
          stack.push_back(operand);
          ready = false;
        }
      if (ready)
        builder.clone(*op, mapping);
    }
    return mapping.lookup(value);
  }

private:
  OpBuilder &builder;
  IRMapping mapping;
};

/// A temporary with its life: the positions, in the kernel's block, of the
/// first and last op that touch it or a view of it.
struct Temporary {
  memref::AllocOp alloc;
  unsigned first = 0;
  unsigned last = 0;
  /// Temporaries before it (by number) that live at the same time.
  SmallVector<unsigned> conflicts;
};

/// Fills in when each temporary lives.
void computeLives(func::FuncOp kernel, MutableArrayRef<Temporary> temporaries) {
  DenseMap<Operation *, unsigned> positions;
  for (Operation &op : kernel.front())
    positions.try_emplace(&op, positions.size());
  for (Temporary &temporary : temporaries) {
    Operation *start = kernel.front().findAncestorOpInBlock(*temporary.alloc);
    temporary.first = temporary.last = positions.lookup(start);
    SmallVector<Value> views = {temporary.alloc.getResult()};
    for (unsigned i = 0; i < views.size(); ++i)
      for (Operation *user : views[i].getUsers()) {
        Operation *ancestor = kernel.front().findAncestorOpInBlock(*user);
        temporary.last = std::max(temporary.last, positions.lookup(ancestor));
        // What a region yields, its op returns.
        Operation *source = user->hasTrait<OpTrait::IsTerminator>() && ancestor != user
                                ? user->getParentOp()
                                : user;
        for (Value result : source->getResults())
          if (isa<BaseMemRefType>(result.getType()) && !llvm::is_contained(views, result))
            views.push_back(result);
      }
  }
}

/// The kernel with its places: offsets and total as values at `builder`.
/// Fails with a diagnostic when an extent depends on data.
FailureOr<SmallVector<Value>> computeOffsets(OpBuilder &builder, const IRMapping &mapping,
                                             ArrayRef<Temporary> temporaries, Value &total) {
  ExtentCloner cloner(builder, mapping);
  SmallVector<Value> offsets, ends;
  for (const Temporary &temporary : temporaries) {
    Location loc = temporary.alloc->getLoc();
    memref::AllocOp alloc = temporary.alloc;
    MemRefType type = alloc.getType();
    int64_t bytes = getElementBytes(type.getElementType());
    for (int64_t extent : type.getShape())
      if (!ShapedType::isDynamic(extent))
        bytes *= extent;
    Value size = arith::ConstantIndexOp::create(builder, loc, bytes);
    for (Value extent : alloc.getDynamicSizes()) {
      Value copy = cloner.clone(extent);
      if (!copy)
        return alloc->emitError() << "a temporary buffer's extent depends on data";
      size = arith::MulIOp::create(builder, loc, size, copy);
    }
    Value mask = arith::ConstantIndexOp::create(builder, loc, -alignment);
    Value pad = arith::ConstantIndexOp::create(builder, loc, alignment - 1);
    size =
        arith::AndIOp::create(builder, loc, arith::AddIOp::create(builder, loc, size, pad), mask);
    // Behind everything that lives at the same time and was placed before.
    Value offset = arith::ConstantIndexOp::create(builder, loc, 0);
    for (unsigned other : temporary.conflicts)
      offset = arith::MaxUIOp::create(builder, loc, offset, ends[other]);
    offsets.push_back(offset);
    ends.push_back(arith::AddIOp::create(builder, loc, offset, size));
    total = total ? Value(arith::MaxUIOp::create(builder, loc, total, ends.back())) : ends.back();
  }
  return offsets;
}

/// Writes `@<kernel>_workspace`.
LogicalResult createWorkspaceFunction(func::FuncOp kernel, ArrayRef<Temporary> temporaries) {
  OpBuilder builder(kernel);
  builder.setInsertionPointAfter(kernel);
  SmallVector<Type> types;
  SmallVector<Value> arguments;
  for (BlockArgument argument : kernel.getArguments())
    if (isa<BaseMemRefType, IndexType>(argument.getType())) {
      types.push_back(argument.getType());
      arguments.push_back(argument);
    }
  auto function =
      func::FuncOp::create(builder, kernel.getLoc(), (kernel.getSymName() + workspaceSuffix).str(),
                           builder.getFunctionType(types, builder.getIndexType()));
  function.setPrivate();
  Block *entry = function.addEntryBlock();
  builder.setInsertionPointToStart(entry);
  IRMapping mapping;
  mapping.map(arguments, entry->getArguments());
  Value total;
  if (failed(computeOffsets(builder, mapping, temporaries, total)))
    return failure();
  func::ReturnOp::create(builder, kernel.getLoc(), total);
  return success();
}

/// Moves small buffers to the stack, within `budget` bytes.
void placeOnStack(func::FuncOp kernel, int64_t budget) {
  kernel.walk([&](memref::AllocOp alloc) {
    MemRefType type = alloc.getType();
    if (!type.hasStaticShape())
      return;
    int64_t bytes =
        llvm::alignTo(type.getNumElements() * getElementBytes(type.getElementType()), alignment);
    if (bytes > maxStackBuffer || bytes > budget)
      return;
    budget -= bytes;
    // At the function's entry: a stack slot inside a loop would grow the stack.
    OpBuilder builder = OpBuilder::atBlockBegin(&kernel.front());
    auto slot = memref::AllocaOp::create(builder, alloc.getLoc(), type,
                                         builder.getI64IntegerAttr(alignment));
    alloc->replaceAllUsesWith(slot->getResults());
    alloc.erase();
  });
}

struct CpuPlaceTemporariesPass
    : public dougong::cpu::impl::CpuPlaceTemporariesPassBase<CpuPlaceTemporariesPass> {
  using CpuPlaceTemporariesPassBase::CpuPlaceTemporariesPassBase;

  LogicalResult placeInWorkspace(func::FuncOp kernel) {
    SmallVector<Temporary> temporaries;
    kernel.walk([&](memref::AllocOp alloc) { temporaries.push_back({alloc, 0, 0, {}}); });
    if (temporaries.empty())
      return success();
    computeLives(kernel, temporaries);
    for (auto [number, one] : llvm::enumerate(temporaries))
      for (unsigned other = 0; other < number; ++other)
        if (temporaries[other].first <= one.last && one.first <= temporaries[other].last)
          one.conflicts.push_back(other);
    if (failed(createWorkspaceFunction(kernel, temporaries)))
      return failure();

    OpBuilder builder = OpBuilder::atBlockBegin(&kernel.front());
    IRMapping mapping;
    mapping.map(kernel.getArguments(), kernel.getArguments());
    Value total;
    FailureOr<SmallVector<Value>> offsets = computeOffsets(builder, mapping, temporaries, total);
    if (failed(offsets))
      return failure();
    auto workspaceType = MemRefType::get({ShapedType::kDynamic}, builder.getI8Type());
    Value workspace = kernel.front().addArgument(workspaceType, kernel.getLoc());
    for (auto [temporary, offset] : llvm::zip_equal(temporaries, *offsets)) {
      memref::AllocOp alloc = temporary.alloc;
      builder.setInsertionPoint(alloc);
      MemRefType type = alloc.getType();
      // memref.view has no form for i1: seen as bytes they are the same.
      auto view = memref::ViewOp::create(builder, alloc.getLoc(), type, workspace, offset,
                                         alloc.getDynamicSizes());
      alloc->replaceAllUsesWith(view->getResults());
      alloc.erase();
    }
    kernel.setType(FunctionType::get(&getContext(), kernel.front().getArgumentTypes(), {}));
    if (ArrayAttr attributes = kernel.getArgAttrsAttr()) {
      SmallVector<Attribute> all(attributes.begin(), attributes.end());
      all.resize(kernel.getNumArguments(), DictionaryAttr::get(&getContext()));
      kernel.setArgAttrsAttr(ArrayAttr::get(&getContext(), all));
    }
    return success();
  }

  void runOnOperation() override {
    SmallVector<func::FuncOp> kernels(
        llvm::make_filter_range(getOperation().getOps<func::FuncOp>(), [](func::FuncOp function) {
          return isKernel(function) && !function.isExternal();
        }));
    for (func::FuncOp kernel : kernels) {
      placeOnStack(kernel, maxStack);
      if (failed(placeInWorkspace(kernel)))
        return signalPassFailure();
    }
  }
};

} // namespace
