//===- Reducible.h - what ranks can combine ---------------------*- C++ -*-===//
#ifndef DOUGONG_SUPPORT_REDUCIBLE_H
#define DOUGONG_SUPPORT_REDUCIBLE_H

#include "dougong-c/program.h"

namespace dougong {

/// Whether collectives reduce elements of this type (onnx.TensorProto.DataType).
/// A bool's sum is "or", its product "and". `dist::isReducible` says the same of
/// MLIR types.
constexpr bool isReducible(dougong_dtype dtype) {
  switch (dtype) {
  case DOUGONG_F32:
  case DOUGONG_U8:
  case DOUGONG_I8:
  case DOUGONG_U16:
  case DOUGONG_I16:
  case DOUGONG_I32:
  case DOUGONG_I64:
  case DOUGONG_BOOL:
  case DOUGONG_F16:
  case DOUGONG_F64:
  case DOUGONG_U32:
  case DOUGONG_U64:
  case DOUGONG_BF16:
    return true;
  default:
    return false;
  }
}

} // namespace dougong

#endif // DOUGONG_SUPPORT_REDUCIBLE_H
