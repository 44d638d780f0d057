//===- Attributes.h - attributes of the dialect in ONNX ---------*- C++ -*-===//
#ifndef DOUGONG_LIB_EXPORT_ATTRIBUTES_H
#define DOUGONG_LIB_EXPORT_ATTRIBUTES_H

#include "dougong/Import/Protos.h"

#include "mlir/IR/BuiltinAttributes.h"

namespace dougong::exporter {

namespace pb = ::onnx;

/// Sets type, dims and contents of a tensor; false for elements that are not
/// dense or of a type that ONNX lacks.
bool writeElements(mlir::ElementsAttr elements, pb::TensorProto &tensor);

/// Sets name, type and value of an attribute; false for kinds that ONNX lacks.
bool writeAttribute(llvm::StringRef name, mlir::Attribute value, pb::AttributeProto &attribute);

/// Key-value pairs of a dictionary of strings.
void writeProperties(mlir::DictionaryAttr properties,
                     google::protobuf::RepeatedPtrField<pb::StringStringEntryProto> &entries);

/// IR-11 device configurations, as the importer represents them; false if a
/// field is missing or of another kind.
bool writeConfigurations(mlir::ArrayAttr configurations, pb::ModelProto &model);
bool writeConfigurations(mlir::ArrayAttr configurations, pb::NodeProto &node);

} // namespace dougong::exporter

#endif // DOUGONG_LIB_EXPORT_ATTRIBUTES_H
