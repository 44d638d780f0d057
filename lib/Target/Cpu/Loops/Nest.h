//===- Nest.h - a linalg op as a loop nest with linear accesses -*- C++ -*-===//
#ifndef DOUGONG_LIB_TARGET_CPU_LOOPS_NEST_H
#define DOUGONG_LIB_TARGET_CPU_LOOPS_NEST_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Builders.h"

#include "llvm/ADT/SmallVector.h"

#include <optional>

namespace dougong::cpu {

/// How one operand is addressed: element
///
///     offset + sum over dims d of index[d] * strides[d]
///
/// of a flat view of its buffer. An operand that is a scalar has no buffer.
struct Access {
  mlir::Value scalar;     ///< the value of a scalar operand, or
  mlir::Value flat;       ///< memref<?xT>; bytes where the element type is i1
  mlir::Type elementType; ///< as the body sees it
  mlir::Value buffer;     ///< the operand itself
  mlir::OpFoldResult offset;
  llvm::SmallVector<mlir::OpFoldResult> strides; ///< one for each dim of the nest

  /// A dim that is cut in blocks, as weights packed in panels are: index i of
  /// `dim` is at (i / size) * stride + (i % size) * strides[dim].
  struct Panel {
    unsigned dim;
    int64_t size;
    mlir::OpFoldResult stride;
  };
  std::optional<Panel> panel;

  /// The memref dims (unit ones not counted) that each dim of the nest covers,
  /// first and last; -1: does not occur; -2: in some other way. Tells which
  /// dims can be merged.
  struct Span {
    int first = -1;
    int last = -1;
  };
  llvm::SmallVector<Span> spans;
  bool isContiguous = false;

  /// The stride along `dim` if it is a constant.
  std::optional<int64_t> getStride(unsigned dim) const {
    return mlir::getConstantIntValue(strides[dim]);
  }
  bool dependsOn(unsigned dim) const {
    return !scalar && (getStride(dim) != 0 || (panel && panel->dim == dim));
  }
};

/// A body with the accesses that feed it and take its results.
struct Stage {
  mlir::linalg::LinalgOp op;
  llvm::SmallVector<Access> inputs;
  llvm::SmallVector<Access> outputs;
  /// The dim of the nest that `linalg.index` d means; -1 for a dim of extent 1.
  llvm::SmallVector<int> indexDims;

  mlir::Block &getBlock() const { return *mlir::linalg::LinalgOp(op).getBlock(); }
};

/// A linalg op on memrefs, with an element-wise op that consumes its result in
/// registers, ready to be tiled.
struct Nest {
  mlir::Location loc;
  Stage main;
  /// The initial value of the outputs, where a `linalg.fill` was absorbed.
  mlir::Value init;

  /// The element-wise consumer. Its input number `epilogueOperand` is the
  /// result of `main`.
  std::optional<Stage> epilogue;
  unsigned epilogueOperand = 0;
  /// Whether the result of `main` is also stored.
  bool storesMain = true;

  llvm::SmallVector<mlir::OpFoldResult> sizes;
  llvm::SmallVector<mlir::utils::IteratorType> types;

  explicit Nest(mlir::Location loc) : loc(loc) {}

  unsigned getNumDims() const { return sizes.size(); }
  bool isReduction(unsigned dim) const {
    return types[dim] == mlir::utils::IteratorType::reduction;
  }
  bool hasReduction() const {
    return llvm::is_contained(types, mlir::utils::IteratorType::reduction);
  }
  std::optional<int64_t> getSize(unsigned dim) const {
    return mlir::getConstantIntValue(sizes[dim]);
  }
  /// Calls `fn` with every access.
  void forEachAccess(llvm::function_ref<void(Access &)> fn);
};

/// Whether the loops of `op` can be written by this library: buffers of numbers
/// with linear accesses, a body of element-wise ops and loads.
bool isSupported(mlir::linalg::LinalgOp op);

/// Writes strides and sizes at the builder's place. `epilogue`, if not null, is
/// a supported element-wise op whose input `epilogueOperand` is `op`'s output.
/// Drops dims of extent 1 and merges dims that are contiguous in all operands.
Nest buildNest(mlir::OpBuilder &builder, mlir::linalg::LinalgOp op, mlir::linalg::LinalgOp epilogue,
               unsigned epilogueOperand);

} // namespace dougong::cpu

#endif // DOUGONG_LIB_TARGET_CPU_LOOPS_NEST_H
