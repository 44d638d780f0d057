//===- DimExprTest.cpp - dim expressions ----------------------------------===//
//
// Expected values are computed by hand, or by the plain evaluator below, which
// does no simplification.
//
//===----------------------------------------------------------------------===//

#include "dougong/Support/DimExpr.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <random>

using namespace dougong;

namespace {

std::string canonical(std::string_view text) {
  auto e = DimExpr::parse(text);
  return e ? e->print() : "error " + e.message();
}

std::string value(std::string_view text, const SymbolValues &values = {}) {
  auto e = DimExpr::parse(text);
  if (!e)
    return "parse error " + e.message();
  auto result = e->evaluate(values);
  return result ? std::to_string(*result) : "error " + result.message();
}

std::string rangeOf(std::string_view text, const SymbolRanges &ranges) {
  auto e = DimExpr::parse(text);
  if (!e)
    return "parse error " + e.message();
  auto result = e->range(ranges);
  return result ? std::to_string(result->min) + ".." + std::to_string(result->max)
                : "error " + result.message();
}

TEST(DimExpr, EvaluatesWithTheUsualPrecedence) {
  SymbolValues v = {{"batch", 2}, {"past", 30}, {"seq", 7}, {"a.b:c/d", 5}, {"odd name", 9}};
  EXPECT_EQ(value("128"), "128");
  EXPECT_EQ(value("batch * (past + seq)", v), "74");
  EXPECT_EQ(value("batch * past + seq", v), "67");
  EXPECT_EQ(value("seq - batch - 1", v), "4");
  EXPECT_EQ(value("past floordiv 4 * 3", v), "21"); // (30 floordiv 4) * 3
  EXPECT_EQ(value("past ceildiv 4", v), "8");
  EXPECT_EQ(value("past mod 4", v), "2");
  EXPECT_EQ(value("-seq * batch", v), "-14");
  EXPECT_EQ(value("- -seq", v), "7");
  EXPECT_EQ(value("min(past, seq) + max(batch, 3)", v), "10");
  EXPECT_EQ(value("a.b:c/d + `odd name`", v), "14");
  EXPECT_EQ(value(" ( batch ) ", v), "2");
}

TEST(DimExpr, DivisionRoundsTheSameWayForEverySign) {
  EXPECT_EQ(value("7 floordiv 2"), "3");
  EXPECT_EQ(value("-7 floordiv 2"), "-4");
  EXPECT_EQ(value("7 floordiv -2"), "-4");
  EXPECT_EQ(value("-7 floordiv -2"), "3");
  EXPECT_EQ(value("7 ceildiv 2"), "4");
  EXPECT_EQ(value("-7 ceildiv 2"), "-3");
  EXPECT_EQ(value("7 ceildiv -2"), "-3");
  EXPECT_EQ(value("-7 ceildiv -2"), "4");
  EXPECT_EQ(value("7 mod 3"), "1");
  EXPECT_EQ(value("-7 mod 3"), "2");
  EXPECT_EQ(value("7 mod -3"), "-2");
  EXPECT_EQ(value("-9223372036854775808 mod -1"), "0");
}

TEST(DimExpr, AffineExpressionsHaveOneText) {
  EXPECT_EQ(canonical("past+seq"), "past + seq");
  EXPECT_EQ(canonical("seq + past"), "past + seq");
  EXPECT_EQ(canonical("1 + seq - 3 + past*2 - seq*4"), "2 * past - 3 * seq - 2");
  EXPECT_EQ(canonical("2 * (a + b) - a - a"), "2 * b");
  EXPECT_EQ(canonical("a - a"), "0");
  EXPECT_EQ(canonical("b - a"), "b - a");
  EXPECT_EQ(canonical("-a"), "-a");
  EXPECT_EQ(canonical("-(a + 1)"), "-a - 1");
  EXPECT_EQ(canonical("0 * a"), "0");
  EXPECT_EQ(canonical("1 * a"), "a");
}

TEST(DimExpr, ProductsKeepTheirSums) {
  EXPECT_EQ(canonical("(past + seq) * batch"), "batch * (past + seq)");
  EXPECT_EQ(canonical("batch * (seq + past)"), "batch * (past + seq)");
  EXPECT_EQ(canonical("3 * b * a * 2"), "6 * a * b");
  EXPECT_EQ(canonical("-(b * a)"), "-a * b");
  EXPECT_EQ(canonical("(2 * a + 4) * b"), "2 * (a + 2) * b");
  EXPECT_EQ(canonical("b * (a + 2) * 2"), "2 * (a + 2) * b");
  EXPECT_EQ(canonical("(3 - a) * b"), "-(a - 3) * b");
}

TEST(DimExpr, QuotientsFold) {
  EXPECT_EQ(canonical("a floordiv 1"), "a");
  EXPECT_EQ(canonical("(4 * a + 8 * b) ceildiv 4"), "a + 2 * b");
  EXPECT_EQ(canonical("(4 * a + 8) mod 4"), "0");
  EXPECT_EQ(canonical("(4 * a + 2) floordiv 4"), "(4 * a + 2) floordiv 4");
  EXPECT_EQ(canonical("a floordiv 2 floordiv 3"), "(a floordiv 2) floordiv 3");
  EXPECT_EQ(canonical("64 * (h ceildiv 3)"), "64 * (h ceildiv 3)");
  EXPECT_EQ(canonical("b - 5 floordiv a"), "b - (5 floordiv a)");
  EXPECT_EQ(canonical("b + (-5) floordiv a"), "-5 floordiv a + b");
  EXPECT_EQ(canonical("a floordiv 0"), "a floordiv 0");
}

TEST(DimExpr, ExtremaFold) {
  EXPECT_EQ(canonical("max(4, b)"), "max(b, 4)");
  EXPECT_EQ(canonical("min(b, a)"), "min(a, b)");
  EXPECT_EQ(canonical("min(a, a + 1)"), "a");
  EXPECT_EQ(canonical("max(a, a + 1)"), "a + 1");
  EXPECT_EQ(canonical("min(3, 5)"), "3");
}

TEST(DimExpr, NamesAreQuotedWhereTheyMustBe) {
  EXPECT_EQ(canonical("`plain`"), "plain");
  EXPECT_EQ(canonical("`mod` + `two words`"), "`mod` + `two words`");
  EXPECT_EQ(canonical("`a``b`"), "`a``b`");
  EXPECT_EQ(DimExpr::symbol("past + seq").print(), "`past + seq`");
  EXPECT_EQ(DimExpr::symbol("7x").print(), "`7x`");
  auto back = DimExpr::parse("`a``b`");
  ASSERT_TRUE(back);
  EXPECT_EQ(back->name(), "a`b");
}

TEST(DimExpr, SymbolsAndSubstitution) {
  auto e = DimExpr::parse("b * min(a, `x y`) + 3");
  ASSERT_TRUE(e);
  EXPECT_EQ(e->symbols(), (std::set<std::string>{"a", "b", "x y"}));
  // All at once: the new b is not replaced again.
  EXPECT_EQ(e->substitute({{"b", DimExpr::symbol("a")}, {"a", 4}, {"x y", 9}}).print(),
            "4 * a + 3");
}

TEST(DimExpr, EvaluationErrorsNameTheExpression) {
  SymbolValues v = {{"a", 5}, {"z", 0}, {"big", 4611686018427387904}};
  EXPECT_EQ(value("a + n", v), "error cannot evaluate 'a + n': symbol 'n' has no value");
  EXPECT_EQ(value("1 + a floordiv z", v),
            "error cannot evaluate 'a floordiv z + 1': 'a floordiv z' divides by zero");
  EXPECT_EQ(value("a mod z", v), "error cannot evaluate 'a mod z': 'a mod z' divides by zero");
  EXPECT_EQ(value("a ceildiv 0", v),
            "error cannot evaluate 'a ceildiv 0': 'a ceildiv 0' divides by zero");
  EXPECT_EQ(value("big * 2 + a", v),
            "error cannot evaluate 'a + 2 * big': '2 * big' overflows 64 bits");
  EXPECT_EQ(value("big + big", v), "error cannot evaluate '2 * big': '2 * big' overflows 64 bits");
  EXPECT_EQ(value("9223372036854775807 + 1"),
            "error cannot evaluate '9223372036854775807 + 1': '9223372036854775807 + 1' "
            "overflows 64 bits");
  EXPECT_EQ(value("-9223372036854775808 floordiv -1"),
            "error cannot evaluate '-9223372036854775808 floordiv -1': "
            "'-9223372036854775808 floordiv -1' overflows 64 bits");
  EXPECT_EQ(value("-9223372036854775808"), "-9223372036854775808");
}

TEST(DimExpr, WhatWouldOverflowReadsBackUnchanged) {
  for (const char *text :
       {"9223372036854775807 + 1", "a + (9223372036854775807 + 1)", "4611686018427387904 * 4",
        "9223372036854775807 * a + 2 * a", "-9223372036854775808 * a + b",
        "-1 * -9223372036854775808", "(4611686018427387904 * 4) * a"}) {
    std::string once = canonical(text);
    EXPECT_EQ(canonical(once), once);
  }
}

TEST(DimExpr, ParseErrorsNameTheColumn) {
  auto error = [](const char *text, const char *rest) {
    return "error invalid dim expression '" + std::string(text) + "', column " + rest;
  };
  for (auto [text, rest] : std::initializer_list<std::pair<const char *, const char *>>{
           {"", "1: expected a number, a symbol or '('"},
           {"a +", "4: expected a number, a symbol or '('"},
           {"a b", "3: expected an operator or the end"},
           {"(a", "3: expected ')'"},
           {"a)", "2: expected an operator or the end"},
           {"min(a)", "6: expected ',' and a second operand of 'min'"},
           {"max a", "5: expected '(' after 'max'"},
           {"mod 3", "1: 'mod' has no left operand"},
           {"3x", "2: a symbol cannot start with a digit; quote it with backquotes"},
           {"9223372036854775808", "1: number does not fit 64 bits"},
           {"a + `b", "5: quoted symbol has no closing backquote"},
           {"a / 2", "3: expected an operator or the end"},
           {"a + 1.5", "6: a symbol cannot start with a digit; quote it with backquotes"},
       })
    EXPECT_EQ(canonical(text), error(text, rest));
}

TEST(DimExpr, HostileTextsAreRefused) {
  EXPECT_FALSE(DimExpr::parse(std::string(10000, '(')));
  EXPECT_FALSE(DimExpr::parse(std::string(10000, '-') + "a"));
  EXPECT_FALSE(DimExpr::parse(std::string(20000, 'a')));
  std::string quotients = "a";
  for (int i = 0; i != 1500; ++i)
    quotients += " mod 7";
  EXPECT_FALSE(DimExpr::parse(quotients));
}

TEST(DimExpr, Ranges) {
  SymbolRanges r = {{"a", {2, 5}}, {"b", {-3, 4}}, {"n", {1, 10}},
                    {"e", {3, 2}}, {"z", {0, 2}},  {"o", {0, 0}}};
  EXPECT_EQ(rangeOf("a + b", r), "-1..9");
  EXPECT_EQ(rangeOf("a - b", r), "-2..8");
  EXPECT_EQ(rangeOf("a * b", r), "-15..20");
  EXPECT_EQ(rangeOf("b floordiv 2", r), "-2..2");
  EXPECT_EQ(rangeOf("100 ceildiv n", r), "10..100");
  EXPECT_EQ(rangeOf("a mod 8", r), "2..5");
  EXPECT_EQ(rangeOf("b mod 3", r), "0..2");
  EXPECT_EQ(rangeOf("min(a, b)", r), "-3..4");
  EXPECT_EQ(rangeOf("max(a, 3)", r), "3..5");
  EXPECT_EQ(rangeOf("a + x", r), "error cannot evaluate 'a + x': symbol 'x' has no range");
  EXPECT_EQ(rangeOf("a floordiv b", r),
            "error cannot evaluate 'a floordiv b': 'a floordiv b' may divide by zero");
  EXPECT_EQ(rangeOf("n floordiv z", r), "0..10");
  EXPECT_EQ(rangeOf("n ceildiv z", r), "1..10");
  EXPECT_EQ(rangeOf("n floordiv o", r),
            "error cannot evaluate 'n floordiv o': 'n floordiv o' may divide by zero");
  EXPECT_EQ(rangeOf("e", r), "error cannot evaluate 'e': the range of symbol 'e' is empty");
}

//===----------------------------------------------------------------------===//
// Random expressions against an evaluator that does not simplify
//===----------------------------------------------------------------------===//

struct Random {
  std::mt19937 generator{20240611};
  int below(int n) { return static_cast<int>(generator() % static_cast<unsigned>(n)); }

