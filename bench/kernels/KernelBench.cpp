//===- KernelBench.cpp - speed of compiled kernels against peak -----------===//
//
// Compiles kernels of the shapes that models are made of and prints, for each,
// the best and the median of some runs on one thread and the share of the
// multiply-add peak that was measured just before (clocks of shared machines
// wander). Usage: kernel-bench [filter] [processor].
//
#include "KernelRunner.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

using namespace dougong;
using namespace dougong::test;

namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Measured GF/s of independent multiply-adds on registers. In assembly, so that
/// no option of the compiler that builds this file changes it.
#define DOUGONG_MEASURE_PEAK(name, reg, lanes)                                                     \
  double name() {                                                                                  \
    double best = 0;                                                                               \
    for (int round = 0; round < 5; ++round) {                                                      \
      double start = now();                                                                        \
      long steps = 2000000, left = steps;                                                          \
      asm volatile("1:\n" FMA(reg, 0) FMA(reg, 1) FMA(reg, 2) FMA(reg, 3) FMA(reg, 4) FMA(reg, 5)  \
                       FMA(reg, 6) FMA(reg, 7) FMA(reg, 8) FMA(reg, 9) FMA(reg, 10)                \
                           FMA(reg, 11) "dec %0\njnz 1b\n"                                         \
                   : "+r"(left)::"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",   \
                     "xmm8", "xmm9", "xmm10", "xmm11", "xmm15");                                   \
      best = std::max(best, steps * 12.0 * lanes * 2 / (now() - start) * 1e-9);                    \
    }                                                                                              \
    return best;                                                                                   \
  }
#define FMA(reg, n) "vfmadd231ps %%" reg "15, %%" reg "15, %%" reg #n "\n"
DOUGONG_MEASURE_PEAK(measurePeak256, "ymm", 8)
DOUGONG_MEASURE_PEAK(measurePeak512, "zmm", 16)

double measurePeak() {
  return __builtin_cpu_supports("avx512f") ? measurePeak512() : measurePeak256();
}

struct Case {
  std::string name;
  std::string text;
  std::vector<std::vector<int64_t>> shapes; ///< of the arguments, the output last
  double flops;
  double bytes;
};

std::string tensor(const std::vector<int64_t> &shape) {
  std::string text = "tensor<";
  for (int64_t extent : shape)
    text += std::to_string(extent) + "x";
  return text + "f32>";
}

/// C[M, N] = A[M, K] B[K, N], B as given or in panels of 32 columns, and
/// optionally bias and GELU.
Case makeMatMul(int64_t m, int64_t k, int64_t n, bool packed, bool gelu) {
  std::vector<int64_t> a = {m, k}, b = {k, n}, c = {m, n};
  if (packed)
    b = {(n + 31) / 32, k, 32};
  std::string mapB = packed ? "(n floordiv 32, k, n mod 32)" : "(k, n)";
  std::string text = "func.func private @kernel_0(%ctx: !llvm.ptr, %a: " + tensor(a) +
                     ", %b: " + tensor(b) + (gelu ? ", %bias: " + tensor({n}) : "") + ") -> " +
                     tensor(c) + R"( attributes {dougong.kernel} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : )" +
                     tensor(c) + R"(
  %f = linalg.fill ins(%zero : f32) outs(%e : )" +
                     tensor(c) + ") -> " + tensor(c) + R"(
  %r = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> )" +
                     mapB + R"(>, affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : )" +
                     tensor(a) + ", " + tensor(b) + ") outs(%f : " + tensor(c) + R"() {
    ^bb0(%x: f32, %y: f32, %acc: f32):
      %p = arith.mulf %x, %y : f32
      %s = arith.addf %acc, %p : f32
      linalg.yield %s : f32
  } -> )" + tensor(c) +
                     "\n";
  std::vector<std::vector<int64_t>> shapes = {a, b};
  if (gelu) {
    shapes.push_back({n});
    text += "  %e2 = tensor.empty() : " + tensor(c) + R"(
  %g = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>,
                                        affine_map<(m, n) -> (m, n)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%r, %bias : )" +
            tensor(c) + ", " + tensor({n}) + ") outs(%e2 : " + tensor(c) + R"() {
    ^bb0(%x: f32, %y: f32, %out: f32):
      %half = arith.constant 0.5 : f32
      %one = arith.constant 1.0 : f32
      %isq = arith.constant 0.70710678118 : f32
      %v = arith.addf %x, %y : f32
      %q = arith.mulf %v, %isq : f32
      %er = math.erf %q : f32
      %e1 = arith.addf %er, %one : f32
      %h = arith.mulf %v, %half : f32
      %z = arith.mulf %h, %e1 : f32
      linalg.yield %z : f32
  } -> )" + tensor(c) +
            "\n  return %g : " + tensor(c) + "\n}\n";
  } else {
    text += "  return %r : " + tensor(c) + "\n}\n";
  }
  shapes.push_back(c);
  std::string name = "matmul " + std::to_string(m) + "x" + std::to_string(k) + "x" +
                     std::to_string(n) + (packed ? " packed" : "") + (gelu ? " gelu" : "");
  return {name, text, shapes, 2.0 * m * k * n, 4.0 * (m * k + k * n + m * n)};
}

