//===- DimSolver.cpp - equalities and bounds of extents -------------------===//
#include "dougong/Onnx/DimSolver.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <set>

using namespace dougong;
using namespace dougong::onnx;
using Kind = DimExpr::Kind;
using Int = std::int64_t;

namespace {

/// One term of a sum: coefficient * factors.
struct Term {
  Int coefficient = 1;
  std::vector<DimExpr> factors;
};

Term toTerm(const DimExpr &expr) {
  Term term;
  auto add = [&](const DimExpr &factor) {
    if (auto value = factor.constant())
      term.coefficient *= *value;
    else
      term.factors.push_back(factor);
  };
  if (expr.kind() == Kind::Mul)
    for (const DimExpr &factor : expr.operands())
      add(factor);
  else
    add(expr);
  return term;
}

std::vector<Term> toTerms(const DimExpr &expr) {
  std::vector<Term> terms;
  if (expr.kind() == Kind::Add)
    for (const DimExpr &operand : expr.operands())
      terms.push_back(toTerm(operand));
  else
    terms.push_back(toTerm(expr));
  return terms;
}

DimExpr fromTerms(const std::vector<Term> &terms) {
  DimExpr sum;
  for (const Term &term : terms) {
    DimExpr product(term.coefficient);
    for (const DimExpr &factor : term.factors)
      product = product * factor;
    sum = sum + product;
  }
  return sum;
}

/// Divides terms by what divides all of them: an integer, and factors that occur
/// in each. An equation `terms == 0` keeps its meaning (an extent that is a
/// factor of everything may be taken to be positive).
void divideOut(std::vector<Term> &terms) {
  if (terms.empty())
    return;
  Int divisor = 0;
  for (const Term &term : terms)
    divisor = std::gcd(divisor, term.coefficient);
  if (divisor > 1)
    for (Term &term : terms)
      term.coefficient /= divisor;
  // Of a product that is 0 by itself, a factor is.
  if (terms.size() == 1)
    return;
  std::vector<DimExpr> common = terms.front().factors;
  for (const DimExpr &factor : common) {
    auto holds = [&](const Term &term) {
      return std::find(term.factors.begin(), term.factors.end(), factor) != term.factors.end();
    };
    if (!std::all_of(terms.begin(), terms.end(), holds))
      continue;
    for (Term &term : terms)
      term.factors.erase(std::find(term.factors.begin(), term.factors.end(), factor));
  }
}

/// `expr` as an integer times factors that share no integer factor each.
Term factorize(const DimExpr &expr) {
  Term result;
  auto add = [&](const DimExpr &factor) {
    if (factor.kind() != Kind::Add) {
      Term term = toTerm(factor);
      result.coefficient *= term.coefficient;
      result.factors.insert(result.factors.end(), term.factors.begin(), term.factors.end());
      return;
    }
    std::vector<Term> terms = toTerms(factor), original = terms;
    divideOut(terms);
    result.coefficient *= original.front().coefficient / terms.front().coefficient;
    // What was divided out is what the first term lost.
    for (const DimExpr &lost : original.front().factors) {
      auto count = [&](const std::vector<DimExpr> &list) {
        return std::count(list.begin(), list.end(), lost);
      };
      auto already = count(result.factors);
      auto missing = count(original.front().factors) - count(terms.front().factors);
      if (already < missing)
        result.factors.insert(result.factors.end(), missing - already, lost);
    }
    result.factors.push_back(fromTerms(terms));
  };
  if (expr.kind() == Kind::Mul)
    for (const DimExpr &operand : expr.operands())
      add(operand);
  else
    add(expr);
  return result;
}

std::optional<Int> addBounds(std::optional<Int> a, std::optional<Int> b) {
  Int sum;
  if (!a || !b || __builtin_add_overflow(*a, *b, &sum))
    return std::nullopt;
  return sum;
}

std::optional<Int> mulBounds(std::optional<Int> a, std::optional<Int> b) {
  Int product;
  if (!a || !b || __builtin_mul_overflow(*a, *b, &product))
    return std::nullopt;
  return product;
}

Int floorDivide(Int a, Int b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

constexpr unsigned maxDepth = 32;

} // namespace

std::optional<DimExpr> dougong::onnx::divideExactly(const DimExpr &a, const DimExpr &b) {
  Term numerator = factorize(a), denominator = factorize(b);
  for (const DimExpr &factor : denominator.factors) {
    auto it = std::find(numerator.factors.begin(), numerator.factors.end(), factor);
    if (it == numerator.factors.end())
      return std::nullopt;
    numerator.factors.erase(it);
  }
  if (denominator.coefficient == 0 || numerator.coefficient % denominator.coefficient != 0)
    return std::nullopt;
  numerator.coefficient /= denominator.coefficient;
  return fromTerms({numerator});
}

void DimSolver::learn() {
  ++version;
  cache.clear();
}

void DimSolver::addSymbol(const std::string &symbol, Origin origin) {
  auto [it, inserted] = origins.try_emplace(symbol, origin);
  if (!inserted)
    it->second = std::min(it->second, origin);
}

void DimSolver::addInputDim(const DimExpr &dim) {
  if (dim.kind() == Kind::Symbol)
    return addSymbol(dim.name(), Origin::Input);
  for (const std::string &symbol : dim.symbols())
    addSymbol(symbol, Origin::CompoundInput);
}

DimSolver::Origin DimSolver::getOrigin(const std::string &symbol) const {
  auto it = origins.find(symbol);
  return it == origins.end() ? Origin::Fresh : it->second;
}

void DimSolver::setRange(const std::string &symbol, DimRange range) {
  auto [it, inserted] = ranges.try_emplace(symbol, range);
  if (!inserted)
    it->second = {std::max(it->second.min, range.min), std::min(it->second.max, range.max)};
  learn();
}

//===----------------------------------------------------------------------===//
// Bounds
//===----------------------------------------------------------------------===//

std::optional<Int> DimSolver::bound(const DimExpr &expr, bool lower, unsigned depth) {
  if (auto value = expr.constant())
    return value;
  if (depth > maxDepth)
    return std::nullopt;
  const auto &operands = expr.operands();
  switch (expr.kind()) {
  case Kind::Constant:
    return expr.constant();
  case Kind::Symbol: {
    auto it = ranges.find(expr.name());
    if (it == ranges.end())
      return lower ? std::optional<Int>(0) : std::nullopt;
    if (!lower && it->second.max == std::numeric_limits<Int>::max())
      return std::nullopt;
    return lower ? it->second.min : it->second.max;
  }
  case Kind::Add: {
    std::optional<Int> sum = 0;
    for (const DimExpr &operand : operands)
      sum = addBounds(sum, bound(operand, lower, depth + 1));
    if (sum || !lower)
      return sum;
    break;
  }
  case Kind::Mul: {
    Term term = toTerm(expr);
    // The factors must be >= 0, which nearly all are.
    std::optional<Int> product = 1;
    bool wantLower = lower == (term.coefficient >= 0);
    for (const DimExpr &factor : term.factors) {
      auto low = bound(factor, true, depth + 1);
      if (!low || *low < 0)
        return std::nullopt;
      product = mulBounds(product, wantLower ? low : bound(factor, false, depth + 1));
    }
    return mulBounds(product, term.coefficient);
  }
  case Kind::FloorDiv:
  case Kind::CeilDiv: {
    auto divisor = operands[1].constant();
    if (!divisor || *divisor <= 0) {
      // A quotient of extents is not negative.
      auto a = bound(operands[0], true, depth + 1), b = bound(operands[1], true, depth + 1);
      return lower && a && b && *a >= 0 && *b >= 0 ? std::optional<Int>(0) : std::nullopt;
    }
    auto dividend = bound(operands[0], lower, depth + 1);
    if (!dividend)
      return std::nullopt;
    Int quotient = floorDivide(*dividend, *divisor);
    if (expr.kind() == Kind::CeilDiv && *dividend % *divisor != 0)
      ++quotient;
    return quotient;
  }
  case Kind::Mod: {
    auto divisor = operands[1].constant();
    if (divisor && *divisor > 0)
      return lower ? 0 : *divisor - 1;
    return std::nullopt;
  }
  case Kind::Min:
  case Kind::Max: {
    auto a = bound(operands[0], lower, depth + 1), b = bound(operands[1], lower, depth + 1);
    bool both = (expr.kind() == Kind::Min) == lower;
    if (a && b)
      return expr.kind() == Kind::Min ? std::min(*a, *b) : std::max(*a, *b);
    return both ? std::nullopt : (a ? a : b);
  }
  }
  return std::nullopt;
}

std::optional<Int> DimSolver::lowerBound(const DimExpr &expr) {
  auto best = bound(expr, true, 0);
  // An expression that is known to be >= 0, plus something >= 0.
  for (const DimExpr &known : nonNegative) {
    auto rest = bound(expr - known, true, 0);
    if (rest && (!best || *rest > *best))
      best = rest;
  }
  return best;
}

std::optional<Int> DimSolver::upperBound(const DimExpr &expr) {
  auto best = bound(expr, false, 0);
  for (const DimExpr &known : nonNegative) {
    auto rest = bound(expr + known, false, 0);
    if (rest && (!best || *rest < *best))
      best = rest;
  }
  return best;
}

bool DimSolver::isLessOrEqual(const DimExpr &a, const DimExpr &b) {
  if (auto low = lowerBound(b - a); low && *low >= 0)
    return true;
  // The parts of minima and maxima, each by itself.
  auto isBelow = [&](const DimExpr &part) { return isLessOrEqual(part, b); };
  auto isAbove = [&](const DimExpr &part) { return isLessOrEqual(a, part); };
  return (a.kind() == Kind::Min && llvm::any_of(a.operands(), isBelow)) ||
         (a.kind() == Kind::Max && llvm::all_of(a.operands(), isBelow)) ||
         (b.kind() == Kind::Max && llvm::any_of(b.operands(), isAbove)) ||
         (b.kind() == Kind::Min && llvm::all_of(b.operands(), isAbove));
}

DimExpr DimSolver::smaller(const DimExpr &a, const DimExpr &b) {
  if (a.constant() && b.constant())
    return min(a, b);
  if (isLessOrEqual(a, b))
    return a;
  return isLessOrEqual(b, a) ? b : min(a, b);
}

DimExpr DimSolver::greater(const DimExpr &a, const DimExpr &b) {
  if (a.constant() && b.constant())
    return max(a, b);
  if (isLessOrEqual(a, b))
    return b;
  return isLessOrEqual(b, a) ? a : max(a, b);
}

//===----------------------------------------------------------------------===//
// Canonical forms
//===----------------------------------------------------------------------===//

/// Rebuilds `expr` bottom up, with the bounds that are known now.
DimExpr DimSolver::simplify(const DimExpr &expr) {
  const auto &operands = expr.operands();
  if (operands.empty())
    return expr;
  DimExpr result = canonical(operands.front());
  for (size_t i = 1; i < operands.size(); ++i) {
    DimExpr operand = canonical(operands[i]);
    switch (expr.kind()) {
    case Kind::Add:
      result = result + operand;
      break;
    case Kind::Mul:
      result = result * operand;
      break;
    case Kind::FloorDiv:
      result = floorDiv(result, operand);
      break;
    case Kind::CeilDiv:
      result = ceilDiv(result, operand);
      break;
    case Kind::Mod:
      result = mod(result, operand);
      break;
    case Kind::Min:
      result = smaller(result, operand);
      break;
    case Kind::Max:
      result = greater(result, operand);
      break;
    case Kind::Constant:
    case Kind::Symbol:
      break;
    }
  }
  return result;
}

DimExpr DimSolver::canonical(const DimExpr &expr) {
  if (expr.kind() == Kind::Constant)
    return expr;
  auto it = cache.find(expr.print());
  if (it != cache.end())
    return it->second;
  // Substitutions are kept free of eliminated symbols, so one round is enough.
  DimExpr result = substitutions.empty() ? expr : expr.substitute(substitutions);
  result = simplify(result);
  cache.emplace(expr.print(), result);
  return result;
}

//===----------------------------------------------------------------------===//
// Equations
//===----------------------------------------------------------------------===//

bool DimSolver::eliminate(const DimExpr &difference, const std::string &node) {
  std::vector<Term> terms = toTerms(difference);
  divideOut(terms);
  // A symbol may go if it is a term by itself, and in no other one.
  std::map<std::string, unsigned> occurrences;
  for (const Term &term : terms)
    for (const DimExpr &factor : term.factors)
      for (const std::string &symbol : factor.symbols())
        ++occurrences[symbol];
  struct Candidate {
    size_t term;
    Origin origin;
    size_t negatives; // terms with a minus in the solution
    std::string name;
    bool operator<(const Candidate &other) const {
      if (origin != other.origin)
        return origin < other.origin;
      if (negatives != other.negatives)
        return negatives > other.negatives;
      if (name.size() != other.name.size())
        return name.size() < other.name.size();
      return name < other.name;
    }
  };
  std::optional<Candidate> best;
  for (size_t index = 0; index < terms.size(); ++index) {
    const Term *term = &terms[index];
    if (term->factors.size() != 1 || term->factors[0].kind() != Kind::Symbol ||
        (term->coefficient != 1 && term->coefficient != -1) ||
        occurrences[term->factors[0].name()] != 1)
      continue;
    size_t negatives = 0;
    for (size_t i = 0; i < terms.size(); ++i)
      if (i != index && (terms[i].coefficient < 0) == (term->coefficient < 0))
        ++negatives;
    const std::string &name = term->factors[0].name();
    Candidate candidate{index, getOrigin(name), negatives, name};
    if (!best || *best < candidate)
      best = candidate;
  }
  if (!best)
    return false;
  Int sign = terms[best->term].coefficient;
  terms.erase(terms.begin() + best->term);
  // sign * symbol + rest == 0
  DimExpr solution = fromTerms(terms) * DimExpr(-sign);
  auto range = ranges.find(best->name);
  if (auto value = solution.constant()) {
    Int low = range == ranges.end() ? 0 : range->second.min;
    if (*value < low || (range != ranges.end() && *value > range->second.max))
      return false;
  } else if (range != ranges.end()) {
    // What was known of the symbol holds for its solution.
    DimRange known = range->second;
    ranges.erase(range);
    if (solution.kind() == Kind::Symbol) {
      auto [it, inserted] = ranges.try_emplace(solution.name(), known);
      if (!inserted)
        it->second = {std::max(it->second.min, known.min), std::min(it->second.max, known.max)};
    } else {
      nonNegative.push_back(solution - DimExpr(known.min));
      if (known.max != std::numeric_limits<Int>::max())
        nonNegative.push_back(DimExpr(known.max) - solution);
    }
  } else if (auto low = lowerBound(solution); !low || *low < 0) {
    nonNegative.push_back(solution);
  }
  // That the dims of inputs have their extents is checked at entry anyway.
  if (best->origin == Origin::Fresh)
    checks.push_back({DimCheck::Kind::Equal, DimExpr::symbol(best->name), solution, node});
  std::map<std::string, DimExpr> step = {{best->name, solution}};
  for (auto &[symbol, value] : substitutions)
    value = value.substitute(step);
  for (DimExpr &known : nonNegative)
    known = known.substitute(step);
  substitutions.emplace(best->name, solution);
  learn();
  return true;
}

Equality DimSolver::equate(const DimExpr &left, const DimExpr &right, const std::string &node) {
  DimExpr a = canonical(left), b = canonical(right);
  if (a == b)
    return Equality::Proved;
  DimExpr difference = a - b;
  if (auto value = difference.constant())
    return *value == 0 ? Equality::Proved : Equality::Contradiction;
  if (auto low = lowerBound(difference); low && *low > 0)
    return Equality::Contradiction;
  if (auto high = upperBound(difference); high && *high < 0)
    return Equality::Contradiction;
  // x == min(x, y) says x <= y; x == max(x, y) says y <= x.
  for (auto [x, y] : {std::pair(a, b), std::pair(b, a)}) {
    if (y.kind() != Kind::Min && y.kind() != Kind::Max)
      continue;
    for (int side : {0, 1}) {
      if (!(y.operands()[side] == x))
        continue;
      const DimExpr &other = y.operands()[1 - side];
      bool possible = y.kind() == Kind::Min ? assumeLessOrEqual(x, other, node)
                                            : assumeLessOrEqual(other, x, node);
      return possible ? Equality::Assumed : Equality::Contradiction;
    }
  }
  if (eliminate(difference, node))
    return Equality::Assumed;
  // 2 * a == 3 has no solution; nor has n == -1, nor n == 9 for n <= 8.
  std::vector<Term> terms = toTerms(difference);
  if (terms.size() == 2) {
    const Term &constant = terms[0].factors.empty() ? terms[0] : terms[1];
    const Term &other = terms[0].factors.empty() ? terms[1] : terms[0];
    if (constant.factors.empty() && constant.coefficient % other.coefficient != 0)
      return Equality::Contradiction;
  }
  return Equality::Undecided;
}

bool DimSolver::assumeLessOrEqual(const DimExpr &left, const DimExpr &right,
                                  const std::string &node) {
  DimExpr a = canonical(left), b = canonical(right);
  DimExpr difference = b - a;
  if (auto low = lowerBound(difference); low && *low >= 0)
    return true;
  if (auto high = upperBound(difference); high && *high < 0)
    return false;
  checks.push_back({DimCheck::Kind::LessOrEqual, a, b, node});
  // c - s >= 0 and s - c >= 0 are ranges of s.
  std::vector<Term> terms = toTerms(difference);
  Int constant = 0;
  const Term *single = nullptr;
  bool isRange = terms.size() <= 2;
  for (const Term &term : terms) {
    if (term.factors.empty())
      constant = term.coefficient;
    else if (!single && term.factors.size() == 1 && term.factors[0].kind() == Kind::Symbol &&
             (term.coefficient == 1 || term.coefficient == -1))
      single = &term;
    else
      isRange = false;
  }
  constexpr Int unbounded = std::numeric_limits<Int>::max();
  if (isRange && single && single->coefficient == -1)
    setRange(single->factors[0].name(), {0, constant});
  else if (isRange && single)
    setRange(single->factors[0].name(), {std::max<Int>(0, -constant), unbounded});
  else
    nonNegative.push_back(difference);
  learn();
  return true;
}

void DimSolver::requireEqual(const DimExpr &a, const DimExpr &b, const std::string &node) {
  checks.push_back({DimCheck::Kind::Equal, canonical(a), canonical(b), node});
}

void DimSolver::requireOneOf(const DimExpr &dim, const DimExpr &first, const DimExpr &second,
                             const std::string &node) {
  checks.push_back({DimCheck::Kind::OneOf, dim, first, node, second});
}

std::vector<DimCheck> DimSolver::getChecks() {
  std::vector<DimCheck> result;
  std::set<std::string> seen;
  for (DimCheck check : checks) {
    // The left side of a solved equation is the symbol itself.
    bool solved = check.kind == DimCheck::Kind::Equal && check.lhs.kind() == Kind::Symbol &&
                  substitutions.count(check.lhs.name());
    if (!solved)
      check.lhs = canonical(check.lhs);
    check.rhs = canonical(check.rhs);
    bool isOneOf = check.kind == DimCheck::Kind::OneOf;
    if (isOneOf)
      check.other = canonical(check.other);
    if (check.lhs == check.rhs || (isOneOf && check.lhs == check.other))
      continue;
    std::string text = check.lhs.print() +
                       (check.kind == DimCheck::Kind::LessOrEqual ? " <= " : " == ") +
                       check.rhs.print() + (isOneOf ? " or " + check.other.print() : "");
    if (seen.insert(std::move(text)).second)
      result.push_back(std::move(check));
  }
  return result;
}
