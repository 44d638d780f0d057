//===- ShapeScope.h - what shape inference knows of values ------*- C++ -*-===//
#ifndef DOUGONG_ONNX_SHAPESCOPE_H
#define DOUGONG_ONNX_SHAPESCOPE_H

#include "dougong/Onnx/DimSolver.h"

#include "Onnx/IR/Onnx.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>
#include <string>

namespace dougong::onnx {

/// The extents of a value, or the integers in a small tensor (row-major).
using Dims = llvm::SmallVector<DimExpr, 4>;

/// Shapes and known integer contents of the values of one function, over the
/// symbols of one solver.
///
/// Shape functions (ShapeInferenceOpInterface) read operands and set results
/// here; types change only when inference is done. Inference may visit an op
/// several times: what one visit cannot decide (a broadcast of two extents that
/// later turn out equal) it decides provisionally, and inference starts over
/// with what was learnt meanwhile. In the last, *strict* visit the rest becomes
/// a run-time check or an error.
class ShapeScope {
public:
  explicit ShapeScope(DimSolver &solver) : solver(solver) {}

  DimSolver &getSolver() { return solver; }

  /// Tensors of integers with more elements have no contents.
  static constexpr int64_t maxContents = 64;

  //===--------------------------------------------------------------------===//
  // Values
  //===--------------------------------------------------------------------===//

  /// Whether `value` has a known rank. Values of type `none` have not. Of a sequence
  /// or an optional value it is the rank of its tensors, and an extent in which
  /// they may differ is -1.
  bool isKnown(mlir::Value value) const;
  /// The extents of `value`, in canonical form. `value` is known.
  Dims getDims(mlir::Value value);
  /// The integers in `value`, if they are known.
  std::optional<Dims> getContents(mlir::Value value);
  /// The content of a scalar or one-element tensor.
  std::optional<DimExpr> getScalar(mlir::Value value);
  /// The contents, if all are constants.
  std::optional<llvm::SmallVector<int64_t>> getConstants(mlir::Value value);

  /// The extents of operand `index` of `op`, or an error if its rank is not known.
  llvm::FailureOr<Dims> getOperandDims(mlir::Operation *op, unsigned index);
  /// ... and an error unless it has `rank` dims.
  llvm::FailureOr<Dims> getOperandDims(mlir::Operation *op, unsigned index, size_t rank);

  void setDims(mlir::Value value, llvm::ArrayRef<DimExpr> dims);
  /// Makes `value` one of which nothing is known.
  void forget(mlir::Value value) { entries.erase(value); }
  /// Sets result `index` of `op`, unless nobody asked for it (type `none`). A
  /// negative extent is an error.
  llvm::LogicalResult setResult(mlir::Operation *op, unsigned index, llvm::ArrayRef<DimExpr> dims);
  /// Ignored where there are too many elements or `value` holds no integers.
  void setContents(mlir::Value value, llvm::ArrayRef<DimExpr> contents);
  /// Takes shape and contents of `from`.
  void copy(mlir::Value from, mlir::Value to);

  //===--------------------------------------------------------------------===//
  // Relations between extents, with diagnostics
  //===--------------------------------------------------------------------===//

  /// Makes two extents equal and returns the common one. `what` names them in
  /// messages: "the inner dims of A and B".
  llvm::FailureOr<DimExpr> unify(mlir::Operation *op, const DimExpr &a, const DimExpr &b,
                                 const llvm::Twine &what);
  /// Requires `dim` to be one of two extents: checked at entry where that is not known.
  llvm::LogicalResult requireEither(mlir::Operation *op, const DimExpr &dim, const DimExpr &first,
                                    const DimExpr &second, const llvm::Twine &what);
  /// The extent that two extents broadcast to: ONNX's multidirectional rule.
  llvm::FailureOr<DimExpr> broadcastDim(mlir::Operation *op, const DimExpr &a, const DimExpr &b);
  llvm::FailureOr<Dims> broadcast(mlir::Operation *op, llvm::ArrayRef<DimExpr> a,
                                  llvm::ArrayRef<DimExpr> b);
  /// A product; for empty lists 1.
  static DimExpr product(llvm::ArrayRef<DimExpr> dims);
  /// An extent that depends on data: what the file declares, if that is a number,
  /// else a symbol named after the node.
  DimExpr freshDim(mlir::Operation *op, unsigned result, unsigned dim);
  /// `axis`, counted from the end if negative; an error if it is out of range.
  llvm::FailureOr<int64_t> normalizeAxis(mlir::Operation *op, int64_t axis, int64_t rank);
  /// The rank that the model declares for `value`: that of its type or, where no extent
  /// is known, that of the model's output that it is or becomes element by element.
  static std::optional<int64_t> getDeclaredRank(mlir::Value value);
  /// Takes the shapes that the file declares for the results of `op`, whose
  /// operands do not tell. Fails with an error saying that `what` is not known at
  /// compile time if it declares none.
  llvm::LogicalResult useDeclared(mlir::Operation *op, llvm::StringRef what);
  /// Whether `expr` contains a data-dependent symbol.
  bool isDataDependent(const DimExpr &expr) const;

  //===--------------------------------------------------------------------===//
  // Driving
  //===--------------------------------------------------------------------===//

  /// Shapes of all values of a block, whose arguments are known.
  llvm::LogicalResult inferBlock(mlir::Block &block);
  llvm::LogicalResult inferOp(mlir::Operation *op);

  void setStrict(bool value) { strict = value; }
  /// Whether this visit may still leave things open.
  bool isStrict() const { return strict; }
  /// Whether something was decided provisionally since the last reset.
  bool isOpen() const { return open; }
  void resetOpen() { open = false; }
  /// Tells that a shape function decided provisionally.
  void leaveOpen() { open = true; }

  /// `value`'s type with its inferred shape; unchanged if that is not known.
  mlir::Type getInferredType(mlir::Value value);
  /// The name of the ONNX node, for checks. Several nodes may have it.
  static std::string getNodeLabel(mlir::Operation *op);

private:
  struct Entry {
    Dims dims;
    std::optional<Dims> contents;
    unsigned version = 0;
  };
  Entry *refresh(mlir::Value value);

  DimSolver &solver;
  llvm::DenseMap<mlir::Value, Entry> entries;
  /// The op after whose label new symbols are named.
  llvm::StringMap<mlir::Operation *> labels;
  bool strict = false;
  bool open = false;
};

/// Whether operand `index` of `op` is there and not `none`.
bool isGiven(mlir::Operation *op, unsigned index);

/// The tensor type of `shape` and `elementType`, with `#onnx.dims` where a dim
/// is not constant.
mlir::RankedTensorType getTensorType(llvm::ArrayRef<DimExpr> shape, mlir::Type elementType);
/// The extents that a ranked type says; symbols without a name are an error of
/// the importer and come back as none.
std::optional<Dims> getTypeDims(mlir::Type type);
/// The extents that all tensors of a sequence or optional value have by its type,
/// -1 where they may differ. None if their rank is not known.
std::optional<Dims> getElementDims(mlir::Type type);
/// Extents as people write them: "[batch, 3, past + seq]".
std::string toString(llvm::ArrayRef<DimExpr> dims);

} // namespace dougong::onnx

#endif // DOUGONG_ONNX_SHAPESCOPE_H
