//===- Buffers.cpp - where each value of a program lives ------------------===//
#include "Buffers.h"

#include "Extents.h"
#include "Kernels/Grouping.h"

#include "Onnx/IR/Onnx.h"

#include <set>

using namespace mlir;
using namespace dougong;

namespace {

/// A slot of the arena while it is being filled.
struct OpenSlot {
  DimExpr bytes;
  int64_t freeFrom = 0; ///< first op position at which it may hold another value
};

/// The last op (by position) that reads the value or a view of it.
int64_t findLastUse(Value value, const llvm::DenseMap<Operation *, int64_t> &positions) {
  int64_t last = 0;
  for (Operation *user : value.getUsers()) {
    last = std::max(last, positions.lookup(user));
    if (isViewOp(user) && user->getOperand(0) == value)
      last = std::max(last, findLastUse(user->getResult(0), positions));
  }
  return last;
}

/// The open slot that a value of `bytes` bytes, made at `position`, may take:
/// one of equal size; else, for constant sizes, the smallest that is large
/// enough or, failing that, the largest (which then grows).
OpenSlot *findSlot(MutableArrayRef<OpenSlot> slots, const DimExpr &bytes, int64_t position) {
  OpenSlot *fitting = nullptr, *largest = nullptr;
  for (OpenSlot &slot : slots) {
    if (slot.freeFrom > position)
      continue;
    if (slot.bytes == bytes)
      return &slot;
    if (!slot.bytes.constant() || !bytes.constant())
      continue;
    if (*slot.bytes.constant() >= *bytes.constant()) {
      if (!fitting || *slot.bytes.constant() < *fitting->bytes.constant())
        fitting = &slot;
    } else if (!largest || *slot.bytes.constant() > *largest->bytes.constant()) {
      largest = &slot;
    }
  }
  return fitting ? fitting : largest;
}

/// The symbols that the dims of the inputs tell.
std::set<std::string> getInputSymbols(func::FuncOp main) {
  std::set<std::string> symbols;
  for (Type type : main.getArgumentTypes())
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      if (FailureOr<SmallVector<DimExpr>> extents = getExtentExprs(main.getLoc(), tensor);
          succeeded(extents))
        for (const DimExpr &extent : *extents)
          symbols.merge(extent.symbols());
  return symbols;
}

/// Whether an extent holds a symbol beyond `known`.
bool dependsOnData(Location loc, Type type, const std::set<std::string> &known) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || tensor.hasStaticShape())
    return false;
  FailureOr<SmallVector<DimExpr>> extents = getExtentExprs(loc, tensor);
  return succeeded(extents) && llvm::any_of(*extents, [&](const DimExpr &extent) {
           return llvm::any_of(extent.symbols(),
                               [&](const std::string &symbol) { return !known.count(symbol); });
         });
}

} // namespace

Value BufferAssignment::getRoot(Value value) {
  while (Operation *producer = value.getDefiningOp()) {
    if (!isViewOp(producer))
      break;
    value = producer->getOperand(0);
  }
  return value;
}

FailureOr<BufferAssignment> BufferAssignment::compute(func::FuncOp main,
                                                      const llvm::StringMap<unsigned> &weights,
                                                      bool heapOnly) {
  BufferAssignment result;
  Block &body = main.getBody().front();
  llvm::DenseMap<Operation *, int64_t> positions;
  for (Operation &op : body)
    positions[&op] = positions.size() + 1;

  for (BlockArgument argument : body.getArguments())
    result.storage[argument] = {Storage::Kind::Input, argument.getArgNumber()};
  for (auto use : body.getOps<onnx::UseOp>())
    result.storage[use.getResult()] = {Storage::Kind::Weight, weights.lookup(use.getWeight())};
  std::set<std::string> inputSymbols = getInputSymbols(main);
  for (auto [index, returned] : llvm::enumerate(body.getTerminator()->getOperands())) {
    if (heapOnly)
      break;
    if (dependsOnData(main.getLoc(), returned.getType(), inputSymbols)) {
      result.given.push_back(index);
      continue;
    }
    Value root = getRoot(returned);
    bool computedHere = root.getDefiningOp() && !result.storage.contains(root) &&
                        !dependsOnData(main.getLoc(), root.getType(), inputSymbols);
    if (computedHere)
      result.storage[root] = {Storage::Kind::Output, static_cast<unsigned>(index)};
    else
      result.copied.push_back(index);
  }

  SmallVector<OpenSlot> slots;
  for (Operation &op : body) {
    if (isViewOp(&op))
      continue;
    for (Value value : op.getResults()) {
      auto type = dyn_cast<RankedTensorType>(value.getType());
      if (!type || result.storage.contains(value))
        continue;
      if (heapOnly || dependsOnData(op.getLoc(), type, inputSymbols)) {
        result.storage[value] = {Storage::Kind::Heap, 0};
        continue;
      }
      FailureOr<DimExpr> bytes = getAlignedBytes(op.getLoc(), type);
      if (failed(bytes))
        return failure();
      int64_t position = positions[&op];
      OpenSlot *slot = findSlot(slots, *bytes, position);
      if (!slot) {
        slots.push_back({*bytes, 0});
        slot = &slots.back();
      } else if (slot->bytes.constant() && bytes->constant()) {
        slot->bytes = std::max(*slot->bytes.constant(), *bytes->constant());
      }
      // A result that nobody reads still needs its buffer during the op.
      slot->freeFrom = std::max(findLastUse(value, positions), position) + 1;
      result.storage[value] = {Storage::Kind::Slot, static_cast<unsigned>(slot - slots.begin())};
    }
  }
  for (OpenSlot &slot : slots)
    result.slots.push_back(slot.bytes);
  return result;
}
