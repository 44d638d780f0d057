//===- Import.h - ONNX files to the onnx dialect ----------------*- C++ -*-===//
#ifndef DOUGONG_IMPORT_IMPORT_H
#define DOUGONG_IMPORT_IMPORT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/StringRef.h"

namespace dougong {

/// How a model is imported.
struct ImportOptions {
  /// For graphs that are planned, not run: references to weight files that do
  /// not exist are accepted, and operands whose element type differs from what
  /// the operator requires pass through a Cast, with a warning.
  bool allowMissingData = false;
  /// For models that are compiled: operators that have no lowering of their own
  /// are replaced by their function bodies of the ONNX standard.
  bool expandOperators = false;
};

/// Reads the ONNX model at `path` into a module of the `onnx` dialect.
///
/// All operators are at their newest versions, model-local functions are
/// inlined (those that the dialect has an operator for stay calls of it), and
/// weights over 1 KiB are references into the model file or the files beside
/// it: their bytes are never read. Types are those that the file or ONNX's
/// shape inference state; other values are unranked.
///
/// Returns null after one error diagnostic, located at the file or, where one
/// is to blame, at the ONNX node. Nothing is thrown, on any input.
mlir::OwningOpRef<mlir::ModuleOp> importModel(llvm::StringRef path, mlir::MLIRContext &context,
                                              const ImportOptions &options = {});

} // namespace dougong

#endif // DOUGONG_IMPORT_IMPORT_H
