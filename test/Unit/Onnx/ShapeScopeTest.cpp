//===- ShapeScopeTest.cpp - what shape inference knows of values ----------===//
#include "dougong/Onnx/ShapeScope.h"
#include "dougong/Onnx/Interfaces.h"

#include "mlir/Parser/Parser.h"

#include "gtest/gtest.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

namespace {

class ShapeScopeTest : public ::testing::Test {
protected:
  ShapeScopeTest() : scope(solver) {
    DialectRegistry registry;
    registry.insert<OnnxDialect, func::FuncDialect>();
    registerShapeInference(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
    // Messages are collected, so that tests can look at them.
    context.getDiagEngine().registerHandler(
        [&](Diagnostic &diagnostic) { message = diagnostic.str(); });
  }

  /// Infers the shapes of a function with symbol `n` and `m` as inputs.
  LogicalResult infer(StringRef body) {
    std::string text = "func.func @main(%x: tensor<?x4xf32, #onnx.dims<\"n\", _>>, "
                       "%y: tensor<?xf32, #onnx.dims<\"m\">>) {\n" +
                       body.str() + "\nreturn }";
    module = parseSourceString<ModuleOp>(text, &context);
    if (!module)
      return failure();
    function = *module->getOps<func::FuncOp>().begin();
    for (BlockArgument argument : function.getArguments()) {
      auto dims = *getTypeDims(argument.getType());
      scope.setDims(argument, dims);
      for (const DimExpr &dim : dims)
        solver.addInputDim(dim);
    }
    return scope.inferBlock(function.getBody().front());
  }

  /// The last op before the return.
  Operation *last() { return function.getBody().front().getTerminator()->getPrevNode(); }
  std::string shape() { return toString(scope.getDims(last()->getResult(0))); }
  std::string contents() {
    auto contents = scope.getContents(last()->getResult(0));
    return contents ? toString(*contents) : "unknown";
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  func::FuncOp function;
  DimSolver solver;
  ShapeScope scope;
  std::string message;
};

constexpr char xType[] = "tensor<?x4xf32, #onnx.dims<\"n\", _>>";

TEST_F(ShapeScopeTest, FollowsIntegerContents) {
  ASSERT_TRUE(succeeded(infer(std::string("%s = onnx.Shape(%x) : (") + xType + R"() -> tensor<2xi64>
    %i = onnx.Constant() {value = dense<[1, 0]> : tensor<2xi64>} : () -> tensor<2xi64>
    %g = onnx.Gather(%s, %i) {axis = 0 : i64} : (tensor<2xi64>, tensor<2xi64>) -> tensor<2xi64>
    %m = onnx.Mul(%g, %i) : (tensor<2xi64>, tensor<2xi64>) -> tensor<2xi64>
    %p = onnx.Add(%m, %g) : (tensor<2xi64>, tensor<2xi64>) -> tensor<2xi64>)")));
  EXPECT_EQ(shape(), "[2]");
  EXPECT_EQ(contents(), "[8, n]");
}

TEST_F(ShapeScopeTest, DividesExtentsTruncating) {
  ASSERT_TRUE(succeeded(infer(std::string("%s = onnx.Size(%x) : (") + xType + R"() -> tensor<i64>
    %c = onnx.Constant() {value = dense<8> : tensor<i64>} : () -> tensor<i64>
    %d = onnx.Div(%s, %c) : (tensor<i64>, tensor<i64>) -> tensor<i64>)")));
  EXPECT_EQ(contents(), "[(4 * n) floordiv 8]");
}

TEST_F(ShapeScopeTest, KnowsTheRangeOfAnExtent) {
  ASSERT_TRUE(succeeded(infer(std::string("%s = onnx.Size(%x) : (") + xType + R"() -> tensor<i64>
    %c = onnx.Constant() {value = dense<0> : tensor<i64>} : () -> tensor<i64>
    %o = onnx.Constant() {value = dense<1> : tensor<i64>} : () -> tensor<i64>
    %r = onnx.Range(%c, %s, %o) : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<*xi64>)")));
  EXPECT_EQ(shape(), "[4 * n]");
}

TEST_F(ShapeScopeTest, ForgetsContentsThatDependOnData) {
  ASSERT_TRUE(succeeded(infer(R"(%c = onnx.Cast(%y) {to = 7 : i64}
      : (tensor<?xf32, #onnx.dims<"m">>) -> tensor<?xi64, #onnx.dims<"m">>)")));
  EXPECT_EQ(shape(), "[m]");
  EXPECT_EQ(contents(), "unknown");
}

TEST_F(ShapeScopeTest, ChecksOneOrMoreWhenStrict) {
  const char *body =
      R"(%c = onnx.Constant() {value_floats = array<f32: 1.0, 2.0>} : () -> tensor<2xf32>
    %a = onnx.Add(%y, %c) : (tensor<?xf32, #onnx.dims<"m">>, tensor<2xf32>) -> tensor<*xf32>)";
  ASSERT_TRUE(succeeded(infer(body)));
  EXPECT_TRUE(scope.isOpen());
  EXPECT_EQ(shape(), "[2]");
  scope.setStrict(true);
  ASSERT_TRUE(succeeded(scope.inferBlock(function.getBody().front())));
  EXPECT_EQ(shape(), "[2]");
  // m is 1 or 2.
  std::vector<DimCheck> checks = scope.getSolver().getChecks();
  ASSERT_EQ(checks.size(), 1u);
  EXPECT_EQ(checks[0].kind, DimCheck::Kind::OneOf);
  EXPECT_EQ(checks[0].lhs.print(), "m");
  EXPECT_EQ(checks[0].rhs.print(), "1");
  EXPECT_EQ(checks[0].other.print(), "2");
}

TEST_F(ShapeScopeTest, RecordsWhatItCannotSolve) {
  std::string body = std::string("%s = onnx.Size(%x) : (") + xType + R"() -> tensor<i64>
    %e = onnx.Constant() {value = dense<[3, -1]> : tensor<2xi64>} : () -> tensor<2xi64>
    %r = onnx.Reshape(%x, %e) : ()" +
                     xType + ", tensor<2xi64>) -> tensor<*xf32>";
  scope.setStrict(true);
  ASSERT_TRUE(succeeded(infer(body)));
  EXPECT_EQ(shape(), "[3, (4 * n) floordiv 3]");
  ASSERT_EQ(solver.getChecks().size(), 1u);
  EXPECT_EQ(solver.getChecks()[0].lhs.print() + " == " + solver.getChecks()[0].rhs.print(),
            "(4 * n) mod 3 == 0");
}

// Operators whose promise is not met yet. An operator that gains inference
// leaves this list.
TEST_F(ShapeScopeTest, AllOperatorsHaveInferenceButThese) {
  std::set<std::string> missing;
  for (RegisteredOperationName name : context.getRegisteredOperationsByDialect("onnx"))
    if (name.hasInterface<OnnxOpInterface>() && !name.hasInterface<ShapeInferenceOpInterface>())
      missing.insert(name.getStringRef().str());
  EXPECT_EQ(missing, (std::set<std::string>{"onnx.ml.CastMap", "onnx.ml.DictVectorizer",
                                            "onnx.training.Gradient"}));
}

} // namespace
