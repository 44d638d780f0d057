//===- Contraction.cpp - sharding rules of matrix products ----------------===//
#include "RuleBuilder.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

/// The factors of C[..., m, n] = sum over k of A[..., m, k] * B[..., k, n].
struct MatMulFactors {
  std::optional<unsigned> m, n, k;
};

/// Maps A (operand `a`), B (operand `b`) and result 0 as NumPy's matmul does:
/// an operand of rank 1 has no m, or no n. `reduction` is the kind of k.
std::optional<MatMulFactors> mapMatMul(RuleBuilder &builder, Operation *op, unsigned a, unsigned b,
                                       FactorKind reduction) {
  auto aExtents = getExtentTexts(op->getOperand(a)), bExtents = getExtentTexts(op->getOperand(b));
  auto extents = getExtentTexts(op->getResult(0));
  if (!aExtents || !bExtents || !extents || aExtents->empty() || bExtents->empty())
    return std::nullopt;
  bool aMatrix = aExtents->size() > 1, bMatrix = bExtents->size() > 1;
  MatMulFactors factors;
  int64_t tail = 0; // dims of the result that are not batch dims
  if (bMatrix) {
    factors.n = builder.addFactor(bExtents->back());
    builder.mapOperand(b, -1, *factors.n).mapResult(0, -1, *factors.n);
    ++tail;
  }
  if (aMatrix) {
    factors.m = builder.addFactor((*aExtents)[aExtents->size() - 2]);
    builder.mapOperand(a, -2, *factors.m).mapResult(0, bMatrix ? -2 : -1, *factors.m);
    ++tail;
  }
  factors.k = builder.addFactor(aExtents->back(), reduction);
  builder.mapOperand(a, -1, *factors.k).mapOperand(b, bMatrix ? -2 : -1, *factors.k);
  // Batch dims, aligned at the end and broadcast.
  for (int64_t batch = 1, count = static_cast<int64_t>(extents->size()) - tail; batch <= count;
       ++batch) {
    const std::string &extent = (*extents)[count - batch];
    if (extent == "1")
      continue;
    unsigned factor = builder.addFactor(extent);
    builder.mapResult(0, -tail - batch, factor);
    for (auto [operand, operandExtents] : {std::pair(a, &*aExtents), std::pair(b, &*bExtents)}) {
      int64_t dim = static_cast<int64_t>(operandExtents->size()) - 2 - batch;
      if (dim >= 0 && (*operandExtents)[dim] == extent)
        builder.mapOperand(operand, dim, factor);
      else if (dim >= 0 && (*operandExtents)[dim] != "1")
        return std::nullopt;
    }
  }
  return factors;
}

ShardingRule getMatMulRule(Operation *op) {
  RuleBuilder builder(op);
  if (!mapMatMul(builder, op, 0, 1, FactorKind::Reduction))
    return makeReplicated("the shapes of the operands are not known");
  return builder.take();
}

/// Integer products: zero points may be vectors, along m (of A) and n (of B).
ShardingRule getMatMulIntegerRule(Operation *op) {
  RuleBuilder builder(op);
  auto factors = mapMatMul(builder, op, 0, 1, FactorKind::Reduction);
  if (!factors)
    return makeReplicated("the shapes of the operands are not known");
  builder.requireEven(*factors->k); // (0 - zero point) is not 0
  for (unsigned zeroPoint : {2u, 3u})
    if (hasOperand(op, zeroPoint) && getRank(op->getOperand(zeroPoint)) > 1)
      return makeReplicated("each matrix has zero points of its own");
  if (factors->m)
    builder.mapOneOrAll(2, 0, *factors->m);
  if (factors->n)
    builder.mapOneOrAll(3, 0, *factors->n);
  return builder.take();
}

/// Vectors of one entry for each column of B, from operand `first` on.
void mapColumnVectors(RuleBuilder &builder, Operation *op, unsigned first, unsigned n) {
  for (unsigned operand = first; operand < op->getNumOperands(); ++operand)
    if (hasOperand(op, operand) && getRank(op->getOperand(operand)) == 1)
      builder.mapOneOrAll(operand, 0, n);
}

/// MatMulIntegerToFloat(A, B, a_scale, b_scale, a_zp, b_zp, bias). K stays whole: the
/// result is rounded once.
ShardingRule getScaledMatMulRule(Operation *op) {
  RuleBuilder builder(op);
  auto factors = mapMatMul(builder, op, 0, 1, FactorKind::NeedsReplication);
  if (!factors)
    return makeReplicated("the shapes of the operands are not known");
  if (factors->n)
    mapColumnVectors(builder, op, 3, *factors->n);
  return builder.take();
}

/// DynamicQuantizeMatMul(A, B, b_scale, b_zp, bias). A stays whole: its scale is that of
/// all of it.
ShardingRule getDynamicMatMulRule(Operation *op) {
  auto b = getExtentTexts(op->getOperand(1));
  if (!b || b->size() != 2)
    return makeReplicated("the second operand is no matrix of known shape");
  RuleBuilder builder(op);
  unsigned n = builder.addFactor(b->back());
  builder.mapOperand(1, 1, n).mapResult(0, -1, n);
  mapColumnVectors(builder, op, 2, n);
  return builder.take();
}

