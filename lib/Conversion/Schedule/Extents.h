//===- Extents.h - extent expressions as index values -----------*- C++ -*-===//
#ifndef DOUGONG_LIB_CONVERSION_SCHEDULE_EXTENTS_H
#define DOUGONG_LIB_CONVERSION_SCHEDULE_EXTENTS_H

#include "dougong/Support/DimExpr.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

namespace dougong {

/// Computes extents at the head of a function, each once, from the dims of the
/// program's inputs.
class ExtentEvaluator {
public:
  /// Emits with `builder`, whose insertion point must dominate all uses and be
  /// left alone by others. `dims` is a pointer to the inputs' dims (i64), one
  /// after the other.
  ExtentEvaluator(mlir::OpBuilder builder, mlir::Value dims) : entry(builder), dims(dims) {}

  /// Binds the symbols in the argument types of `main` to input dims, and
  /// collects the comparisons that must hold (static extents, symbols that occur
  /// twice, expressions). A sum with one unknown symbol of coefficient 1 is
  /// solved for it; another expression of unknown symbols is bound as a whole.
  llvm::LogicalResult bindInputs(mlir::func::FuncOp main);

  /// The value of an expression. Null, after an error at `loc`, if it needs a
  /// symbol that no input dim shows.
  mlir::Value get(mlir::Location loc, const DimExpr &expr);
  mlir::Value get(mlir::Location loc, llvm::StringRef expr);

  /// The extents of a tensor type, static and dynamic.
  llvm::FailureOr<llvm::SmallVector<mlir::Value>> getExtents(mlir::Location loc,
                                                             mlir::RankedTensorType type);

  /// Binds a symbol that only data tell, from here on: what is computed of it is
  /// emitted with `late`, which must stand behind its definition and before all
  /// uses.
  void bindLate(llvm::StringRef symbol, mlir::Value value, mlir::OpBuilder *late);
  /// Whether `expr` needs no symbol that is bound late or not at all.
  bool isKnownAtEntry(const DimExpr &expr) const;
  /// Binds a symbol before bindInputs.
  void bind(llvm::StringRef symbol, mlir::Value value);
  /// Whether `expr` follows from what is bound by now.
  bool isComputable(const DimExpr &expr) const;
  /// Whether a value is bound to `expr` as it is.
  bool isBound(const DimExpr &expr) const { return known.contains(expr.print()); }

  /// One comparison at program entry, and what to say when it fails.
  struct Check {
    mlir::Value holds;
    std::string text;
  };
  llvm::ArrayRef<Check> getChecks() const { return checks; }

private:
  mlir::Value emit(mlir::Location loc, const DimExpr &expr);
  bool isLate(const DimExpr &expr) const;

  mlir::OpBuilder entry;
  mlir::OpBuilder *late = nullptr;
  llvm::StringSet<> lateSymbols;
  mlir::Value dims;
  /// Canonical text -> value: symbols, expressions bound as a whole, and what
  /// was computed before.
  llvm::StringMap<mlir::Value> known;
  llvm::SmallVector<Check> checks;
};

/// The extents of a tensor type as expressions. Fails, with an error at `loc`,
/// if a dynamic extent has none.
llvm::FailureOr<llvm::SmallVector<DimExpr>> getExtentExprs(mlir::Location loc,
                                                           mlir::RankedTensorType type);

/// Bytes of a tensor, rounded up to whole cache lines (64 bytes).
llvm::FailureOr<DimExpr> getAlignedBytes(mlir::Location loc, mlir::RankedTensorType type);

/// Bytes that an element takes in a buffer: bool takes 1.
int64_t getElementBytes(mlir::Type elementType);

} // namespace dougong

#endif // DOUGONG_LIB_CONVERSION_SCHEDULE_EXTENTS_H