/// C[M, N] = A[M, K] B[N, K].
Case makeTransposed(int64_t m, int64_t k, int64_t n) {
  std::vector<int64_t> a = {m, k}, b = {n, k}, c = {m, n};
  std::string text = "func.func private @kernel_0(%ctx: !llvm.ptr, %a: " + tensor(a) +
                     ", %b: " + tensor(b) + ") -> " + tensor(c) + R"( attributes {dougong.kernel} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : )" +
                     tensor(c) + R"(
  %f = linalg.fill ins(%zero : f32) outs(%e : )" +
                     tensor(c) + ") -> " + tensor(c) + R"(
  %r = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
      affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : )" +
                     tensor(a) + ", " + tensor(b) + ") outs(%f : " + tensor(c) + R"() {
    ^bb0(%x: f32, %y: f32, %acc: f32):
      %p = arith.mulf %x, %y : f32
      %s = arith.addf %acc, %p : f32
      linalg.yield %s : f32
  } -> )" + tensor(c) +
                     "\n  return %r : " + tensor(c) + "\n}\n";
  return {"matmul transposed " + std::to_string(m) + "x" + std::to_string(k) + "x" +
              std::to_string(n),
          text,
          {a, b, c},
          2.0 * m * k * n,
          4.0 * (m * k + k * n + m * n)};
}

/// Direct convolution, NCHW input already padded, stride `s`.
Case makeConv(int64_t c, int64_t h, int64_t co, int64_t kernel, int64_t s) {
  int64_t in = (h - 1) * s + kernel;
  std::vector<int64_t> x = {1, c, in, in}, w = {co, c, kernel, kernel}, y = {1, co, h, h};
  std::string stride = std::to_string(s);
  std::string text = "func.func private @kernel_0(%ctx: !llvm.ptr, %x: " + tensor(x) +
                     ", %w: " + tensor(w) + ") -> " + tensor(y) + R"( attributes {dougong.kernel} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : )" +
                     tensor(y) + R"(
  %f = linalg.fill ins(%zero : f32) outs(%e : )" +
                     tensor(y) + ") -> " + tensor(y) + R"(
  %r = linalg.conv_2d_nchw_fchw {strides = dense<)" +
                     stride + R"(> : tensor<2xi64>,
      dilations = dense<1> : tensor<2xi64>} ins(%x, %w : )" +
                     tensor(x) + ", " + tensor(w) + ") outs(%f : " + tensor(y) + ") -> " +
                     tensor(y) + "\n  return %r : " + tensor(y) + "\n}\n";
  return {"conv " + std::to_string(kernel) + "x" + std::to_string(kernel) + " " +
              std::to_string(c) + "x" + std::to_string(h) + "^2->" + std::to_string(co) + " s" +
              stride,
          text,
          {x, w, y},
          2.0 * c * co * kernel * kernel * h * h,
          4.0 * (c * in * in + co * h * h)};
}

/// Softmax over the rows of [M, N].
Case makeSoftmax(int64_t m, int64_t n) {
  std::vector<int64_t> x = {m, n};
  std::string text = "func.func private @kernel_0(%ctx: !llvm.ptr, %x: " + tensor(x) + ") -> " +
                     tensor(x) + R"( attributes {dougong.kernel} {
  %e = tensor.empty() : )" +
                     tensor(x) + R"(
  %r = linalg.softmax dimension(1) ins(%x : )" +
                     tensor(x) + ") outs(%e : " + tensor(x) + ") -> " + tensor(x) +
                     "\n  return %r : " + tensor(x) + "\n}\n";
  return {"softmax " + std::to_string(m) + "x" + std::to_string(n), text, {x, x}, 0, 8.0 * m * n};
}

