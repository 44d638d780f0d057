//===- Attributes.cpp - attributes of the dialect in ONNX -----------------===//
#include "Attributes.h"

#include "Onnx/IR/Onnx.h"
#include "dougong/Import/ElementTypes.h"
#include "dougong/Import/Types.h"

using namespace mlir;
using namespace dougong::exporter;

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

namespace {

/// Bytes as ONNX lays them down: bool in a byte each, 2- and 4-bit types packed
/// from the low bits up.
std::string getBytes(DenseElementsAttr elements, int32_t dataType) {
  int64_t count = elements.getNumElements();
  std::string bytes;
  if (dataType == pb::TensorProto::BOOL) {
    for (bool value : elements.getValues<bool>())
      bytes.push_back(value);
    return bytes;
  }
  ArrayRef<char> raw = elements.getRawData();
  if (elements.isSplat()) {
    bytes.reserve(raw.size() * count);
    for (int64_t index = 0; index < count; ++index)
      bytes.append(raw.data(), raw.size());
  } else {
    bytes.assign(raw.data(), raw.size());
  }
  unsigned bits = dougong::importer::getElementBits(dataType);
  if (bits >= 8)
    return bytes;
  unsigned perByte = 8 / bits;
  std::string packed((count + perByte - 1) / perByte, '\0');
  for (int64_t index = 0; index < count; ++index)
    packed[index / perByte] |= (bytes[index] & ((1 << bits) - 1)) << (index % perByte * bits);
  return packed;
}

} // namespace

