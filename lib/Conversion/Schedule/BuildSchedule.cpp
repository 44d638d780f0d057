//===- BuildSchedule.cpp - the entry points of a program ------------------===//
#include "Buffers.h"
#include "Extents.h"
#include "Fallbacks.h"
#include "Host.h"
#include "Kernels/Bodies.h"
#include "Kernels/Grouping.h"
#include "Kernels/LibraryCalls.h"
#include "LibraryLaunch.h"
#include "Workspace.h"

#include "dougong-c/program.h"
#include "dougong/Conversion/KernelPasses.h"

#include "Dist/IR/Dist.h"
#include "Onnx/IR/Onnx.h"
#include "dougong/Import/ElementTypes.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"

using namespace mlir;
using namespace dougong;

namespace dougong {
#define GEN_PASS_DEF_BUILDSCHEDULEPASS
#include "dougong/Conversion/KernelPasses.h.inc"
} // namespace dougong

namespace {

/// An entry point under construction: a prologue that evaluates extents and
/// checks, then a body.
struct EntryPoint {
  func::FuncOp function;
  OpBuilder prologue;
  OpBuilder body;
};

class ScheduleBuilder {
public:
  /// `libraryNodes` gets the node of each call of the operator library.
  ScheduleBuilder(func::FuncOp main, SmallVectorImpl<Attribute> &libraryNodes)
      : main(main), module(main->getParentOfType<ModuleOp>()), libraryNodes(libraryNodes) {}

  LogicalResult run();

private:
  /// Of the body of a loop or a branch.
  ScheduleBuilder(func::FuncOp body, const ScheduleBuilder &program)
      : main(body), module(program.module), isBody(true), weightNumbers(program.weightNumbers),
        libraryNodes(program.libraryNodes) {}

  void collectWeights(ArrayRef<func::FuncOp> bodies);
  /// Puts a function of the ABI (dougong_body_fn) in the place of a body.
  LogicalResult runBody();
  EntryPoint createEntryPoint(StringRef name, unsigned pointers);
  /// Ends the prologue: to the body, or out with the number of the first failed
  /// check.
  void finishPrologue(EntryPoint &entry, ArrayRef<ExtentEvaluator::Check> checks);
  void createAbi();
  /// Writes what the arena holds to the module, for the memory proof.
  LogicalResult describeArena();
  LogicalResult createShapes();
  /// The entry point that runs the operators.
  LogicalResult createRun(StringRef name);
  LogicalResult emitOperators();
  /// Sets the outputs of a body.
  LogicalResult emitYield(func::ReturnOp exit);

  /// The offset of each slot of the arena, as index values; `total` is where the
  /// kernels' workspace begins.
  FailureOr<SmallVector<Value>> getSlotOffsets(OpBuilder &builder, ExtentEvaluator &extents,
                                               Value &total);
  /// Bytes of the largest workspace that a kernel asks for; null if none does.
  /// Kernels run one after the other and share it.
  FailureOr<Value> getWorkspaceBytes(OpBuilder &builder, ExtentEvaluator &extents);
  /// Bytes of the workspace of one launch; null if its kernel asks for none.
  FailureOr<Value> getWorkspaceBytes(OpBuilder &builder, ExtentEvaluator &extents,
                                     onnx::LaunchOp launch);
  /// Whether all extents of what a launch takes and makes are known at entry.
  bool isKnownAtEntry(ExtentEvaluator &extents, onnx::LaunchOp launch);
  LogicalResult emitLibrary(onnx::LaunchOp launch);
  /// Hands over a result of main whose extents depend on data.
  LogicalResult emitGive(Value value, unsigned output);
  LogicalResult emitLaunch(onnx::LaunchOp launch);
  LogicalResult emitCopy(Value from, unsigned output);
  /// The buffer of a value, as a pointer.
  Value getPointer(Value value);
  /// A memref of type `type` (extents from the value's own type) on the value's
  /// buffer.
  FailureOr<Value> getMemRef(Value value, Type type);
  LogicalResult emitCollective(Operation &op);
  LogicalResult emitRaggedCollective(dist::RaggedAllToAllOp op);
  int64_t getGroup(ArrayAttr axes);
  void recordCall(Location loc, StringRef kind, const DimExpr &elements, int64_t group,
                  int32_t dtype, StringRef reduction, ArrayAttr senders = {});
  /// This rank's number, row-major over `axes` of the mesh, as i64.
  Value getGroupIndex(Operation &op, FlatSymbolRefAttr mesh, ArrayAttr axes);

  func::FuncOp main;
  ModuleOp module;
  bool isBody = false;
  llvm::StringMap<unsigned> weightNumbers;
  SmallVectorImpl<Attribute> &libraryNodes;
  std::optional<BufferAssignment> buffers;

