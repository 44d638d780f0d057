//===- Weights.h - where an exported model keeps its weights ----*- C++ -*-===//
#ifndef DOUGONG_LIB_EXPORT_WEIGHTS_H
#define DOUGONG_LIB_EXPORT_WEIGHTS_H

#include "dougong/Export/Export.h"
#include "dougong/Import/Protos.h"

#include "Onnx/IR/Onnx.h"
#include "llvm/Support/raw_ostream.h"

#include <memory>

namespace dougong::exporter {

namespace pb = ::onnx;

/// Puts the bytes of weights where the exported model finds them.
class WeightWriter {
public:
  /// Inside the model.
  explicit WeightWriter(llvm::StringRef sourceFolder) : sourceFolder(sourceFolder) {}
  /// For a model at `path`: in the files of `sourceFolder` if that is the
  /// model's folder, else in `<path>.data`.
  WeightWriter(llvm::StringRef sourceFolder, llvm::StringRef path);
  /// Where others write them.
  explicit WeightWriter(const llvm::StringMap<WeightPlace> &places) : places(&places) {}

  /// Sets type, dims and data of an initializer. Emits a diagnostic on failure.
  llvm::LogicalResult write(onnx::WeightOp weight, pb::TensorProto &tensor);

  /// Closes the data file. Emits a diagnostic at `loc` on failure.
  llvm::LogicalResult finish(mlir::Location loc);

private:
  llvm::LogicalResult setType(onnx::WeightOp weight, pb::TensorProto &tensor);
  llvm::LogicalResult writeExternal(onnx::WeightOp weight, onnx::ExternalAttr reference,
                                    pb::TensorProto &tensor);
  /// Calls `sink` with the bytes, in pieces.
  llvm::LogicalResult read(onnx::WeightOp weight, onnx::ExternalAttr reference,
                           llvm::function_ref<void(llvm::StringRef)> sink);
  llvm::LogicalResult openData(mlir::Location loc);

  const llvm::StringMap<WeightPlace> *places = nullptr;
  std::string sourceFolder;
  std::string path;                           ///< of the model; empty for a stream
  bool sameFolder = false;                    ///< references stay as they are
  std::unique_ptr<llvm::raw_fd_ostream> data; ///< `<path>.data`, once it is needed
};

} // namespace dougong::exporter

#endif // DOUGONG_LIB_EXPORT_WEIGHTS_H
