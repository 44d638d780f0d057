//===- Export.h - the onnx dialect to ONNX files ----------------*- C++ -*-===//
#ifndef DOUGONG_EXPORT_EXPORT_H
#define DOUGONG_EXPORT_EXPORT_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

namespace dougong {

/// Writes `module` (one public `func.func @main` over `onnx` ops) as an ONNX
/// model at `path`: opset 27, with the names, documentation, metadata and
/// device configurations that locations and attributes carry.
///
/// Weights: if `path` lies in the folder of the model that was imported
/// (`onnx.model_dir`), the new model refers to the same bytes of the same files.
/// Otherwise they are copied, in bounded memory, to `<path>.data` beside it.
///
/// Fails with a diagnostic at the op to blame for what ONNX cannot express:
/// derived weights, calls, ops of other dialects. Nothing is thrown.
llvm::LogicalResult exportModel(mlir::ModuleOp module, llvm::StringRef path);

/// The same into a stream, with all weights inside the model: Protobuf allows
/// 2 GiB.
llvm::LogicalResult exportModel(mlir::ModuleOp module, llvm::raw_ostream &stream);

/// Bytes of a file: where a weight lies, as ONNX lays it down.
struct WeightPlace {
  std::string file; ///< relative to the model's folder
  int64_t offset = 0, length = 0;
};

/// The same, with weights where `places` has them, by symbol: whoever calls writes
/// the bytes. Small constants stay in the model.
llvm::LogicalResult exportModel(mlir::ModuleOp module, const llvm::StringMap<WeightPlace> &places,
                                llvm::raw_ostream &stream);

} // namespace dougong

#endif // DOUGONG_EXPORT_EXPORT_H
