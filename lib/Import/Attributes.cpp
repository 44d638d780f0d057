//===- Attributes.cpp - ONNX attributes in MLIR ---------------------------===//
#include "Attributes.h"
#include "Error.h"
#include "Prepare.h"
#include "Tensors.h"
#include "dougong/Import/Types.h"

using namespace mlir;
using namespace dougong::importer;

namespace {

template <typename Strings> ArrayAttr getStrings(Builder &builder, const Strings &strings) {
  SmallVector<Attribute> values;
  for (const std::string &string : strings)
    values.push_back(builder.getStringAttr(string));
  return builder.getArrayAttr(values);
}

[[noreturn]] void refuse(const pb::AttributeProto &attribute, const std::string &reason) {
  throw ImportError("attribute '" + attribute.name() + "' " + reason);
}

} // namespace

DictionaryAttr dougong::importer::convertSparse(const pb::SparseTensorProto &tensor,
                                                StringRef folder, MLIRContext *context) {
  Builder builder(context);
  return builder.getDictionaryAttr(
      {builder.getNamedAttr("dims", builder.getDenseI64ArrayAttr(
                                        ArrayRef(tensor.dims().data(), tensor.dims_size()))),
       builder.getNamedAttr("indices", convertTensor(tensor.indices(), folder, context)),
       builder.getNamedAttr("values", convertTensor(tensor.values(), folder, context))});
}

Attribute dougong::importer::convertAttribute(const pb::AttributeProto &attribute, StringRef folder,
                                              MLIRContext *context) {
  Builder builder(context);
  switch (attribute.type()) {
  case pb::AttributeProto::INT:
    return builder.getI64IntegerAttr(attribute.i());
  case pb::AttributeProto::FLOAT:
    return builder.getF32FloatAttr(attribute.f());
  case pb::AttributeProto::STRING:
    return builder.getStringAttr(attribute.s());
  case pb::AttributeProto::INTS:
    return builder.getDenseI64ArrayAttr(ArrayRef(attribute.ints().data(), attribute.ints_size()));
  case pb::AttributeProto::FLOATS:
    return builder.getDenseF32ArrayAttr(
        ArrayRef(attribute.floats().data(), attribute.floats_size()));
  case pb::AttributeProto::STRINGS:
    return getStrings(builder, attribute.strings());
  case pb::AttributeProto::TENSOR:
    return convertTensor(attribute.t(), folder, context);
  case pb::AttributeProto::TENSORS: {
    SmallVector<Attribute> tensors;
    for (const pb::TensorProto &tensor : attribute.tensors())
      tensors.push_back(convertTensor(tensor, folder, context));
    return builder.getArrayAttr(tensors);
  }
  case pb::AttributeProto::SPARSE_TENSOR:
    return convertSparse(attribute.sparse_tensor(), folder, context);
  case pb::AttributeProto::SPARSE_TENSORS: {
    SmallVector<Attribute> tensors;
    for (const pb::SparseTensorProto &tensor : attribute.sparse_tensors())
      tensors.push_back(convertSparse(tensor, folder, context));
    return builder.getArrayAttr(tensors);
  }
  case pb::AttributeProto::TYPE_PROTO: {
    Type type = convertType(attribute.tp(), context);
    if (!type)
      refuse(attribute, "is a type that this compiler does not read");
    return TypeAttr::get(type);
  }
  case pb::AttributeProto::TYPE_PROTOS: {
    SmallVector<Attribute> types;
    for (const pb::TypeProto &proto : attribute.type_protos()) {
      Type type = convertType(proto, context);
      if (!type)
        refuse(attribute, "has a type that this compiler does not read");
      types.push_back(TypeAttr::get(type));
    }
    return builder.getArrayAttr(types);
  }
  default:
    refuse(attribute, "is of unknown kind " + std::to_string(attribute.type()));
  }
}

DictionaryAttr dougong::importer::convertProperties(
    const google::protobuf::RepeatedPtrField<pb::StringStringEntryProto> &entries,
    MLIRContext *context) {
  NamedAttrList list;
  for (const pb::StringStringEntryProto &entry : entries)
    if (!entry.key().empty() && entry.key() != movedDomainKey)
      list.set(entry.key(), StringAttr::get(context, entry.value()));
  return list.empty() ? DictionaryAttr() : list.getDictionary(context);
}

