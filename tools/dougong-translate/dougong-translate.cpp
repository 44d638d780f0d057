//===- dougong-translate.cpp - ONNX files to and from textual IR ----------===//
//
//   dougong-translate --onnx-to-mlir model.onnx
//   dougong-translate --onnx-graph-to-mlir model.onnx    weight files may be missing
//   dougong-translate --mlir-to-onnx model.mlir          weights inside the model
//   dougong-translate --check-onnx-list paths.txt        one verdict for each model
//
//===----------------------------------------------------------------------===//
#include "dougong/Export/Export.h"
#include "dougong/Import/Import.h"
#include "dougong/Registration.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Tools/mlir-translate/MlirTranslateMain.h"
#include "mlir/Tools/mlir-translate/Translation.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;

namespace {

/// Weights are referenced by file, so the importer needs the path, which is the
/// name of the main buffer.
OwningOpRef<Operation *> importFile(const std::shared_ptr<llvm::SourceMgr> &sources,
                                    MLIRContext *context, dougong::ImportOptions options) {
  StringRef path = sources->getMemoryBuffer(sources->getMainFileID())->getBufferIdentifier();
  if (path == "-" || path == "<stdin>") {
    emitError(UnknownLoc::get(context))
        << "a model cannot be read from standard input: its weights are found by its path";
    return {};
  }
  return dougong::importModel(path, *context, options);
}

/// Imports each model that a list names (one path a line), and prints
/// "ok PATH" or "refused PATH: reason". Fails only if a path is empty.
OwningOpRef<Operation *> checkList(const std::shared_ptr<llvm::SourceMgr> &sources,
                                   MLIRContext *context) {
  SmallVector<StringRef> lines;
  sources->getMemoryBuffer(sources->getMainFileID())->getBuffer().split(lines, '\n', -1, false);
  for (StringRef path : lines) {
    MLIRContext own(context->getDialectRegistry(), MLIRContext::Threading::DISABLED);
    std::string reason;
    ScopedDiagnosticHandler handler(&own, [&](Diagnostic &diagnostic) {
      if (diagnostic.getSeverity() == DiagnosticSeverity::Error && reason.empty())
        reason = diagnostic.str();
      return success();
    });
    if (dougong::importModel(path, own))
      llvm::outs() << "ok " << path << "\n";
    else
      llvm::outs() << "refused " << path << ": " << reason << "\n";
  }
  return ModuleOp::create(UnknownLoc::get(context)).getOperation();
}

} // namespace

int main(int argc, char **argv) {
  TranslateToMLIRRegistration toMlir(
      "onnx-to-mlir", "import an ONNX model into the onnx dialect",
      [](const std::shared_ptr<llvm::SourceMgr> &sources, MLIRContext *context) {
        return importFile(sources, context, {});
      },
      [](DialectRegistry &registry) { dougong::registerDialects(registry); });
  TranslateToMLIRRegistration graphToMlir(
      "onnx-graph-to-mlir", "the same for a graph whose weight files may be missing",
      [](const std::shared_ptr<llvm::SourceMgr> &sources, MLIRContext *context) {
        return importFile(sources, context, {/*allowMissingData=*/true});
      },
      [](DialectRegistry &registry) { dougong::registerDialects(registry); });
  TranslateToMLIRRegistration checkModels(
      "check-onnx-list", "import each model of a list of paths and print a verdict for each",
      [](const std::shared_ptr<llvm::SourceMgr> &sources, MLIRContext *context) {
        return checkList(sources, context);
      },
      [](DialectRegistry &registry) { dougong::registerDialects(registry); });
  TranslateFromMLIRRegistration toOnnx(
      "mlir-to-onnx", "export a module of the onnx dialect as an ONNX model, weights inside",
      [](ModuleOp module, llvm::raw_ostream &stream) {
        return dougong::exportModel(module, stream);
      },
      [](DialectRegistry &registry) { dougong::registerDialects(registry); });
  return failed(mlirTranslateMain(argc, argv, "Dougong translation driver\n"));
}
