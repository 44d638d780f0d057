//===- DimSolver.h - equalities and bounds of extents -----------*- C++ -*-===//
//
// What is known of a model's symbols: equations between extents, solved by
// elimination, and inequalities.
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_ONNX_DIMSOLVER_H
#define DOUGONG_ONNX_DIMSOLVER_H

#include "dougong/Support/DimExpr.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace dougong::onnx {

/// How an equality came out.
enum class Equality {
  Proved,        ///< the two sides are the same function
  Assumed,       ///< now they are: a symbol was eliminated, or a bound assumed
  Contradiction, ///< they differ for all values of the symbols
  Undecided,     ///< neither follows, and no symbol can be eliminated
};

/// a / b, if b divides a for all values of the symbols, as far as their factors
/// show; none otherwise.
std::optional<DimExpr> divideExactly(const DimExpr &a, const DimExpr &b);

/// A condition on the symbols that was assumed, and is to be checked when the
/// program is entered (or, for data-dependent symbols, when they get values).
struct DimCheck {
  enum class Kind { Equal, LessOrEqual, OneOf };
  Kind kind;
  DimExpr lhs, rhs;
  /// The ONNX node that needs it.
  std::string node;
  /// OneOf: what lhs is where it is not rhs.
  DimExpr other = {};
};

/// Knowledge about symbols: each is an extent, hence an integer >= 0, unless
/// `setRange` says more.
///
/// Equations are solved by eliminating a symbol that occurs with coefficient 1
/// or -1. Which one: rather a symbol that no input dim is made of, then one
/// that only occurs inside compound input dims, then the longer name; so names
/// of model inputs stay.
class DimSolver {
public:
  /// Where a symbol comes from; later ones are eliminated first.
  enum class Origin { Input, CompoundInput, Declared, Fresh };

  /// Says where `symbol` comes from; the strongest of several origins counts.
  void addSymbol(const std::string &symbol, Origin origin);
  /// All symbols of a dim of a model input.
  void addInputDim(const DimExpr &dim);
  /// Restricts `symbol` to `range`, beside what is already known.
  void setRange(const std::string &symbol, DimRange range);
  const SymbolRanges &getRanges() const { return ranges; }
  Origin getOrigin(const std::string &symbol) const;

  /// `expr` without eliminated symbols, and with min and max resolved where the
  /// bounds decide. Equal extents have equal canonical forms, as far as known.
  DimExpr canonical(const DimExpr &expr);

  /// Makes `a` and `b` equal. `node` is who needs it, for the checks.
  Equality equate(const DimExpr &a, const DimExpr &b, const std::string &node);
  /// Assumes a <= b, and records a check unless it is provable.
  /// Fails if it is provably false.
  bool assumeLessOrEqual(const DimExpr &a, const DimExpr &b, const std::string &node);
  /// Records that a == b must hold, where `equate` was undecided.
  void requireEqual(const DimExpr &a, const DimExpr &b, const std::string &node);

  /// Records that `dim` must be one of two extents.
  void requireOneOf(const DimExpr &dim, const DimExpr &first, const DimExpr &second,
                    const std::string &node);

  /// Bounds that hold for all values of the symbols; none if unbounded or unknown.
  std::optional<std::int64_t> lowerBound(const DimExpr &expr);
  std::optional<std::int64_t> upperBound(const DimExpr &expr);
  bool isLessOrEqual(const DimExpr &a, const DimExpr &b);
  /// min and max, resolved where one operand is provably not the greater.
  DimExpr smaller(const DimExpr &a, const DimExpr &b);
  DimExpr greater(const DimExpr &a, const DimExpr &b);

  /// Grows with each new piece of knowledge.
  unsigned getVersion() const { return version; }
  /// All that was assumed and does not follow from the dims of the inputs
  /// alone, in canonical form, each once.
  std::vector<DimCheck> getChecks();
  /// The eliminated symbols.
  const std::map<std::string, DimExpr> &getSubstitutions() const { return substitutions; }

private:
  DimExpr simplify(const DimExpr &expr);
  std::optional<std::int64_t> bound(const DimExpr &expr, bool lower, unsigned depth);
  bool eliminate(const DimExpr &difference, const std::string &node);
  void learn();

  std::map<std::string, Origin> origins;
  SymbolRanges ranges;
  std::map<std::string, DimExpr> substitutions;
  /// Expressions known to be >= 0.
  std::vector<DimExpr> nonNegative;
  std::vector<DimCheck> checks;
  std::unordered_map<std::string, DimExpr> cache;
  unsigned version = 0;
};

} // namespace dougong::onnx

#endif // DOUGONG_ONNX_DIMSOLVER_H