  // While creating @dougong_program_run:
  EntryPoint *entry = nullptr;
  ExtentEvaluator *extents = nullptr;
  SmallVector<Value> slots; ///< pointer of each arena slot
  Value workspace, workspaceBytes;
  llvm::DenseMap<Value, Value> pointers;
  SmallVector<Attribute> groups; ///< axes of each group of ranks that communicates
  SmallVector<Attribute> calls;  ///< communication calls, in order
};

LogicalResult ScheduleBuilder::run() {
  if (!llvm::hasSingleElement(main.getBody()))
    return main.emitError("a program's @main must be one block");
  SmallVector<func::FuncOp> bodies;
  for (auto function : module.getOps<func::FuncOp>())
    if (function->hasAttr(bodyAttrName))
      bodies.push_back(function);
  collectWeights(bodies);
  FailureOr<BufferAssignment> assignment = BufferAssignment::compute(main, weightNumbers);
  if (failed(assignment))
    return failure();
  buffers = std::move(*assignment);
  createAbi();
  if (failed(describeArena()) || failed(createShapes()) || failed(createRun("dougong_program_run")))
    return failure();
  module->setAttr(fallbacksAttrName, collectFallbacks(main));
  main.erase();
  for (func::FuncOp body : bodies)
    if (failed(ScheduleBuilder(body, *this).runBody()))
      return failure();
  // What only the onnx dialect understands is no concern of a code generator.
  for (auto function : module.getOps<func::FuncOp>())
    for (unsigned index = 0; index < function.getNumArguments(); ++index)
      for (StringRef name : {"onnx.dim", "onnx.dims", "onnx.name"})
        function.removeArgAttr(index, StringAttr::get(module.getContext(), name));
  for (Operation &op : llvm::make_early_inc_range(*module.getBody()))
    if (isa<onnx::WeightOp>(op) || isa_and_nonnull<dist::DistDialect>(op.getDialect()))
      op.erase();
  for (NamedAttribute attribute : llvm::to_vector(module->getDiscardableAttrs()))
    if (attribute.getName().getValue().starts_with("onnx.") ||
        attribute.getName().getValue().starts_with("dist."))
      module->removeDiscardableAttr(attribute.getName());
  return success();
}

LogicalResult ScheduleBuilder::runBody() {
  FailureOr<BufferAssignment> assignment =
      BufferAssignment::compute(main, weightNumbers, /*heapOnly=*/true);
  if (failed(assignment))
    return failure();
  buffers = std::move(*assignment);
  std::string name = main.getSymName().str();
  main.setSymName(name + "_operators");
  if (failed(createRun(name)))
    return failure();
  main.erase();
  return success();
}

void ScheduleBuilder::collectWeights(ArrayRef<func::FuncOp> bodies) {
  SmallVector<Attribute> names;
  SmallVector<func::FuncOp> functions = {main};
  llvm::append_range(functions, bodies);
  for (func::FuncOp function : functions)
    for (auto use : function.getOps<onnx::UseOp>())
      if (weightNumbers.try_emplace(use.getWeight(), names.size()).second)
        names.push_back(use.getWeightAttr());
  module->setAttr("dougong.weights", ArrayAttr::get(module.getContext(), names));
}

EntryPoint ScheduleBuilder::createEntryPoint(StringRef name, unsigned pointers) {
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  SmallVector<Type> arguments(pointers, LLVM::LLVMPointerType::get(module.getContext()));
  auto function = func::FuncOp::create(builder, main.getLoc(), name,
                                       builder.getFunctionType(arguments, builder.getI32Type()));
  Block *prologue = function.addEntryBlock();
  Block *body = function.addBlock();
  return {function, OpBuilder::atBlockEnd(prologue), OpBuilder::atBlockEnd(body)};
}

void ScheduleBuilder::finishPrologue(EntryPoint &entry, ArrayRef<ExtentEvaluator::Check> checks) {
  Location loc = main.getLoc();
  OpBuilder &builder = entry.prologue;
  Value zero = arith::ConstantIntOp::create(builder, loc, 0, 32);
  Value status = zero;
  // Backwards, so that the first failed check wins.
  for (auto [index, check] : llvm::reverse(llvm::enumerate(checks))) {
    Value code = arith::ConstantIntOp::create(builder, loc, index + 1, 32);
    status = arith::SelectOp::create(builder, loc, check.holds, status, code);
  }
  Block *failed = entry.function.addBlock();
  Value holds = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, status, zero);
  cf::CondBranchOp::create(builder, loc, holds, entry.body.getBlock(), ValueRange(), failed,
                           ValueRange());
  OpBuilder failedBuilder = OpBuilder::atBlockEnd(failed);
  func::ReturnOp::create(failedBuilder, loc, status);
  func::ReturnOp::create(entry.body, loc,
                         Value(arith::ConstantIntOp::create(entry.body, loc, 0, 32)));
}

void ScheduleBuilder::createAbi() {
  EntryPoint abi = createEntryPoint("dougong_program_abi", 0);
  abi.body.getBlock()->erase();
  Value version =
      arith::ConstantIntOp::create(abi.prologue, main.getLoc(), DOUGONG_PROGRAM_ABI, 32);
  func::ReturnOp::create(abi.prologue, main.getLoc(), version);
}

