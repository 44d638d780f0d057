//===- Diagnostics.cpp - diagnostics as users read them -------------------===//
#include "dougong/Pipelines/Diagnostics.h"

#include "dougong/Support/Text.h"

#include "Onnx/IR/Onnx.h"

using namespace mlir;
using namespace dougong;

namespace {

/// The file that a location lies in, and its line where there is one.
std::string getFile(Location loc) {
  std::string file;
  loc->walk([&](Location part) {
    auto position = dyn_cast<FileLineColLoc>(part);
    if (!position)
      return WalkResult::advance();
    file = position.getFilename().getValue().str();
    // Nodes of a model have numbers, not lines.
    if (!StringRef(file).ends_with(".onnx") && position.getLine() > 0)
      file += ":" + std::to_string(position.getLine()) + ":" + std::to_string(position.getColumn());
    return WalkResult::interrupt();
  });
  return file;
}

void print(Diagnostic &diagnostic, raw_ostream &stream) {
  switch (diagnostic.getSeverity()) {
  case DiagnosticSeverity::Note:
    stream << "note: ";
    break;
  case DiagnosticSeverity::Warning:
    stream << "warning: ";
    break;
  case DiagnosticSeverity::Error:
    stream << "error: ";
    break;
  case DiagnosticSeverity::Remark:
    stream << "remark: ";
    break;
  }
  if (std::string file = getFile(diagnostic.getLocation()); !file.empty())
    stream << escapeControl(file) << ": ";
  // The importer names the node in its text: its messages also reach tools that
  // print no locations.
  std::string text = diagnostic.str();
  if (StringRef node = onnx::getNodeName(diagnostic.getLocation()); !node.empty())
    if (std::string prefix = "node '" + node.str() + "': "; !StringRef(text).starts_with(prefix))
      text = prefix + text;
  stream << escapeControl(text) << "\n";
  for (Diagnostic &note : diagnostic.getNotes())
    print(note, stream);
}

} // namespace

DiagnosticPrinter::DiagnosticPrinter(MLIRContext *context, raw_ostream &stream)
    : handler(context, [&stream](Diagnostic &diagnostic) {
        print(diagnostic, stream);
        return success();
      }) {}
