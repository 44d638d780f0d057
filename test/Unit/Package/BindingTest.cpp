//===- BindingTest.cpp - which extents tell a symbol ----------------------===//

#include "dougong/Package/Binding.h"

#include <gtest/gtest.h>

using namespace dougong;

namespace {

/// The symbol that nothing tells, for inputs of one dim each; empty: none.
std::string findUnbound(std::initializer_list<const char *> dims) {
  std::vector<std::vector<DimExpr>> inputs;
  for (const char *dim : dims)
    inputs.push_back({*DimExpr::parse(dim)});
  auto unbound = findUnboundDim(inputs);
  return unbound ? unbound->symbol + " of " + std::to_string(unbound->input) : "";
}

TEST(Binding, ALinearDimTellsItsOnlyUnknown) {
  EXPECT_EQ(findUnbound({}), "");
  EXPECT_EQ(findUnbound({"n", "4"}), "");
  EXPECT_EQ(findUnbound({"2 * n"}), "");
  EXPECT_EQ(findUnbound({"2 * n + 3"}), "");
  EXPECT_EQ(findUnbound({"past + seq", "past"}), "");
  EXPECT_EQ(findUnbound({"a + b + c", "a + b", "a"}), "");
  EXPECT_EQ(findUnbound({"heads * n", "heads"}), "");
  EXPECT_EQ(findUnbound({"(n floordiv 2) + m", "n"}), "");
}

TEST(Binding, OthersTellNothing) {
  EXPECT_EQ(findUnbound({"a + b"}), "a of 0");
  EXPECT_EQ(findUnbound({"c", "a * b"}), "a of 1");
  EXPECT_EQ(findUnbound({"n floordiv 2"}), "n of 0");
  // Linear at 0, 1 and 2, but not everywhere.
  EXPECT_EQ(findUnbound({"n mod 7"}), "n of 0");
  EXPECT_EQ(findUnbound({"min(n, 5)"}), "n of 0");
  EXPECT_EQ(findUnbound({"n * n"}), "n of 0");
  EXPECT_EQ(findUnbound({"n + (n mod 2)"}), "n of 0");
}

} // namespace