/// QLinearMatMul(a, a_scale, a_zp, b, b_scale, b_zp, y_scale, y_zp): the result
/// is quantised, so partial results cannot be added up.
ShardingRule getQLinearMatMulRule(Operation *op) {
  RuleBuilder builder(op);
  auto factors = mapMatMul(builder, op, 0, 3, FactorKind::NeedsReplication);
  if (!factors)
    return makeReplicated("the shapes of the operands are not known");
  for (unsigned operand : {4u, 5u})
    if (factors->n && hasOperand(op, operand) && getRank(op->getOperand(operand)) == 1)
      builder.mapOneOrAll(operand, 0, *factors->n);
  return builder.take();
}

/// Y[m, n] = alpha * A' * B' + beta * C. Where k is cut, C is added by one rank
/// only (the partitioner sees to it).
ShardingRule getGemmRule(Operation *op) {
  auto a = getExtentTexts(op->getOperand(0)), b = getExtentTexts(op->getOperand(1));
  if (!a || !b || a->size() != 2 || b->size() != 2)
    return makeReplicated("the shapes of the operands are not known");
  RuleBuilder builder(op);
  int64_t transA = getInt(op, "transA", 0) != 0, transB = getInt(op, "transB", 0) != 0;
  unsigned m = builder.addFactor((*a)[transA]), n = builder.addFactor((*b)[1 - transB]);
  unsigned k = builder.addFactor((*a)[1 - transA], FactorKind::Reduction);
  builder.mapOperand(0, transA, m).mapOperand(0, 1 - transA, k);
  builder.mapOperand(1, transB, k).mapOperand(1, 1 - transB, n);
  builder.mapResult(0, 0, m).mapResult(0, 1, n);
  if (hasOperand(op, 2)) {
    auto c = getExtentTexts(op->getOperand(2));
    if (!c)
      return makeReplicated("the shape of C is not known");
    if ((c->size() == 2 && c->front() != "1" && c->front() != (*a)[transA]) ||
        (!c->empty() && c->back() != "1" && c->back() != (*b)[1 - transB]))
      return makeReplicated("only the run time tells which dims of C are broadcast");
    if (!c->empty() && c->back() != "1")
      builder.mapOperand(2, -1, n);
    if (c->size() == 2 && c->front() != "1")
      builder.mapOperand(2, 0, m);
  }
  return builder.take();
}

/// ms.FusedMatMul: MatMul with transposed operands.
ShardingRule getFusedMatMulRule(Operation *op) {
  if (getInt(op, "transBatchA", 0) || getInt(op, "transBatchB", 0))
    return makeReplicated("FusedMatMul with transBatchA or transBatchB is not cut");
  bool transA = getInt(op, "transA", 0), transB = getInt(op, "transB", 0);
  if (!transA && !transB)
    return getMatMulRule(op);
  auto a = getExtentTexts(op->getOperand(0)), b = getExtentTexts(op->getOperand(1));
  if (!a || !b || a->size() != b->size() || a->size() < 2)
    return makeReplicated("FusedMatMul with transposed operands of different ranks is not cut");
  RuleBuilder builder(op);
  int64_t rank = a->size();
  unsigned m = builder.addFactor((*a)[rank - (transA ? 1 : 2)]);
  unsigned n = builder.addFactor((*b)[rank - (transB ? 2 : 1)]);
  unsigned k = builder.addFactor((*a)[rank - (transA ? 2 : 1)], FactorKind::Reduction);
  builder.mapOperand(0, transA ? -1 : -2, m).mapOperand(0, transA ? -2 : -1, k);
  builder.mapOperand(1, transB ? -1 : -2, k).mapOperand(1, transB ? -2 : -1, n);
  builder.mapResult(0, -2, m).mapResult(0, -1, n);
  for (int64_t dim = 0; dim < rank - 2; ++dim)
    if ((*a)[dim] == (*b)[dim] && (*a)[dim] != "1") {
      unsigned factor = builder.addFactor((*a)[dim]);
      builder.mapOperand(0, dim, factor).mapOperand(1, dim, factor).mapResult(0, dim, factor);
    }
  return builder.take();
}

