//===- Attributes.h - ONNX attributes and notes in MLIR ---------*- C++ -*-===//
#ifndef DOUGONG_LIB_IMPORT_ATTRIBUTES_H
#define DOUGONG_LIB_IMPORT_ATTRIBUTES_H

#include "dougong/Import/Protos.h"

#include "mlir/IR/Builders.h"

namespace dougong::importer {

/// The value of an attribute that is no graph: i64, f32, string, dense arrays of
/// i64 and f32, arrays of strings, elements, a type, or for sparse tensors a
/// dictionary {dims, indices, values}. Throws ImportError.
mlir::Attribute convertAttribute(const pb::AttributeProto &attribute, llvm::StringRef folder,
                                 mlir::MLIRContext *context);

/// {dims, indices, values} of a sparse tensor.
mlir::DictionaryAttr convertSparse(const pb::SparseTensorProto &tensor, llvm::StringRef folder,
                                   mlir::MLIRContext *context);

/// Key-value pairs as a dictionary; without pairs null. Keys of this compiler's
/// own are left out.
mlir::DictionaryAttr
convertProperties(const google::protobuf::RepeatedPtrField<pb::StringStringEntryProto> &entries,
                  mlir::MLIRContext *context);

/// IR-11 device configurations of the model and of a node, field by field, as
/// arrays of dictionaries; null where there are none.
mlir::ArrayAttr convertConfigurations(const pb::ModelProto &model, mlir::MLIRContext *context);
mlir::ArrayAttr convertConfigurations(const pb::NodeProto &node, mlir::MLIRContext *context);

} // namespace dougong::importer

#endif // DOUGONG_LIB_IMPORT_ATTRIBUTES_H
