//===- LoopsTest.cpp - vectorised loops against plain loops ---------------===//
#include "TestSupport.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace dougong;
using namespace dougong::test;

namespace {

/// Runs `check` for each configuration of the processor.
void forEachRunner(const char *text, const std::function<void(KernelRunner &)> &check) {
  for (const cpu::CpuOptions &options : getConfigurations()) {
    SCOPED_TRACE(options.cpu + (options.scalar ? " scalar" : ""));
    auto runner = KernelRunner::compile(text, options);
    check(*runner);
    if (testing::Test::HasFatalFailure())
      return;
  }
}

/// relu(A * B + bias) + residual, all extents dynamic.
constexpr const char *epilogueText = R"(
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(m, n) -> (m, n)>
#row = affine_map<(m, n) -> (n)>
func.func private @kernel_0(%ctx: !llvm.ptr, %a: tensor<?x?xf32>, %b: tensor<?x?xf32>,
    %bias: tensor<?xf32>, %residual: tensor<?x?xf32>) -> tensor<?x?xf32>
    attributes {dougong.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %m = tensor.dim %a, %c0 : tensor<?x?xf32>
  %n = tensor.dim %b, %c1 : tensor<?x?xf32>
  %e = tensor.empty(%m, %n) : tensor<?x?xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x?xf32>) -> tensor<?x?xf32>
  %r = linalg.matmul ins(%a, %b : tensor<?x?xf32>, tensor<?x?xf32>)
                     outs(%f : tensor<?x?xf32>) -> tensor<?x?xf32>
  %e1 = tensor.empty(%m, %n) : tensor<?x?xf32>
  %s = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%r, %bias : tensor<?x?xf32>, tensor<?xf32>) outs(%e1 : tensor<?x?xf32>) {
    ^bb0(%x: f32, %y: f32, %o: f32):
      %z = arith.addf %x, %y : f32
      %w = arith.maximumf %z, %zero : f32
      linalg.yield %w : f32
  } -> tensor<?x?xf32>
  %e2 = tensor.empty(%m, %n) : tensor<?x?xf32>
  %t = linalg.add ins(%s, %residual : tensor<?x?xf32>, tensor<?x?xf32>)
                  outs(%e2 : tensor<?x?xf32>) -> tensor<?x?xf32>
  return %t : tensor<?x?xf32>
}
)";

TEST(CpuLoops, EpilogueRunsOnTheAccumulators) {
  forEachRunner(epilogueText, [](KernelRunner &runner) {
    for (int64_t m : {1, 5, 8, 19})
      for (int64_t n : {1, 16, 33, 70}) {
        int64_t k = 11;
        auto a = makeRandom(m * k, 1), b = makeRandom(k * n, 2), bias = makeRandom(n, 3),
             residual = makeRandom(m * n, 4);
        std::vector<float> c(m * n);
        runner.run({buffer(a, {m, k}), buffer(b, {k, n}), buffer(bias, {n}),
                    buffer(residual, {m, n}), buffer(c, {m, n})});
        for (int64_t i = 0; i < m; ++i)
          for (int64_t j = 0; j < n; ++j) {
            double sum = bias[j];
            for (int64_t p = 0; p < k; ++p)
              sum += double(a[i * k + p]) * b[p * n + j];
            ASSERT_NEAR(c[i * n + j], std::max(sum, 0.0) + residual[i * n + j], 1e-5);
          }
      }
  });
}