FailureOr<SmallVector<Value>>
ScheduleBuilder::getSlotOffsets(OpBuilder &builder, ExtentEvaluator &extents, Value &total) {
  SmallVector<Value> offsets;
  total = arith::ConstantIndexOp::create(builder, main.getLoc(), 0);
  for (const DimExpr &bytes : buffers->getSlots()) {
    offsets.push_back(total);
    Value size = extents.get(main.getLoc(), bytes);
    if (!size)
      return failure();
    total = arith::AddIOp::create(builder, main.getLoc(), total, size);
  }
  return offsets;
}

FailureOr<Value> ScheduleBuilder::getWorkspaceBytes(OpBuilder &builder, ExtentEvaluator &extents,
                                                    onnx::LaunchOp launch) {
  auto size = module.lookupSymbol<func::FuncOp>((launch.getKernel() + "_workspace").str());
  if (!size)
    return Value();
  Location loc = launch.getLoc();
  SmallVector<Value> arguments, values(launch.getInputs());
  llvm::append_range(values, launch.getOutputs());
  // Only extents matter to the size, so that the pointers may be null.
  Value null = LLVM::ZeroOp::create(builder, loc, LLVM::LLVMPointerType::get(builder.getContext()));
  if (size.getNumArguments() != values.size())
    return launch.emitError() << size.getSymName() << " takes " << size.getNumArguments()
                              << " values, the launch has " << values.size();
  for (auto [value, type] : llvm::zip_equal(values, size.getArgumentTypes())) {
    if (auto dim = value.getDefiningOp<onnx::DimOp>()) {
      arguments.push_back(extents.get(loc, dim.getExpr()));
    } else {
      FailureOr<SmallVector<Value>> dims =
          extents.getExtents(loc, cast<RankedTensorType>(value.getType()));
      if (failed(dims))
        return failure();
      arguments.push_back(makeMemRef(builder, loc, null, cast<MemRefType>(type), *dims));
    }
    if (!arguments.back())
      return failure();
  }
  return func::CallOp::create(builder, loc, size, arguments).getResult(0);
}

bool ScheduleBuilder::isKnownAtEntry(ExtentEvaluator &extents, onnx::LaunchOp launch) {
  auto isKnown = [&](Value value) {
    if (auto dim = value.getDefiningOp<onnx::DimOp>()) {
      Result<DimExpr> expr = DimExpr::parse(dim.getExpr());
      return expr && extents.isKnownAtEntry(*expr);
    }
    auto tensor = dyn_cast<RankedTensorType>(value.getType());
    if (!tensor || tensor.hasStaticShape())
      return true;
    FailureOr<SmallVector<DimExpr>> exprs = getExtentExprs(launch.getLoc(), tensor);
    return succeeded(exprs) &&
           llvm::all_of(*exprs, [&](const DimExpr &expr) { return extents.isKnownAtEntry(expr); });
  };
  return llvm::all_of(launch.getInputs(), isKnown) && llvm::all_of(launch.getOutputs(), isKnown);
}

FailureOr<Value> ScheduleBuilder::getWorkspaceBytes(OpBuilder &builder, ExtentEvaluator &extents) {
  Value largest;
  for (auto launch : main.getOps<onnx::LaunchOp>()) {
    if (!isKnownAtEntry(extents, launch))
      continue; // gets its workspace from the heap
    FailureOr<Value> bytes = getWorkspaceBytes(builder, extents, launch);
    if (failed(bytes))
      return failure();
    if (!*bytes)
      continue;
    largest =
        largest ? Value(arith::MaxSIOp::create(builder, launch.getLoc(), largest, *bytes)) : *bytes;
  }
  return largest;
}

LogicalResult ScheduleBuilder::describeArena() {
  Builder builder(module.getContext());
  // Equal slots are one term; each term is an attribute, for sums may be long.
  DimExpr slots;
  for (const DimExpr &bytes : buffers->getSlots())
    slots = slots + bytes;
  SmallVector<Attribute> arena;
  for (const DimExpr &term :
       slots.kind() == DimExpr::Kind::Add ? slots.operands() : std::vector<DimExpr>{slots})
    if (term.constant() != 0)
      arena.push_back(builder.getStringAttr(term.print()));
  llvm::SetVector<Attribute> workspaces, unproved;
  for (auto launch : main.getOps<onnx::LaunchOp>()) {
    auto size = module.lookupSymbol<func::FuncOp>((launch.getKernel() + "_workspace").str());
    if (!size)
      continue;
    SmallVector<Value> values(launch.getInputs());
    llvm::append_range(values, launch.getOutputs());
    if (size.getNumArguments() != values.size())
      return launch.emitError() << size.getSymName() << " takes " << size.getNumArguments()
                                << " values, the launch has " << values.size();
    SmallVector<WorkspaceArgument> arguments;
    for (Value value : values) {
      WorkspaceArgument &argument = arguments.emplace_back();
      if (auto dim = value.getDefiningOp<onnx::DimOp>()) {
        Result<DimExpr> extent = DimExpr::parse(dim.getExpr());
        if (!extent)
          return launch.emitError() << extent.message();
        argument.push_back(*extent);
        continue;
      }
      FailureOr<SmallVector<DimExpr>> extents =
          getExtentExprs(launch.getLoc(), cast<RankedTensorType>(value.getType()));
      if (failed(extents))
        return failure();
      argument = std::move(*extents);
    }
    std::optional<DimExpr> bytes = getWorkspaceExpr(size, arguments);
    std::string text = bytes ? bytes->print() : "";
    // What is too long to be read back proves nothing.
    if (bytes && DimExpr::parse(text))
      workspaces.insert(builder.getStringAttr(text));
    else
      unproved.insert(builder.getStringAttr(onnx::getNodeName(launch.getLoc())));
  }
  module->setAttr("dougong.arena", builder.getArrayAttr(arena));
  module->setAttr("dougong.workspace", builder.getArrayAttr(workspaces.getArrayRef()));
  if (!unproved.empty())
    module->setAttr("dougong.unproved", builder.getArrayAttr(unproved.getArrayRef()));
  return success();
}