/// ms.MatMulNBits: B is [N, K blocks, bytes of a block], scales [N, K blocks] or
/// flat, zero points [N, bytes of K blocks] or flat (packed) or of A's type.
/// K is cut at block borders, and where packed zero points share a byte.
ShardingRule getMatMulNBitsRule(Operation *op) {
  auto a = getExtentTexts(op->getOperand(0));
  int64_t bits = getInt(op, "bits", 4), block = getInt(op, "block_size", 0);
  int64_t n = getInt(op, "N", 0), k = getInt(op, "K", 0);
  if (!a || a->empty() || block <= 0 || n <= 0 || k <= 0 || bits <= 0 || bits > 8)
    return makeReplicated("MatMulNBits without block_size, N or K");
  RuleBuilder builder(op);
  int64_t blocks = llvm::divideCeil(k, block), rank = a->size();
  for (int64_t dim = 0; dim + 1 < rank; ++dim)
    if ((*a)[dim] != "1") {
      unsigned factor = builder.addFactor((*a)[dim]);
      builder.mapOperand(0, dim, factor).mapResult(0, dim, factor);
    }
  unsigned nFactor = builder.addFactor(n);
  builder.mapOperand(1, 0, nFactor).mapResult(0, -1, nFactor).mapOperand(5, 0, nFactor);
  bool packedZeros = hasOperand(op, 3) && getRank(op->getOperand(3)) == 2 &&
                     getStaticExtent(op->getOperand(3), 1) != blocks;
  int64_t zeroBytes = llvm::divideCeil(blocks * bits, 8);
  auto mapVector = [&](unsigned operand, int64_t perRow) {
    if (!hasOperand(op, operand))
      return;
    bool flat = getRank(op->getOperand(operand)) == 1;
    builder.mapOperand(operand, 0, nFactor, flat ? perRow : 1);
  };
  mapVector(2, blocks);
  mapVector(3, packedZeros ||
                       (hasOperand(op, 3) && getStaticExtent(op->getOperand(3), 0) == n * zeroBytes)
                   ? zeroBytes
                   : blocks);
  bool flatVectors =
      getRank(op->getOperand(2)) == 1 || (hasOperand(op, 3) && getRank(op->getOperand(3)) == 1);
  if (!hasOperand(op, 4) && !flatVectors && k % block == 0) {
    int64_t share = packedZeros ? 8 / bits : 1; // blocks that share a byte
    unsigned kFactor = builder.addFactor(llvm::divideCeil(blocks, share), FactorKind::Reduction);
    builder.mapOperand(0, -1, kFactor, block * share).mapOperand(1, 1, kFactor, share);
    builder.mapOperand(2, 1, kFactor, share).mapOperand(3, 1, kFactor, packedZeros ? 1 : share);
  }
  return builder.take();
}

/// Einsum without an ellipsis: letters are the factors.
ShardingRule getEinsumRule(Operation *op) {
  auto equation = op->getAttrOfType<StringAttr>("equation");
  if (!equation || equation.getValue().contains("."))
    return makeReplicated("Einsum with an ellipsis is not cut");
  auto [inputs, output] = equation.getValue().split("->");
  if (!equation.getValue().contains("->"))
    return makeReplicated("Einsum without an explicit output is not cut");
  RuleBuilder builder(op);
  SmallVector<StringRef> terms;
  inputs.split(terms, ',');
  if (terms.size() != op->getNumOperands())
    return makeReplicated("the equation does not fit the operands");
  llvm::SmallDenseMap<char, unsigned> factors;
  auto strip = [](StringRef text) {
    std::string letters;
    llvm::copy_if(text, std::back_inserter(letters), [](char c) { return c != ' '; });
    return letters;
  };
  std::string result = strip(output);
  for (auto [index, term] : llvm::enumerate(terms)) {
    auto extents = getExtentTexts(op->getOperand(index));
    std::string letters = strip(term);
    if (!extents || extents->size() != letters.size())
      return makeReplicated("the equation does not fit the operands");
    for (auto [dim, letter] : llvm::enumerate(letters)) {
      if (llvm::count(letters, letter) > 1)
        return makeReplicated("Einsum that takes a diagonal is not cut");
      if ((*extents)[dim] == "1")
        continue;
      auto [it, inserted] = factors.try_emplace(letter, 0);
      if (inserted)
        it->second = builder.addFactor((*extents)[dim], result.find(letter) == std::string::npos
                                                            ? FactorKind::Reduction
                                                            : FactorKind::PassThrough);
      builder.mapOneOrAll(index, dim, it->second);
    }
  }
  for (auto [dim, letter] : llvm::enumerate(result))
    if (auto it = factors.find(letter); it != factors.end())
      builder.mapResult(0, dim, it->second);
  return builder.take();
}

} // namespace

void dougong::onnx::attachContractionRules(MLIRContext *context) {
  attachRule<getMatMulRule, MatMulOp>(context);
  attachRule<getMatMulIntegerRule, MatMulIntegerOp>(context);
  attachRule<getScaledMatMulRule, MsMatMulIntegerToFloatOp>(context);
  attachRule<getDynamicMatMulRule, MsDynamicQuantizeMatMulOp>(context);
  attachRule<getQLinearMatMulRule, QLinearMatMulOp>(context);
  attachRule<getGemmRule, GemmOp>(context);
  attachRule<getFusedMatMulRule, MsFusedMatMulOp>(context);
  attachRule<getMatMulNBitsRule, MsMatMulNBitsOp>(context);
  attachRule<getEinsumRule, EinsumOp>(context);
}
