//===- KernelTest.cpp - compiled kernels against plain loops --------------===//
#include "TestSupport.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace dougong;
using namespace dougong::test;

namespace {

constexpr const char *matmulText = R"(
func.func private @kernel_0(%ctx: !llvm.ptr, %a: tensor<?x?xf32>, %b: tensor<?x?xf32>)
    -> tensor<?x?xf32> attributes {dougong.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %m = tensor.dim %a, %c0 : tensor<?x?xf32>
  %n = tensor.dim %b, %c1 : tensor<?x?xf32>
  %e = tensor.empty(%m, %n) : tensor<?x?xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x?xf32>) -> tensor<?x?xf32>
  %r = linalg.matmul ins(%a, %b : tensor<?x?xf32>, tensor<?x?xf32>)
                     outs(%f : tensor<?x?xf32>) -> tensor<?x?xf32>
  return %r : tensor<?x?xf32>
}
)";

TEST(CpuKernel, MatMulHasAllTails) {
  for (const cpu::CpuOptions &options : getConfigurations()) {
    auto runner = KernelRunner::compile(matmulText, options);
    for (int64_t m : {1, 2, 3, 4, 5, 6, 7, 8, 9, 17})
      for (int64_t n : {1, 7, 15, 16, 17, 31, 32, 33, 64, 100})
        for (int64_t k : {0, 1, 5, 33}) {
          std::vector<float> a = makeRandom(m * k, 1), b = makeRandom(k * n, 2);
          std::vector<float> c(m * n + 1, 77.0f);
          runner->run({buffer(a, {m, k}), buffer(b, {k, n}), buffer(c, {m, n})});
          for (int64_t i = 0; i < m; ++i)
            for (int64_t j = 0; j < n; ++j) {
              double expected = 0;
              for (int64_t p = 0; p < k; ++p)
                expected += double(a[i * k + p]) * b[p * n + j];
              ASSERT_NEAR(c[i * n + j], expected, 1e-5)
                  << options.cpu << " " << m << "x" << k << "x" << n << " at " << i << "," << j;
            }
          ASSERT_EQ(c[m * n], 77.0f) << "wrote behind the end";
        }
  }
}

TEST(CpuKernel, LibraryIsDeterministic) {
  auto first = KernelRunner::compile(matmulText, {});
  auto second = KernelRunner::compile(matmulText, {});
  EXPECT_FALSE(first->bytes.empty());
  EXPECT_EQ(first->bytes, second->bytes);
}

constexpr const char *expText = R"(
#id = affine_map<(d0) -> (d0)>
func.func private @kernel_0(%ctx: !llvm.ptr, %x: tensor<?xf32>) -> tensor<?xf32>
    attributes {dougong.kernel} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %e = tensor.empty(%n) : tensor<?xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : tensor<?xf32>) outs(%e : tensor<?xf32>) {
    ^bb0(%in: f32, %out: f32):
      %y = math.exp %in : f32
      linalg.yield %y : f32
  } -> tensor<?xf32>
  return %r : tensor<?xf32>
}
)";

TEST(CpuKernel, ExpIsAccurateEverywhere) {
  for (const cpu::CpuOptions &options : getConfigurations()) {
    auto runner = KernelRunner::compile(expText, options);
    std::vector<float> x;
    for (int i = -110000; i <= 90000; i += 7)
      x.push_back(float(i) * 1e-3f);
    float infinity = std::numeric_limits<float>::infinity();
    x.insert(x.end(), {0.0f, -0.0f, infinity, -infinity, std::nanf(""), -3e38f, 3e38f});
    std::vector<float> y(x.size());
    int64_t n = x.size();
    runner->run({buffer(x, {n}), buffer(y, {n})});
    for (size_t i = 0; i < x.size(); ++i) {
      double expected = std::exp(double(x[i]));
      if (std::isnan(x[i])) {
        EXPECT_TRUE(std::isnan(y[i]));
      } else if (expected > std::numeric_limits<float>::max()) {
        EXPECT_EQ(y[i], infinity) << x[i];
      } else {
        ASSERT_NEAR(y[i], expected, 3e-7 * expected + 3e-45) << x[i];
      }
    }
  }
}

/// `op` of finite numbers against the double result, relative to it.
void checkFunction(const std::string &op, double (*expected)(double), double tolerance) {
  std::string text = expText;
  text.replace(text.find("math.exp"), 8, op);
  for (const cpu::CpuOptions &options : getConfigurations()) {
    SCOPED_TRACE(options.cpu + (options.scalar ? " scalar" : ""));
    auto runner = KernelRunner::compile(text, options);
    std::vector<float> x = {0.0f, -0.0f, 1e-30f, -1e-30f, 1e30f, -1e30f};
    for (int i = -100000; i <= 100000; i += 7)
      x.push_back(float(i) * 1e-4f);
    std::vector<float> y(x.size());
    int64_t n = x.size();
    runner->run({buffer(x, {n}), buffer(y, {n})});
    for (size_t i = 0; i < x.size(); ++i)
      ASSERT_NEAR(y[i], expected(x[i]), tolerance * std::abs(expected(x[i]))) << x[i];
  }
}

TEST(CpuKernel, TanhIsAccurate) { checkFunction("math.tanh", std::tanh, 6e-7); }
TEST(CpuKernel, ErfIsAccurate) { checkFunction("math.erf", std::erf, 6e-7); }