/// C[b, m, n] = A[b, m, k] * B[b, n, k] (the second operand transposed).
constexpr const char *transposedText = R"(
#a = affine_map<(b, m, n, k) -> (b, m, k)>
#b = affine_map<(b, m, n, k) -> (b, n, k)>
#c = affine_map<(b, m, n, k) -> (b, m, n)>
func.func private @kernel_0(%ctx: !llvm.ptr, %a: tensor<?x?x?xf32>, %b: tensor<?x?x?xf32>)
    -> tensor<?x?x?xf32> attributes {dougong.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %n0 = tensor.dim %a, %c0 : tensor<?x?x?xf32>
  %m = tensor.dim %a, %c1 : tensor<?x?x?xf32>
  %n = tensor.dim %b, %c1 : tensor<?x?x?xf32>
  %e = tensor.empty(%n0, %m, %n) : tensor<?x?x?xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x?x?xf32>) -> tensor<?x?x?xf32>
  %r = linalg.generic {indexing_maps = [#a, #b, #c],
                       iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<?x?x?xf32>, tensor<?x?x?xf32>) outs(%f : tensor<?x?x?xf32>) {
    ^bb0(%x: f32, %y: f32, %acc: f32):
      %p = arith.mulf %x, %y : f32
      %s = arith.addf %acc, %p : f32
      linalg.yield %s : f32
  } -> tensor<?x?x?xf32>
  return %r : tensor<?x?x?xf32>
}
)";

TEST(CpuLoops, TransposedBatchMatMul) {
  forEachRunner(transposedText, [](KernelRunner &runner) {
    for (int64_t m : {1, 3, 9})
      for (int64_t n : {1, 7, 12})
        for (int64_t k : {1, 15, 16, 50}) {
          int64_t batch = 3;
          auto a = makeRandom(batch * m * k, 1), b = makeRandom(batch * n * k, 2);
          std::vector<float> c(batch * m * n);
          runner.run(
              {buffer(a, {batch, m, k}), buffer(b, {batch, n, k}), buffer(c, {batch, m, n})});
          for (int64_t h = 0; h < batch; ++h)
            for (int64_t i = 0; i < m; ++i)
              for (int64_t j = 0; j < n; ++j) {
                double sum = 0;
                for (int64_t p = 0; p < k; ++p)
                  sum += double(a[(h * m + i) * k + p]) * b[(h * n + j) * k + p];
                ASSERT_NEAR(c[(h * m + i) * n + j], sum, 1e-5) << m << " " << n << " " << k;
              }
        }
  });
}

/// Q K^T with a head size that is known: rows of K are packed where there are
/// many queries.
TEST(CpuLoops, PackedRowsOfTransposedMatMul) {
  std::string text = transposedText;
  // The reduction is 24 long in both operands.
  std::string from = "tensor<?x?x?xf32>", to = "tensor<?x?x24xf32>";
  size_t begin = text.find("%a: "), end = text.find(" -> tensor", begin);
  auto replaceAll = [&](std::string part) {
    for (size_t at = 0; (at = part.find(from, at)) != std::string::npos; at += to.size())
      part.replace(at, from.size(), to);
    return part;
  };
  text = text.substr(0, begin) + replaceAll(text.substr(begin, end - begin)) + text.substr(end);
  for (const char *dim :
       {"tensor.dim %a, %c0 : ", "tensor.dim %a, %c1 : ", "tensor.dim %b, %c1 : "}) {
    size_t at = text.find(dim) + std::string(dim).size();
    text.replace(at, from.size(), to);
  }
  size_t ins = text.find("ins(%a, %b : "), outs = text.find(" outs(%f", ins);
  text = text.substr(0, ins) + replaceAll(text.substr(ins, outs - ins)) + text.substr(outs);
  forEachRunner(text.c_str(), [](KernelRunner &runner) {
    for (int64_t m : {1, 15, 16, 41})
      for (int64_t n : {1, 8, 33, 70}) {
        int64_t batch = 2, k = 24;
        auto a = makeRandom(batch * m * k, 1), b = makeRandom(batch * n * k, 2);
        std::vector<float> c(batch * m * n);
        runner.run({buffer(a, {batch, m, k}), buffer(b, {batch, n, k}), buffer(c, {batch, m, n})});
        for (int64_t h = 0; h < batch; ++h)
          for (int64_t i = 0; i < m; ++i)
            for (int64_t j = 0; j < n; ++j) {
              double sum = 0;
              for (int64_t p = 0; p < k; ++p)
                sum += double(a[(h * m + i) * k + p]) * b[(h * n + j) * k + p];
              ASSERT_NEAR(c[(h * m + i) * n + j], sum, 1e-5) << m << " " << n;
            }
      }
  });
}

