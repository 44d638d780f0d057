//===- Diagnostics.h - diagnostics as users read them -----------*- C++ -*-===//
#ifndef DOUGONG_PIPELINES_DIAGNOSTICS_H
#define DOUGONG_PIPELINES_DIAGNOSTICS_H

#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/raw_ostream.h"

namespace dougong {

/// While it lives, diagnostics of the context are printed to a stream as
///
///     error: model.onnx: node 'layers.0/MatMul': text
///     note: ...
class DiagnosticPrinter {
public:
  DiagnosticPrinter(mlir::MLIRContext *context, llvm::raw_ostream &stream);

private:
  mlir::ScopedDiagnosticHandler handler;
};

} // namespace dougong

#endif // DOUGONG_PIPELINES_DIAGNOSTICS_H
