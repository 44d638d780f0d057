//===- IntegerTest.cpp - sums of products of narrow integers --------------===//
#include "TestSupport.h"

#include <gtest/gtest.h>

using namespace dougong;
using namespace dougong::test;

namespace {

/// C[m, n] = A[m, k] * B[k, n] in i32; `a` and `b` are element types with the
/// ops that extend them; `packed`: B in panels of 32 columns.
std::string makeProduct(const std::string &a, const std::string &extendA, const std::string &b,
                        const std::string &extendB, const std::string &shapeB,
                        const std::string &mapB, const std::string &n) {
  std::string aType = "tensor<?x?x" + a + ">", bType = "tensor<" + shapeB + "x" + b + ">";
  std::string cType = "tensor<?x" + n + "xi32>";
  std::string columns = n == "?" ? "%m, %n" : "%m";
  return R"(
func.func private @kernel_0(%ctx: !llvm.ptr, %a: )" +
         aType + ", %b: " + bType + ") -> " + cType +
         R"( attributes {dougong.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0 : i32
  %m = tensor.dim %a, %c0 : )" +
         aType + R"(
  %n = tensor.dim %b, %c1 : )" +
         bType + R"(
  %e = tensor.empty()" +
         columns + ") : " + cType + R"(
  %f = linalg.fill ins(%zero : i32) outs(%e : )" +
         cType + ") -> " + cType + R"(
  %r = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> ()" +
         mapB + R"()>, affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : )" +
         aType + ", " + bType + ") outs(%f : " + cType + R"() {
    ^bb0(%x: )" +
         a + ", %y: " + b + R"(, %acc: i32):
      %p = )" +
         extendA + " %x : " + a + R"( to i32
      %q = )" +
         extendB + " %y : " + b + R"( to i32
      %s = arith.muli %p, %q : i32
      %t = arith.addi %acc, %s : i32
      linalg.yield %t : i32
  } -> )" +
         cType + R"(
  return %r : )" +
         cType + R"(
})";
}

/// Numbers of the whole range [low, high], its ends among them.
template <typename T> std::vector<T> makeIntegers(size_t size, int low, int high, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_int_distribution<int> distribution(low, high);
  std::vector<T> values(size);
  for (size_t i = 0; i < size; ++i)
    values[i] = static_cast<T>(i % 5 == 0 ? low : i % 7 == 0 ? high : distribution(generator));
  return values;
}

template <typename A, typename B>
void checkProducts(const std::string &text, int lowA, int highA, int lowB, int highB) {
  for (const cpu::CpuOptions &options : getConfigurations()) {
    SCOPED_TRACE(options.cpu + (options.scalar ? " scalar" : ""));
    auto runner = KernelRunner::compile(text, options);
    for (int64_t m : {0, 1, 5, 7})
      for (int64_t n : {1, 8, 16, 19, 70})
        for (int64_t k : {0, 1, 2, 3, 17, 64}) {
          auto a = makeIntegers<A>(m * k, lowA, highA, 1);
          auto b = makeIntegers<B>(k * n, lowB, highB, 2);
          std::vector<int32_t> c(m * n, -1);
          runner->run({buffer(a, {m, k}), buffer(b, {k, n}), buffer(c, {m, n})});
          for (int64_t i = 0; i < m; ++i)
            for (int64_t j = 0; j < n; ++j) {
              int32_t sum = 0;
              for (int64_t p = 0; p < k; ++p)
                sum += int32_t(a[i * k + p]) * int32_t(b[p * n + j]);
              ASSERT_EQ(c[i * n + j], sum) << m << " " << n << " " << k;
            }
        }
  }
}

TEST(CpuIntegers, ShiftedActivationsTimesSignedWeights) {
  checkProducts<int16_t, int8_t>(
      makeProduct("i16", "arith.extsi", "i8", "arith.extsi", "?x?", "k, n", "?"), -255, 255, -128,
      127);
}

TEST(CpuIntegers, UnsignedTimesUnsignedBytes) {
  checkProducts<uint8_t, uint8_t>(
      makeProduct("i8", "arith.extui", "i8", "arith.extui", "?x?", "k, n", "?"), 0, 255, 0, 255);
}

TEST(CpuIntegers, UnsignedTimesShiftedWeights) {
  checkProducts<uint8_t, int16_t>(
      makeProduct("i8", "arith.extui", "i16", "arith.extsi", "?x?", "k, n", "?"), 0, 255, -255,
      255);
}

/// Panels are filled up with zeros: tails need no masks.
TEST(CpuIntegers, PackedWeights) {
  std::string text = makeProduct("i16", "arith.extsi", "i8", "arith.extsi", "2x9x32",
                                 "n floordiv 32, k, n mod 32", "41");
  for (const cpu::CpuOptions &options : getConfigurations()) {
    SCOPED_TRACE(options.cpu + (options.scalar ? " scalar" : ""));
    auto runner = KernelRunner::compile(text, options);
    int64_t k = 9, n = 41;
    auto b = makeIntegers<int8_t>(k * n, -128, 127, 2);
    std::vector<int8_t> packed(2 * k * 32);
    for (int64_t p = 0; p < k; ++p)
      for (int64_t j = 0; j < n; ++j)
        packed[(j / 32 * k + p) * 32 + j % 32] = b[p * n + j];
    for (int64_t m : {1, 13}) {
      auto a = makeIntegers<int16_t>(m * k, -255, 255, 1);
      std::vector<int32_t> c(m * n);
      runner->run({buffer(a, {m, k}), buffer(packed, {2, k, 32}), buffer(c, {m, n})});
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j) {
          int32_t sum = 0;
          for (int64_t p = 0; p < k; ++p)
            sum += int32_t(a[i * k + p]) * int32_t(b[p * n + j]);
          ASSERT_EQ(c[i * n + j], sum) << m << " " << i << " " << j;
        }
    }
  }
}

} // namespace
