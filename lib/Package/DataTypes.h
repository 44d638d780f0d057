//===- DataTypes.h - element types of a plan's values -----------*- C++ -*-===//
#ifndef DOUGONG_LIB_PACKAGE_DATATYPES_H
#define DOUGONG_LIB_PACKAGE_DATATYPES_H

#include <cstdint>
#include <string>

namespace dougong::package {

/// The short name of an onnx.TensorProto.DataType, e.g. "f32"; "type 99" for a
/// number that ONNX does not use.
std::string dataTypeName(std::int32_t dtype);

/// Bits of a stored element; 0 for strings, sequences and unknown types.
int dataTypeBits(std::int32_t dtype);

/// False for UNDEFINED and for numbers that ONNX does not use.
bool isDataType(std::int32_t dtype);

} // namespace dougong::package

#endif // DOUGONG_LIB_PACKAGE_DATATYPES_H