/// An outer product is a matrix product whose reduction has extent 1: its fill
/// still counts.
TEST(CpuLoops, ReductionOfExtentOne) {
  const char *text = R"(
func.func private @kernel_0(%ctx: !llvm.ptr, %a: tensor<5x1xf32>, %b: tensor<1x20xf32>)
    -> tensor<5x20xf32> attributes {dougong.kernel} {
  %two = arith.constant 2.0 : f32
  %e = tensor.empty() : tensor<5x20xf32>
  %f = linalg.fill ins(%two : f32) outs(%e : tensor<5x20xf32>) -> tensor<5x20xf32>
  %r = linalg.matmul ins(%a, %b : tensor<5x1xf32>, tensor<1x20xf32>)
                     outs(%f : tensor<5x20xf32>) -> tensor<5x20xf32>
  return %r : tensor<5x20xf32>
}
)";
  forEachRunner(text, [](KernelRunner &runner) {
    auto a = makeRandom(5, 1), b = makeRandom(20, 2);
    std::vector<float> c(100, std::nanf(""));
    runner.run({buffer(a, {5, 1}), buffer(b, {1, 20}), buffer(c, {5, 20})});
    for (int64_t i = 0; i < 5; ++i)
      for (int64_t j = 0; j < 20; ++j)
        ASSERT_NEAR(c[i * 20 + j], 2.0 + double(a[i]) * b[j], 1e-6);
  });
}

/// B in panels of 32 columns, the last one padded; 40 columns in all.
constexpr const char *packedText = R"(
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (n floordiv 32, k, n mod 32)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func private @kernel_0(%ctx: !llvm.ptr, %a: tensor<?x24xf32>, %b: tensor<2x24x32xf32>)
    -> tensor<?x40xf32> attributes {dougong.kernel} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %m = tensor.dim %a, %c0 : tensor<?x24xf32>
  %e = tensor.empty(%m) : tensor<?x40xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x40xf32>) -> tensor<?x40xf32>
  %r = linalg.generic {indexing_maps = [#a, #b, #c],
                       iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<?x24xf32>, tensor<2x24x32xf32>) outs(%f : tensor<?x40xf32>) {
    ^bb0(%x: f32, %y: f32, %acc: f32):
      %p = arith.mulf %x, %y : f32
      %s = arith.addf %acc, %p : f32
      linalg.yield %s : f32
  } -> tensor<?x40xf32>
  return %r : tensor<?x40xf32>
}
)";

TEST(CpuLoops, PackedWeights) {
  forEachRunner(packedText, [](KernelRunner &runner) {
    for (int64_t m : {1, 7, 8, 30}) {
      int64_t k = 24, n = 40;
      auto a = makeRandom(m * k, 1), b = makeRandom(k * n, 2);
      std::vector<float> packed(2 * k * 32, 0.0f), c(m * n);
      for (int64_t p = 0; p < k; ++p)
        for (int64_t j = 0; j < n; ++j)
          packed[(j / 32 * k + p) * 32 + j % 32] = b[p * n + j];
      runner.run({buffer(a, {m, k}), buffer(packed, {2, k, 32}), buffer(c, {m, n})});
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j) {
          double sum = 0;
          for (int64_t p = 0; p < k; ++p)
            sum += double(a[i * k + p]) * b[p * n + j];
          ASSERT_NEAR(c[i * n + j], sum, 1e-5);
        }
    }
  });
}

