//===- DimExpr.cpp - extents as expressions over symbols ------------------===//
//
// Nodes, simplification, printing and evaluation. Reading is in
// DimExprParser.cpp.
//
//===----------------------------------------------------------------------===//

#include "dougong/Support/DimExpr.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

namespace dougong {

using Kind = DimExpr::Kind;

struct DimExpr::Node {
  Kind kind = Kind::Constant;
  std::int64_t value = 0;
  std::string name;
  std::vector<DimExpr> operands;
  /// A sum or product that was left as it stands, for folding it would
  /// overflow. Other simplifications treat it as one opaque operand.
  bool unfolded = false;
  std::string text;
};

//===----------------------------------------------------------------------===//
// Checked arithmetic
//===----------------------------------------------------------------------===//

namespace {

using Int = std::int64_t;
constexpr Int intMin = std::numeric_limits<Int>::min();

std::optional<Int> checkedAdd(Int a, Int b) {
  Int result;
  if (__builtin_add_overflow(a, b, &result))
    return std::nullopt;
  return result;
}

std::optional<Int> checkedMul(Int a, Int b) {
  Int result;
  if (__builtin_mul_overflow(a, b, &result))
    return std::nullopt;
  return result;
}

/// `b` is not zero, in this and the next two.
std::optional<Int> checkedFloorDiv(Int a, Int b) {
  if (a == intMin && b == -1)
    return std::nullopt;
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

std::optional<Int> checkedCeilDiv(Int a, Int b) {
  if (a == intMin && b == -1)
    return std::nullopt;
  return a / b + (a % b != 0 && (a < 0) == (b < 0));
}

Int floorMod(Int a, Int b) {
  if (b == -1) // intMin % -1 traps
    return 0;
  Int remainder = a % b;
  return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
}

//===----------------------------------------------------------------------===//
// Printing
//===----------------------------------------------------------------------===//

const char *operatorName(Kind kind) {
  switch (kind) {
  case Kind::Add:
    return "+";
  case Kind::Mul:
    return "*";
  case Kind::FloorDiv:
    return "floordiv";
  case Kind::CeilDiv:
    return "ceildiv";
  case Kind::Mod:
    return "mod";
  case Kind::Min:
    return "min";
  case Kind::Max:
    return "max";
  case Kind::Constant:
  case Kind::Symbol:
    break;
  }
  return "";
}

std::string printSymbol(const std::string &name) {
  auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  auto other = [](char c) { return (c >= '0' && c <= '9') || c == '.' || c == ':' || c == '/'; };
  constexpr std::array<std::string_view, 5> words = {"floordiv", "ceildiv", "mod", "min", "max"};
  bool plain =
      !name.empty() && letter(name[0]) &&
      std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || other(c); }) &&
      std::find(words.begin(), words.end(), name) == words.end();
  if (plain)
    return name;
  std::string text = "`";
  for (char c : name)
    text.append(c == '`' ? 2 : 1, c);
  return text + "`";
}

/// Everything that is not a number, a symbol or a call gets parentheses here.
std::string printOperand(const DimExpr &operand) {
  switch (operand.kind()) {
  case Kind::Constant:
  case Kind::Symbol:
  case Kind::Min:
  case Kind::Max:
    return operand.print();
  default:
    return "(" + operand.print() + ")";
  }
}

} // namespace

/// Makes nodes, and sees into them.
struct DimExprBuilder {
  static const DimExpr::Node &node(const DimExpr &e) { return *e.node; }

  static DimExpr make(Kind kind, std::vector<DimExpr> operands, bool unfolded = false) {
    DimExpr::Node node;
    node.kind = kind;
    node.operands = std::move(operands);
    node.unfolded = unfolded;
    node.text = print(node);
    return DimExpr(std::make_shared<const DimExpr::Node>(std::move(node)));
  }

  static DimExpr constant(Int value) {
    DimExpr::Node node;
    node.value = value;
    node.text = std::to_string(value);
    return DimExpr(std::make_shared<const DimExpr::Node>(std::move(node)));
  }

  static DimExpr symbol(std::string name) {
    DimExpr::Node node;
    node.kind = Kind::Symbol;
    node.text = printSymbol(name);
    node.name = std::move(name);
    return DimExpr(std::make_shared<const DimExpr::Node>(std::move(node)));
  }

