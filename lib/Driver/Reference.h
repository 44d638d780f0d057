//===- Reference.h - what verify compares a model with ----------*- C++ -*-===//
#ifndef DOUGONG_LIB_DRIVER_REFERENCE_H
#define DOUGONG_LIB_DRIVER_REFERENCE_H

#include "Verification.h"

#include "dougong/Package/plan.pb.h"
#include "dougong/Runtime/Tensor.h"

#include <filesystem>
#include <memory>
#include <optional>

namespace dougong {

/// The values that a model should have given.
class Reference {
public:
  virtual ~Reference() = default;
  /// The tensor for output `index`, `name`, after a step; none where the reference
  /// does not have it. Asked for once.
  virtual Result<std::optional<Tensor>> get(size_t step, int index, const std::string &name) = 0;
};

/// Makes the reference that the options name, for a package with `plan`.
/// `innerValues` are outputs that the model itself does not have. `folder` is for
/// its files. On failure tells why on stderr and gives the tool's exit code.
ExitCode makeReference(const VerifyOptions &options, const plan::v1::Plan &plan,
                       const std::vector<std::string> &innerValues,
                       const std::filesystem::path &folder, std::unique_ptr<Reference> &reference);

/// Runs a package on the inputs of the options; its outputs land in `outputs`.
ExitCode runPackage(const VerifyOptions &options, const std::filesystem::path &package,
                    const std::filesystem::path &outputs, unsigned mpiRanks);

/// The file of output `index` after a step, where runPackage wrote it.
std::filesystem::path getOutputFile(const VerifyOptions &options,
                                    const std::filesystem::path &outputs, size_t step, int index);

/// Where --against data looks for an output.
std::filesystem::path getRecordedFile(const VerifyOptions &options, size_t step, int index);

} // namespace dougong

#endif // DOUGONG_LIB_DRIVER_REFERENCE_H
