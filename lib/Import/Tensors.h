//===- Tensors.h - ONNX constants as attributes -------------*- C++ -*-===//
#ifndef DOUGONG_LIB_IMPORT_TENSORS_H
#define DOUGONG_LIB_IMPORT_TENSORS_H

#include "dougong/Import/Protos.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"

namespace dougong::importer {

/// The type of a tensor of static shape.
mlir::RankedTensorType getTensorType(const pb::TensorProto &tensor, mlir::MLIRContext *context);

/// The contents of a tensor as a dense attribute. `folder` is where external
/// data is. Throws ImportError.
mlir::ElementsAttr convertTensor(const pb::TensorProto &tensor, llvm::StringRef folder,
                                 mlir::MLIRContext *context);

} // namespace dougong::importer

#endif // DOUGONG_LIB_IMPORT_TENSORS_H