  static std::string print(const DimExpr::Node &node) {
    const auto &operands = node.operands;
    std::string text;
    switch (node.kind) {
    case Kind::Min:
    case Kind::Max:
      return std::string(operatorName(node.kind)) + "(" + operands[0].print() + ", " +
             operands[1].print() + ")";
    case Kind::Add:
      for (const DimExpr &operand : operands) {
        std::string term = operand.kind() == Kind::Add ? printOperand(operand) : operand.print();
        // "a - 2 * b" rather than "a + -2 * b", where that reads back the same.
        bool signedTerm =
            operand.constant() || (operand.kind() == Kind::Mul && !operand.node->unfolded);
        bool negative = !text.empty() && !node.unfolded && signedTerm && term[0] == '-' &&
                        term.compare(0, 20, "-9223372036854775808") != 0;
        if (!text.empty())
          text += negative ? " - " : " + ";
        text += negative ? term.substr(1) : term;
      }
      return text;
    case Kind::Mul:
      // -1 times something is a sign, but not if both are numbers.
      if (!node.unfolded && operands[0].constant() == Int{-1}) {
        text = "-";
        for (std::size_t i = 1; i != operands.size(); ++i)
          text += (i == 1 ? "" : " * ") + printOperand(operands[i]);
        return text;
      }
      [[fallthrough]];
    default:
      for (const DimExpr &operand : operands) {
        if (!text.empty())
          text += std::string(" ") + operatorName(node.kind) + " ";
        text += printOperand(operand);
      }
      return text;
    }
  }

  //===--------------------------------------------------------------------===//
  // Sums: a map from a term's text to its coefficient, and a constant
  //===--------------------------------------------------------------------===//

  struct Linear {
    std::map<std::string, std::pair<Int, DimExpr>> terms;
    Int constant = 0;
  };

  /// A term as coefficient and rest.
  static std::pair<Int, DimExpr> splitTerm(const DimExpr &term) {
    if (term.kind() != Kind::Mul || node(term).unfolded)
      return {1, term};
    const auto &operands = term.operands();
    auto coefficient = operands[0].constant();
    if (!coefficient)
      return {1, term};
    if (operands.size() == 2)
      return {*coefficient, operands[1]};
    return {*coefficient, make(Kind::Mul, {operands.begin() + 1, operands.end()})};
  }

  static DimExpr joinTerm(Int coefficient, const DimExpr &rest) {
    if (coefficient == 1)
      return rest;
    std::vector<DimExpr> operands = {coefficient};
    if (rest.kind() == Kind::Mul && !node(rest).unfolded)
      operands.insert(operands.end(), rest.operands().begin(), rest.operands().end());
    else
      operands.push_back(rest);
    return make(Kind::Mul, std::move(operands));
  }

  /// Adds `factor` * e. False on overflow, `sum` is then spoilt.
  static bool accumulate(Linear &sum, const DimExpr &e, Int factor) {
    if (auto value = e.constant()) {
      auto scaled = checkedMul(*value, factor);
      auto total = scaled ? checkedAdd(sum.constant, *scaled) : std::nullopt;
      sum.constant = total.value_or(0);
      return total.has_value();
    }
    if (e.kind() == Kind::Add && !node(e).unfolded) {
      for (const DimExpr &operand : e.operands())
        if (!accumulate(sum, operand, factor))
          return false;
      return true;
    }
    auto [coefficient, rest] = splitTerm(e);
    auto scaled = checkedMul(coefficient, factor);
    auto &slot = sum.terms.try_emplace(rest.print(), 0, rest).first->second;
    auto total = scaled ? checkedAdd(slot.first, *scaled) : std::nullopt;
    slot.first = total.value_or(0);
    return total.has_value();
  }

  static std::optional<Linear> linear(const DimExpr &e) {
    Linear sum;
    if (!accumulate(sum, e, 1))
      return std::nullopt;
    return sum;
  }

  /// Positive terms, negative terms, the constant.
  static DimExpr fromLinear(const Linear &sum) {
    std::vector<DimExpr> operands;
    for (bool negative : {false, true})
      for (const auto &[text, term] : sum.terms)
        if (term.first != 0 && (term.first < 0) == negative)
          operands.push_back(joinTerm(term.first, term.second));
    if (sum.constant != 0 || operands.empty())
      operands.push_back(sum.constant);
    return operands.size() == 1 ? operands[0] : make(Kind::Add, std::move(operands));
  }

