//===- LayoutRewriter.h - moves operators to channels last ------*- C++ -*-===//
#ifndef DOUGONG_LIB_CONVERSION_KERNELS_LAYOUTREWRITER_H
#define DOUGONG_LIB_CONVERSION_KERNELS_LAYOUTREWRITER_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/DenseMap.h"

namespace dougong {

/// Rewrites the ops of one block, visited in order. A value [n, c, space...]
/// whose form [n, space..., c] is what an op makes is called moved: the value
/// itself is a Transpose of that form, which goes away if nobody reads it.
class LayoutRewriter {
public:
  explicit LayoutRewriter(mlir::MLIRContext *context) : b(context) {}

  /// Rewrites `op` if it is a convolution, or if it passes the layout of its
  /// operands through.
  void visit(mlir::Operation *op);
  /// Erases the forms that nobody reads. Called once, at the end.
  void eraseUnused();

private:
  void visitConv(mlir::Operation *op);
  void visitPool(mlir::Operation *op);
  void visitGlobalPool(mlir::Operation *op);
  void visitElementwise(mlir::Operation *op);
  void visitQuantize(mlir::Operation *op);
  void visitConcat(mlir::Operation *op);
  void visitTranspose(mlir::Operation *op);

  /// The form [n, space..., c] of a moved value, or null.
  mlir::Value lookup(mlir::Value value) { return moved.lookup(value); }
  /// The form [n, space..., c] of any value.
  mlir::Value getChannelsLast(mlir::Value value);
  /// `value`, an operand of an element-wise op with a result of type `result`,
  /// in the form that broadcasts against the result's channels-last form; null:
  /// not possible.
  mlir::Value getBroadcast(mlir::Value value, mlir::RankedTensorType result);
  /// Replaces the first result of `op` by the one whose form is `last`, and
  /// erases `op`.
  void replace(mlir::Operation *op, mlir::Value last);
  /// Replaces `op` by one on channels-last values.
  void replace(mlir::Operation *op, mlir::ValueRange operands,
               llvm::ArrayRef<mlir::NamedAttribute> attributes);
  mlir::Value transpose(mlir::Value value, llvm::ArrayRef<int64_t> permutation);
  mlir::Value reshape(mlir::Value value, mlir::RankedTensorType type);
  mlir::Value create(llvm::StringRef name, mlir::ValueRange operands, mlir::Type type,
                     llvm::ArrayRef<mlir::NamedAttribute> attributes);

  mlir::OpBuilder b;
  mlir::Location loc = b.getUnknownLoc();
  llvm::DenseMap<mlir::Value, mlir::Value> moved;
  llvm::DenseMap<mlir::Value, mlir::Value> brought; ///< forms of other values
  llvm::SmallVector<mlir::Operation *> made;        ///< in program order
};

} // namespace dougong

#endif // DOUGONG_LIB_CONVERSION_KERNELS_LAYOUTREWRITER_H
