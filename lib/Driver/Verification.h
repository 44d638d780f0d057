//===- Verification.h - a model compared with its reference -----*- C++ -*-===//
#ifndef DOUGONG_LIB_DRIVER_VERIFICATION_H
#define DOUGONG_LIB_DRIVER_VERIFICATION_H

#include "dougong/Pipelines/Compile.h"
#include "dougong/Runtime/Comparison.h"

#include <string>
#include <vector>

namespace dougong {

/// What `dougong verify` takes.
struct VerifyOptions {
  CompileOptions compile;                ///< `model` may be a package
  std::string against = "unpartitioned"; ///< or "data", "onnxruntime"
  std::string ranks = "threads";         ///< or "mpi"
  std::string model;                     ///< ONNX model of the reference; empty: that of `compile`
  std::string python;                    ///< that has onnxruntime; empty: python3 on the PATH
  std::vector<std::string> folders;      ///< inputs, one step each
  bool values = false;                   ///< compare inner values too
  bool json = false;
  Tolerance tolerance;

  /// The ONNX file of the reference.
  const std::string &referenceModel() const { return model.empty() ? compile.model : model; }
};

/// Runs the model and its reference and compares what they give; tells it on
/// stdout. Gives exitStepFailed where they differ, and the code of what failed.
ExitCode verify(const VerifyOptions &options);

} // namespace dougong

#endif // DOUGONG_LIB_DRIVER_VERIFICATION_H
