//===- MatMul.cpp - matrix products ---------------------------------------===//
#include "MatMul.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

StringAttr exprOf(RankedTensorType type, unsigned dim) {
  auto dims = dyn_cast_if_present<DimsAttr>(type.getEncoding());
  return dims ? dims.getExprs()[dim] : StringAttr();
}

/// The shape that a matrix operand of `type` is broadcast to: the batch dims of
/// `batch` (its first `count` dims), then its own last two.
RankedTensorType withBatchOf(RankedTensorType batch, unsigned count, RankedTensorType type) {
  SmallVector<int64_t> shape(batch.getShape().take_front(count));
  SmallVector<StringAttr> exprs;
  for (unsigned dim = 0; dim < count; ++dim)
    exprs.push_back(exprOf(batch, dim));
  for (unsigned dim = type.getRank() - 2; dim < type.getRank(); ++dim) {
    shape.push_back(type.getDimSize(dim));
    exprs.push_back(exprOf(type, dim));
  }
  return RankedTensorType::get(shape, type.getElementType(),
                               DimsAttr::get(type.getContext(), exprs));
}

} // namespace

MatrixProduct::MatrixProduct(Emitter &e, Value a, RankedTensorType aType, Value b,
                             RankedTensorType bType, RankedTensorType result)
    : e(e), shape(e.extents(result)) {
  bool vectorA = aType.getRank() == 1, vectorB = bType.getRank() == 1;
  unsigned batch = result.getRank() - !vectorA - !vectorB;
  // Loops: batch..., then m and n where they exist, then k.
  loops = result.getRank() + 1;
  reduction = loops - 1;
  unsigned m = batch, n = batch + !vectorA;
  auto place = [&](Value tensor, RankedTensorType type, bool isVector, bool isLeft) -> Operand {
    if (isVector)
      return {tensor, e.mapOf(loops, {reduction})};
    RankedTensorType full = withBatchOf(result, batch, type);
    Operand operand = e.broadcast(tensor, type, full);
    SmallVector<AffineExpr> loopsOf;
    for (unsigned dim = 0; dim < batch; ++dim)
      loopsOf.push_back(e.loop(dim));
    loopsOf.push_back(e.loop(isLeft ? m : reduction));
    loopsOf.push_back(e.loop(isLeft ? reduction : n));
    // Matrix dims never broadcast, also if one is 1.
    SmallVector<AffineExpr> exprs(operand.map.getResults());
    exprs[exprs.size() - 2] = e.loop(batch);
    exprs[exprs.size() - 1] = e.loop(batch + 1);
    AffineMap map = e.map(batch + 2, exprs);
    return {operand.tensor, map.replaceDimsAndSymbols(loopsOf, {}, loops, 0)};
  };
  left = place(a, aType, vectorA, true);
  right = place(b, bType, vectorB, false);
  if (!vectorA)
    row = m;
  if (!vectorB)
    column = n;
}

AffineMap MatrixProduct::resultMap() {
  SmallVector<unsigned> positions;
  for (unsigned i = 0; i < reduction; ++i)
    positions.push_back(i);
  return e.mapOf(loops, positions);
}

Value MatrixProduct::compute(Type accumulator, bool aUnsigned, bool bUnsigned) {
  Value init = e.filled(shape, e.constant(accumulator, 0));
  // Its elements are used one by one, for each tile of columns: widening a vector
  // of them once is cheaper.
  if (isa<FloatType>(accumulator))
    left.tensor = e.convertTensor(left.tensor, accumulator);
  return e.contract(loops, left, right, {init, resultMap()}, {reduction}, aUnsigned, bUnsigned);
}