constexpr const char *softmaxText = R"(
func.func private @kernel_0(%ctx: !llvm.ptr, %x: tensor<?x?xf32>) -> tensor<?x?xf32>
    attributes {dougong.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %m = tensor.dim %x, %c0 : tensor<?x?xf32>
  %n = tensor.dim %x, %c1 : tensor<?x?xf32>
  %e = tensor.empty(%m, %n) : tensor<?x?xf32>
  %r = linalg.softmax dimension(1) ins(%x : tensor<?x?xf32>) outs(%e : tensor<?x?xf32>)
      -> tensor<?x?xf32>
  return %r : tensor<?x?xf32>
}
)";

TEST(CpuLoops, SoftmaxOfRows) {
  forEachRunner(softmaxText, [](KernelRunner &runner) {
    for (int64_t m : {1, 6})
      for (int64_t n : {1, 5, 16, 64, 100, 257}) {
        auto x = makeRandom(m * n, 5);
        if (n > 5)
          x[3] = -std::numeric_limits<float>::infinity(); // a masked position
        std::vector<float> y(m * n);
        runner.run({buffer(x, {m, n}), buffer(y, {m, n})});
        for (int64_t i = 0; i < m; ++i) {
          double sum = 0;
          for (int64_t j = 0; j < n; ++j)
            sum += std::exp(double(x[i * n + j]));
          for (int64_t j = 0; j < n; ++j)
            ASSERT_NEAR(y[i * n + j], std::exp(double(x[i * n + j])) / sum, 1e-6);
        }
      }
  });
}

/// where(x < y, x, table[index]) with a bool intermediate that is also an
/// output, an integer index and a lookup in the body.
constexpr const char *mixedText = R"(
#id = affine_map<(m, n) -> (m, n)>
#row = affine_map<(m, n) -> (m)>
func.func private @kernel_0(%ctx: !llvm.ptr, %x: tensor<?x?xf32>, %index: tensor<?xi64>,
    %table: tensor<?x?xf32>) -> (tensor<?x?xi1>, tensor<?x?xf32>) attributes {dougong.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %m = tensor.dim %x, %c0 : tensor<?x?xf32>
  %n = tensor.dim %x, %c1 : tensor<?x?xf32>
  %e = tensor.empty(%m, %n) : tensor<?x?xf32>
  %g = linalg.generic {indexing_maps = [#row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%index : tensor<?xi64>) outs(%e : tensor<?x?xf32>) {
    ^bb0(%i: i64, %o: f32):
      %row = arith.index_cast %i : i64 to index
      %column = linalg.index 1 : index
      %v = tensor.extract %table[%row, %column] : tensor<?x?xf32>
      linalg.yield %v : f32
  } -> tensor<?x?xf32>
  %eb = tensor.empty(%m, %n) : tensor<?x?xi1>
  %less = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x, %g : tensor<?x?xf32>, tensor<?x?xf32>) outs(%eb : tensor<?x?xi1>) {
    ^bb0(%a: f32, %b: f32, %o: i1):
      %c = arith.cmpf olt, %a, %b : f32
      linalg.yield %c : i1
  } -> tensor<?x?xi1>
  %es = tensor.empty(%m, %n) : tensor<?x?xf32>
  %s = linalg.generic {indexing_maps = [#id, #id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%less, %x, %g : tensor<?x?xi1>, tensor<?x?xf32>, tensor<?x?xf32>) outs(%es : tensor<?x?xf32>) {
    ^bb0(%c: i1, %a: f32, %b: f32, %o: f32):
      %v = arith.select %c, %a, %b : f32
      linalg.yield %v : f32
  } -> tensor<?x?xf32>
  return %less, %s : tensor<?x?xi1>, tensor<?x?xf32>
}
)";

