//===- Emitter.h - a builder of linalg on tensors with named extents -*- C++ -*-===//
//
// What the lowerings of all operator families are written with: extents as
// OpFoldResults, scalar arithmetic that folds constants, and linalg.generic
// with its maps given per operand.
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_LIB_CONVERSION_ONNXTOLINALG_EMITTER_H
#define DOUGONG_LIB_CONVERSION_ONNXTOLINALG_EMITTER_H

#include "Onnx/IR/Onnx.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <optional>

namespace dougong::onnx {

/// The extents of a tensor or of a loop nest: attributes where they are static.
using Extents = llvm::SmallVector<mlir::OpFoldResult, 6>;

/// An operand of a linalg.generic: a tensor and the map from loops to its dims.
struct Operand {
  mlir::Value tensor;
  mlir::AffineMap map;
};

/// Whether an optional operand or result is there.
inline bool present(mlir::Value value) {
  return value && !llvm::isa<mlir::NoneType>(value.getType());
}

/// The ranked tensor type of `value`. Types of kernels are ranked: the pass
/// checks it before any lowering runs.
inline mlir::RankedTensorType typeOf(mlir::Value value) {
  return llvm::cast<mlir::RankedTensorType>(value.getType());
}

/// Whether elements of `value`, a value of the onnx dialect, are unsigned
/// integers (bool counts as one).
bool isUnsigned(mlir::Value value);

/// `axis` of a tensor of rank `rank`, negative ones counted from the end.
inline int64_t normalizeAxis(int64_t axis, int64_t rank) { return axis < 0 ? axis + rank : axis; }

/// The integers of `value`, an operand of the onnx dialect, if it is made by an
/// onnx.Constant.
std::optional<llvm::SmallVector<int64_t>> getConstantInts(mlir::Value value);

/// The type that elements of type `element`, a type of the onnx dialect, have in
/// buffers: integers are signless; those of 2 and 4 bits (extended by their sign)
/// and floats of less than 16 bits take a byte.
mlir::Type getStorageType(mlir::Type element);

/// The type that arithmetic on elements of type `element` is done in: f32 for
/// the narrower floats, else the type itself (signless).
mlir::Type getComputeType(mlir::Type element);

/// An operand that holds a few integers: constants, or values read at run time.
struct Integers {
  std::optional<llvm::SmallVector<int64_t>> constants;
  mlir::Value tensor; ///< converted; used where constants are not known

  /// `original` is the operand in the onnx dialect, `converted` its value.
  Integers(mlir::Value original, mlir::Value converted)
      : constants(getConstantInts(original)), tensor(converted) {}
};

/// Builds the lowering of one op.
class Emitter : public mlir::ImplicitLocOpBuilder {
public:
  using ImplicitLocOpBuilder::ImplicitLocOpBuilder;
  using Body = llvm::function_ref<mlir::Value(Emitter &, mlir::ValueRange)>;
  using MultiBody = llvm::function_ref<llvm::SmallVector<mlir::Value>(Emitter &, mlir::ValueRange)>;

  //===--- extents ---------------------------------------------------------===//

  /// Extent `dim` of the tensor type `original`, a type of the onnx dialect.
  mlir::OpFoldResult extent(mlir::Type original, int64_t dim);
  /// All extents of `original`.
  Extents extents(mlir::Type original);
  /// Extents of a converted tensor: static ones, or tensor.dim of it.
  Extents extentsOf(mlir::Value tensor);
  mlir::OpFoldResult attr(int64_t value) { return getIndexAttr(value); }
  /// `size` as a value of type index.
  mlir::Value index(mlir::OpFoldResult size);
  mlir::Value index(int64_t value) { return mlir::arith::ConstantIndexOp::create(*this, value); }

  // Arithmetic on extents; constants fold. Divisions are of non-negative values.
  mlir::OpFoldResult addSizes(mlir::OpFoldResult a, mlir::OpFoldResult b);
  mlir::OpFoldResult subSizes(mlir::OpFoldResult a, mlir::OpFoldResult b);
  mlir::OpFoldResult mulSizes(mlir::OpFoldResult a, mlir::OpFoldResult b);
  mlir::OpFoldResult floorDivSizes(mlir::OpFoldResult a, mlir::OpFoldResult b);
  mlir::OpFoldResult ceilDivSizes(mlir::OpFoldResult a, mlir::OpFoldResult b);
  mlir::OpFoldResult minSizes(mlir::OpFoldResult a, mlir::OpFoldResult b);
  mlir::OpFoldResult maxSizes(mlir::OpFoldResult a, mlir::OpFoldResult b);
  mlir::OpFoldResult productOf(llvm::ArrayRef<mlir::OpFoldResult> sizes);

  //===--- scalars ---------------------------------------------------------===//

  /// A constant of `type` (float, integer or index).
  mlir::Value constant(mlir::Type type, double value);
  mlir::Value constantInt(mlir::Type type, int64_t value);
  /// Minus or plus infinity, or the least or greatest integer.
  mlir::Value lowest(mlir::Type type, bool isUnsigned);
  mlir::Value highest(mlir::Type type, bool isUnsigned);

