//===- Annotate.h - a partition as device configurations --------*- C++ -*-===//
#ifndef DOUGONG_TARGET_ONNX_ANNOTATE_H
#define DOUGONG_TARGET_ONNX_ANNOTATE_H

#include "mlir/IR/BuiltinOps.h"

#include <string>
#include <vector>

namespace dougong::exporter {

/// Name of the annotated model, and of its device configuration.
inline constexpr llvm::StringLiteral annotatedFileName = "annotated.onnx";
inline constexpr llvm::StringLiteral configurationName = "dougong";

/// The user's model with its partition.
struct AnnotatedModel {
  std::string bytes;
  std::vector<std::string> files;  ///< of external data, relative to the model's folder
  std::vector<std::string> unsaid; ///< nodes with operators of which at most the stage is said
};

/// The ONNX model at `path` with a device configuration (IR version 11) that says of
/// each node what `planned`, the module after dist-propagate that was made of it,
/// says: the stage, and which devices hold which part of each input and output.
/// Everything else stays as it is in the file. Devices are the ranks, and called
/// "stage0/dp=1,tp=0" by their places on the mesh. A node that normalize or
/// dist-plan has replaced keeps at most a stage. Emits a diagnostic on failure.
llvm::FailureOr<AnnotatedModel> annotateModel(mlir::ModuleOp planned, llvm::StringRef path);

} // namespace dougong::exporter

#endif // DOUGONG_TARGET_ONNX_ANNOTATE_H
