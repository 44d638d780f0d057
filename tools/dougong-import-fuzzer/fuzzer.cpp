//===- fuzzer.cpp - libFuzzer on the importer -----------------------------===//
//
//     dougong-import-fuzzer [libFuzzer's options] CORPUS
//
// Each input is a model file. It must be imported, or refused with one error.
//
//===----------------------------------------------------------------------===//
#include "dougong/Import/Import.h"
#include "dougong/Registration.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdlib>
#include <optional>

using namespace mlir;

namespace {

/// Types and attributes live as long as their context: it is made anew after so many
/// inputs.
constexpr unsigned inputsPerContext = 500;

/// A folder of its own, so that names in the model lead to no other file.
std::string makeModelPath() {
  llvm::SmallString<128> folder;
  if (llvm::sys::fs::createUniqueDirectory("dougong-import-fuzzer", folder))
    std::abort();
  return (folder + "/model.onnx").str();
}

DialectRegistry makeRegistry() {
  DialectRegistry registry;
  dougong::registerDialects(registry);
  return registry;
}

void writeFile(const std::string &path, llvm::StringRef bytes) {
  std::error_code error;
  llvm::raw_fd_ostream stream(path, error);
  stream << bytes;
  stream.flush();
  if (error || stream.has_error())
    std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const std::string path = makeModelPath();
  static const DialectRegistry registry = makeRegistry();
  static std::optional<MLIRContext> context;
  static unsigned inputs = 0;
  if (inputs++ % inputsPerContext == 0)
    context.emplace(registry, MLIRContext::Threading::DISABLED);
  writeFile(path, llvm::StringRef(reinterpret_cast<const char *>(data), size));

  std::vector<std::string> errors;
  ScopedDiagnosticHandler handler(&*context, [&](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == DiagnosticSeverity::Error)
      errors.push_back(diagnostic.str());
    return success();
  });
  OwningOpRef<ModuleOp> module =
      dougong::importModel(path, *context, {/*allowMissingData=*/false, /*expandOperators=*/true});
  if (errors.size() != (module ? 0 : 1)) {
    llvm::errs() << (module ? "imported" : "refused") << " with " << errors.size() << " errors\n";
    for (const std::string &error : errors)
      llvm::errs() << error << "\n";
    std::abort();
  }
  return 0;
}