LogicalResult ScheduleBuilder::createShapes() {
  // (input dims, coordinates, output dims, arena bytes)
  EntryPoint shapes = createEntryPoint("dougong_program_shapes", 4);
  ExtentEvaluator extents(shapes.prologue, shapes.function.getArgument(0));
  if (failed(extents.bindInputs(main)))
    return failure();
  Value total;
  if (failed(getSlotOffsets(shapes.prologue, extents, total)))
    return failure();
  Location loc = main.getLoc();
  FailureOr<Value> bytes = getWorkspaceBytes(shapes.prologue, extents);
  if (failed(bytes))
    return failure();
  if (*bytes)
    total = arith::AddIOp::create(shapes.prologue, loc, total, *bytes);
  Type i64 = shapes.prologue.getI64Type();
  auto store = [&](Value value, Value pointer, int64_t index) {
    Value wide = arith::IndexCastOp::create(shapes.body, loc, i64, value);
    Value address = LLVM::GEPOp::create(shapes.body, loc, pointer.getType(), i64, pointer,
                                        LLVM::GEPArg(static_cast<int32_t>(index)));
    LLVM::StoreOp::create(shapes.body, loc, wide, address);
  };
  int64_t position = 0;
  for (auto [index, type] : llvm::enumerate(main.getResultTypes())) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor)
      return main.emitError() << "output of type " << type
                              << ": programs return tensors of known rank only";
    FailureOr<SmallVector<DimExpr>> exprs = getExtentExprs(loc, tensor);
    if (failed(exprs))
      return failure();
    bool isGiven = llvm::is_contained(buffers->getGivenOutputs(), index);
    for (const DimExpr &expr : *exprs) {
      Value value = isGiven && !extents.isKnownAtEntry(expr)
                        ? Value(arith::ConstantIndexOp::create(shapes.prologue, loc, -1))
                        : extents.get(loc, expr);
      if (!value)
        return failure();
      store(value, shapes.function.getArgument(2), position++);
    }
  }
  store(total, shapes.function.getArgument(3), 0);
  finishPrologue(shapes, extents.getChecks());
  SmallVector<Attribute> texts;
  for (const ExtentEvaluator::Check &check : extents.getChecks())
    texts.push_back(StringAttr::get(module.getContext(), check.text));
  module->setAttr("dougong.checks", ArrayAttr::get(module.getContext(), texts));
  return success();
}

LogicalResult ScheduleBuilder::createRun(StringRef name) {
  // (context, inputs, outputs, input dims)
  EntryPoint run = createEntryPoint(name, 4);
  entry = &run;
  Location loc = main.getLoc();
  Value context = run.function.getArgument(0);
  ExtentEvaluator evaluator(run.prologue, run.function.getArgument(3));
  extents = &evaluator;
  for (BlockArgument argument : main.getArguments()) {
    auto symbols = main.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(), bodyExtentsAttrName);
    for (auto [index, symbol] :
         llvm::enumerate(symbols ? symbols : ArrayAttr::get(module.getContext(), {})))
      evaluator.bind(cast<StringAttr>(symbol).getValue(),
                     loadExtent(run.prologue, loc, getPointer(argument), index));
  }
  if (failed(evaluator.bindInputs(main)))
    return failure();
  Value total;
  FailureOr<SmallVector<Value>> offsets = getSlotOffsets(run.prologue, evaluator, total);
  if (failed(offsets))
    return failure();
  Value arena = loadPointer(run.prologue, loc, context, contextArena);
  for (Value offset : *offsets)
    slots.push_back(offsetPointer(run.prologue, loc, arena, offset));
  if (!isBody) {
    FailureOr<Value> bytes = getWorkspaceBytes(run.prologue, evaluator);
    if (failed(bytes))
      return failure();
    workspaceBytes = *bytes;
    if (workspaceBytes)
      workspace = offsetPointer(run.prologue, loc, arena, total);
  }
  if (failed(emitOperators()))
    return failure();
  if (!isBody) {
    module->setAttr("dougong.groups", ArrayAttr::get(module.getContext(), groups));
    module->setAttr("dougong.calls", ArrayAttr::get(module.getContext(), calls));
  }
  finishPrologue(run, evaluator.getChecks());
  return success();
}