  /// A fully parenthesised expression and its value at a = 3, b = -4, c = 7;
  /// no value where it divides by zero.
  std::pair<std::string, std::optional<long long>> expression(int depth) {
    static const std::pair<const char *, long long> symbols[] = {{"a", 3}, {"b", -4}, {"c", 7}};
    if (depth == 0 || below(5) == 0) {
      if (below(2) == 0) {
        auto [name, number] = symbols[below(3)];
        return {name, number};
      }
      int number = below(13) - 6;
      return {std::to_string(number), number};
    }
    auto [left, x] = expression(depth - 1);
    auto [right, y] = expression(depth - 1);
    int kind = below(8);
    static const char *const infix[] = {"+", "-", "*", "floordiv", "ceildiv", "mod"};
    std::string text =
        kind < 6 ? "(" + left + ") " + infix[kind] + " (" + right + ")"
                 : std::string(kind == 6 ? "min" : "max") + "(" + left + ", " + right + ")";
    if (!x || !y || (kind >= 3 && kind <= 5 && *y == 0))
      return {text, std::nullopt};
    // Rounding by way of doubles: the values here are far below 2^53.
    auto floored = [&] {
      return static_cast<long long>(std::floor(static_cast<double>(*x) / static_cast<double>(*y)));
    };
    switch (kind) {
    case 0:
      return {text, *x + *y};
    case 1:
      return {text, *x - *y};
    case 2:
      return {text, *x * *y};
    case 3:
      return {text, floored()};
    case 4:
      return {text,
              static_cast<long long>(std::ceil(static_cast<double>(*x) / static_cast<double>(*y)))};
    case 5:
      return {text, *x - *y * floored()};
    case 6:
      return {text, std::min(*x, *y)};
    default:
      return {text, std::max(*x, *y)};
    }
  }
};

TEST(DimExpr, RandomExpressionsKeepTheirValueAndReadBack) {
  Random random;
  SymbolValues values = {{"a", 3}, {"b", -4}, {"c", 7}};
  int compared = 0;
  for (int i = 0; i != 20000; ++i) {
    auto [text, expected] = random.expression(4);
    auto e = DimExpr::parse(text);
    ASSERT_TRUE(e) << e.message();
    auto again = DimExpr::parse(e->print());
    ASSERT_TRUE(again) << again.message();
    EXPECT_EQ(again->print(), e->print()) << text;
    if (!expected)
      continue; // a division by zero may be simplified away
    ++compared;
    for (const DimExpr &each : {*e, *again}) {
      auto result = each.evaluate(values);
      ASSERT_TRUE(result) << text << ": " << result.message();
      EXPECT_EQ(*result, *expected) << text << " simplified to " << each.print();
    }
    // Every value lies in the range of the point.
    auto range = e->range({{"a", {3, 3}}, {"b", {-4, -4}}, {"c", {7, 7}}});
    if (range) {
      EXPECT_LE(range->min, *expected) << text;
      EXPECT_GE(range->max, *expected) << text;
    }
  }
  EXPECT_GT(compared, 10000);
}

TEST(DimExpr, RangesHoldEveryValue) {
  Random random;
  SymbolRanges box = {{"a", {0, 5}}, {"b", {-4, 2}}, {"c", {3, 6}}};
  int compared = 0, exact = 0;
  for (int i = 0; i != 3000; ++i) {
    auto e = DimExpr::parse(random.expression(3).first);
    ASSERT_TRUE(e) << e.message();
    auto range = e->range(box);
    if (!range)
      continue; // a divisor may be zero
    std::int64_t least = std::numeric_limits<std::int64_t>::max(), greatest = -least;
    for (std::int64_t a = 0; a <= 5; ++a)
      for (std::int64_t b = -4; b <= 2; ++b)
        for (std::int64_t c = 3; c <= 6; ++c) {
          auto result = e->evaluate({{"a", a}, {"b", b}, {"c", c}});
          if (!result && result.message().find("zero") != std::string::npos)
            continue; // no value
          ASSERT_TRUE(result) << result.message();
          least = std::min(least, *result);
          greatest = std::max(greatest, *result);
        }
    if (least > greatest)
      continue;
    ++compared;
    EXPECT_LE(range->min, least) << e->print();
    EXPECT_GE(range->max, greatest) << e->print();
    exact += range->min == least && range->max == greatest;
  }
  EXPECT_GT(compared, 1500);
  EXPECT_GT(exact, compared / 2);
}

TEST(DimExpr, RangesOfBufferSizesAreExact) {
  // What arenas are made of: monotone in every symbol, each of which may occur
  // several times.
  SymbolRanges box = {{"batch", {1, 3}}, {"past", {0, 9}}, {"seq", {1, 4}}};
  for (const char *text :
       {"64 * (4 * batch * (past + seq) ceildiv 64)", "512 * batch * seq + 64 * (past ceildiv 16)",
        "max(batch * seq * seq, past * 8) + 128", "min(past, 7) * (batch ceildiv 2)",
        "batch * (past + seq) + batch * seq floordiv 3"}) {
    auto e = DimExpr::parse(text);
    ASSERT_TRUE(e) << e.message();
    std::int64_t greatest = 0;
    for (std::int64_t batch = 1; batch <= 3; ++batch)
      for (std::int64_t past = 0; past <= 9; ++past)
        for (std::int64_t seq = 1; seq <= 4; ++seq)
          greatest =
              std::max(greatest, *e->evaluate({{"batch", batch}, {"past", past}, {"seq", seq}}));
    auto range = e->range(box);
    ASSERT_TRUE(range) << range.message();
    EXPECT_EQ(range->max, greatest) << text;
  }
}

} // namespace
