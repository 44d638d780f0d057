//===- OnnxExport.h - a partition as standard ONNX files --------*- C++ -*-===//
#ifndef DOUGONG_PIPELINES_ONNXEXPORT_H
#define DOUGONG_PIPELINES_ONNXEXPORT_H

#include "dougong/Dist/PartitionResult.h"
#include "dougong/Export/Export.h"
#include "dougong/Packaging/OutputError.h"
#include "dougong/Target/Onnx/Annotate.h"
#include "dougong/Target/Onnx/Parts.h"

#include "mlir/Pass/PassManager.h"

namespace dougong {

/// Adds the passes that leave a staged module with nothing but operators of ONNX and
/// collectives on equal parts.
void addExportPasses(mlir::PassManager &manager);

/// Says that diagnostics have told what is wrong.
class ReportedError : public llvm::ErrorInfo<ReportedError> {
public:
  static char ID;
  void log(llvm::raw_ostream &stream) const override { stream << "see above"; }
  std::error_code convertToErrorCode() const override { return llvm::inconvertibleErrorCode(); }
};

/// What is written, but for what ranks own.
struct OnnxExport {
  dist::PartitionResult partition;
  std::vector<exporter::CutProgram> programs; ///< those of the partition, in order
  struct Weights {
    std::vector<std::string> names; ///< symbols, as they lie in each rank's file
    llvm::StringMap<WeightPlace> places;
  };
  std::vector<Weights> weights; ///< of each program
};

/// Whether every op of a staged program has a form in ONNX. Emits an error at one that has
/// not.
llvm::LogicalResult checkExportable(mlir::ModuleOp program);

/// Cuts the programs of a module after addExportPasses. `partition` is that of the
/// module before.
OnnxExport makeOnnxExport(dist::PartitionResult partition);

/// Writes models, the weights of each rank, the manifest and, if there is one, the
/// annotated model to `folder`, which exists. External data of the model lies in
/// `modelFolder`. An OutputError if the folder cannot be written; a ReportedError,
/// after a diagnostic at the node to blame, for what ONNX cannot say.
llvm::Error writeOnnxExport(const OnnxExport &model,
                            const std::optional<exporter::AnnotatedModel> &annotated,
                            llvm::StringRef modelFolder, llvm::StringRef folder);

} // namespace dougong

#endif // DOUGONG_PIPELINES_ONNXEXPORT_H