  static DimExpr add(const DimExpr &a, const DimExpr &b, Int factorOfB) {
    Linear sum;
    if (accumulate(sum, a, 1) && accumulate(sum, b, factorOfB))
      return fromLinear(sum);
    return make(Kind::Add, {a, factorOfB == 1 ? b : multiply(factorOfB, b)}, /*unfolded=*/true);
  }

  /// A sum as the greatest number that divides it and the rest, whose first term
  /// is positive; anything else as it is.
  static std::pair<Int, DimExpr> splitContent(const DimExpr &e) {
    if (e.kind() != Kind::Add || node(e).unfolded)
      return {1, e};
    Linear sum;
    if (!accumulate(sum, e, 1))
      return {1, e};
    std::uint64_t divisor = 0;
    auto include = [&](Int value) {
      auto bits = static_cast<std::uint64_t>(value);
      divisor = std::gcd(divisor, value < 0 ? 0 - bits : bits);
    };
    for (const auto &[text, term] : sum.terms)
      include(term.first);
    include(sum.constant);
    // A sum has a term, and a coefficient is not zero, so neither is `divisor`.
    bool negative = sum.terms.begin()->second.first < 0;
    if (divisor > static_cast<std::uint64_t>(std::numeric_limits<Int>::max()))
      return {1, e};
    Int content = negative ? -static_cast<Int>(divisor) : static_cast<Int>(divisor);
    auto primitive = exactQuotient(e, content);
    return primitive ? std::pair{content, *primitive} : std::pair{Int{1}, e};
  }

  static DimExpr multiply(const DimExpr &a, const DimExpr &b) {
    // A number times a sum: into the sum.
    const DimExpr &number = b.constant() ? b : a;
    const DimExpr &other = b.constant() ? a : b;
    if (auto factor = number.constant()) {
      Linear sum;
      if (accumulate(sum, other, *factor))
        return fromLinear(sum);
      return make(Kind::Mul, {a, b}, /*unfolded=*/true);
    }

    std::optional<Int> coefficient = 1;
    std::vector<DimExpr> factors;
    for (const DimExpr *side : {&a, &b}) {
      auto [factor, rest] = splitTerm(*side);
      coefficient = coefficient ? checkedMul(*coefficient, factor) : std::nullopt;
      if (rest.kind() == Kind::Mul && !node(rest).unfolded)
        factors.insert(factors.end(), rest.operands().begin(), rest.operands().end());
      else
        factors.push_back(rest);
    }
    // The number in a sum goes in front of the product, so that 2 * (a + b) * c
    // has one form however it was put together.
    for (DimExpr &factor : factors) {
      auto [content, primitive] = splitContent(factor);
      coefficient = coefficient ? checkedMul(*coefficient, content) : std::nullopt;
      factor = primitive;
    }
    if (!coefficient)
      return make(Kind::Mul, {a, b}, /*unfolded=*/true);
    std::sort(factors.begin(), factors.end(),
              [](const DimExpr &x, const DimExpr &y) { return x.print() < y.print(); });
    return joinTerm(*coefficient, make(Kind::Mul, std::move(factors)));
  }

  /// a / b if the number b divides every coefficient of a.
  static std::optional<DimExpr> exactQuotient(const DimExpr &a, const DimExpr &b) {
    auto divisor = b.constant();
    if (!divisor || *divisor == 0)
      return std::nullopt;
    auto sum = linear(a);
    if (!sum)
      return std::nullopt;
    auto divide = [&](Int &value) {
      auto quotient = checkedFloorDiv(value, *divisor);
      if (!quotient || floorMod(value, *divisor) != 0)
        return false;
      value = *quotient;
      return true;
    };
    for (auto &[text, term] : sum->terms)
      if (!divide(term.first))
        return std::nullopt;
    if (!divide(sum->constant))
      return std::nullopt;
    return fromLinear(*sum);
  }

  static DimExpr quotient(Kind kind, const DimExpr &a, const DimExpr &b) {
    auto x = a.constant(), y = b.constant();
    if (x && y && *y != 0) {
      if (kind == Kind::Mod)
        return floorMod(*x, *y);
      auto result = kind == Kind::FloorDiv ? checkedFloorDiv(*x, *y) : checkedCeilDiv(*x, *y);
      if (result)
        return *result;
    }
    if (auto exact = exactQuotient(a, b))
      return kind == Kind::Mod ? DimExpr(0) : *exact;
    return make(kind, {a, b});
  }