TEST(CpuLoops, BoolsAndLookups) {
  forEachRunner(mixedText, [](KernelRunner &runner) {
    for (int64_t n : {1, 16, 21, 40}) {
      int64_t m = 5, rows = 9;
      auto x = makeRandom(m * n, 6), table = makeRandom(rows * n, 7);
      std::vector<int64_t> index = {8, 0, 3, 3, 7};
      std::vector<uint8_t> less(m * n, 9);
      std::vector<float> s(m * n);
      runner.run({buffer(x, {m, n}), buffer(index, {m}), buffer(table, {rows, n}),
                  buffer(less, {m, n}), buffer(s, {m, n})});
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j) {
          float other = table[index[i] * n + j], mine = x[i * n + j];
          ASSERT_EQ(less[i * n + j], mine < other ? 1 : 0);
          ASSERT_EQ(s[i * n + j], std::min(mine, other));
        }
    }
  });
}

/// NCHW convolution with stride and a padded input.
constexpr const char *convText = R"(
func.func private @kernel_0(%ctx: !llvm.ptr, %x: tensor<?x3x9x11xf32>, %w: tensor<10x3x3x3xf32>)
    -> tensor<?x10x5x6xf32> attributes {dougong.kernel} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %b = tensor.dim %x, %c0 : tensor<?x3x9x11xf32>
  %p = tensor.pad %x low[0, 0, 1, 1] high[0, 0, 1, 1] {
    ^bb0(%i: index, %j: index, %k: index, %l: index):
      tensor.yield %zero : f32
  } : tensor<?x3x9x11xf32> to tensor<?x3x11x13xf32>
  %e = tensor.empty(%b) : tensor<?x10x5x6xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x10x5x6xf32>) -> tensor<?x10x5x6xf32>
  %r = linalg.conv_2d_nchw_fchw {strides = dense<2> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>}
      ins(%p, %w : tensor<?x3x11x13xf32>, tensor<10x3x3x3xf32>)
      outs(%f : tensor<?x10x5x6xf32>) -> tensor<?x10x5x6xf32>
  return %r : tensor<?x10x5x6xf32>
}
)";

TEST(CpuLoops, StridedPaddedConvolution) {
  forEachRunner(convText, [](KernelRunner &runner) {
    int64_t batch = 2;
    auto x = makeRandom(batch * 3 * 9 * 11, 8), w = makeRandom(10 * 3 * 9, 9);
    std::vector<float> y(batch * 10 * 5 * 6);
    runner.run(
        {buffer(x, {batch, 3, 9, 11}), buffer(w, {10, 3, 3, 3}), buffer(y, {batch, 10, 5, 6})});
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t o = 0; o < 10; ++o)
        for (int64_t i = 0; i < 5; ++i)
          for (int64_t j = 0; j < 6; ++j) {
            double sum = 0;
            for (int64_t c = 0; c < 3; ++c)
              for (int64_t u = 0; u < 3; ++u)
                for (int64_t v = 0; v < 3; ++v) {
                  int64_t row = i * 2 + u - 1, column = j * 2 + v - 1;
                  if (row < 0 || row >= 9 || column < 0 || column >= 11)
                    continue;
                  sum += double(x[((b * 3 + c) * 9 + row) * 11 + column]) *
                         w[((o * 3 + c) * 3 + u) * 3 + v];
                }
            ASSERT_NEAR(y[((b * 10 + o) * 5 + i) * 6 + j], sum, 1e-5);
          }
  });
}