  // Arithmetic on floats (with fastmath<contract>), integers and indices.
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value sub(mlir::Value a, mlir::Value b);
  /// For sums whose order is free, so that they vectorise.
  mlir::Value addReassoc(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  /// Integers: truncating; a division by zero yields 0 instead of a trap.
  mlir::Value div(mlir::Value a, mlir::Value b, bool isUnsigned = false);
  /// NaN wins, as in ONNX.
  mlir::Value max(mlir::Value a, mlir::Value b, bool isUnsigned = false);
  mlir::Value min(mlir::Value a, mlir::Value b, bool isUnsigned = false);
  /// NaN loses: for maxima whose NaN is found by what follows.
  mlir::Value maxNum(mlir::Value a, mlir::Value b);
  enum class Compare { Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual };
  mlir::Value compare(Compare kind, mlir::Value a, mlir::Value b, bool isUnsigned = false);
  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value b);
  mlir::Value logicalNot(mlir::Value a);
  mlir::Value sigmoid(mlir::Value x);
  /// Converts as ONNX's Cast does: any of bool, integers, floats.
  mlir::Value convert(mlir::Value x, mlir::Type to, bool fromUnsigned, bool toUnsigned);
  /// Float widening and narrowing; integers pass.
  mlir::Value widen(mlir::Value x);
  mlir::Value toFloatType(mlir::Value x, mlir::Type to);
  /// An element of an index tensor as an index (signed).
  mlir::Value toIndex(mlir::Value x);
  /// ONNX's index rule for a dim of `size` elements: negative ones count from
  /// the end; what is out of range is clamped, so that no read leaves memory.
  mlir::Value wrapIndex(mlir::Value x, mlir::OpFoldResult size);
  /// Rounds half to even, adds the zero point, saturates to integer type `to`.
  mlir::Value quantize(mlir::Value scaled, mlir::Value zeroPoint, mlir::Type to, bool toUnsigned);

  /// Integer number `i` of `integers`.
  mlir::OpFoldResult integerAt(const Integers &integers, unsigned i);
  /// Element of `tensor` (of any rank) at `indices`.
  mlir::Value extract(mlir::Value tensor, mlir::ValueRange indices = {});

  //===--- tensors ---------------------------------------------------------===//

  mlir::AffineExpr loop(unsigned i) { return getAffineDimExpr(i); }
  mlir::AffineExpr zero() { return getAffineConstantExpr(0); }
  mlir::AffineMap map(unsigned loops, llvm::ArrayRef<mlir::AffineExpr> exprs);
  mlir::AffineMap mapOf(unsigned loops, llvm::ArrayRef<unsigned> positions);
  mlir::AffineMap identity(unsigned loops) { return getMultiDimIdentityMap(loops); }

  mlir::Value empty(llvm::ArrayRef<mlir::OpFoldResult> shape, mlir::Type element);
  mlir::Value filled(llvm::ArrayRef<mlir::OpFoldResult> shape, mlir::Value scalar);
  /// `tensor` with static extents exchanged for those of `shape` where the two
  /// differ in what they know.
  mlir::Value castTo(mlir::Value tensor, mlir::Type type);
  /// `tensor` with every extent that `shape` knows to be static made so.
  mlir::Value refine(mlir::Value tensor, llvm::ArrayRef<mlir::OpFoldResult> shape);

  /// linalg.generic; `reductions` lists the reduction loops. The body gets the
  /// elements of inputs, then of outputs, and returns the new ones of outputs.
  llvm::SmallVector<mlir::Value> generic(unsigned loops, llvm::ArrayRef<Operand> inputs,
                                         llvm::ArrayRef<Operand> outputs,
                                         llvm::ArrayRef<unsigned> reductions, MultiBody body);
  mlir::Value generic(unsigned loops, llvm::ArrayRef<Operand> inputs, Operand output,
                      llvm::ArrayRef<unsigned> reductions, Body body);

  /// A parallel loop nest over `shape` that makes one tensor of it. The body
  /// gets the elements of the inputs alone.
  mlir::Value pointwise(llvm::ArrayRef<mlir::OpFoldResult> shape, mlir::Type element,
                        llvm::ArrayRef<Operand> inputs, Body body);
  /// The same for several results of one shape.
  llvm::SmallVector<mlir::Value> pointwiseMulti(llvm::ArrayRef<mlir::OpFoldResult> shape,
                                                llvm::ArrayRef<mlir::Type> elements,
                                                llvm::ArrayRef<Operand> inputs, MultiBody body);
  /// Value of loop `i` inside a body.
  mlir::Value loopIndex(unsigned i) { return mlir::linalg::IndexOp::create(*this, i); }

