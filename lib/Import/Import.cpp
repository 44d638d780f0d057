//===- Import.cpp - ONNX files to the onnx dialect ------------------------===//
#include "dougong/Import/Import.h"
#include "Emit.h"
#include "Error.h"
#include "ExternalData.h"
#include "Prepare.h"
#include "Upgrade.h"
#include "WireFormat.h"

#include "Onnx/IR/Onnx.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::importer;

namespace {

/// Parses the model without its weights.
void parseModel(StringRef path, pb::ModelProto &model) {
  // Mapped, not read: of a large model only the pages between weights are touched.
  auto file = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!file)
    throw ImportError("the file cannot be read: " + file.getError().message());
  if ((*file)->getBufferSize() == 0)
    throw ImportError("the file is empty");
  std::string skeleton = replacePayloads((*file)->getBuffer(), llvm::sys::path::filename(path));
  if (skeleton.size() > size_t(std::numeric_limits<int>::max()))
    throw ImportError("the graph without its weights has " + std::to_string(skeleton.size()) +
                      " bytes: Protobuf allows 2^31 - 1");
  if (!model.ParseFromArray(skeleton.data(), skeleton.size()))
    throw ImportError("the file is no ONNX model or is damaged: Protobuf cannot read it");
}

/// A message of the ONNX library on one line, without its source lines.
std::string clean(StringRef message) {
  if (size_t at = message.find("Assertion `"); at != StringRef::npos)
    if (size_t reason = message.find("failed: ", at); reason != StringRef::npos)
      message = message.drop_front(reason + strlen("failed: "));
  std::string line;
  for (char c : message.trim())
    if (c != '\n' && c != '\r')
      line.push_back(c);
    else if (!line.empty() && line.back() != ' ')
      line.push_back(' ');
  return line;
}

/// Verifies the module; errors name the ONNX node.
LogicalResult verifyNodes(ModuleOp module) {
  std::vector<std::pair<Location, std::string>> errors;
  LogicalResult result = failure();
  {
    ScopedDiagnosticHandler handler(module.getContext(), [&](Diagnostic &diagnostic) {
      if (diagnostic.getSeverity() == DiagnosticSeverity::Error)
        errors.emplace_back(diagnostic.getLocation(), diagnostic.str());
      return success();
    });
    result = verify(module);
  }
  for (const auto &[loc, message] : errors) {
    StringRef node = dougong::onnx::getNodeName(loc);
    emitError(loc) << (node.empty() ? "" : "node '" + node.str() + "': ") << message;
  }
  return result;
}

OwningOpRef<ModuleOp> importChecked(StringRef path, MLIRContext &context,
                                    const ImportOptions &options) {
  FileFacts facts;
  facts.path = path.str();
  facts.allowMissingData = options.allowMissingData;
  llvm::SmallString<128> folder(llvm::sys::path::parent_path(path));
  if (llvm::sys::fs::make_absolute(folder))
    throw ImportError("the current folder cannot be found");
  facts.folder = folder.str();

  pb::ModelProto model;
  parseModel(path, model);
  facts.irVersion = model.ir_version();
  for (const pb::OperatorSetIdProto &opset : model.opset_import())
    facts.opsets.emplace_back(opset.domain(), opset.version());
  facts.inputs.assign(model.graph().input().begin(), model.graph().input().end());

  if (model.training_info_size() != 0)
    emitWarning(FileLineColLoc::get(&context, path, 0, 0))
        << "the model's training information (training_info) is not read";
  for (const std::string &file : checkExternalData(
           model, facts.folder, llvm::sys::path::filename(path), options.allowMissingData))
    emitWarning(FileLineColLoc::get(&context, path, 0, 0))
        << "weight file '" << file << "' is missing: the model can be planned, not packaged";
  prepareModel(model, &context);
  refuseDivisors(model);
  checkModel(model);
  checkDeviceConfigurations(model);
  inlineFunctions(model, &context);
  if (options.expandOperators)
    expandOperators(model, &context);
  refuseDivisors(model); // attributes of calls have come into the bodies
  upgradeModel(model, &context);
  if (options.expandOperators) {
    expandGradients(model, &context);
    expandMicrosoft(model, &context);
  }
  inferTypes(model, &context);
  return emitModel(model, facts, context);
}

} // namespace

OwningOpRef<ModuleOp> dougong::importModel(StringRef path, MLIRContext &context,
                                           const ImportOptions &options) {
  context.loadDialect<onnx::OnnxDialect, func::FuncDialect>();
  Location file = FileLineColLoc::get(&context, path, 0, 0);
  try {
    OwningOpRef<ModuleOp> module = importChecked(path, context, options);
    if (failed(verifyNodes(*module)))
      return {};
    return module;
  } catch (const ImportError &error) {
    if (error.node.empty())
      emitError(file) << clean(error.what());
    else
      emitError(NameLoc::get(StringAttr::get(&context, error.node),
                             FileLineColLoc::get(&context, path, error.index, 0)))
          << "node '" << error.node << "': " << clean(error.what());
  } catch (const std::exception &error) {
    emitError(file) << clean(error.what()); // from the ONNX library
  }
  return {};
}
