//===- EmitConstants.cpp - initializers and Constant nodes -----------------===//
#include "Attributes.h"
#include "Error.h"
#include "ExternalData.h"
#include "GraphEmitter.h"
#include "Tensors.h"
#include "WireFormat.h"
#include "dougong/Import/ElementTypes.h"

using namespace mlir;
using namespace dougong::importer;

Value GraphEmitter::emitTensor(const pb::TensorProto &tensor, Location loc, OpBuilder &at,
                               const std::string &name) {
  MLIRContext *context = state.getContext();
  if (!convertElementType(tensor.data_type(), context))
    throw ImportError("tensor '" + name + "' has unknown element type " +
                      std::to_string(tensor.data_type()));
  RankedTensorType type = getTensorType(tensor, context);
  int64_t size = *getByteSize(tensor.data_type(), type.getShape());
  bool asWeight = size > int64_t(inlineLimit) && tensor.data_type() != pb::TensorProto::STRING;
  if (!asWeight && !(isExternal(tensor) && state.allowMissingData))
    return onnx::ConstantOp::create(
               at, loc, TypeRange{type}, ValueRange{},
               ArrayRef{
                   at.getNamedAttr("value", convertTensor(tensor, state.facts.folder, context))})
        .getOutput();

  std::string symbol = name;
  for (unsigned suffix = 1; !state.symbols.insert(symbol).second; ++suffix)
    symbol = name + "_" + std::to_string(suffix);
  Attribute value;
  if (isExternal(tensor)) {
    DataReference reference = getReference(tensor);
    value = onnx::ExternalAttr::get(context, at.getStringAttr(reference.file), reference.offset,
                                    reference.length);
  } else {
    value = convertTensor(tensor, state.facts.folder, context);
  }
  onnx::WeightOp::create(state.weights, loc, at.getStringAttr(symbol), TypeAttr::get(type), value);
  return onnx::UseOp::create(at, loc, type, FlatSymbolRefAttr::get(context, symbol)).getResult();
}

/// Emits an initializer of this graph when it is first used; null if `name` is
/// none of this graph.
Value GraphEmitter::emitInitializer(StringRef name) {
  const pb::TensorProto *tensor = initializers.lookup(name);
  const pb::SparseTensorProto *sparseTensor = sparse.lookup(name);
  if (!tensor && !sparseTensor)
    return {};
  MLIRContext *context = state.getContext();
  Builder attributes(context);
  NamedAttrList notes;
  notes.set("outputs", attributes.getStrArrayAttr(name));
  notes.set("initializer", attributes.getUnitAttr());
  if (tensor && !tensor->doc_string().empty())
    notes.set("doc", attributes.getStringAttr(tensor->doc_string()));
  if (tensor)
    if (DictionaryAttr metadata = convertProperties(tensor->metadata_props(), context))
      notes.set("metadata", metadata);
  Location loc = NameLoc::get(attributes.getStringAttr(name),
                              FusedLoc::get(context, {FileLineColLoc::get(state.file, 0, 0)},
                                            notes.getDictionary(context)));
  OpBuilder at = atTop();
  Value value;
  if (tensor) {
    value = emitTensor(*tensor, loc, at, name.str());
  } else {
    auto type =
        RankedTensorType::get(ArrayRef(sparseTensor->dims().data(), sparseTensor->dims_size()),
                              convertElementType(sparseTensor->values().data_type(), context));
    value = onnx::ConstantOp::create(
                at, loc, TypeRange{type}, ValueRange{},
                ArrayRef{at.getNamedAttr(
                    "sparse_value", convertSparse(*sparseTensor, state.facts.folder, context))})
                .getOutput();
  }
  lastTop = value.getDefiningOp();
  return values[name] = value;
}

/// Constant nodes: one dense `value` for all forms but the sparse one. Returns
/// false for a node that must be emitted as any other.
bool GraphEmitter::emitConstant(const pb::NodeProto &node, Location loc) {
  if (node.attribute_size() != 1 || node.output_size() != 1 ||
      node.device_configurations_size() != 0)
    return false;
  const pb::AttributeProto &attribute = node.attribute(0);
  pb::TensorProto tensor;
  switch (attribute.type()) {
  case pb::AttributeProto::TENSOR:
    values[node.output(0)] = emitTensor(attribute.t(), loc, builder, node.output(0));
    return true;
  case pb::AttributeProto::INT:
    tensor.set_data_type(pb::TensorProto::INT64);
    tensor.add_int64_data(attribute.i());
    break;
  case pb::AttributeProto::INTS:
    tensor.set_data_type(pb::TensorProto::INT64);
    tensor.add_dims(attribute.ints_size());
    *tensor.mutable_int64_data() = attribute.ints();
    break;
  case pb::AttributeProto::FLOAT:
    tensor.set_data_type(pb::TensorProto::FLOAT);
    tensor.add_float_data(attribute.f());
    break;
  case pb::AttributeProto::FLOATS:
    tensor.set_data_type(pb::TensorProto::FLOAT);
    tensor.add_dims(attribute.floats_size());
    *tensor.mutable_float_data() = attribute.floats();
    break;
  case pb::AttributeProto::STRING:
    tensor.set_data_type(pb::TensorProto::STRING);
    tensor.add_string_data(attribute.s());
    break;
  case pb::AttributeProto::STRINGS:
    tensor.set_data_type(pb::TensorProto::STRING);
    tensor.add_dims(attribute.strings_size());
    *tensor.mutable_string_data() = attribute.strings();
    break;
  default:
    return false;
  }
  values[node.output(0)] = emitTensor(tensor, loc, builder, node.output(0));
  return true;
}