  /// Sum of products: `acc[out] += a[mapA] * b[mapB]` in the type of `init`.
  /// Floats are widened, integers extended by their signedness.
  mlir::Value contract(unsigned loops, Operand a, Operand b, Operand init,
                       llvm::ArrayRef<unsigned> reductions, bool aUnsigned = false,
                       bool bUnsigned = false);

  /// Reduces the dims `reductions` of `tensor` (of extents `shape`) away, from the
  /// scalar `init`; the body gets the element and the value so far.
  mlir::Value reduce(mlir::Value tensor, llvm::ArrayRef<mlir::OpFoldResult> shape,
                     llvm::ArrayRef<unsigned> reductions, mlir::Value init, Body body);
  /// The dims of a nest over `loops` loops that are not in `reductions`.
  mlir::AffineMap keptMap(unsigned loops, llvm::ArrayRef<unsigned> reductions);
  /// Puts dims of extent 1 at `dims` (sorted) of the result.
  mlir::Value keepDims(mlir::Value tensor, llvm::ArrayRef<unsigned> dims);

  /// ONNX broadcasting of `tensor` (its type in the onnx dialect is
  /// `original`) to the trailing dims of a nest over `loops` loops of which the
  /// extents belong to `result`. Static extents 1 read at 0. A dynamic extent
  /// whose expression differs from the result's may be 1 at run time:
  /// `tensor` is then expanded.
  Operand broadcast(mlir::Value tensor, mlir::Type original, mlir::RankedTensorType result);

  /// Joins groups of dims / splits them: shapes are given in full.
  mlir::Value collapse(mlir::Value tensor, llvm::ArrayRef<mlir::ReassociationIndices> groups);
  mlir::Value expand(mlir::Value tensor, llvm::ArrayRef<mlir::OpFoldResult> shape,
                     llvm::ArrayRef<mlir::ReassociationIndices> groups);
  /// Splits dim `dim` into `sizes`.
  mlir::Value splitDim(mlir::Value tensor, unsigned dim, llvm::ArrayRef<mlir::OpFoldResult> sizes);
  /// Joins dims [first, last].
  mlir::Value joinDims(mlir::Value tensor, unsigned first, unsigned last);
  /// Row-major reshape to `shape` by way of one dim where no finer way is seen.
  mlir::Value reshape(mlir::Value tensor, mlir::Type original, mlir::RankedTensorType result);

  /// Transposes: result dim i is dim perm[i] of `tensor`.
  mlir::Value transpose(mlir::Value tensor, llvm::ArrayRef<int64_t> permutation);
  /// Concatenates along `axis` into a tensor of `shape`.
  mlir::Value concat(llvm::ArrayRef<mlir::Value> tensors, int64_t axis,
                     llvm::ArrayRef<mlir::OpFoldResult> shape);
  /// The part [offset, offset + size) of dim `dim`.
  mlir::Value slice(mlir::Value tensor, int64_t dim, mlir::OpFoldResult offset,
                    mlir::OpFoldResult size);
  /// Pads with `value`; `low` and `high` have one entry for each dim.
  mlir::Value pad(mlir::Value tensor, llvm::ArrayRef<mlir::OpFoldResult> low,
                  llvm::ArrayRef<mlir::OpFoldResult> high, mlir::Value value);
  /// `tensor` converted to the elements of the type `element` (floats).
  mlir::Value convertTensor(mlir::Value tensor, mlir::Type element, bool fromUnsigned = false,
                            bool toUnsigned = false);

  //===--- control ---------------------------------------------------------===//

  using LoopBody = llvm::function_ref<llvm::SmallVector<mlir::Value>(Emitter &, mlir::Value iv,
                                                                     mlir::ValueRange carried)>;
  /// scf.for from 0 to `count` with `inits` carried; gives their last values.
  llvm::SmallVector<mlir::Value> repeat(mlir::OpFoldResult count, mlir::ValueRange inits,
                                        LoopBody body);
  /// A nest of such loops over `shape`. The body gets the loop indices.
  using NestBody = llvm::function_ref<llvm::SmallVector<mlir::Value>(
      Emitter &, mlir::ValueRange indices, mlir::ValueRange carried)>;
  llvm::SmallVector<mlir::Value> repeatNest(llvm::ArrayRef<mlir::OpFoldResult> shape,
                                            mlir::ValueRange inits, NestBody body);
  /// The same with one carried value.
  mlir::Value repeatNest(
      llvm::ArrayRef<mlir::OpFoldResult> shape, mlir::Value init,
      llvm::function_ref<mlir::Value(Emitter &, mlir::ValueRange indices, mlir::Value carried)>
          body);
  /// scf.if whose other branch gives `otherwise`.
  llvm::SmallVector<mlir::Value>
  when(mlir::Value condition, mlir::ValueRange otherwise,
       llvm::function_ref<llvm::SmallVector<mlir::Value>(Emitter &)> body);

private:
  mlir::Value dimValue(llvm::StringRef expr);
};

} // namespace dougong::onnx

#endif // DOUGONG_LIB_CONVERSION_ONNXTOLINALG_EMITTER_H
