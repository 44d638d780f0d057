//===- TensorProto.cpp - ONNX tensors in Protobuf's wire format -----------===//
//
// A reader and writer of one message, so that the runner needs no ONNX library
// (whose descriptors may be in a process only once). Field numbers are those of
// onnx.proto3.
//
//===----------------------------------------------------------------------===//
#include "dougong/Runtime/TensorIO.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>

#include <cstring>
#include <limits>

using namespace dougong;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;
using google::protobuf::io::StringOutputStream;

namespace {
enum Field {
  fieldDims = 1,
  fieldDataType = 2,
  fieldSegment = 3,
  fieldFloatData = 4,
  fieldInt32Data = 5,
  fieldStringData = 6,
  fieldInt64Data = 7,
  fieldName = 8,
  fieldRawData = 9,
  fieldDoubleData = 10,
  fieldUint64Data = 11,
  fieldExternalData = 13,
  fieldDataLocation = 14,
};
constexpr auto varint = WireFormatLite::WIRETYPE_VARINT;
constexpr auto fixed32 = WireFormatLite::WIRETYPE_FIXED32;
constexpr auto fixed64 = WireFormatLite::WIRETYPE_FIXED64;
constexpr auto delimited = WireFormatLite::WIRETYPE_LENGTH_DELIMITED;

/// What was read; elements stay in the form in which the file has them.
struct Fields {
  std::vector<std::int64_t> dims;
  std::int32_t dataType = 0;
  std::string name;
  std::string raw;
  bool hasRaw = false;
  std::vector<std::uint64_t> numbers; // of the typed fields, as bits
  int typedField = 0;
  std::vector<std::string> strings;
  bool external = false, segment = false;
};
} // namespace

/// One element of a repeated number field.
static bool readNumber(CodedInputStream &stream, WireFormatLite::WireType wire,
                       std::uint64_t &number) {
  if (wire == varint)
    return stream.ReadVarint64(&number);
  if (wire == fixed64)
    return stream.ReadLittleEndian64(&number);
  std::uint32_t half = 0;
  bool good = stream.ReadLittleEndian32(&half);
  number = half;
  return good;
}

/// A field of numbers, packed or one by one; `element` is its numbers' own wire
/// type.
static bool readNumbers(CodedInputStream &stream, WireFormatLite::WireType wire,
                        WireFormatLite::WireType element, std::vector<std::uint64_t> &numbers) {
  std::uint64_t number = 0;
  if (wire == element) {
    if (!readNumber(stream, element, number))
      return false;
    numbers.push_back(number);
    return true;
  }
  int length = 0;
  if (wire != delimited || !stream.ReadVarintSizeAsInt(&length))
    return false;
  auto limit = stream.PushLimit(length);
  while (stream.BytesUntilLimit() > 0) {
    if (!readNumber(stream, element, number))
      return false;
    numbers.push_back(number);
  }
  stream.PopLimit(limit);
  return true;
}

static bool readText(CodedInputStream &stream, WireFormatLite::WireType wire, std::string &text) {
  int length = 0;
  return wire == delimited && stream.ReadVarintSizeAsInt(&length) &&
         stream.ReadString(&text, length);
}

static bool readFields(CodedInputStream &stream, Fields &fields) {
  while (std::uint32_t tag = stream.ReadTag()) {
    auto wire = WireFormatLite::GetTagWireType(tag);
    int field = WireFormatLite::GetTagFieldNumber(tag);
    std::vector<std::uint64_t> numbers;
    std::string text;
    bool good = true;
    switch (field) {
    case fieldDims:
      good = readNumbers(stream, wire, varint, numbers);
      for (std::uint64_t number : numbers)
        fields.dims.push_back(static_cast<std::int64_t>(number));
      break;
    case fieldDataType: {
      std::uint64_t number = 0;
      good = wire == varint && stream.ReadVarint64(&number);
      fields.dataType = static_cast<std::int32_t>(number);
      break;
    }
    case fieldFloatData:
    case fieldInt32Data:
    case fieldInt64Data:
    case fieldDoubleData:
    case fieldUint64Data:
      good = readNumbers(stream, wire,
                         field == fieldFloatData    ? fixed32
                         : field == fieldDoubleData ? fixed64
                                                    : varint,
                         fields.numbers);
      fields.typedField = field;
      break;
    case fieldStringData:
      good = readText(stream, wire, text);
      fields.strings.push_back(std::move(text));
      break;
    case fieldName:
      good = readText(stream, wire, fields.name);
      break;
    case fieldRawData:
      good = readText(stream, wire, fields.raw);
      fields.hasRaw = true;
      break;
    case fieldDataLocation: {
      std::uint64_t number = 0;
      good = wire == varint && stream.ReadVarint64(&number);
      fields.external = number != 0;
      break;
    }
    case fieldSegment:
      fields.segment = true;
      good = WireFormatLite::SkipField(&stream, tag);
      break;
    default:
      good = WireFormatLite::SkipField(&stream, tag);
    }
    if (!good)
      return false;
  }
  return stream.ConsumedEntireMessage();
}

