//===- Workspace.cpp - what kernels need beside their arguments -----------===//
#include "Workspace.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace dougong;

namespace {

/// Index arithmetic as expressions. All values are extents, so that unsigned ops
/// are as signed ones.
class Evaluator {
public:
  Evaluator(func::FuncOp size, ArrayRef<WorkspaceArgument> arguments) {
    for (auto [argument, extents] : llvm::zip_equal(size.getArguments(), arguments)) {
      memrefs[argument] = extents;
      if (extents.size() == 1 && argument.getType().isIndex())
        known[argument] = extents.front();
    }
  }

  /// Whether the results of an op are known now.
  bool visit(Operation *op);
  std::optional<DimExpr> get(Value value) const {
    auto it = known.find(value);
    return it == known.end() ? std::nullopt : std::optional<DimExpr>(it->second);
  }

private:
  std::optional<DimExpr> evaluate(Operation *op) const;
  std::optional<DimExpr> evaluateMap(AffineMap map, ValueRange operands, bool isMax) const;

  llvm::DenseMap<Value, WorkspaceArgument> memrefs;
  llvm::DenseMap<Value, DimExpr> known;
};

/// An affine expression over dims and symbols, all of which are `values`.
std::optional<DimExpr> evaluateAffine(AffineExpr expr, unsigned numDims, ArrayRef<DimExpr> values) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return DimExpr(constant.getValue());
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return values[dim.getPosition()];
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return values[numDims + symbol.getPosition()];
  auto binary = cast<AffineBinaryOpExpr>(expr);
  auto lhs = evaluateAffine(binary.getLHS(), numDims, values);
  auto rhs = evaluateAffine(binary.getRHS(), numDims, values);
  if (!lhs || !rhs)
    return std::nullopt;
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return *lhs + *rhs;
  case AffineExprKind::Mul:
    return *lhs * *rhs;
  case AffineExprKind::FloorDiv:
    return floorDiv(*lhs, *rhs);
  case AffineExprKind::CeilDiv:
    return ceilDiv(*lhs, *rhs);
  case AffineExprKind::Mod:
    return mod(*lhs, *rhs);
  default:
    return std::nullopt;
  }
}

std::optional<DimExpr> Evaluator::evaluateMap(AffineMap map, ValueRange operands,
                                              bool isMax) const {
  SmallVector<DimExpr> values;
  for (Value operand : operands) {
    std::optional<DimExpr> value = get(operand);
    if (!value)
      return std::nullopt;
    values.push_back(*value);
  }
  std::optional<DimExpr> result;
  for (AffineExpr expr : map.getResults()) {
    std::optional<DimExpr> value = evaluateAffine(expr, map.getNumDims(), values);
    if (!value)
      return std::nullopt;
    result = !result ? *value : isMax ? max(*result, *value) : min(*result, *value);
  }
  return result;
}

std::optional<DimExpr> Evaluator::evaluate(Operation *op) const {
  APInt constant;
  if (matchPattern(op, m_ConstantInt(&constant)))
    return DimExpr(constant.getSExtValue());
  if (auto dim = dyn_cast<memref::DimOp>(op)) {
    auto it = memrefs.find(dim.getSource());
    std::optional<DimExpr> index = get(dim.getIndex());
    std::optional<int64_t> number = index ? index->constant() : std::nullopt;
    if (it == memrefs.end() || !number || *number < 0 ||
        *number >= static_cast<int64_t>(it->second.size()))
      return std::nullopt;
    return it->second[*number];
  }
  if (auto apply = dyn_cast<affine::AffineApplyOp>(op))
    return evaluateMap(apply.getAffineMap(), apply.getMapOperands(), true);
  if (auto largest = dyn_cast<affine::AffineMaxOp>(op))
    return evaluateMap(largest.getAffineMap(), largest.getOperands(), true);
  if (auto smallest = dyn_cast<affine::AffineMinOp>(op))
    return evaluateMap(smallest.getAffineMap(), smallest.getOperands(), false);
  if (isa<arith::IndexCastOp, arith::IndexCastUIOp>(op))
    return get(op->getOperand(0));
  if (op->getNumOperands() != 2 || op->getNumResults() != 1)
    return std::nullopt;
  std::optional<DimExpr> a = get(op->getOperand(0)), b = get(op->getOperand(1));
  if (!a || !b)
    return std::nullopt;
  if (isa<arith::AddIOp>(op))
    return *a + *b;
  if (isa<arith::SubIOp>(op))
    return *a - *b;
  if (isa<arith::MulIOp>(op))
    return *a * *b;
  if (isa<arith::FloorDivSIOp, arith::DivSIOp, arith::DivUIOp>(op))
    return floorDiv(*a, *b);
  if (isa<arith::CeilDivSIOp, arith::CeilDivUIOp>(op))
    return ceilDiv(*a, *b);
  if (isa<arith::RemSIOp, arith::RemUIOp>(op))
    return mod(*a, *b);
  if (isa<arith::MinSIOp, arith::MinUIOp>(op))
    return min(*a, *b);
  if (isa<arith::MaxSIOp, arith::MaxUIOp>(op))
    return max(*a, *b);
  // x & -64 rounds down to a multiple of 64; with x = y + 63 that is y up.
  std::optional<int64_t> mask = b->constant();
  if (isa<arith::AndIOp>(op) && mask && *mask < 0 && llvm::isPowerOf2_64(-*mask))
    return ceilDiv(*a - DimExpr(-*mask - 1), DimExpr(-*mask)) * DimExpr(-*mask);
  return std::nullopt;
}

bool Evaluator::visit(Operation *op) {
  std::optional<DimExpr> value = op->getNumResults() == 1 ? evaluate(op) : std::nullopt;
  if (value)
    known[op->getResult(0)] = *value;
  return value.has_value();
}

} // namespace

std::optional<DimExpr> dougong::getWorkspaceExpr(func::FuncOp size,
                                                 ArrayRef<WorkspaceArgument> arguments) {
  if (!llvm::hasSingleElement(size.getBody()))
    return std::nullopt;
  Evaluator evaluator(size, arguments);
  for (Operation &op : size.front().without_terminator())
    if (!evaluator.visit(&op))
      return std::nullopt;
  return evaluator.get(size.front().getTerminator()->getOperand(0));
}