namespace {

template <typename OpT> Lowered lowerMatMul(OpT op, typename OpT::Adaptor in, Emitter &e) {
  auto aType = cast<RankedTensorType>(op.getA().getType());
  auto bType = cast<RankedTensorType>(op.getB().getType());
  MatrixProduct product(e, in.getA(), aType, in.getB(), bType, resultType(op));
  Type element = resultElement(op);
  return e.convertTensor(product.compute(getComputeType(element)), element);
}

/// alpha A' B' + beta C, with A' = A or its transpose, C broadcast.
Lowered lowerGemm(GemmOp op, GemmOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  Type element = resultElement(op), compute = getComputeType(element);
  double alpha = op.getAlpha().convertToFloat(), beta = op.getBeta().convertToFloat();
  Operand a{in.getA(), op.getTransA() ? e.mapOf(3, {2, 0}) : e.mapOf(3, {0, 2})};
  Operand b{in.getB(), op.getTransB() ? e.mapOf(3, {1, 2}) : e.mapOf(3, {2, 1})};
  Extents shape = e.extents(type);
  Value init = e.filled(shape, e.constant(compute, 0));
  a.tensor = e.convertTensor(a.tensor, compute);
  Value product = e.contract(3, a, b, {init, e.mapOf(3, {0, 1})}, {2});
  bool hasC = present(in.getC()) && beta != 0;
  if (!hasC && alpha == 1)
    return e.convertTensor(product, element);
  SmallVector<Operand> inputs{{product, e.identity(2)}};
  if (hasC)
    inputs.push_back(e.broadcast(in.getC(), op.getC().getType(), type));
  return e.pointwise(shape, element, inputs, [&](Emitter &e, ValueRange args) {
    Value result = args[0];
    if (alpha != 1)
      result = e.mul(result, e.constant(compute, alpha));
    if (hasC) {
      Value c = e.widen(args[1]);
      result = e.add(result, beta == 1 ? c : e.mul(c, e.constant(compute, beta)));
    }
    return e.toFloatType(result, element);
  });
}

/// com.microsoft: alpha A' B' with transposes of the matrix dims.
Lowered lowerFusedMatMul(MsFusedMatMulOp op, MsFusedMatMulOp::Adaptor in, Emitter &e) {
  if (op.getTransBatchA() || op.getTransBatchB())
    return Lowered::refuse("transBatchA and transBatchB are not supported");
  double alpha = op.getAlpha().convertToFloat();
  auto swapped = [](RankedTensorType type, bool swap) {
    if (!swap)
      return type;
    SmallVector<int64_t> shape(type.getShape());
    std::swap(shape[shape.size() - 1], shape[shape.size() - 2]);
    Attribute encoding = type.getEncoding();
    if (auto dims = dyn_cast_if_present<DimsAttr>(encoding)) {
      SmallVector<StringAttr> exprs(dims.getExprs());
      std::swap(exprs[exprs.size() - 1], exprs[exprs.size() - 2]);
      encoding = DimsAttr::get(type.getContext(), exprs);
    }
    return RankedTensorType::get(shape, type.getElementType(), encoding);
  };
  auto moved = [&](Value tensor, bool swap) {
    if (!swap)
      return tensor;
    SmallVector<int64_t> permutation =
        llvm::to_vector(llvm::seq<int64_t>(typeOf(tensor).getRank()));
    std::swap(permutation[permutation.size() - 1], permutation[permutation.size() - 2]);
    return e.transpose(tensor, permutation);
  };
  auto aType = cast<RankedTensorType>(op.getA().getType());
  auto bType = cast<RankedTensorType>(op.getB().getType());
  bool swapA = op.getTransA() && aType.getRank() > 1, swapB = op.getTransB() && bType.getRank() > 1;
  MatrixProduct product(e, moved(in.getA(), swapA), swapped(aType, swapA), moved(in.getB(), swapB),
                        swapped(bType, swapB), resultType(op));
  Type element = resultElement(op), compute = getComputeType(element);
  Value result = product.compute(compute);
  return e.pointwise(e.extents(resultType(op)), element,
                     {{result, e.identity(resultType(op).getRank())}},
                     [&](Emitter &e, ValueRange args) {
                       return e.toFloatType(e.mul(args[0], e.constant(compute, alpha)), element);
                     });
}

} // namespace

void dougong::onnx::populateMatMulPatterns(PatternSet &set) {
  set.add<MatMulOp>(lowerMatMul<MatMulOp>);
  set.add<GemmOp>(lowerGemm);
  set.add<MsFusedMatMulOp>(lowerFusedMatMul);
}