/// Sum, maximum and arg max over the middle dim; the last is no known combiner.
constexpr const char *reduceText = R"(
#in = affine_map<(a, b, c) -> (a, b, c)>
#out = affine_map<(a, b, c) -> (a, c)>
func.func private @kernel_0(%ctx: !llvm.ptr, %x: tensor<?x?x?xf32>)
    -> (tensor<?x?xf32>, tensor<?x?xi64>) attributes {dougong.kernel} {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %izero = arith.constant 0 : i64
  %a = tensor.dim %x, %c0 : tensor<?x?x?xf32>
  %c = tensor.dim %x, %c2 : tensor<?x?x?xf32>
  %e = tensor.empty(%a, %c) : tensor<?x?xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x?xf32>) -> tensor<?x?xf32>
  %sum = linalg.generic {indexing_maps = [#in, #out], iterator_types = ["parallel", "reduction", "parallel"]}
      ins(%x : tensor<?x?x?xf32>) outs(%f : tensor<?x?xf32>) {
    ^bb0(%v: f32, %acc: f32):
      %s = arith.addf %acc, %v : f32
      linalg.yield %s : f32
  } -> tensor<?x?xf32>
  %e1 = tensor.empty(%a, %c) : tensor<?x?xf32>
  %f1 = linalg.fill ins(%lowest : f32) outs(%e1 : tensor<?x?xf32>) -> tensor<?x?xf32>
  %e2 = tensor.empty(%a, %c) : tensor<?x?xi64>
  %f2 = linalg.fill ins(%izero : i64) outs(%e2 : tensor<?x?xi64>) -> tensor<?x?xi64>
  %max:2 = linalg.generic {indexing_maps = [#in, #out, #out], iterator_types = ["parallel", "reduction", "parallel"]}
      ins(%x : tensor<?x?x?xf32>) outs(%f1, %f2 : tensor<?x?xf32>, tensor<?x?xi64>) {
    ^bb0(%v: f32, %best: f32, %where: i64):
      %i = linalg.index 1 : index
      %at = arith.index_cast %i : index to i64
      %more = arith.cmpf ogt, %v, %best : f32
      %b = arith.select %more, %v, %best : f32
      %w = arith.select %more, %at, %where : i64
      linalg.yield %b, %w : f32, i64
  } -> (tensor<?x?xf32>, tensor<?x?xi64>)
  return %sum, %max#1 : tensor<?x?xf32>, tensor<?x?xi64>
}
)";

TEST(CpuLoops, ReductionsOfTheMiddleDim) {
  forEachRunner(reduceText, [](KernelRunner &runner) {
    for (int64_t c : {1, 16, 19, 50}) {
      int64_t a = 3, b = 7;
      auto x = makeRandom(a * b * c, 10);
      std::vector<float> sum(a * c);
      std::vector<int64_t> where(a * c);
      runner.run({buffer(x, {a, b, c}), buffer(sum, {a, c}), buffer(where, {a, c})});
      for (int64_t i = 0; i < a; ++i)
        for (int64_t k = 0; k < c; ++k) {
          double total = 0;
          int64_t best = 0;
          for (int64_t j = 0; j < b; ++j) {
            total += x[(i * b + j) * c + k];
            if (x[(i * b + j) * c + k] > x[(i * b + best) * c + k])
              best = j;
          }
          ASSERT_NEAR(sum[i * c + k], total, 1e-5);
          ASSERT_EQ(where[i * c + k], best);
        }
    }
  });
}

TEST(CpuLoops, TasksOfAnySizeGiveTheSameResult) {
  auto runner = KernelRunner::compile(epilogueText, {});
  int64_t m = 300, n = 500, k = 400;
  auto a = makeRandom(m * k, 1), b = makeRandom(k * n, 2), bias = makeRandom(n, 3),
       residual = makeRandom(m * n, 4);
  std::vector<float> c(m * n), reference(m * n);
  std::vector<KernelArgument> arguments = {buffer(a, {m, k}), buffer(b, {k, n}), buffer(bias, {n}),
                                           buffer(residual, {m, n}), buffer(reference, {m, n})};
  int64_t tasks = 0;
  runner->parallelFor = [&](dougong_loop_body body, void *argument, int64_t count, int64_t) {
    tasks = count;
    body(argument, 0, count);
  };
  runner->run(arguments);
  EXPECT_GT(tasks, 4);
  EXPECT_LT(tasks, 2000);
  // Backwards and one by one.
  runner->parallelFor = [](dougong_loop_body body, void *argument, int64_t count, int64_t) {
    for (int64_t i = count; i-- > 0;)
      body(argument, i, i + 1);
  };
  arguments.back() = buffer(c, {m, n});
  runner->run(arguments);
  EXPECT_EQ(c, reference);
}

} // namespace