LogicalResult ScheduleBuilder::emitOperators() {
  for (Operation &op : main.getBody().front()) {
    if (auto launch = dyn_cast<onnx::LaunchOp>(op)) {
      if (failed(emitLaunch(launch)))
        return failure();
    } else if (auto exit = dyn_cast<func::ReturnOp>(op); exit && isBody) {
      if (failed(emitYield(exit)))
        return failure();
    } else if (exit) {
      for (unsigned output : buffers->getCopiedOutputs())
        if (failed(emitCopy(exit.getOperand(output), output)))
          return failure();
      for (unsigned output : buffers->getGivenOutputs())
        if (failed(emitGive(exit.getOperand(output), output)))
          return failure();
    } else if (!isViewOp(&op) && !isInlineConstant(&op) && !isa<onnx::UseOp, onnx::DimOp>(op)) {
      if (failed(emitCollective(op)))
        return failure();
    }
  }
  return success();
}

LogicalResult ScheduleBuilder::emitYield(func::ReturnOp exit) {
  OpBuilder &builder = entry->body;
  Location loc = exit.getLoc();
  Value context = entry->function.getArgument(0), outputs = entry->function.getArgument(2);
  for (auto [index, value] : llvm::enumerate(exit.getOperands())) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type) // nothing
      continue;
    FailureOr<SmallVector<Value>> extentValues = extents->getExtents(loc, type);
    Value data = succeeded(extentValues) ? getPointer(value) : Value();
    if (!data)
      return failure();
    // The frame of this function is gone when they are read.
    Value bytes = arith::ConstantIndexOp::create(builder, loc, 8 * type.getRank());
    Value dims = callAllocate(builder, loc, context, bytes);
    storeExtents(builder, loc, *extentValues, dims);
    storeTensor(builder, loc, outputs, index, data, dims, type.getRank(),
                importer::getDataType(type.getElementType()));
  }
  return success();
}

Value ScheduleBuilder::getPointer(Value value) {
  Location loc = value.getLoc();
  Value &pointer = pointers[BufferAssignment::getRoot(value)];
  if (pointer)
    return pointer;
  OpBuilder &builder = entry->prologue;
  Storage storage = buffers->getStorage(value);
  Value context = entry->function.getArgument(0);
  switch (storage.kind) {
  case Storage::Kind::Input:
    pointer = loadPointer(builder, loc, entry->function.getArgument(1), 8 * storage.index);
    break;
  case Storage::Kind::Output:
    pointer = loadPointer(builder, loc, entry->function.getArgument(2), 8 * storage.index);
    break;
  case Storage::Kind::Weight:
    pointer = loadPointer(builder, loc, loadPointer(builder, loc, context, contextWeights),
                          8 * storage.index);
    break;
  case Storage::Kind::Slot:
    pointer = slots[storage.index];
    break;
  case Storage::Kind::Heap: {
    // Asked for first by the launch that makes the value.
    FailureOr<DimExpr> bytes =
        getAlignedBytes(loc, cast<RankedTensorType>(BufferAssignment::getRoot(value).getType()));
    Value size = succeeded(bytes) ? extents->get(loc, *bytes) : Value();
    if (!size)
      return {};
    Value allocated = callAllocate(entry->body, loc, context, size);
    pointers[BufferAssignment::getRoot(value)] = allocated;
    return allocated;
  }
  }
  return pointer;
}

FailureOr<Value> ScheduleBuilder::getMemRef(Value value, Type type) {
  auto memref = dyn_cast<MemRefType>(type);
  auto tensor = cast<RankedTensorType>(value.getType());
  Location loc = value.getLoc();
  if (!memref || memref.getRank() != tensor.getRank())
    return emitError(loc) << "kernel takes " << type << " for a value of type " << tensor;
  FailureOr<SmallVector<Value>> extentValues = extents->getExtents(loc, tensor);
  if (failed(extentValues))
    return failure();
  Value pointer = getPointer(value);
  if (!pointer)
    return failure();
  return makeMemRef(entry->body, loc, pointer, memref, *extentValues);
}

