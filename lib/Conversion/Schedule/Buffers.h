//===- Buffers.h - where each value of a program lives ----------*- C++ -*-===//
#ifndef DOUGONG_LIB_CONVERSION_SCHEDULE_BUFFERS_H
#define DOUGONG_LIB_CONVERSION_SCHEDULE_BUFFERS_H

#include "dougong/Support/DimExpr.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace dougong {

/// The place of a value's bytes.
struct Storage {
  /// Heap: allocated during the step, as its size depends on data.
  enum class Kind { Input, Output, Weight, Slot, Heap } kind;
  unsigned index; ///< number of the input, output, weight or arena slot
};

/// Assigns a storage to every tensor of a program's `@main`.
///
/// View ops share their operand's storage. A value that the program returns is
/// made in the output's buffer if it is computed here and not returned before.
/// Everything else computed gets a slot of the arena; values whose lives do not
/// overlap share a slot. What has an extent that the inputs' dims do not tell
/// lives on the heap of the step. The size of a slot is that of its largest value; sizes
/// that cannot be compared (different expressions) are not shared.
class BufferAssignment {
public:
  /// `weights` gives the number of each weight symbol. With `heapOnly` (the body of a
  /// loop, which has no arena) all that is computed lives on the heap.
  static llvm::FailureOr<BufferAssignment>
  compute(mlir::func::FuncOp main, const llvm::StringMap<unsigned> &weights, bool heapOnly = false);

  /// The storage of a value; views have their root's.
  Storage getStorage(mlir::Value value) const { return storage.at(getRoot(value)); }
  /// The value that made the bytes: through view ops.
  static mlir::Value getRoot(mlir::Value value);

  /// Bytes of each slot, in order, each a multiple of 64.
  llvm::ArrayRef<DimExpr> getSlots() const { return slots; }
  /// Results of main that need a copy at the end (operand numbers of the return).
  llvm::ArrayRef<unsigned> getCopiedOutputs() const { return copied; }
  /// Results of main whose extents depend on data: handed over at the end.
  llvm::ArrayRef<unsigned> getGivenOutputs() const { return given; }

private:
  llvm::DenseMap<mlir::Value, Storage> storage;
  llvm::SmallVector<DimExpr> slots;
  llvm::SmallVector<unsigned> copied, given;
};

} // namespace dougong

#endif // DOUGONG_LIB_CONVERSION_SCHEDULE_BUFFERS_H
