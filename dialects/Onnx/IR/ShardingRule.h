//===- ShardingRule.h - which dims of an op may be cut together -*- C++ -*-===//
#ifndef DOUGONG_DIALECTS_ONNX_IR_SHARDINGRULE_H
#define DOUGONG_DIALECTS_ONNX_IR_SHARDINGRULE_H

#include "llvm/ADT/SmallVector.h"

#include <cstdint>
#include <string>

namespace dougong::onnx {

/// How results depend on an iteration dimension (factor) of an op.
enum class FactorKind {
  PassThrough,     ///< independent: cutting it cuts the results
  Reduction,       ///< summed (or max'ed) away: cutting it leaves partial results
  Placement,       ///< units with a home: what each needs is sent there and back, so axes
                   ///< that cut other factors may cut it too
  NeedsReplication ///< must be whole on every rank
};

/// One iteration dimension of an op, as in an einsum.
struct Factor {
  std::string size; ///< extent in units, an expression over the op's symbols
  FactorKind kind = FactorKind::PassThrough;
  /// For reductions: what combines partial results: sum, max, min or prod.
  std::string combine = "sum";
  /// May be cut only into equal parts: padding would change the results.
  bool even = false;
};

/// A dim of an operand or result, as the product of factors (major first). Only
/// the first can be cut; the others are within its units.
struct DimFactors {
  llvm::SmallVector<unsigned, 1> factors;
  /// Elements of the dim per unit of its first factor that must stay together
  /// (the head size, for a dim of heads x head size). 1 for most dims.
  int64_t unit = 1;
};

/// The sharding rule of an op.
///
/// Dims that list the same factor are cut together. A rule with `replicated`
/// set allows no cut, and says why.
struct ShardingRule {
  llvm::SmallVector<Factor> factors;
  llvm::SmallVector<llvm::SmallVector<DimFactors>> operands; ///< [operand][dim]
  llvm::SmallVector<llvm::SmallVector<DimFactors>> results;  ///< [result][dim]
  std::string replicated; ///< reason why the op cannot be cut; empty if it can
};

/// Arithmetic and traffic of an op, as expressions over its symbols.
struct OpCost {
  std::string flops = "0"; ///< multiply-adds count 2
  std::string bytes = "0"; ///< operand and result bytes, each touched once
  bool matrix = false;     ///< whether the flops are those of matrix products
};

} // namespace dougong::onnx

#endif // DOUGONG_DIALECTS_ONNX_IR_SHARDINGRULE_H
