//===- Comparison.h - how far two tensors are apart -------------*- C++ -*-===//
#ifndef DOUGONG_RUNTIME_COMPARISON_H
#define DOUGONG_RUNTIME_COMPARISON_H

#include "dougong/Runtime/Tensor.h"
#include "dougong/Support/Json.h"

namespace dougong {

/// Floats: |got - expected| <= absolute + relative * |expected|, element by
/// element. Integers: |got - expected| <= absolute, so below 1 they must be equal.
struct Tolerance {
  double relative = 1e-3, absolute = 1e-5;
};

/// How a value differs from its reference.
struct Difference {
  std::string value;   ///< name of the value
  std::string problem; ///< why elements cannot be compared; the rest is then empty
  int64_t elements = 0;
  int64_t beyond = 0;  ///< elements outside the tolerance
  double absolute = 0; ///< largest |got - expected|
  double relative = 0; ///< largest |got - expected| / |expected|, over expected != 0
  int64_t index = -1;  ///< where the largest absolute difference is
  Json got, expected;  ///< the numbers there; infinities and NaN as text

  bool agrees() const { return problem.empty() && beyond == 0; }
  /// "0 of 24 elements differ; largest difference 1.2e-06".
  std::string describe() const;
  Json toJson() const;
};

/// Compares floats, and the parts of complex numbers, within the tolerance: equal
/// infinities and two NaNs agree, else both must be finite. Integers, those of less
/// than a byte too, are compared as integers. Bools, strings, and floats of a byte
/// or less must be equal bit by bit.
Difference compareTensors(const std::string &value, const Tensor &got, const Tensor &expected,
                          const Tolerance &tolerance);

} // namespace dougong

#endif // DOUGONG_RUNTIME_COMPARISON_H
