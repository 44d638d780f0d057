//===- dougong-translate.cpp - ONNX files to and from textual IR ----------===//
//
//   dougong-translate --onnx-to-mlir model.onnx -o model.mlir
//   dougong-translate --mlir-to-onnx model.mlir -o model.onnx
//   dougong-translate --check a.onnx b.onnx ...     "ok PATH" or "refused PATH: reason"
//   dougong-translate --check-list paths.txt        the same for the paths of a list
//
// Not MlirTranslateMain: that reads its input whole, weights and all.
//
//===----------------------------------------------------------------------===//
#include "dougong/Export/Export.h"
#include "dougong/Import/Import.h"
#include "dougong/Registration.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

#include <CLI/CLI.hpp>

using namespace mlir;

namespace {

struct Options {
  std::vector<std::string> inputs;
  std::string output = "-";
  bool toMlir = false, toOnnx = false, check = false, checkList = false;
  bool allowMissingData = false, embedWeights = false, printLocations = false;
};

/// What was written must have arrived: LLVM would end the process otherwise.
bool finish(llvm::raw_fd_ostream &stream, const Options &options) {
  stream.flush();
  if (!stream.has_error())
    return true;
  llvm::errs() << "error: file '" << options.output
               << "' cannot be written: " << stream.error().message() << "\n";
  stream.clear_error();
  return false;
}

bool writeText(ModuleOp module, const Options &options) {
  std::error_code error;
  llvm::raw_fd_ostream stream(options.output, error);
  if (error) {
    llvm::errs() << "error: file '" << options.output << "' cannot be written: " << error.message()
                 << "\n";
    return false;
  }
  OpPrintingFlags flags;
  if (options.printLocations)
    flags.enableDebugInfo();
  module.print(stream, flags);
  return finish(stream, options);
}

bool importOne(const Options &options, MLIRContext &context) {
  OwningOpRef<ModuleOp> module = dougong::importModel(
      options.inputs[0], context, {/*allowMissingData=*/options.allowMissingData});
  return module && writeText(*module, options);
}

bool exportOne(const Options &options, MLIRContext &context) {
  OwningOpRef<ModuleOp> module =
      parseSourceFile<ModuleOp>(options.inputs[0], ParserConfig(&context));
  if (!module)
    return false;
  if (options.output != "-" && !options.embedWeights)
    return succeeded(dougong::exportModel(*module, options.output));
  std::error_code error;
  llvm::raw_fd_ostream stream(options.output, error);
  if (error) {
    llvm::errs() << "error: file '" << options.output << "' cannot be written: " << error.message()
                 << "\n";
    return false;
  }
  bool exported = succeeded(dougong::exportModel(*module, stream));
  return finish(stream, options) && exported;
}

/// Imports each model for its verdict alone. A refusal is no failure.
void checkEach(const std::vector<std::string> &paths, const Options &options,
               const DialectRegistry &registry) {
  for (const std::string &path : paths) {
    MLIRContext context(registry, MLIRContext::Threading::DISABLED);
    std::string reason;
    ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
      if (diagnostic.getSeverity() == DiagnosticSeverity::Error && reason.empty())
        reason = diagnostic.str();
      return success();
    });
    OwningOpRef<ModuleOp> module =
        dougong::importModel(path, context, {/*allowMissingData=*/options.allowMissingData});
    if (module)
      llvm::outs() << "ok " << path << "\n";
    else
      llvm::outs() << "refused " << path << ": " << StringRef(reason).split('\n').first << "\n";
    llvm::outs().flush();
  }
}

bool run(const Options &options) {
  DialectRegistry registry;
  dougong::registerDialects(registry);
  if (options.check || options.checkList) {
    std::vector<std::string> paths = options.inputs;
    if (options.checkList) {
      auto list = llvm::MemoryBuffer::getFile(options.inputs[0]);
      if (!list) {
        llvm::errs() << "error: file '" << options.inputs[0]
                     << "' cannot be read: " << list.getError().message() << "\n";
        return false;
      }
      SmallVector<StringRef> lines;
      (*list)->getBuffer().split(lines, '\n', -1, /*KeepEmpty=*/false);
      paths.assign(lines.begin(), lines.end());
    }
    checkEach(paths, options, registry);
    return true;
  }
  if (options.inputs.size() != 1) {
    llvm::errs() << "error: expected 1 input, got " << options.inputs.size() << "\n";
    return false;
  }
  MLIRContext context(registry);
  context.loadAllAvailableDialects();
  llvm::SourceMgr sources;
  SourceMgrDiagnosticHandler handler(sources, &context);
  return options.toMlir ? importOne(options, context) : exportOne(options, context);
}

} // namespace

int main(int argc, char **argv) {
  Options options;
  CLI::App app("ONNX models to the onnx dialect and back");
  app.add_option("inputs", options.inputs, "input files")->required();
  app.add_option("-o,--output", options.output, "output file; - is standard output");
  CLI::Option_group *action = app.add_option_group("action");
  action->add_flag("--onnx-to-mlir", options.toMlir, "import a model");
  action->add_flag("--mlir-to-onnx", options.toOnnx, "export a module of the onnx dialect");
  action->add_flag("--check", options.check, "import each input and print a verdict");
  action->add_flag("--check-list", options.checkList, "the same for each line of the input");
  action->require_option(1);
  app.add_flag("--allow-missing-data", options.allowMissingData,
               "weight files may be missing: for graphs that are planned, not run");
  app.add_flag("--embed-weights", options.embedWeights,
               "put weights into the exported model (always done on standard output)");
  app.add_flag("--mlir-print-debuginfo", options.printLocations,
               "print locations: they carry the names, documentation and metadata of nodes");
  CLI11_PARSE(app, argc, argv);
  return run(options) ? 0 : 1;
}
