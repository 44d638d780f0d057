//===- OutlineParallel.cpp - parallel loops to the host's thread pool -----===//
#include "Internal.h"

#include "dougong-c/program.h"
#include "dougong/Target/Cpu/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace dougong::cpu;

namespace dougong::cpu {
#define GEN_PASS_DEF_CPUOUTLINEPARALLELPASS
#include "dougong/Target/Cpu/Passes.h.inc"
} // namespace dougong::cpu

namespace {

/// How a captured value travels in the struct: as a value of an LLVM type. A
/// memref is its base pointer and its offset, sizes and strides.
class Capture {
public:
  explicit Capture(Value value) : value(value) {
    MLIRContext *context = value.getContext();
    Type i64 = IntegerType::get(context, 64);
    if (auto memref = dyn_cast<MemRefType>(value.getType())) {
      // The descriptor of the memref, exactly as the conversion to the LLVM
      // dialect lays it down: the casts around it cancel out.
      Type pointer = LLVM::LLVMPointerType::get(context);
      SmallVector<Type> fields = {pointer, pointer, i64};
      if (memref.getRank() > 0)
        fields.append(2, LLVM::LLVMArrayType::get(i64, memref.getRank()));
      type = LLVM::LLVMStructType::getLiteral(context, fields);
    } else if (isa<IndexType>(value.getType())) {
      type = i64;
    } else {
      type = value.getType();
    }
  }

  Type getType() const { return type; }
  bool isSupported() const { return LLVM::isCompatibleType(type); }

  Value pack(ImplicitLocOpBuilder &b) const { return convert(b, value, type); }
  Value unpack(ImplicitLocOpBuilder &b, Value packed) const {
    return convert(b, packed, value.getType());
  }

private:
  static Value convert(ImplicitLocOpBuilder &b, Value from, Type to) {
    if (from.getType() == to)
      return from;
    return UnrealizedConversionCastOp::create(b, TypeRange(to), ValueRange(from)).getResult(0);
  }

