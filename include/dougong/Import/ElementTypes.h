//===- ElementTypes.h - ONNX element types ----------------------*- C++ -*-===//
#ifndef DOUGONG_IMPORT_ELEMENTTYPES_H
#define DOUGONG_IMPORT_ELEMENTTYPES_H

#include "mlir/IR/Types.h"

#include <cstdint>
#include <optional>

namespace dougong::importer {

/// The MLIR type of elements of ONNX data type `dataType` (a value of
/// TensorProto.DataType): signless for ONNX's signed integers and bool,
/// `!onnx.string` for strings. Null for values that ONNX 1.22 does not define.
mlir::Type convertElementType(int32_t dataType, mlir::MLIRContext *context);

/// The inverse of convertElementType; DOUGONG_SEQUENCE and DOUGONG_OPTIONAL of the
/// program ABI for those; 0 (UNDEFINED) for any other type.
int32_t getDataType(mlir::Type elementType);

/// Bits of one element as ONNX lays tensors down: bool takes a byte, 2- and
/// 4-bit types are packed. 0 for strings and undefined types.
unsigned getElementBits(int32_t dataType);

/// Bytes of a tensor's raw data; nothing where a dim is negative or the size is
/// over 2^63 - 1 bytes.
std::optional<int64_t> getByteSize(int32_t dataType, llvm::ArrayRef<int64_t> dims);

} // namespace dougong::importer

#endif // DOUGONG_IMPORT_ELEMENTTYPES_H
