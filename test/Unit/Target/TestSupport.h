//===- TestSupport.h - helpers of the kernel tests --------------*- C++ -*-===//
#ifndef DOUGONG_TEST_UNIT_TARGET_TESTSUPPORT_H
#define DOUGONG_TEST_UNIT_TARGET_TESTSUPPORT_H

#include "KernelRunner.h"

#include <random>

namespace dougong::test {

/// Uniform numbers in [-1, 1].
inline std::vector<float> makeRandom(size_t size, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> distribution(-1, 1);
  std::vector<float> values(size);
  for (float &value : values)
    value = distribution(generator);
  return values;
}

template <typename T> KernelArgument buffer(std::vector<T> &values, std::vector<int64_t> dims) {
  KernelArgument argument;
  argument.data = values.data();
  argument.dims = std::move(dims);
  return argument;
}

/// The configurations under test: every level that this host can run, and the
/// scalar reference.
inline std::vector<cpu::CpuOptions> getConfigurations() {
  std::vector<cpu::CpuOptions> all(1);
  all.push_back({.cpu = "x86-64"});
  if (__builtin_cpu_supports("avx2"))
    all.push_back({.cpu = "x86-64-v3"});
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
    all.push_back({.cpu = "x86-64-v4"});
  all.push_back({.scalar = true});
  return all;
}

} // namespace dougong::test

#endif // DOUGONG_TEST_UNIT_TARGET_TESTSUPPORT_H
