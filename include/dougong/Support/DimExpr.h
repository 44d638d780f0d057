//===- DimExpr.h - extents as expressions over symbols ----------*- C++ -*-===//
//
// The expressions that a plan uses for extents, counts and amounts of work:
// "128", "batch * (past + seq)", "64 * (heads ceildiv 3)".
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_SUPPORT_DIMEXPR_H
#define DOUGONG_SUPPORT_DIMEXPR_H

#include "dougong/Support/Result.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dougong {

/// The value of each symbol.
using SymbolValues = std::map<std::string, std::int64_t>;

/// A closed interval of a symbol's or an expression's values.
struct DimRange {
  std::int64_t min;
  std::int64_t max;
  bool operator==(const DimRange &) const = default;
};

/// The range of each symbol.
using SymbolRanges = std::map<std::string, DimRange>;

/// A 64-bit integer expression over named symbols. An immutable value; copies
/// share their nodes, and are safe to use from several threads.
///
/// Grammar, loosest first; operators of one line associate to the left:
///
///     sum     := product (("+" | "-") product)*
///     product := factor (("*" | "floordiv" | "ceildiv" | "mod") factor)*
///     factor  := "-" factor | integer | symbol | "(" sum ")"
///              | ("min" | "max") "(" sum "," sum ")"
///     symbol  := [A-Za-z_][A-Za-z0-9_.:/]* except the five words above
///              | "`" any text, a backquote doubled "`"
///
/// `floordiv` and `ceildiv` round towards minus and plus infinity for every
/// sign of their operands; `a mod b` is `a - b * (a floordiv b)`.
///
/// Expressions are simplified as they are built: constants fold, equal terms of
/// a sum are collected, the operands of sums, products, min and max are sorted,
/// an integer factor is multiplied into a sum. So two AFFINE expressions are
/// equal as functions exactly if they print the same; for others, the same text
/// implies the same function. What would overflow is left as it stands and
/// fails when evaluated.
class DimExpr {
public:
  enum class Kind { Constant, Symbol, Add, Mul, FloorDiv, CeilDiv, Mod, Min, Max };

  /// The constant 0.
  DimExpr() : DimExpr(std::int64_t{0}) {}
  DimExpr(std::int64_t value);
  /// The symbol `name`, which may be any text but the empty one.
  static DimExpr symbol(std::string name);

  /// Reads `text`. The error quotes the text and names the column (from 1). Texts
  /// over 16 KiB and more than 200 nested parentheses are refused.
  static Result<DimExpr> parse(std::string_view text);

  Kind kind() const;
  /// The value, if this is a constant.
  std::optional<std::int64_t> constant() const;
  /// The name without quotes, if this is a symbol; otherwise empty.
  const std::string &name() const;
  /// Add, Mul: two or more; FloorDiv, CeilDiv, Mod, Min, Max: two; else none.
  const std::vector<DimExpr> &operands() const;

  /// The canonical text: parse(print()) gives an equal expression.
  const std::string &print() const;
  /// The names of all symbols.
  std::set<std::string> symbols() const;

  /// The value. Fails, naming this expression, for a symbol without a value, a
  /// division by zero, and a result (also of a part) outside 64 bits.
  Result<std::int64_t> evaluate(const SymbolValues &values) const;
  /// An interval that holds every value the expression can take. Exact where no
  /// symbol occurs twice and there is no `mod`; it may be wider otherwise. Divided
  /// by an extent that may be zero, it holds the values for the others: by zero
  /// there is none. Fails, naming the symbol, where a range is missing, where a
  /// divisor's range holds zero in its middle or at its upper end, and where a
  /// bound lies outside 64 bits.
  Result<DimRange> range(const SymbolRanges &ranges) const;
  /// Every symbol that `values` names is replaced, all at once.
  DimExpr substitute(const std::map<std::string, DimExpr> &values) const;

  /// Equal canonical texts.
  bool operator==(const DimExpr &other) const { return print() == other.print(); }

  friend DimExpr operator+(const DimExpr &a, const DimExpr &b);
  friend DimExpr operator-(const DimExpr &a, const DimExpr &b);
  friend DimExpr operator*(const DimExpr &a, const DimExpr &b);
  friend DimExpr operator-(const DimExpr &a);
  friend DimExpr floorDiv(const DimExpr &a, const DimExpr &b);
  friend DimExpr ceilDiv(const DimExpr &a, const DimExpr &b);
  friend DimExpr mod(const DimExpr &a, const DimExpr &b);
  friend DimExpr min(const DimExpr &a, const DimExpr &b);
  friend DimExpr max(const DimExpr &a, const DimExpr &b);

  struct Node;

private:
  explicit DimExpr(std::shared_ptr<const Node> node) : node(std::move(node)) {}
  std::shared_ptr<const Node> node;
  friend struct DimExprBuilder; // in the source file
};

DimExpr operator+(const DimExpr &a, const DimExpr &b);
DimExpr operator-(const DimExpr &a, const DimExpr &b);
DimExpr operator*(const DimExpr &a, const DimExpr &b);
DimExpr operator-(const DimExpr &a);
DimExpr floorDiv(const DimExpr &a, const DimExpr &b);
DimExpr ceilDiv(const DimExpr &a, const DimExpr &b);
DimExpr mod(const DimExpr &a, const DimExpr &b);
DimExpr min(const DimExpr &a, const DimExpr &b);
DimExpr max(const DimExpr &a, const DimExpr &b);

} // namespace dougong

#endif // DOUGONG_SUPPORT_DIMEXPR_H
