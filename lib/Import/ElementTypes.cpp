//===- ElementTypes.cpp - ONNX element types ------------------------------===//
#include "dougong/Import/ElementTypes.h"

#include "Onnx/IR/Onnx.h"
#include "dougong-c/program.h"
#include "dougong/Import/Protos.h"

using namespace mlir;
using namespace dougong::importer;
using pb::TensorProto;

Type dougong::importer::convertElementType(int32_t dataType, MLIRContext *context) {
  auto signless = [&](unsigned bits) { return IntegerType::get(context, bits); };
  auto unsignedType = [&](unsigned bits) {
    return IntegerType::get(context, bits, IntegerType::Unsigned);
  };
  switch (dataType) {
  case TensorProto::FLOAT:
    return Float32Type::get(context);
  case TensorProto::DOUBLE:
    return Float64Type::get(context);
  case TensorProto::FLOAT16:
    return Float16Type::get(context);
  case TensorProto::BFLOAT16:
    return BFloat16Type::get(context);
  case TensorProto::FLOAT8E4M3FN:
    return Float8E4M3FNType::get(context);
  case TensorProto::FLOAT8E4M3FNUZ:
    return Float8E4M3FNUZType::get(context);
  case TensorProto::FLOAT8E5M2:
    return Float8E5M2Type::get(context);
  case TensorProto::FLOAT8E5M2FNUZ:
    return Float8E5M2FNUZType::get(context);
  case TensorProto::FLOAT8E8M0:
    return Float8E8M0FNUType::get(context);
  case TensorProto::FLOAT4E2M1:
    return Float4E2M1FNType::get(context);
  case TensorProto::BOOL:
    return signless(1);
  case TensorProto::INT2:
    return signless(2);
  case TensorProto::INT4:
    return signless(4);
  case TensorProto::INT8:
    return signless(8);
  case TensorProto::INT16:
    return signless(16);
  case TensorProto::INT32:
    return signless(32);
  case TensorProto::INT64:
    return signless(64);
  case TensorProto::UINT2:
    return unsignedType(2);
  case TensorProto::UINT4:
    return unsignedType(4);
  case TensorProto::UINT8:
    return unsignedType(8);
  case TensorProto::UINT16:
    return unsignedType(16);
  case TensorProto::UINT32:
    return unsignedType(32);
  case TensorProto::UINT64:
    return unsignedType(64);
  case TensorProto::COMPLEX64:
    return ComplexType::get(Float32Type::get(context));
  case TensorProto::COMPLEX128:
    return ComplexType::get(Float64Type::get(context));
  case TensorProto::STRING:
    return onnx::StringType::get(context);
  default:
    return {};
  }
}

int32_t dougong::importer::getDataType(Type elementType) {
  if (isa<onnx::SequenceType>(elementType))
    return DOUGONG_SEQUENCE;
  if (isa<onnx::OptionalType>(elementType))
    return DOUGONG_OPTIONAL;
  for (int32_t dataType = 1; dataType <= TensorProto::DataType_MAX; ++dataType)
    if (convertElementType(dataType, elementType.getContext()) == elementType)
      return dataType;
  return TensorProto::UNDEFINED;
}

unsigned dougong::importer::getElementBits(int32_t dataType) {
  switch (dataType) {
  case TensorProto::INT2:
  case TensorProto::UINT2:
    return 2;
  case TensorProto::INT4:
  case TensorProto::UINT4:
  case TensorProto::FLOAT4E2M1:
    return 4;
  case TensorProto::BOOL:
  case TensorProto::INT8:
  case TensorProto::UINT8:
  case TensorProto::FLOAT8E4M3FN:
  case TensorProto::FLOAT8E4M3FNUZ:
  case TensorProto::FLOAT8E5M2:
  case TensorProto::FLOAT8E5M2FNUZ:
  case TensorProto::FLOAT8E8M0:
    return 8;
  case TensorProto::FLOAT16:
  case TensorProto::BFLOAT16:
  case TensorProto::INT16:
  case TensorProto::UINT16:
    return 16;
  case TensorProto::FLOAT:
  case TensorProto::INT32:
  case TensorProto::UINT32:
    return 32;
  case TensorProto::DOUBLE:
  case TensorProto::INT64:
  case TensorProto::UINT64:
  case TensorProto::COMPLEX64:
    return 64;
  case TensorProto::COMPLEX128:
    return 128;
  default:
    return 0;
  }
}

std::optional<int64_t> dougong::importer::getByteSize(int32_t dataType, ArrayRef<int64_t> dims) {
  int64_t elements = 1;
  // An empty dim makes the tensor empty, whatever the others are.
  if (llvm::is_contained(dims, 0))
    elements = 0;
  for (int64_t dim : dims)
    if (dim < 0 || (elements != 0 && llvm::MulOverflow(elements, dim, elements)))
      return std::nullopt;
  int64_t bits;
  if (llvm::MulOverflow<int64_t>(elements, getElementBits(dataType), bits) ||
      bits > std::numeric_limits<int64_t>::max() - 7)
    return std::nullopt;
  return (bits + 7) / 8;
}