  static DimExpr extremum(Kind kind, const DimExpr &a, const DimExpr &b) {
    // Also folds min(a, a + 1).
    if (auto difference = add(a, b, -1).constant())
      return (*difference < 0) == (kind == Kind::Min) ? a : b;
    bool swap = a.constant() || (!b.constant() && b.print() < a.print());
    return make(kind, swap ? std::vector<DimExpr>{b, a} : std::vector<DimExpr>{a, b});
  }

  static DimExpr rebuild(Kind kind, const std::vector<DimExpr> &operands) {
    DimExpr result = operands[0];
    for (std::size_t i = 1; i != operands.size(); ++i) {
      const DimExpr &next = operands[i];
      switch (kind) {
      case Kind::Add:
        result = result + next;
        break;
      case Kind::Mul:
        result = result * next;
        break;
      case Kind::Min:
      case Kind::Max:
        result = extremum(kind, result, next);
        break;
      default:
        result = quotient(kind, result, next);
        break;
      }
    }
    return result;
  }
};

//===----------------------------------------------------------------------===//
// The public face
//===----------------------------------------------------------------------===//

DimExpr::DimExpr(std::int64_t value) : DimExpr(DimExprBuilder::constant(value)) {}
DimExpr DimExpr::symbol(std::string name) { return DimExprBuilder::symbol(std::move(name)); }

Kind DimExpr::kind() const { return node->kind; }
const std::string &DimExpr::name() const { return node->name; }
const std::vector<DimExpr> &DimExpr::operands() const { return node->operands; }
const std::string &DimExpr::print() const { return node->text; }

std::optional<std::int64_t> DimExpr::constant() const {
  if (node->kind != Kind::Constant)
    return std::nullopt;
  return node->value;
}

DimExpr operator+(const DimExpr &a, const DimExpr &b) { return DimExprBuilder::add(a, b, 1); }
DimExpr operator-(const DimExpr &a, const DimExpr &b) { return DimExprBuilder::add(a, b, -1); }
DimExpr operator*(const DimExpr &a, const DimExpr &b) { return DimExprBuilder::multiply(a, b); }
DimExpr operator-(const DimExpr &a) { return DimExprBuilder::multiply(-1, a); }
DimExpr floorDiv(const DimExpr &a, const DimExpr &b) {
  return DimExprBuilder::quotient(Kind::FloorDiv, a, b);
}
DimExpr ceilDiv(const DimExpr &a, const DimExpr &b) {
  return DimExprBuilder::quotient(Kind::CeilDiv, a, b);
}
DimExpr mod(const DimExpr &a, const DimExpr &b) {
  return DimExprBuilder::quotient(Kind::Mod, a, b);
}
DimExpr min(const DimExpr &a, const DimExpr &b) {
  return DimExprBuilder::extremum(Kind::Min, a, b);
}
DimExpr max(const DimExpr &a, const DimExpr &b) {
  return DimExprBuilder::extremum(Kind::Max, a, b);
}

std::set<std::string> DimExpr::symbols() const {
  if (kind() == Kind::Symbol)
    return {name()};
  std::set<std::string> names;
  for (const DimExpr &operand : operands())
    names.merge(operand.symbols());
  return names;
}

DimExpr DimExpr::substitute(const std::map<std::string, DimExpr> &values) const {
  if (kind() == Kind::Symbol) {
    auto found = values.find(name());
    return found == values.end() ? *this : found->second;
  }
  if (operands().empty())
    return *this;
  std::vector<DimExpr> replaced;
  for (const DimExpr &operand : operands())
    replaced.push_back(operand.substitute(values));
  return DimExprBuilder::rebuild(kind(), replaced);
}

//===----------------------------------------------------------------------===//
// Evaluation
//===----------------------------------------------------------------------===//

