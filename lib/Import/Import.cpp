//===- Import.cpp - ONNX files to the onnx dialect ------------------------===//
#include "dougong/Import/Import.h"
#include "Emit.h"
#include "Error.h"
#include "ExternalData.h"
#include "LibraryMessage.h"
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
  refuseHazards(model);
  checkModel(model);
  checkDeviceConfigurations(model);
  inlineFunctions(model, &context);
  if (options.expandOperators)
    expandOperators(model, &context);
  refuseHazards(model); // attributes of calls have come into the bodies
  upgradeModel(model, &context);
  if (options.expandOperators) {
    expandGradients(model, &context);
    expandMicrosoft(model, &context);
  }
  inferTypes(model, &context);
  return emitModel(model, facts, context);
}

/// `index` is the node's position in its graph; `node` may be empty.
void refuse(StringRef path, MLIRContext &context, StringRef text, StringRef node, int64_t index) {
  Location loc = FileLineColLoc::get(&context, path, index, 0);
  if (node.empty())
    emitError(loc) << text;
  else
    emitError(NameLoc::get(StringAttr::get(&context, node), loc))
        << "node '" << node << "': " << text;
}

} // namespace

OwningOpRef<ModuleOp> dougong::importModel(StringRef path, MLIRContext &context,
                                           const ImportOptions &options) {
  context.loadDialect<onnx::OnnxDialect, func::FuncDialect>();
  try {
    OwningOpRef<ModuleOp> module = importChecked(path, context, options);
    if (failed(verifyNodes(*module)))
      return {};
    return module;
  } catch (const ImportError &error) {
    refuse(path, context, error.what(), error.node, error.index);
  } catch (const std::exception &error) { // from the ONNX library
    LibraryMessage message = readLibraryMessage(error.what());
    refuse(path, context, message.text, message.node, 0);
  }
  return {};
}
