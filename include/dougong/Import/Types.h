//===- Types.h - ONNX types and MLIR types ----------------------*- C++ -*-===//
#ifndef DOUGONG_IMPORT_TYPES_H
#define DOUGONG_IMPORT_TYPES_H

#include "dougong/Import/Protos.h"

#include "mlir/IR/Types.h"
#include "llvm/ADT/StringRef.h"

namespace dougong::importer {

/// The MLIR type of `type`. Tensors get `#onnx.dims`; where an extent is
/// unknown the tensor is unranked, unless `inputName` is given: then the extent
/// is the symbol `inputName[dim]`, as the command line calls it. Null for types
/// that this compiler does not read (sparse tensors, opaque types) and for
/// undefined element types.
mlir::Type convertType(const pb::TypeProto &type, mlir::MLIRContext *context,
                       llvm::StringRef inputName = "");

/// The ONNX form of a type of the onnx dialect; returns false for other types.
/// A symbol becomes a dim_param of its name, an expression one of its text.
bool convertType(mlir::Type type, pb::TypeProto &result);

} // namespace dougong::importer

#endif // DOUGONG_IMPORT_TYPES_H
