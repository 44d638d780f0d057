//===- Tensors.cpp - ONNX constants as attributes -------------------------===//
#include "Tensors.h"
#include "Error.h"
#include "ExternalData.h"
#include "dougong/Import/ElementTypes.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace dougong::importer;

namespace {

/// Little-endian bytes of typed data, as raw_data has them.
template <typename Stored, typename Data> std::string packAs(const Data &data) {
  std::string bytes(data.size() * sizeof(Stored), '\0');
  for (int index = 0; index < data.size(); ++index) {
    Stored value = static_cast<Stored>(data[index]);
    memcpy(bytes.data() + index * sizeof(Stored), &value, sizeof(Stored));
  }
  return bytes;
}

std::string readExternal(const pb::TensorProto &tensor, StringRef folder) {
  DataReference reference = getReference(tensor);
  llvm::SmallString<128> path(folder);
  llvm::sys::path::append(path, reference.file);
  auto buffer = llvm::MemoryBuffer::getFileSlice(path, reference.length, reference.offset);
  if (!buffer || int64_t((*buffer)->getBufferSize()) != reference.length)
    throw ImportError("tensor '" + tensor.name() + "' cannot be read from file '" + reference.file +
                      "'");
  return (*buffer)->getBuffer().str();
}

std::string getBytes(const pb::TensorProto &tensor, StringRef folder) {
  if (isExternal(tensor))
    return readExternal(tensor, folder);
  if (tensor.has_raw_data())
    return tensor.raw_data();
  switch (tensor.data_type()) {
  case pb::TensorProto::FLOAT:
  case pb::TensorProto::COMPLEX64:
    return packAs<float>(tensor.float_data());
  case pb::TensorProto::DOUBLE:
  case pb::TensorProto::COMPLEX128:
    return packAs<double>(tensor.double_data());
  case pb::TensorProto::INT64:
    return packAs<int64_t>(tensor.int64_data());
  case pb::TensorProto::UINT64:
    return packAs<uint64_t>(tensor.uint64_data());
  case pb::TensorProto::UINT32:
    return packAs<uint32_t>(tensor.uint64_data());
  case pb::TensorProto::INT32:
    return packAs<int32_t>(tensor.int32_data());
  default: // the others are in int32_data, in their own width; packed ones in bytes
    return getElementBits(tensor.data_type()) == 16 ? packAs<uint16_t>(tensor.int32_data())
                                                    : packAs<uint8_t>(tensor.int32_data());
  }
}

/// Elements of a packed type, one for each byte, in two's complement (or zero
/// extended) to the byte as MLIR stores them.
std::string unpack(StringRef bytes, int64_t elements, unsigned bits) {
  std::string unpacked(elements, '\0');
  unsigned perByte = 8 / bits;
  for (int64_t index = 0; index < elements; ++index)
    unpacked[index] =
        (uint8_t(bytes[index / perByte]) >> (index % perByte * bits)) & ((1u << bits) - 1);
  return unpacked;
}

} // namespace

ElementsAttr dougong::importer::convertTensor(const pb::TensorProto &tensor, StringRef folder,
                                              MLIRContext *context) {
  if (!convertElementType(tensor.data_type(), context))
    throw ImportError("tensor '" + tensor.name() + "' has unknown element type " +
                      std::to_string(tensor.data_type()));
  RankedTensorType type = getTensorType(tensor, context);
  int64_t elements = type.getNumElements();
  auto refuseCount = [&](int64_t got, int64_t expected, const char *what) {
    throw ImportError("tensor '" + tensor.name() + "' has " + std::to_string(got) + " " + what +
                      ", expected " + std::to_string(expected) + " from its type and dims");
  };
  if (tensor.data_type() == pb::TensorProto::STRING) {
    if (tensor.string_data_size() != elements)
      refuseCount(tensor.string_data_size(), elements, "strings");
    SmallVector<StringRef> strings(tensor.string_data().begin(), tensor.string_data().end());
    return DenseStringElementsAttr::get(type, strings);
  }
  std::string bytes = getBytes(tensor, folder);
  int64_t expected = *getByteSize(tensor.data_type(), type.getShape());
  if (int64_t(bytes.size()) != expected)
    refuseCount(bytes.size(), expected, "bytes");
  if (elements == 0)
    return DenseElementsAttr::getFromRawBuffer(type, {});
  if (tensor.data_type() == pb::TensorProto::BOOL) {
    SmallVector<bool> bits(bytes.begin(), bytes.end());
    return DenseElementsAttr::get(type, bits);
  }
  unsigned bits = getElementBits(tensor.data_type());
  if (bits < 8)
    bytes = unpack(bytes, elements, bits);
  return DenseElementsAttr::getFromRawBuffer(type, ArrayRef(bytes.data(), bytes.size()));
}