/// Y = X + bias, or exp(X).
Case makeElementwise(int64_t m, int64_t n, bool isExp) {
  std::vector<int64_t> x = {m, n}, bias = {n};
  std::string text = "func.func private @kernel_0(%ctx: !llvm.ptr, %x: " + tensor(x) +
                     ", %b: " + tensor(bias) + ") -> " + tensor(x) +
                     R"( attributes {dougong.kernel} {
  %e = tensor.empty() : )" +
                     tensor(x) + R"(
  %r = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>,
                                        affine_map<(m, n) -> (m, n)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%x, %b : )" +
                     tensor(x) + ", " + tensor(bias) + ") outs(%e : " + tensor(x) + R"() {
    ^bb0(%a: f32, %y: f32, %out: f32):
      %z = )" + (isExp ? "math.exp %a" : "arith.addf %a, %y") +
                     R"( : f32
      linalg.yield %z : f32
  } -> )" + tensor(x) +
                     "\n  return %r : " + tensor(x) + "\n}\n";
  return {std::string(isExp ? "exp " : "add bias ") + std::to_string(m) + "x" + std::to_string(n),
          text,
          {x, bias, x},
          0,
          8.0 * m * n};
}

void run(const Case &test, const cpu::CpuOptions &options) {
  double start = now();
  auto runner = KernelRunner::compile(test.text, options);
  double compileSeconds = now() - start;
  runner->parallelFor = [](dougong_loop_body body, void *argument, int64_t count, int64_t) {
    body(argument, 0, count);
  };
  std::vector<float *> buffers;
  std::vector<KernelArgument> arguments;
  for (const auto &shape : test.shapes) {
    size_t size = 1;
    for (int64_t extent : shape)
      size *= extent;
    auto *data = static_cast<float *>(aligned_alloc(4096, (size * 4 + 8191) / 4096 * 4096));
    for (size_t i = 0; i < size; ++i)
      data[i] = float(int(i * 2654435761u >> 20) % 2001 - 1000) * 1e-3f;
    buffers.push_back(data);
    KernelArgument argument;
    argument.data = data;
    argument.dims = shape;
    arguments.push_back(argument);
  }
  double peak = measurePeak();
  std::vector<double> times;
  double deadline = now() + 0.4;
  for (int i = 0; i < 3 || (now() < deadline && i < 200); ++i) {
    double begin = now();
    runner->run(arguments);
    times.push_back(now() - begin);
  }
  std::sort(times.begin(), times.end());
  double best = times.front(), median = times[times.size() / 2];
  if (test.flops > 0)
    std::printf("%-34s best %8.1f us  %6.1f GF/s  median %6.1f GF/s  peak %5.0f  %3.0f %%",
                test.name.c_str(), best * 1e6, test.flops / best * 1e-9, test.flops / median * 1e-9,
                peak, 100 * test.flops / best * 1e-9 / peak);
  else
    std::printf("%-34s best %8.1f us  %6.1f GB/s  median %6.1f GB/s", test.name.c_str(), best * 1e6,
                test.bytes / best * 1e-9, test.bytes / median * 1e-9);
  std::printf("  compiled in %.0f ms\n", compileSeconds * 1e3);
  std::fflush(stdout);
  for (float *data : buffers)
    free(data);
}

} // namespace

int main(int argc, char **argv) {
  cpu::CpuOptions options;
  if (argc > 2)
    options.cpu = argv[2];
  std::vector<Case> cases = {makeMatMul(512, 512, 512, true, false),
                             makeMatMul(1024, 1024, 1024, true, false),
                             makeMatMul(128, 768, 768, true, false),
                             makeMatMul(128, 768, 3072, true, false),
                             makeMatMul(128, 768, 3072, true, true),
                             makeMatMul(128, 3072, 768, true, false),
                             makeMatMul(8, 768, 3072, true, false),
                             makeMatMul(1, 768, 3072, true, false),
                             makeMatMul(1, 4096, 4096, true, false),
                             makeMatMul(196, 256, 1024, true, false),
                             makeMatMul(128, 768, 768, false, false),
                             makeMatMul(128, 64, 128, false, false),
                             makeMatMul(128, 768, 3072, false, false),
                             makeMatMul(1024, 1024, 1024, false, false),
                             makeMatMul(1, 768, 3072, false, false),
                             makeMatMul(100, 300, 1000, false, false),
                             makeTransposed(128, 64, 128),
                             makeTransposed(1, 768, 3072),
                             makeTransposed(128, 768, 768),
                             makeConv(64, 56, 64, 3, 1),
                             makeConv(128, 28, 128, 3, 1),
                             makeConv(256, 14, 256, 3, 1),
                             makeConv(64, 56, 256, 1, 1),
                             makeConv(3, 112, 64, 7, 2),
                             makeSoftmax(128, 768),
                             makeSoftmax(1536, 128),
                             makeElementwise(128, 768, false),
                             makeElementwise(128, 768, true),
                             makeElementwise(512, 3072, false)};
  for (const Case &test : cases)
    if (argc < 2 || test.name.find(argv[1]) != std::string::npos)
      run(test, options);
  return 0;
}