Value ScheduleBuilder::getGroupIndex(Operation &op, FlatSymbolRefAttr mesh, ArrayAttr axes) {
  Location loc = op.getLoc();
  auto meshOp = SymbolTable::lookupNearestSymbolFrom<dist::MeshOp>(&op, mesh);
  Type i64 = entry->body.getI64Type();
  Value coordinates =
      loadPointer(entry->body, loc, entry->function.getArgument(0), contextCoordinates);
  Value index = LLVM::ConstantOp::create(entry->body, loc, i64, 0);
  for (Attribute axis : axes) {
    size_t position = llvm::find(meshOp.getAxes(), axis) - meshOp.getAxes().begin();
    Value address =
        offsetPointer(entry->body, loc, coordinates, entry->body.getI64IntegerAttr(8 * position));
    Value coordinate = LLVM::LoadOp::create(entry->body, loc, i64, address);
    Value size = LLVM::ConstantOp::create(entry->body, loc, i64, meshOp.getSizes()[position]);
    index = LLVM::AddOp::create(entry->body, loc,
                                LLVM::MulOp::create(entry->body, loc, index, size), coordinate);
  }
  return index;
}

LogicalResult ScheduleBuilder::emitCollective(Operation &op) {
  Location loc = op.getLoc();
  OpBuilder &builder = entry->body;
  if (auto index = dyn_cast<dist::AxisIndexOp>(op)) {
    LLVM::StoreOp::create(builder, loc, getGroupIndex(op, index.getMeshAttr(), index.getAxes()),
                          getPointer(index.getResult()));
    return success();
  }
  HostFunction function;
  StringRef kind;
  std::optional<dist::Reduction> reduction;
  ArrayAttr senders; // of a permutation
  ArrayAttr axes = op.getAttrOfType<ArrayAttr>("axes");
  Value counted = op.getOperand(0); // the value whose elements the host counts
  int64_t divisor = 1;
  if (auto reduce = dyn_cast<dist::AllReduceOp>(op)) {
    function = hostAllReduce, kind = "all_reduce", reduction = reduce.getReduction();
  } else if (isa<dist::AllGatherOp>(op)) {
    function = hostAllGather, kind = "all_gather";
  } else if (auto scatter = dyn_cast<dist::ReduceScatterOp>(op)) {
    function = hostReduceScatter, kind = "reduce_scatter", reduction = scatter.getReduction();
    counted = op.getResult(0);
  } else if (isa<dist::AllToAllOp>(op)) {
    function = hostAllToAll, kind = "all_to_all";
    divisor = cast<RankedTensorType>(counted.getType()).getDimSize(0);
  } else if (auto ragged = dyn_cast<dist::RaggedAllToAllOp>(op)) {
    return emitRaggedCollective(ragged);
  } else if (auto permute = dyn_cast<dist::PermuteOp>(op)) {
    function = hostPermute, kind = "permute", senders = permute.getFrom();
  } else {
    return op.emitError() << "'" << op.getName() << "' has no place in a schedule";
  }
  auto type = cast<RankedTensorType>(counted.getType());
  FailureOr<SmallVector<DimExpr>> exprs = getExtentExprs(loc, type);
  if (failed(exprs))
    return failure();
  DimExpr elements = 1;
  for (const DimExpr &expr : *exprs)
    elements = elements * expr;
  elements = floorDiv(elements, divisor);
  Value count = extents->get(loc, elements);
  if (!count)
    return failure();
  int64_t group = getGroup(axes);
  int32_t dtype = importer::getDataType(type.getElementType());

  Type i64 = builder.getI64Type(), i32 = builder.getI32Type();
  SmallVector<Value> arguments = {LLVM::ConstantOp::create(builder, loc, i64, group)};
  if (senders)
    arguments.push_back(LLVM::ConstantOp::create(builder, loc, i64, getGroup(senders)));
  arguments.append({getPointer(op.getOperand(0)), getPointer(op.getResult(0)),
                    arith::IndexCastOp::create(builder, loc, i64, count),
                    LLVM::ConstantOp::create(builder, loc, i32, dtype)});
  if (reduction)
    arguments.push_back(
        LLVM::ConstantOp::create(builder, loc, i32, static_cast<int32_t>(*reduction)));
  arguments.push_back(LLVM::ConstantOp::create(builder, loc, i64, calls.size()));
  callHost(builder, loc, entry->function.getArgument(0), function, arguments);

  recordCall(loc, kind, elements, group, dtype,
             reduction ? dist::stringifyReduction(*reduction) : StringRef(), senders);
  return success();
}

LogicalResult ScheduleBuilder::emitRaggedCollective(dist::RaggedAllToAllOp op) {
  Location loc = op.getLoc();
  OpBuilder &builder = entry->body;
  FailureOr<SmallVector<DimExpr>> from = getExtentExprs(loc, op.getInput().getType());
  FailureOr<SmallVector<DimExpr>> to = getExtentExprs(loc, op.getResult().getType());
  if (failed(from) || failed(to))
    return failure();
  DimExpr row = 1;
  for (const DimExpr &expr : llvm::drop_begin(*from))
    row = row * expr;
  int64_t group = getGroup(op.getAxes());
  int32_t dtype = importer::getDataType(op.getInput().getType().getElementType());
  Type i64 = builder.getI64Type(), i32 = builder.getI32Type();
  SmallVector<Value> sizes;
  for (const DimExpr &expr : {from->front(), to->front(), row}) {
    Value size = extents->get(loc, expr);
    if (!size)
      return failure();
    sizes.push_back(arith::IndexCastOp::create(builder, loc, i64, size));
  }
  callHost(builder, loc, entry->function.getArgument(0), hostRaggedAllToAll,
           {LLVM::ConstantOp::create(builder, loc, i64, group), getPointer(op.getInput()), sizes[0],
            getPointer(op.getCounts()), getPointer(op.getResult()), sizes[1],
            getPointer(op.getReceived()), sizes[2],
            LLVM::ConstantOp::create(builder, loc, i32, dtype),
            LLVM::ConstantOp::create(builder, loc, i64, calls.size())});
  recordCall(loc, "ragged_all_to_all", min(from->front(), to->front()) * row, group, dtype, "");
  return success();
}

