//===- Export.cpp - the onnx dialect to ONNX files ------------------------===//
#include "dougong/Export/Export.h"
#include "Attributes.h"
#include "GraphWriter.h"

#include "Onnx/IR/Onnx.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::exporter;

namespace {

/// The IR version of opset 27.
constexpr int64_t irVersion = 13;

void writeMetadata(DictionaryAttr metadata, pb::ModelProto &model) {
  if (!metadata)
    return;
  auto string = [&](StringRef name) {
    auto value = metadata.getAs<StringAttr>(name);
    return value ? value.str() : std::string();
  };
  pb::GraphProto &graph = *model.mutable_graph();
  if (std::string text = string("producer_name"); !text.empty())
    model.set_producer_name(text);
  if (std::string text = string("producer_version"); !text.empty())
    model.set_producer_version(text);
  if (std::string text = string("domain"); !text.empty())
    model.set_domain(text);
  if (std::string text = string("doc_string"); !text.empty())
    model.set_doc_string(text);
  if (auto version = metadata.getAs<IntegerAttr>("model_version"))
    model.set_model_version(version.getInt());
  writeProperties(metadata.getAs<DictionaryAttr>("metadata_props"),
                  *model.mutable_metadata_props());
  if (std::string text = string("graph_name"); !text.empty())
    graph.set_name(text);
  if (std::string text = string("graph_doc_string"); !text.empty())
    graph.set_doc_string(text);
  writeProperties(metadata.getAs<DictionaryAttr>("graph_metadata_props"),
                  *graph.mutable_metadata_props());
  if (auto quantization = metadata.getAs<DictionaryAttr>("quantization"))
    for (NamedAttribute entry : quantization) {
      pb::TensorAnnotation *annotation = graph.add_quantization_annotation();
      annotation->set_tensor_name(entry.getName().str());
      writeProperties(dyn_cast<DictionaryAttr>(entry.getValue()),
                      *annotation->mutable_quant_parameter_tensor_names());
    }
}

/// Versions of the domains in use; those that the file imported keep theirs if
/// this compiler does not know the domain.
void writeOpsets(ModuleOp module, std::map<std::string, int64_t> domains, pb::ModelProto &model) {
  if (auto imported = module->getAttrOfType<DictionaryAttr>("onnx.opsets"))
    for (NamedAttribute entry : imported) {
      auto version = dyn_cast<IntegerAttr>(entry.getValue());
      std::string domain = entry.getName().str();
      if (version && domain != "ai.onnx" && domain != "")
        domains[domain] = std::max(domains[domain], version.getInt());
    }
  domains[""] = importer::newestOpset;
  for (const auto &[domain, version] : domains) {
    pb::OperatorSetIdProto *opset = model.add_opset_import();
    opset->set_domain(domain);
    opset->set_version(std::max<int64_t>(version, 1));
  }
}

LogicalResult writeModel(ModuleOp module, WeightWriter &weights, pb::ModelProto &model) {
  auto main = module.lookupSymbol<func::FuncOp>("main");
  if (!main || main.isDeclaration() || !main.getBody().hasOneBlock())
    return module.emitError("a model has a function @main of one block: there is none");
  model.set_ir_version(irVersion);
  model.mutable_graph()->set_name("main");
  writeMetadata(module->getAttrOfType<DictionaryAttr>("onnx.metadata"), model);
  if (auto configurations = module->getAttrOfType<ArrayAttr>("onnx.configurations"))
    if (!writeConfigurations(configurations, model))
      return module.emitError("onnx.configurations is malformed");
  GraphWriter writer(module, weights);
  if (failed(writer.write(main, *model.mutable_graph())))
    return failure();
  writeOpsets(module, writer.getDomains(), model);
  return weights.finish(module.getLoc());
}

/// Runs `body`, turning what the Protobuf or ONNX library throws into a diagnostic.
LogicalResult guarded(ModuleOp module, llvm::function_ref<LogicalResult()> body) {
  try {
    return body();
  } catch (const std::exception &error) {
    return module.emitError("the model cannot be written: ") << error.what();
  }
}

LogicalResult serialize(ModuleOp module, const pb::ModelProto &model, llvm::raw_ostream &stream) {
  if (model.ByteSizeLong() > size_t(std::numeric_limits<int>::max()))
    return module.emitError("the model has ")
           << model.ByteSizeLong() << " bytes: Protobuf allows 2^31 - 1";
  std::string bytes;
  if (!model.SerializeToString(&bytes))
    return module.emitError("the model cannot be serialized");
  stream << bytes;
  return success();
}

std::string getSourceFolder(ModuleOp module) {
  auto folder = module->getAttrOfType<StringAttr>("onnx.model_dir");
  return folder ? folder.str() : "";
}

} // namespace

LogicalResult dougong::exportModel(ModuleOp module, StringRef path) {
  return guarded(module, [&]() -> LogicalResult {
    // A new model over the old one would overwrite the weights inside it.
    StringRef name = llvm::sys::path::filename(path);
    std::string source = getSourceFolder(module);
    llvm::SmallString<128> old(source);
    llvm::sys::path::append(old, name);
    bool overwrites = false;
    if (!llvm::sys::fs::equivalent(path, old, overwrites) && overwrites)
      for (auto weight : module.getOps<onnx::WeightOp>())
        if (auto reference = dyn_cast<onnx::ExternalAttr>(weight.getValue());
            reference && reference.getFile() == name)
          return module.emitError("file '")
                 << path << "' holds weights of the model: write to another file";
    WeightWriter weights(source, path);
    pb::ModelProto model;
    if (failed(writeModel(module, weights, model)))
      return failure();
    std::error_code error;
    llvm::raw_fd_ostream stream(path, error);
    if (error)
      return module.emitError("file '") << path << "' cannot be written: " << error.message();
    if (failed(serialize(module, model, stream)))
      return failure();
    stream.close();
    if (stream.has_error()) {
      std::string reason = stream.error().message();
      stream.clear_error();
      return module.emitError("file '") << path << "' cannot be written: " << reason;
    }
    return success();
  });
}

static LogicalResult writeStream(ModuleOp module, WeightWriter weights, llvm::raw_ostream &stream) {
  return guarded(module, [&]() -> LogicalResult {
    pb::ModelProto model;
    if (failed(writeModel(module, weights, model)))
      return failure();
    return serialize(module, model, stream);
  });
}

LogicalResult dougong::exportModel(ModuleOp module, llvm::raw_ostream &stream) {
  return writeStream(module, WeightWriter(getSourceFolder(module)), stream);
}

LogicalResult dougong::exportModel(ModuleOp module, const llvm::StringMap<WeightPlace> &places,
                                   llvm::raw_ostream &stream) {
  return writeStream(module, WeightWriter(places), stream);
}