/// The typed field that ONNX prescribes for a type.
static int typedFieldOf(std::int32_t dtype) {
  switch (dtype) {
  case DOUGONG_F32:
  case typeComplex64:
    return fieldFloatData;
  case DOUGONG_F64:
  case typeComplex128:
    return fieldDoubleData;
  case DOUGONG_I64:
    return fieldInt64Data;
  case DOUGONG_U32:
  case DOUGONG_U64:
    return fieldUint64Data;
  case DOUGONG_STRING:
    return fieldStringData;
  default:
    return fieldInt32Data; // sub-byte types: a packed byte in a number
  }
}

Result<Tensor> dougong::parseTensorProto(std::string_view bytes, const std::string &source) {
  auto refuse = [&](const std::string &why) {
    return Error{"'" + source + "' is no tensor that can be read: " + why};
  };
  if (bytes.size() > std::numeric_limits<int>::max())
    return refuse("it is larger than 2 GiB; use .npy");
  CodedInputStream stream(reinterpret_cast<const std::uint8_t *>(bytes.data()),
                          static_cast<int>(bytes.size()));
  stream.SetTotalBytesLimit(std::numeric_limits<int>::max());
  Fields fields;
  if (!readFields(stream, fields))
    return refuse("it is no TensorProto message");
  if (fields.external)
    return refuse("its elements are in another file (external data)");
  if (fields.segment)
    return refuse("it is a segment of a tensor");
  // The numbers of sequences are our own: no TensorProto has them.
  if (elementBits(fields.dataType) == 0 || isSequenceType(fields.dataType))
    return refuse("element type " + std::to_string(fields.dataType) + " is unknown");

  // Sizes are compared before memory is taken: the dims may be anything.
  std::string what = elementTypeName(fields.dataType) + " " + printDims(fields.dims);
  auto wrongCount = [&](std::size_t expected, std::size_t got, const char *unit) {
    return refuse(what + " has " + std::to_string(expected) + " " + unit + ", the file has " +
                  std::to_string(got));
  };
  Result<std::int64_t> count = elementCount(fields.dims);
  if (!count)
    return refuse(count.message());
  bool isString = fields.dataType == DOUGONG_STRING;
  if (isString && fields.strings.size() != static_cast<std::size_t>(*count))
    return wrongCount(*count, fields.strings.size(), "elements");
  Result<std::size_t> size = tensorBytes(fields.dataType, fields.dims);
  if (!size)
    return refuse(size.message());
  if (!isString && fields.hasRaw && fields.raw.size() != *size)
    return wrongCount(*size, fields.raw.size(), "bytes");
  // A number holds one element, a byte of packed ones, or a part of a complex one.
  bool complex = fields.dataType == typeComplex64 || fields.dataType == typeComplex128;
  std::size_t width = std::max<std::size_t>(1, elementBytes(fields.dataType)) / (complex ? 2 : 1);
  if (!isString && !fields.hasRaw) {
    if (!fields.numbers.empty() && fields.typedField != typedFieldOf(fields.dataType))
      return refuse("the elements of " + what + " are in field " +
                    std::to_string(fields.typedField) + ", expected " +
                    std::to_string(typedFieldOf(fields.dataType)));
    if (fields.numbers.size() != *size / width)
      return wrongCount(*size / width, fields.numbers.size(), "numbers");
  }

  Result<Tensor> tensor = Tensor::create(fields.dataType, std::move(fields.dims));
  if (!tensor)
    return refuse(tensor.message());
  tensor->name = std::move(fields.name);
  if (isString) {
    tensor->strings = std::move(fields.strings);
  } else if (fields.hasRaw) {
    if (*size)
      std::memcpy(tensor->data.data(), fields.raw.data(), *size);
  } else {
    // Little-endian: the low bytes of the number are the element.
    for (std::size_t i = 0; i < fields.numbers.size(); ++i)
      std::memcpy(tensor->data.data() + i * width, &fields.numbers[i], width);
  }
  return tensor;
}

static std::uint32_t tagOf(int field, WireFormatLite::WireType wire) {
  return WireFormatLite::MakeTag(field, wire);
}

std::string dougong::printTensorProto(const Tensor &tensor) {
  std::string bytes;
  {
    StringOutputStream target(&bytes);
    CodedOutputStream stream(&target);
    auto writeText = [&](int field, const void *data, std::size_t size) {
      stream.WriteTag(tagOf(field, delimited));
      stream.WriteVarint64(size);
      for (std::size_t done = 0; done < size;) {
        std::size_t part = std::min<std::size_t>(size - done, 1 << 30);
        stream.WriteRaw(static_cast<const char *>(data) + done, static_cast<int>(part));
        done += part;
      }
    };
    for (std::int64_t dim : tensor.dims) {
      stream.WriteTag(tagOf(fieldDims, varint));
      stream.WriteVarint64(static_cast<std::uint64_t>(dim));
    }
    stream.WriteTag(tagOf(fieldDataType, varint));
    stream.WriteVarint32(static_cast<std::uint32_t>(tensor.dtype));
    for (const std::string &text : tensor.strings)
      writeText(fieldStringData, text.data(), text.size());
    if (!tensor.name.empty())
      writeText(fieldName, tensor.name.data(), tensor.name.size());
    if (tensor.dtype != DOUGONG_STRING)
      writeText(fieldRawData, tensor.data.data(), tensor.bytes());
  }
  return bytes;
}