int64_t ScheduleBuilder::getGroup(ArrayAttr axes) {
  int64_t group = llvm::find(groups, axes) - groups.begin();
  if (group == static_cast<int64_t>(groups.size()))
    groups.push_back(axes);
  return group;
}

/// Adds a communication to the plan's list; `senders` are the axes of a permutation's.
void ScheduleBuilder::recordCall(Location loc, StringRef kind, const DimExpr &elements,
                                 int64_t group, int32_t dtype, StringRef reduction,
                                 ArrayAttr senders) {
  OpBuilder &builder = entry->body;
  auto text = [&](StringRef name, StringRef value) {
    return builder.getNamedAttr(name, builder.getStringAttr(value));
  };
  SmallVector<NamedAttribute> call = {
      text("kind", kind), text("elements", elements.print()), text("node", onnx::getNodeName(loc)),
      builder.getNamedAttr("group", builder.getI64IntegerAttr(group)),
      builder.getNamedAttr("dtype", builder.getI64IntegerAttr(dtype))};
  if (senders)
    call.push_back(builder.getNamedAttr("from", builder.getI64IntegerAttr(getGroup(senders))));
  if (!reduction.empty())
    call.push_back(text("reduction", reduction));
  calls.push_back(builder.getDictionaryAttr(call));
}

LogicalResult ScheduleBuilder::emitLibrary(onnx::LaunchOp launch) {
  Location loc = launch.getLoc();
  OpBuilder &builder = entry->body;
  unsigned outputs = launch.getOutputs().size();
  SmallVector<Value> values(launch.getOutputs());
  llvm::append_range(values, launch.getInputs());
  SmallVector<LibraryTensor> tensors;
  SmallVector<std::pair<unsigned, Value>> made; // outputs that the library places
  for (int64_t number :
       launch->getAttrOfType<DenseI64ArrayAttr>(libraryTensorsAttrName).asArrayRef()) {
    LibraryTensor &tensor = tensors.emplace_back();
    if (number < 0)
      continue;
    Value value = values[number];
    auto type = cast<RankedTensorType>(value.getType());
    tensor.rank = type.getRank();
    tensor.dtype = importer::getDataType(type.getElementType());
    FailureOr<SmallVector<DimExpr>> exprs = getExtentExprs(loc, type);
    if (failed(exprs))
      return failure();
    bool isMade =
        static_cast<unsigned>(number) < outputs &&
        !llvm::all_of(*exprs, [&](const DimExpr &expr) { return extents->isComputable(expr); });
    if (isMade) {
      made.emplace_back(tensors.size() - 1, value);
      continue;
    }
    FailureOr<SmallVector<Value>> extentValues = extents->getExtents(loc, type);
    if (failed(extentValues))
      return failure();
    tensor.extents = *extentValues;
    tensor.data = getPointer(value);
    if (!tensor.data)
      return failure();
  }
  if (auto bodies = launch->getAttrOfType<ArrayAttr>(libraryBodiesAttrName))
    for (auto body : bodies.getAsRange<FlatSymbolRefAttr>())
      tensors.push_back({getAddress(builder, loc, body), {}, 0, DOUGONG_BODY});
  LibraryTensors array(builder, loc, tensors);
  callLibrary(builder, module, launch, libraryNodes.size(), entry->function.getArgument(0), array,
              tensors.size());
  libraryNodes.push_back(builder.getStringAttr(onnx::getNodeName(loc)));
  for (auto [index, value] : made) {
    pointers[BufferAssignment::getRoot(value)] = array.loadData(index);
    FailureOr<SmallVector<DimExpr>> exprs =
        getExtentExprs(loc, cast<RankedTensorType>(value.getType()));
    if (failed(exprs))
      return failure();
    for (auto [dim, expr] : llvm::enumerate(*exprs))
      if (expr.kind() == DimExpr::Kind::Symbol && !extents->isBound(expr))
        extents->bindLate(expr.print(), array.loadExtent(index, dim), &builder);
  }
  // A result that holds extents: its elements are those of symbols.
  if (auto symbols = launch->getAttrOfType<ArrayAttr>(libraryExtentsAttrName)) {
    Value pointer = getPointer(launch.getOutputs().front());
    for (auto [dim, symbol] : llvm::enumerate(symbols.getAsValueRange<StringAttr>())) {
      if (symbol.empty())
        continue;
      extents->bindLate(symbol, loadExtent(builder, loc, pointer, dim), &builder);
    }
  }
  return success();
}

