//===- Emit.cpp - the module of a model -----------------------------------===//
#include "Emit.h"
#include "Attributes.h"
#include "Error.h"
#include "GraphEmitter.h"
#include "Tensors.h"
#include "dougong/Import/Types.h"

#include "Onnx/IR/Onnx.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace dougong::importer;

namespace {

/// Producer, documentation and properties of model and graph.
DictionaryAttr getMetadata(const pb::ModelProto &model, MLIRContext *context) {
  Builder builder(context);
  NamedAttrList list;
  auto addString = [&](StringRef name, const std::string &value) {
    if (!value.empty())
      list.set(name, builder.getStringAttr(value));
  };
  auto addProperties = [&](StringRef name, const auto &entries) {
    if (DictionaryAttr properties = convertProperties(entries, context))
      list.set(name, properties);
  };
  addString("producer_name", model.producer_name());
  addString("producer_version", model.producer_version());
  addString("domain", model.domain());
  addString("doc_string", model.doc_string());
  if (model.has_model_version())
    list.set("model_version", builder.getI64IntegerAttr(model.model_version()));
  addProperties("metadata_props", model.metadata_props());
  addString("graph_name", model.graph().name());
  addString("graph_doc_string", model.graph().doc_string());
  addProperties("graph_metadata_props", model.graph().metadata_props());
  NamedAttrList quantization;
  for (const pb::TensorAnnotation &annotation : model.graph().quantization_annotation())
    if (DictionaryAttr entries =
            convertProperties(annotation.quant_parameter_tensor_names(), context);
        entries && !annotation.tensor_name().empty())
      quantization.set(annotation.tensor_name(), entries);
  if (!quantization.empty())
    list.set("quantization", quantization.getDictionary(context));
  return list.getDictionary(context);
}

/// Attributes of an argument or result of @main.
DictionaryAttr getInterfaceAttrs(const pb::ValueInfoProto &info, Builder &builder) {
  NamedAttrList list;
  list.set("onnx.name", builder.getStringAttr(info.name()));
  if (!info.doc_string().empty())
    list.set("onnx.doc", builder.getStringAttr(info.doc_string()));
  if (DictionaryAttr metadata = convertProperties(info.metadata_props(), builder.getContext()))
    list.set("onnx.metadata", metadata);
  return list.getDictionary(builder.getContext());
}

} // namespace

OwningOpRef<ModuleOp> dougong::importer::emitModel(const pb::ModelProto &model,
                                                   const FileFacts &facts, MLIRContext &context) {
  Builder builder(&context);
  StringAttr file = builder.getStringAttr(facts.path);
  Location loc = FileLineColLoc::get(file, 0, 0);
  OwningOpRef<ModuleOp> module = ModuleOp::create(loc);
  (*module)->setAttr("onnx.ir_version", builder.getI64IntegerAttr(facts.irVersion));
  NamedAttrList opsets;
  for (const auto &[domain, version] : facts.opsets)
    opsets.set(domain.empty() ? "ai.onnx" : domain, builder.getI64IntegerAttr(version));
  (*module)->setAttr("onnx.opsets", opsets.getDictionary(&context));
  (*module)->setAttr("onnx.metadata", getMetadata(model, &context));
  (*module)->setAttr("onnx.model_dir", builder.getStringAttr(facts.folder));
  if (ArrayAttr configurations = convertConfigurations(model, &context))
    (*module)->setAttr("onnx.configurations", configurations);

  // In old models every initializer is listed as an input too.
  const pb::GraphProto &graph = model.graph();
  llvm::StringSet<> initializers;
  for (const pb::TensorProto &tensor : graph.initializer())
    initializers.insert(tensor.name());
  for (const pb::SparseTensorProto &tensor : graph.sparse_initializer())
    initializers.insert(tensor.values().name());
  SmallVector<Type> inputTypes;
  SmallVector<DictionaryAttr> inputAttrs;
  SmallVector<StringRef> inputNames;
  for (const pb::ValueInfoProto &input : facts.inputs) {
    if (initializers.contains(input.name()))
      continue;
    Type type = convertType(input.type(), &context, input.name());
    if (!type)
      throw ImportError("input '" + input.name() + "' has a type that this compiler does not read");
    inputTypes.push_back(type);
    inputNames.push_back(input.name());
    inputAttrs.push_back(getInterfaceAttrs(input, builder));
  }

  OpBuilder body = OpBuilder::atBlockEnd(module->getBody());
  auto func = func::FuncOp::create(body, loc, "main", builder.getFunctionType(inputTypes, {}),
                                   ArrayRef<NamedAttribute>{}, inputAttrs);
  Block *entry = func.addEntryBlock();
  ModuleState state{
      *module, facts, file, OpBuilder(func), model.opset_import(), facts.allowMissingData, {}, 0};
  state.symbols.insert("main");
  GraphEmitter emitter(graph, state, entry, nullptr);
  for (auto [name, argument] : llvm::zip(inputNames, entry->getArguments()))
    emitter.bind(name, argument);
  emitter.emitNodes();
  if (state.castInputs > 1)
    emitWarning(loc) << state.castInputs - 1 << " more inputs got a Cast for the same reason";
  SmallVector<Value> outputs = emitter.getOutputs();
  OpBuilder end = OpBuilder::atBlockEnd(entry);
  func::ReturnOp::create(end, loc, outputs);
  func.setFunctionType(builder.getFunctionType(inputTypes, TypeRange(ValueRange(outputs))));
  for (auto [index, output] : llvm::enumerate(graph.output())) {
    func.setResultAttrs(index, getInterfaceAttrs(output, builder));
    // Extents may be unknown where the rank is declared: export needs that.
    if (isa<UnrankedTensorType>(outputs[index].getType()) &&
        output.type().tensor_type().has_shape())
      func.setResultAttr(index, "onnx.rank",
                         builder.getI64IntegerAttr(output.type().tensor_type().shape().dim_size()));
  }
  return module;
}