  Value value;
  Type type;
};

struct CpuOutlineParallelPass
    : public dougong::cpu::impl::CpuOutlineParallelPassBase<CpuOutlineParallelPass> {

  /// Writes `@name(record, begin, end)`, which runs iterations [begin, end) of
  /// `loop`. Constants are made again there: LLVM folds them.
  void outline(scf::ParallelOp loop, StringRef name, ArrayRef<Value> values,
               ArrayRef<Capture> captures, ArrayRef<Value> constants, Type record) {
    auto kernel = loop->getParentOfType<func::FuncOp>();
    ImplicitLocOpBuilder b(loop.getLoc(), kernel);
    b.setInsertionPointAfter(kernel);
    Type pointer = LLVM::LLVMPointerType::get(&getContext());
    auto function = func::FuncOp::create(
        b, name, b.getFunctionType({pointer, b.getI64Type(), b.getI64Type()}, {}));
    function.setPrivate();
    b.setInsertionPointToStart(function.addEntryBlock());
    IRMapping mapping;
    Value fields = LLVM::LoadOp::create(b, record, function.getArgument(0));
    for (auto [index, capture] : llvm::enumerate(captures))
      mapping.map(values[index],
                  capture.unpack(b, LLVM::ExtractValueOp::create(
                                        b, fields, ArrayRef<int64_t>{int64_t(index)})));
    for (Value constant : constants)
      b.clone(*constant.getDefiningOp(), mapping);
    Value begin = arith::IndexCastOp::create(b, b.getIndexType(), function.getArgument(1));
    Value end = arith::IndexCastOp::create(b, b.getIndexType(), function.getArgument(2));
    Value one = arith::ConstantIndexOp::create(b, 1);
    auto chunks = scf::ForOp::create(b, begin, end, one);
    func::ReturnOp::create(b);
    b.setInsertionPoint(chunks.getBody()->getTerminator());
    Value step = mapping.lookup(loop.getStep().front());
    Value lower = mapping.lookup(loop.getLowerBound().front());
    Value index =
        arith::AddIOp::create(b, lower, arith::MulIOp::create(b, chunks.getInductionVar(), step));
    mapping.map(loop.getInductionVars().front(), index);
    for (Operation &op : loop.getBody()->without_terminator())
      b.clone(op, mapping);
  }

  LogicalResult convert(scf::ParallelOp loop, unsigned number) {
    auto kernel = loop->getParentOfType<func::FuncOp>();
    if (loop.getNumLoops() != 1 || loop.getNumReductions() != 0)
      return loop.emitError("only parallel loops of one dimension without results are supported");
    if (kernel.getNumArguments() == 0 ||
        !isa<LLVM::LLVMPointerType>(kernel.getArgument(0).getType()))
      return loop.emitError("a kernel with a parallel loop must take the context first");
    std::string name = (kernel.getSymName() + "_body_" + Twine(number)).str();

    llvm::SetVector<Value> used;
    getUsedValuesDefinedAbove(loop.getRegion(), used);
    used.insert(loop.getStep().front());
    used.insert(loop.getLowerBound().front());
    // Constants are made again in the body: LLVM folds them there.
    SmallVector<Value> values, constants;
    for (Value value : used)
      (matchPattern(value, m_Constant()) ? constants : values).push_back(value);
    SmallVector<Capture> captures;
    SmallVector<Type> types;
    for (Value value : values) {
      captures.emplace_back(value);
      if (!captures.back().isSupported())
        return loop.emitError() << "cannot pass a value of type " << value.getType()
                                << " to a parallel loop";
      types.push_back(captures.back().getType());
    }
    MLIRContext *context = &getContext();
    Type record = LLVM::LLVMStructType::getLiteral(context, types);
    Type pointer = LLVM::LLVMPointerType::get(context);

    outline(loop, name, values, captures, constants, record);

    ImplicitLocOpBuilder b(loop.getLoc(), loop);
    // The record lives at the function's entry: a slot in a loop would grow the
    // stack.
    Value slot;
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(&kernel.front());
      Value one = LLVM::ConstantOp::create(b, b.getI64Type(), b.getI64IntegerAttr(1));
      slot = LLVM::AllocaOp::create(b, pointer, record, one, 8);
    }
    Value fields = LLVM::UndefOp::create(b, record);
    for (auto [index, capture] : llvm::enumerate(captures))
      fields = LLVM::InsertValueOp::create(b, fields, capture.pack(b),
                                           ArrayRef<int64_t>{int64_t(index)});
    LLVM::StoreOp::create(b, fields, slot);
    Value lower = loop.getLowerBound().front(), upper = loop.getUpperBound().front(),
          step = loop.getStep().front();
    Value length = arith::SubIOp::create(b, upper, lower);
    Value count = arith::CeilDivUIOp::create(b, length, step);
    count = arith::IndexCastOp::create(b, b.getI64Type(), count);
    Value grain = LLVM::ConstantOp::create(b, b.getI64Type(), b.getI64IntegerAttr(1));
    // context->host->parallel_for(context, body, record, count, 1)
    Value ctx = kernel.getArgument(0);
    Value host = LLVM::LoadOp::create(b, pointer, ctx);
    Value address =
        LLVM::GEPOp::create(b, pointer, b.getI8Type(), host,
                            ArrayRef<LLVM::GEPArg>{int32_t(offsetof(dougong_host, parallel_for))});
    Value callee = LLVM::LoadOp::create(b, pointer, address);
    Value body = func::ConstantOp::create(
        b, b.getFunctionType({pointer, b.getI64Type(), b.getI64Type()}, {}),
        SymbolRefAttr::get(context, name));
    body = UnrealizedConversionCastOp::create(b, TypeRange(pointer), ValueRange(body)).getResult(0);
    auto type =
        LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context),
                                    {pointer, pointer, pointer, b.getI64Type(), b.getI64Type()});
    LLVM::CallOp::create(b, type, ValueRange{callee, ctx, body, slot, count, grain});
    loop.erase();
    return success();
  }

  void runOnOperation() override {
    SmallVector<scf::ParallelOp> loops;
    for (auto kernel : getOperation().getOps<func::FuncOp>())
      kernel.walk<WalkOrder::PreOrder>([&](scf::ParallelOp loop) {
        loops.push_back(loop);
        return WalkResult::skip();
      });
    for (auto [number, loop] : llvm::enumerate(loops))
      if (failed(convert(loop, number)))
        return signalPassFailure();
    // Stack buffers inside loops would grow the stack in each iteration.
    for (auto function : getOperation().getOps<func::FuncOp>())
      function.walk([&](memref::AllocaOp slot) {
        if (slot.getType().hasStaticShape() && slot->getBlock() != &function.front())
          slot->moveBefore(&function.front(), function.front().begin());
      });
  }
};

} // namespace