LogicalResult ScheduleBuilder::emitGive(Value value, unsigned output) {
  Location loc = value.getLoc();
  OpBuilder &builder = entry->body;
  auto type = cast<RankedTensorType>(value.getType());
  FailureOr<SmallVector<Value>> extentValues = extents->getExtents(loc, type);
  Value pointer = succeeded(extentValues) ? getPointer(value) : Value();
  if (!pointer)
    return failure();
  Type i64 = builder.getI64Type();
  callHost(builder, loc, entry->function.getArgument(0), hostGiveOutput,
           {LLVM::ConstantOp::create(builder, loc, i64, static_cast<int64_t>(output)), pointer,
            storeExtents(builder, loc, *extentValues),
            LLVM::ConstantOp::create(builder, loc, i64, type.getRank())});
  return success();
}

LogicalResult ScheduleBuilder::emitLaunch(onnx::LaunchOp launch) {
  if (launch->hasAttr(libraryAttrName))
    return emitLibrary(launch);
  auto kernel = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(launch, launch.getKernelAttr());
  if (!kernel)
    return launch.emitError() << "kernel " << launch.getKernelAttr() << " is not in the module";
  SmallVector<Value> arguments = {entry->function.getArgument(0)};
  SmallVector<Value> values(launch.getInputs());
  llvm::append_range(values, launch.getOutputs());
  ArrayRef<Type> types = kernel.getFunctionType().getInputs();
  bool needsWorkspace = types.size() == values.size() + 2;
  if (types.size() != values.size() + 1 + needsWorkspace)
    return launch.emitError() << "kernel " << launch.getKernelAttr() << " takes "
                              << types.size() - 1 << " values, the launch has " << values.size();
  for (auto [value, type] : llvm::zip(values, types.drop_front())) {
    if (auto dim = value.getDefiningOp<onnx::DimOp>()) {
      Value extent = extents->get(launch.getLoc(), dim.getExpr());
      if (!extent)
        return failure();
      arguments.push_back(extent);
      continue;
    }
    FailureOr<Value> memref = getMemRef(value, type);
    if (failed(memref))
      return failure();
    arguments.push_back(*memref);
  }
  if (needsWorkspace) {
    Value place = workspace, bytes = workspaceBytes;
    if (isBody || !isKnownAtEntry(*extents, launch)) {
      FailureOr<Value> own = getWorkspaceBytes(entry->body, *extents, launch);
      if (failed(own) || !*own)
        return failure();
      bytes = *own;
      place = callAllocate(entry->body, launch.getLoc(), entry->function.getArgument(0), bytes);
    }
    arguments.push_back(
        makeMemRef(entry->body, launch.getLoc(), place, cast<MemRefType>(types.back()), bytes));
  }
  func::CallOp::create(entry->body, launch.getLoc(), kernel, arguments);
  return success();
}

LogicalResult ScheduleBuilder::emitCopy(Value from, unsigned output) {
  FailureOr<DimExpr> exact = [&]() -> FailureOr<DimExpr> {
    auto tensor = cast<RankedTensorType>(from.getType());
    FailureOr<SmallVector<DimExpr>> exprs = getExtentExprs(from.getLoc(), tensor);
    if (failed(exprs))
      return failure();
    DimExpr bytes = getElementBytes(tensor.getElementType());
    for (const DimExpr &expr : *exprs)
      bytes = bytes * expr;
    return bytes;
  }();
  if (failed(exact))
    return failure();
  Value bytes = extents->get(from.getLoc(), *exact);
  auto byteType = MemRefType::get({ShapedType::kDynamic}, entry->body.getI8Type());
  if (!bytes)
    return failure();
  Value source = getPointer(from);
  Value target =
      loadPointer(entry->prologue, from.getLoc(), entry->function.getArgument(2), 8 * output);
  memref::CopyOp::create(entry->body, from.getLoc(),
                         makeMemRef(entry->body, from.getLoc(), source, byteType, bytes),
                         makeMemRef(entry->body, from.getLoc(), target, byteType, bytes));
  return success();
}

struct BuildSchedule : dougong::impl::BuildSchedulePassBase<BuildSchedule> {
  void runOnOperation() override {
    auto main = getOperation().lookupSymbol<func::FuncOp>("main");
    if (!main) {
      getOperation().emitError("module has no function @main to schedule");
      return signalPassFailure();
    }
    SmallVector<Attribute> libraryNodes;
    if (failed(ScheduleBuilder(main, libraryNodes).run()))
      return signalPassFailure();
    if (!libraryNodes.empty())
      getOperation()->setAttr("dougong.library_nodes", ArrayAttr::get(&getContext(), libraryNodes));
  }
};

} // namespace
