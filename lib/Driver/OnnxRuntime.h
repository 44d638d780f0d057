//===- OnnxRuntime.h - a model's values as onnxruntime has them -*- C++ -*-===//
#ifndef DOUGONG_LIB_DRIVER_ONNXRUNTIME_H
#define DOUGONG_LIB_DRIVER_ONNXRUNTIME_H

#include "dougong/Pipelines/Compile.h"
#include "dougong/Runtime/Tensor.h"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace dougong {

/// What onnxruntime is asked for.
struct OnnxRuntimeRequest {
  std::string python;              ///< interpreter; empty: python3 on the PATH
  std::string model;               ///< ONNX file
  std::vector<std::string> values; ///< inner values that are wanted beside the outputs
  std::vector<std::pair<std::string, std::string>> states; ///< input, output of the step before
  std::vector<std::map<std::string, Tensor>> steps;        ///< inputs by name
};

/// Values by name, one map for each step. Inner values that the file does not
/// name (they come from inside a function, or from an upgrade) are missing.
using StepValues = std::vector<std::map<std::string, Tensor>>;

/// Runs the model with the Python package onnxruntime, without its graph
/// optimizations. `folder` is for files that pass between the processes. On
/// failure tells why on stderr and gives the tool's exit code.
ExitCode runOnnxRuntime(const OnnxRuntimeRequest &request, const std::filesystem::path &folder,
                        StepValues &values);

} // namespace dougong

#endif // DOUGONG_LIB_DRIVER_ONNXRUNTIME_H