constexpr const char *temporaryText = R"(
#id = affine_map<(d0, d1) -> (d0, d1)>
#swap = affine_map<(d0, d1) -> (d1, d0)>
func.func private @kernel_0(%ctx: !llvm.ptr, %a: tensor<?x?xf32>) -> tensor<?x?xf32>
    attributes {dougong.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %m = tensor.dim %a, %c0 : tensor<?x?xf32>
  %k = tensor.dim %a, %c1 : tensor<?x?xf32>
  %et = tensor.empty(%k, %m) : tensor<?x?xf32>
  %t = linalg.transpose ins(%a : tensor<?x?xf32>) outs(%et : tensor<?x?xf32>) permutation = [1, 0]
  %e = tensor.empty(%m, %m) : tensor<?x?xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x?xf32>) -> tensor<?x?xf32>
  %r = linalg.matmul ins(%a, %t : tensor<?x?xf32>, tensor<?x?xf32>)
                     outs(%f : tensor<?x?xf32>) -> tensor<?x?xf32>
  return %r : tensor<?x?xf32>
}
)";

TEST(CpuKernel, TemporariesLiveInTheWorkspace) {
  for (const cpu::CpuOptions &options : getConfigurations()) {
    auto runner = KernelRunner::compile(temporaryText, options);
    int64_t m = 21, k = 13;
    std::vector<float> a = makeRandom(m * k, 3), c(m * m);
    runner->run({buffer(a, {m, k}), buffer(c, {m, m})});
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < m; ++j) {
        double expected = 0;
        for (int64_t p = 0; p < k; ++p)
          expected += double(a[i * k + p]) * a[j * k + p];
        ASSERT_NEAR(c[i * m + j], expected, 1e-5);
      }
    EXPECT_GE(runner->workspaceBytes, m * k * 4);
  }
}

/// Each iteration makes its tensor anew from the one before: x = 2 x + i, with
/// the other carried tensor exchanged for it.
constexpr const char *carriedText = R"(
#id = affine_map<(d0) -> (d0)>
func.func private @kernel_0(%ctx: !llvm.ptr, %x: tensor<?xf32>, %y: tensor<?xf32>, %count: index)
    -> (tensor<?xf32>, tensor<?xf32>) attributes {dougong.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %r:2 = scf.for %i = %c0 to %count step %c1 iter_args(%a = %x, %b = %y)
      -> (tensor<?xf32>, tensor<?xf32>) {
    %e = tensor.empty(%n) : tensor<?xf32>
    %d = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
        ins(%a : tensor<?xf32>) outs(%e : tensor<?xf32>) {
      ^bb0(%v: f32, %o: f32):
        %two = arith.constant 2.0 : f32
        %j = arith.index_cast %i : index to i32
        %f = arith.sitofp %j : i32 to f32
        %p = arith.mulf %v, %two : f32
        %s = arith.addf %p, %f : f32
        linalg.yield %s : f32
    } -> tensor<?xf32>
    scf.yield %b, %d : tensor<?xf32>, tensor<?xf32>
  }
  return %r#0, %r#1 : tensor<?xf32>, tensor<?xf32>
}
)";

TEST(CpuKernel, CarriedTensorsAreExchanged) {
  for (const cpu::CpuOptions &options : getConfigurations()) {
    auto runner = KernelRunner::compile(carriedText, options);
    int64_t n = 37;
    auto x = makeRandom(n, 1), y = makeRandom(n, 2);
    auto a = x, b = y;
    std::vector<float> ra(n), rb(n);
    KernelArgument count;
    count.isIndex = true;
    count.index = 3;
    runner->run({buffer(x, {n}), buffer(y, {n}), count, buffer(ra, {n}), buffer(rb, {n})});
    for (int i = 0; i < 3; ++i) {
      std::vector<float> next(n);
      for (int64_t j = 0; j < n; ++j)
        next[j] = 2 * a[j] + float(i);
      a = b;
      b = next;
    }
    EXPECT_EQ(ra, a);
    EXPECT_EQ(rb, b);
  }
}

/// The hot loop of a matrix product: broadcasts straight from memory, no spills.
TEST(CpuKernel, MatMulLoopHasNoSpills) {
  const char *text = R"(
func.func private @kernel_0(%ctx: !llvm.ptr, %a: tensor<64x256xf32>, %b: tensor<8x256x32xf32>)
    -> tensor<64x256xf32> attributes {dougong.kernel} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<64x256xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<64x256xf32>) -> tensor<64x256xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
      affine_map<(m, n, k) -> (n floordiv 32, k, n mod 32)>, affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<64x256xf32>, tensor<8x256x32xf32>) outs(%f : tensor<64x256xf32>) {
    ^bb0(%x: f32, %y: f32, %acc: f32):
      %p = arith.mulf %x, %y : f32
      %s = arith.addf %acc, %p : f32
      linalg.yield %s : f32
  } -> tensor<64x256xf32>
  return %r : tensor<64x256xf32>
}
)";
  auto count = [](const std::string &text, const std::string &part) {
    int64_t found = 0;
    for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size())
      ++found;
    return found;
  };
  std::string wide = test::compileToAssembly(text, {.cpu = "x86-64-v4"});
  EXPECT_EQ(count(wide, "vfmadd"), 16) << wide;
  EXPECT_EQ(count(wide, "Spill"), 0) << wide;
  std::string narrow = test::compileToAssembly(text, {.cpu = "x86-64-v3"});
  // 64 rows are ten tiles of 6 and one of 4.
  EXPECT_EQ(count(narrow, "vfmadd"), 12 + 8) << narrow;
  EXPECT_EQ(count(narrow, "Spill"), 0) << narrow;
}

} // namespace