bool dougong::exporter::writeElements(ElementsAttr elements, pb::TensorProto &tensor) {
  int32_t dataType = importer::getDataType(elements.getElementType());
  if (dataType == pb::TensorProto::UNDEFINED)
    return false;
  tensor.set_data_type(dataType);
  for (int64_t dim : elements.getShapedType().getShape())
    tensor.add_dims(dim);
  if (auto strings = dyn_cast<DenseStringElementsAttr>(elements)) {
    for (StringRef string : strings.getValues<StringRef>())
      tensor.add_string_data(string.str());
    return true;
  }
  auto dense = dyn_cast<DenseElementsAttr>(elements);
  if (!dense || dataType == pb::TensorProto::STRING)
    return false;
  // The checker refuses data in a tensor without elements.
  if (dense.getNumElements() != 0)
    tensor.set_raw_data(getBytes(dense, dataType));
  return true;
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

namespace {

bool writeSparse(DictionaryAttr value, pb::SparseTensorProto &tensor) {
  auto dims = value.getAs<DenseI64ArrayAttr>("dims");
  auto indices = value.getAs<ElementsAttr>("indices");
  auto values = value.getAs<ElementsAttr>("values");
  if (!dims || !indices || !values)
    return false;
  for (int64_t dim : dims.asArrayRef())
    tensor.add_dims(dim);
  return writeElements(indices, *tensor.mutable_indices()) &&
         writeElements(values, *tensor.mutable_values());
}

bool writeArray(ArrayAttr array, pb::AttributeProto &attribute) {
  using Kind = pb::AttributeProto;
  if (llvm::all_of(array, llvm::IsaPred<StringAttr>)) {
    attribute.set_type(Kind::STRINGS);
    for (StringAttr string : array.getAsRange<StringAttr>())
      attribute.add_strings(string.str());
    return true;
  }
  if (llvm::all_of(array, llvm::IsaPred<ElementsAttr>)) {
    attribute.set_type(Kind::TENSORS);
    return llvm::all_of(array.getAsRange<ElementsAttr>(), [&](ElementsAttr elements) {
      return writeElements(elements, *attribute.add_tensors());
    });
  }
  if (llvm::all_of(array, llvm::IsaPred<TypeAttr>)) {
    attribute.set_type(Kind::TYPE_PROTOS);
    return llvm::all_of(array.getAsRange<TypeAttr>(), [&](TypeAttr type) {
      return dougong::importer::convertType(type.getValue(), *attribute.add_type_protos());
    });
  }
  if (llvm::all_of(array, llvm::IsaPred<DictionaryAttr>)) {
    attribute.set_type(Kind::SPARSE_TENSORS);
    return llvm::all_of(array.getAsRange<DictionaryAttr>(), [&](DictionaryAttr sparse) {
      return writeSparse(sparse, *attribute.add_sparse_tensors());
    });
  }
  return false;
}

} // namespace

bool dougong::exporter::writeAttribute(StringRef name, Attribute value,
                                       pb::AttributeProto &attribute) {
  using Kind = pb::AttributeProto;
  attribute.set_name(name.str());
  if (auto integer = dyn_cast<IntegerAttr>(value)) {
    attribute.set_type(Kind::INT);
    attribute.set_i(integer.getValue().getSExtValue());
    return true;
  }
  if (auto real = dyn_cast<FloatAttr>(value)) {
    attribute.set_type(Kind::FLOAT);
    attribute.set_f(float(real.getValueAsDouble()));
    return true;
  }
  if (auto string = dyn_cast<StringAttr>(value)) {
    attribute.set_type(Kind::STRING);
    attribute.set_s(string.str());
    return true;
  }
  if (auto integers = dyn_cast<DenseI64ArrayAttr>(value)) {
    attribute.set_type(Kind::INTS);
    attribute.mutable_ints()->Add(integers.asArrayRef().begin(), integers.asArrayRef().end());
    return true;
  }
  if (auto reals = dyn_cast<DenseF32ArrayAttr>(value)) {
    attribute.set_type(Kind::FLOATS);
    attribute.mutable_floats()->Add(reals.asArrayRef().begin(), reals.asArrayRef().end());
    return true;
  }
  if (auto elements = dyn_cast<ElementsAttr>(value)) {
    attribute.set_type(Kind::TENSOR);
    return writeElements(elements, *attribute.mutable_t());
  }
  if (auto type = dyn_cast<TypeAttr>(value)) {
    attribute.set_type(Kind::TYPE_PROTO);
    return importer::convertType(type.getValue(), *attribute.mutable_tp());
  }
  if (auto sparse = dyn_cast<DictionaryAttr>(value)) {
    attribute.set_type(Kind::SPARSE_TENSOR);
    return writeSparse(sparse, *attribute.mutable_sparse_tensor());
  }
  if (auto array = dyn_cast<ArrayAttr>(value))
    return writeArray(array, attribute);
  return false;
}

void dougong::exporter::writeProperties(
    DictionaryAttr properties,
    google::protobuf::RepeatedPtrField<pb::StringStringEntryProto> &entries) {
  if (!properties)
    return;
  for (NamedAttribute property : properties)
    if (auto value = dyn_cast<StringAttr>(property.getValue())) {
      pb::StringStringEntryProto *entry = entries.Add();
      entry->set_key(property.getName().str());
      entry->set_value(value.str());
    }
}

//===----------------------------------------------------------------------===//
// Device configurations
//===----------------------------------------------------------------------===//

namespace {

/// Reads fields of a dictionary, and remembers whether any was wrong.
class Fields {
public:
  explicit Fields(Attribute attribute) : dictionary(dyn_cast<DictionaryAttr>(attribute)) {
    valid = bool(dictionary);
  }

  void integer(StringRef name, llvm::function_ref<void(int64_t)> set, bool required = true) {
    if (auto value = get<IntegerAttr>(name, required))
      set(value.getInt());
  }
  void string(StringRef name, llvm::function_ref<void(std::string)> set, bool required = true) {
    if (auto value = get<StringAttr>(name, required))
      set(value.str());
  }
  void integers(StringRef name, google::protobuf::RepeatedField<int64_t> &list) {
    if (auto value = get<DenseI64ArrayAttr>(name, true))
      list.Add(value.asArrayRef().begin(), value.asArrayRef().end());
  }
  void list(StringRef name, llvm::function_ref<bool(Attribute)> add) {
    if (auto value = get<ArrayAttr>(name, false))
      for (Attribute element : value)
        valid &= add(element);
  }

  bool valid;

private:
  template <typename T> T get(StringRef name, bool required) {
    Attribute value = dictionary ? dictionary.get(name) : Attribute();
    T typed = dyn_cast_or_null<T>(value);
    valid &= value ? bool(typed) : !required;
    return typed;
  }

  DictionaryAttr dictionary;
};

bool writeSimpleDim(Attribute attribute, pb::SimpleShardedDimProto &simple) {
  Fields fields(attribute);
  fields.integer("dim_value", [&](int64_t value) { simple.set_dim_value(value); }, false);
  fields.string("dim_param", [&](std::string text) { simple.set_dim_param(text); }, false);
  fields.integer("num_shards", [&](int64_t value) { simple.set_num_shards(value); }, false);
  return fields.valid;
}

bool writeDim(Attribute attribute, pb::ShardedDimProto &dim) {
  Fields fields(attribute);
  fields.integer("axis", [&](int64_t value) { dim.set_axis(value); });
  fields.list("simple_sharding", [&](Attribute element) {
    return writeSimpleDim(element, *dim.add_simple_sharding());
  });
  return fields.valid;
}

bool writeGroup(Attribute attribute, pb::IntIntListEntryProto &group) {
  Fields fields(attribute);
  fields.integer("key", [&](int64_t value) { group.set_key(value); });
  fields.integers("value", *group.mutable_value());
  return fields.valid;
}

bool writeSpec(Attribute attribute, pb::ShardingSpecProto &spec) {
  Fields fields(attribute);
  fields.string("tensor_name", [&](std::string text) { spec.set_tensor_name(text); });
  fields.integers("device", *spec.mutable_device());
  fields.list("index_to_device_group_map", [&](Attribute element) {
    return writeGroup(element, *spec.add_index_to_device_group_map());
  });
  fields.list("sharded_dim",
              [&](Attribute element) { return writeDim(element, *spec.add_sharded_dim()); });
  return fields.valid;
}

} // namespace

bool dougong::exporter::writeConfigurations(ArrayAttr configurations, pb::ModelProto &model) {
  return llvm::all_of(configurations, [&](Attribute attribute) {
    pb::DeviceConfigurationProto &configuration = *model.add_configuration();
    Fields fields(attribute);
    fields.string("name", [&](std::string text) { configuration.set_name(text); });
    fields.integer("num_devices", [&](int64_t count) { configuration.set_num_devices(count); });
    fields.list("device", [&](Attribute element) {
      auto name = dyn_cast<StringAttr>(element);
      if (name)
        configuration.add_device(name.str());
      return bool(name);
    });
    return fields.valid;
  });
}

bool dougong::exporter::writeConfigurations(ArrayAttr configurations, pb::NodeProto &node) {
  return llvm::all_of(configurations, [&](Attribute attribute) {
    pb::NodeDeviceConfigurationProto &configuration = *node.add_device_configurations();
    Fields fields(attribute);
    fields.string("configuration_id",
                  [&](std::string text) { configuration.set_configuration_id(text); });
    fields.list("sharding_spec", [&](Attribute element) {
      return writeSpec(element, *configuration.add_sharding_spec());
    });
    fields.integer(
        "pipeline_stage", [&](int64_t stage) { configuration.set_pipeline_stage(stage); }, false);
    return fields.valid;
  });
}