namespace {

Error problem(const DimExpr &part, const char *what) {
  return Error{"'" + part.print() + "' " + what};
}

Result<Int> evaluatePart(const DimExpr &e, const SymbolValues &values) {
  if (auto value = e.constant())
    return *value;
  if (e.kind() == Kind::Symbol) {
    auto found = values.find(e.name());
    if (found == values.end())
      return Error{"symbol '" + e.name() + "' has no value"};
    return found->second;
  }

  std::optional<Int> result;
  for (const DimExpr &operand : e.operands()) {
    auto value = evaluatePart(operand, values);
    if (!value)
      return value;
    if (&operand == &e.operands().front()) {
      result = *value;
      continue;
    }
    Int a = *result, b = *value;
    bool quotient =
        e.kind() == Kind::FloorDiv || e.kind() == Kind::CeilDiv || e.kind() == Kind::Mod;
    if (quotient && b == 0)
      return problem(e, "divides by zero");
    switch (e.kind()) {
    case Kind::Add:
      result = checkedAdd(a, b);
      break;
    case Kind::Mul:
      result = checkedMul(a, b);
      break;
    case Kind::FloorDiv:
      result = checkedFloorDiv(a, b);
      break;
    case Kind::CeilDiv:
      result = checkedCeilDiv(a, b);
      break;
    case Kind::Mod:
      result = floorMod(a, b);
      break;
    case Kind::Min:
      result = std::min(a, b);
      break;
    case Kind::Max:
      result = std::max(a, b);
      break;
    case Kind::Constant:
    case Kind::Symbol:
      break;
    }
    if (!result)
      return problem(e, "overflows 64 bits");
  }
  return *result;
}

/// The interval of `combine` over the corners of two intervals: right for what is
/// monotone in each operand by itself. Nothing on overflow.
template <typename Combine>
std::optional<DimRange> corners(DimRange a, DimRange b, Combine combine) {
  std::optional<DimRange> result;
  for (Int x : {a.min, a.max})
    for (Int y : {b.min, b.max}) {
      std::optional<Int> value = combine(x, y);
      if (!value)
        return std::nullopt;
      if (!result)
        result = DimRange{*value, *value};
      result = DimRange{std::min(result->min, *value), std::max(result->max, *value)};
    }
  return result;
}

DimRange modRange(DimRange a, DimRange b) {
  if (b.min > 0) {
    if (a.min >= 0)
      return a.max < b.min ? a : DimRange{0, std::min(a.max, b.max - 1)};
    return {0, b.max - 1};
  }
  return {b.min + 1, 0};
}

Result<DimRange> rangeOfPart(const DimExpr &e, const SymbolRanges &ranges) {
  if (auto value = e.constant())
    return DimRange{*value, *value};
  if (e.kind() == Kind::Symbol) {
    auto found = ranges.find(e.name());
    if (found == ranges.end())
      return Error{"symbol '" + e.name() + "' has no range"};
    if (found->second.min > found->second.max)
      return Error{"the range of symbol '" + e.name() + "' is empty"};
    return found->second;
  }

  std::optional<DimRange> result;
  for (const DimExpr &operand : e.operands()) {
    auto next = rangeOfPart(operand, ranges);
    if (!next)
      return next;
    if (&operand == &e.operands().front()) {
      result = *next;
      continue;
    }
    DimRange a = *result, b = *next;
    bool quotient =
        e.kind() == Kind::FloorDiv || e.kind() == Kind::CeilDiv || e.kind() == Kind::Mod;
    // By 0 there is no value: what the others can be is the range.
    if (quotient && b.min == 0 && b.max > 0)
      b.min = 1;
    if (quotient && b.min <= 0 && b.max >= 0)
      return problem(e, "may divide by zero");
    switch (e.kind()) {
    case Kind::Add:
      result = corners(a, b, checkedAdd);
      break;
    case Kind::Mul:
      result = corners(a, b, checkedMul);
      break;
    case Kind::FloorDiv:
      result = corners(a, b, checkedFloorDiv);
      break;
    case Kind::CeilDiv:
      result = corners(a, b, checkedCeilDiv);
      break;
    case Kind::Mod:
      result = modRange(a, b);
      break;
    case Kind::Min:
      result = DimRange{std::min(a.min, b.min), std::min(a.max, b.max)};
      break;
    case Kind::Max:
      result = DimRange{std::max(a.min, b.min), std::max(a.max, b.max)};
      break;
    case Kind::Constant:
    case Kind::Symbol:
      break;
    }
    if (!result)
      return problem(e, "may overflow 64 bits");
  }
  return *result;
}

/// Puts the whole expression in front, unless the message is about all of it.
Error named(const DimExpr &whole, Error error) {
  return Error{"cannot evaluate '" + whole.print() + "': " + error.message};
}

} // namespace

Result<std::int64_t> DimExpr::evaluate(const SymbolValues &values) const {
  auto result = evaluatePart(*this, values);
  if (!result)
    return named(*this, result.takeError());
  return result;
}

Result<DimRange> DimExpr::range(const SymbolRanges &ranges) const {
  auto result = rangeOfPart(*this, ranges);
  if (!result)
    return named(*this, result.takeError());
  return result;
}

} // namespace dougong