ArrayAttr dougong::importer::convertConfigurations(const pb::ModelProto &model,
                                                   MLIRContext *context) {
  Builder builder(context);
  SmallVector<Attribute> result;
  for (const pb::DeviceConfigurationProto &configuration : model.configuration()) {
    NamedAttrList fields;
    fields.set("name", builder.getStringAttr(configuration.name()));
    fields.set("num_devices", builder.getI64IntegerAttr(configuration.num_devices()));
    if (configuration.device_size())
      fields.set("device", getStrings(builder, configuration.device()));
    int64_t nodes = llvm::count_if(model.graph().node(), [&](const pb::NodeProto &node) {
      return llvm::any_of(node.device_configurations(), [&](const auto &part) {
        return part.configuration_id() == configuration.name();
      });
    });
    fields.set("nodes", builder.getI64IntegerAttr(nodes));
    result.push_back(fields.getDictionary(context));
  }
  return result.empty() ? ArrayAttr() : builder.getArrayAttr(result);
}

namespace {

Attribute convertDim(const pb::ShardedDimProto &dim, Builder &builder) {
  SmallVector<Attribute> parts;
  for (const pb::SimpleShardedDimProto &simple : dim.simple_sharding()) {
    NamedAttrList fields;
    if (simple.has_dim_value())
      fields.set("dim_value", builder.getI64IntegerAttr(simple.dim_value()));
    if (simple.has_dim_param())
      fields.set("dim_param", builder.getStringAttr(simple.dim_param()));
    if (simple.has_num_shards())
      fields.set("num_shards", builder.getI64IntegerAttr(simple.num_shards()));
    parts.push_back(fields.getDictionary(builder.getContext()));
  }
  NamedAttrList fields;
  fields.set("axis", builder.getI64IntegerAttr(dim.axis()));
  fields.set("simple_sharding", builder.getArrayAttr(parts));
  return fields.getDictionary(builder.getContext());
}

Attribute convertSpec(const pb::ShardingSpecProto &spec, const pb::NodeProto &node,
                      Builder &builder) {
  NamedAttrList fields;
  fields.set("tensor_name", builder.getStringAttr(spec.tensor_name()));
  // Names of values may change, their places do not.
  if (auto it = llvm::find(node.output(), spec.tensor_name()); it != node.output().end())
    fields.set("result", builder.getI64IntegerAttr(it - node.output().begin()));
  else if (it = llvm::find(node.input(), spec.tensor_name()); it != node.input().end())
    fields.set("operand", builder.getI64IntegerAttr(it - node.input().begin()));
  fields.set("device",
             builder.getDenseI64ArrayAttr(ArrayRef(spec.device().data(), spec.device_size())));
  SmallVector<Attribute> groups, dims;
  for (const pb::IntIntListEntryProto &entry : spec.index_to_device_group_map()) {
    NamedAttrList group;
    group.set("key", builder.getI64IntegerAttr(entry.key()));
    group.set("value",
              builder.getDenseI64ArrayAttr(ArrayRef(entry.value().data(), entry.value_size())));
    groups.push_back(group.getDictionary(builder.getContext()));
  }
  for (const pb::ShardedDimProto &dim : spec.sharded_dim())
    dims.push_back(convertDim(dim, builder));
  if (!groups.empty())
    fields.set("index_to_device_group_map", builder.getArrayAttr(groups));
  if (!dims.empty())
    fields.set("sharded_dim", builder.getArrayAttr(dims));
  return fields.getDictionary(builder.getContext());
}

} // namespace

ArrayAttr dougong::importer::convertConfigurations(const pb::NodeProto &node,
                                                   MLIRContext *context) {
  Builder builder(context);
  SmallVector<Attribute> result;
  for (const pb::NodeDeviceConfigurationProto &configuration : node.device_configurations()) {
    NamedAttrList fields;
    fields.set("configuration_id", builder.getStringAttr(configuration.configuration_id()));
    SmallVector<Attribute> specs;
    for (const pb::ShardingSpecProto &spec : configuration.sharding_spec())
      specs.push_back(convertSpec(spec, node, builder));
    if (!specs.empty())
      fields.set("sharding_spec", builder.getArrayAttr(specs));
    if (configuration.has_pipeline_stage())
      fields.set("pipeline_stage", builder.getI64IntegerAttr(configuration.pipeline_stage()));
    result.push_back(fields.getDictionary(context));
  }
  return result.empty() ? ArrayAttr() : builder.getArrayAttr(result);
}
