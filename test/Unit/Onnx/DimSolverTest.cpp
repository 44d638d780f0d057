//===- DimSolverTest.cpp - equalities and bounds of extents ---------------===//
#include "dougong/Onnx/DimSolver.h"

#include "gtest/gtest.h"

#include <random>

using namespace dougong;
using namespace dougong::onnx;

namespace {

DimExpr parse(const std::string &text) {
  auto result = DimExpr::parse(text);
  EXPECT_TRUE(bool(result)) << text;
  return result ? *result : DimExpr(0);
}

std::string canonical(DimSolver &solver, const std::string &text) {
  return solver.canonical(parse(text)).print();
}

Equality equate(DimSolver &solver, const std::string &a, const std::string &b) {
  return solver.equate(parse(a), parse(b), "node");
}

/// A solver that knows the named input symbols.
DimSolver withInputs(std::initializer_list<const char *> dims) {
  DimSolver solver;
  for (const char *dim : dims)
    solver.addInputDim(parse(dim));
  return solver;
}

TEST(DimSolver, KeepsTheShorterOfTwoInputNames) {
  DimSolver solver = withInputs({"sequence", "seq"});
  EXPECT_EQ(equate(solver, "sequence", "seq"), Equality::Assumed);
  EXPECT_EQ(canonical(solver, "sequence * 2"), "2 * seq");
}

TEST(DimSolver, EliminatesSymbolsThatOnlyOccurInCompoundDims) {
  DimSolver solver = withInputs({"P", "S", "p + s"});
  EXPECT_EQ(equate(solver, "p + s", "P + S"), Equality::Assumed);
  EXPECT_EQ(canonical(solver, "p + s"), "P + S");
  EXPECT_TRUE(solver.getChecks().empty()) << "the argument types say it";
}

TEST(DimSolver, PrefersSumsToDifferences) {
  DimSolver solver = withInputs({"past", "seq", "total"});
  EXPECT_EQ(equate(solver, "total - past", "seq"), Equality::Assumed);
  EXPECT_EQ(canonical(solver, "total"), "past + seq");
}

TEST(DimSolver, AnExtentMayBeZero) {
  DimSolver solver = withInputs({"past", "batch"});
  EXPECT_EQ(equate(solver, "past", "0"), Equality::Assumed);
  EXPECT_EQ(canonical(solver, "past + 1"), "1");
  // One of the two is 0, but not known which.
  DimSolver product = withInputs({"m", "n"});
  EXPECT_EQ(equate(product, "m * n", "0"), Equality::Undecided);
}

TEST(DimSolver, DividesEquationsByCommonFactors) {
  DimSolver solver = withInputs({"batch", "m", "nn"});
  EXPECT_EQ(equate(solver, "4 * batch * m", "4 * batch * nn"), Equality::Assumed);
  EXPECT_EQ(canonical(solver, "nn"), "m");
  EXPECT_EQ(equate(solver, "6 * m", "18"), Equality::Assumed);
  EXPECT_EQ(canonical(solver, "nn"), "3");
}

TEST(DimSolver, FindsContradictions) {
  DimSolver solver = withInputs({"n"});
  EXPECT_EQ(equate(solver, "n + 1", "n"), Equality::Contradiction);
  EXPECT_EQ(equate(solver, "n + 3", "2"), Equality::Contradiction) << "an extent is not negative";
  EXPECT_EQ(equate(solver, "2 * n", "7"), Equality::Contradiction);
  solver.setRange("n", {1, 8});
  EXPECT_EQ(equate(solver, "n", "9"), Equality::Contradiction);
  EXPECT_EQ(equate(solver, "n", "8"), Equality::Assumed);
}

TEST(DimSolver, ClampsBecomeInequalities) {
  DimSolver solver = withInputs({"seq"});
  EXPECT_EQ(equate(solver, "min(128, seq)", "seq"), Equality::Assumed);
  EXPECT_EQ(canonical(solver, "min(128, seq)"), "seq");
  ASSERT_EQ(solver.getChecks().size(), 1u);
  EXPECT_EQ(solver.getChecks()[0].kind, DimCheck::Kind::LessOrEqual);
  EXPECT_EQ(solver.getChecks()[0].lhs.print(), "seq");
  EXPECT_EQ(solver.getChecks()[0].rhs.print(), "128");
  EXPECT_EQ(solver.upperBound(parse("2 * seq")), 256);
}

TEST(DimSolver, LearntFactsResolveEarlierExpressions) {
  DimSolver solver = withInputs({"a", "b"});
  EXPECT_EQ(canonical(solver, "max(a - b, 0)"), "max(a - b, 0)");
  EXPECT_TRUE(solver.assumeLessOrEqual(parse("b"), parse("a"), "node"));
  EXPECT_EQ(canonical(solver, "max(a - b, 0)"), "a - b");
  EXPECT_EQ(canonical(solver, "min(a, b)"), "b");
}

TEST(DimSolver, ChecksFreshSymbolsAtRunTime) {
  DimSolver solver = withInputs({"n"});
  solver.addSymbol("count", DimSolver::Origin::Fresh);
  EXPECT_EQ(equate(solver, "count", "n"), Equality::Assumed);
  EXPECT_EQ(canonical(solver, "count"), "n");
  ASSERT_EQ(solver.getChecks().size(), 1u);
  EXPECT_EQ(solver.getChecks()[0].lhs.print(), "count");
}

TEST(DimSolver, LeavesOpenWhatNoSymbolSolves) {
  DimSolver solver = withInputs({"n"});
  EXPECT_EQ(equate(solver, "n floordiv 2", "100"), Equality::Undecided);
  EXPECT_EQ(equate(solver, "n * n", "9"), Equality::Undecided);
}

TEST(DivideExactly, CancelsFactors) {
  auto divide = [](const char *a, const char *b) {
    auto quotient = divideExactly(parse(a), parse(b));
    return quotient ? quotient->print() : "none";
  };
  EXPECT_EQ(divide("64 * b * s", "4 * b * s"), "16");
  EXPECT_EQ(divide("8 * (p + s) * b", "2 * (p + s)"), "4 * b");
  EXPECT_EQ(divide("4 * p + 8 * q", "4"), "p + 2 * q");
  EXPECT_EQ(divide("b * p + b * q", "b"), "p + q");
  EXPECT_EQ(divide("p + q", "p"), "none");
  EXPECT_EQ(divide("6 * b", "4"), "none");
  EXPECT_EQ(divide("b", "0"), "none");
}

/// A random expression over symbols a, b, c, d; affine if `affine`.
DimExpr randomExpr(std::mt19937 &random, unsigned depth, bool affine) {
  auto pick = [&](int n) { return int(random() % n); };
  if (depth == 0 || pick(3) == 0)
    return pick(3) == 0 ? DimExpr(pick(4)) : DimExpr::symbol(std::string(1, "abcd"[pick(4)]));
  DimExpr left = randomExpr(random, depth - 1, affine);
  DimExpr right = randomExpr(random, depth - 1, affine);
  switch (affine ? pick(3) : pick(8)) {
  case 0:
  case 1:
    return left + right;
  case 2:
    return left * DimExpr(1 + pick(3));
  case 3:
    return min(left, right);
  case 4:
    return max(left, right);
  case 5:
    return left - right;
  case 6:
    return floorDiv(left, DimExpr(1 + pick(3)));
  default:
    return mod(left, DimExpr(1 + pick(3)));
  }
}

// Oracle: all values of the symbols in 0..5. Whatever equations and bounds were
// assumed, canonical forms and bounds agree with plain evaluation at every point
// at which these hold.
TEST(DimSolver, CanonicalFormsAgreeWhereTheAssumptionsHold) {
  std::mt19937 random(7);
  unsigned points = 0;
  for (unsigned round = 0; round < 400; ++round) {
    DimSolver solver = withInputs({"a", "b", "c", "d"});
    struct Assumption {
      DimExpr lhs, rhs;
      bool equal;
    };
    std::vector<Assumption> assumed;
    for (unsigned i = 0; i < 2; ++i) {
      DimExpr lhs = randomExpr(random, 2, true), rhs = randomExpr(random, 2, true);
      if (random() % 2) {
        Equality equality = solver.equate(lhs, rhs, "node");
        if (equality == Equality::Assumed || equality == Equality::Proved)
          assumed.push_back({lhs, rhs, true});
      } else if (solver.assumeLessOrEqual(lhs, rhs, "node")) {
        assumed.push_back({lhs, rhs, false});
      }
    }
    std::vector<DimExpr> exprs, forms;
    for (unsigned i = 0; i < 4; ++i) {
      exprs.push_back(randomExpr(random, 3, false));
      forms.push_back(solver.canonical(exprs.back()));
    }
    for (int point = 0; point < 6 * 6 * 6 * 6; ++point) {
      SymbolValues values = {
          {"a", point % 6}, {"b", point / 6 % 6}, {"c", point / 36 % 6}, {"d", point / 216}};
      bool holds = true;
      for (const Assumption &each : assumed) {
        auto l = each.lhs.evaluate(values), r = each.rhs.evaluate(values);
        holds = holds && l && r && (each.equal ? *l == *r : *l <= *r);
      }
      if (!holds)
        continue;
      ++points;
      for (size_t i = 0; i < exprs.size(); ++i) {
        auto expected = exprs[i].evaluate(values), got = forms[i].evaluate(values);
        ASSERT_TRUE(expected && got);
        ASSERT_EQ(*expected, *got) << exprs[i].print() << " became " << forms[i].print();
        if (auto low = solver.lowerBound(forms[i])) {
          ASSERT_LE(*low, *expected) << forms[i].print();
        }
        if (auto high = solver.upperBound(forms[i])) {
          ASSERT_GE(*high, *expected) << forms[i].print();
        }
      }
    }
  }
  EXPECT_GT(points, 10000u);
}

} // namespace
