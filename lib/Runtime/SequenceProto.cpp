//===- SequenceProto.cpp - ONNX sequences and optional values in files ----===//
//
// SequenceProto and OptionalProto have one layout: a name, the kind of what they
// hold, and a field of messages for each kind.
//
//===----------------------------------------------------------------------===//
#include "dougong/Runtime/TensorIO.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>

#include <limits>

using namespace dougong;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;
using google::protobuf::io::StringOutputStream;

namespace {
enum Field {
  fieldName = 1,
  fieldKind = 2,
  fieldTensor = 3,
  fieldSequence = 5,
  fieldOptional = 7,
};
/// SequenceProto.DataType and OptionalProto.DataType.
enum Kind { kindTensor = 1, kindSequence = 3, kindOptional = 5 };
constexpr auto varint = WireFormatLite::WIRETYPE_VARINT;
constexpr auto delimited = WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
/// Messages inside messages that are read; types nest two or three deep.
constexpr int maxDepth = 16;
} // namespace

static Result<Tensor> parse(std::string_view bytes, const std::string &source, std::int32_t dtype,
                            int depth) {
  auto refuse = [&](const std::string &why) {
    return Error{"'" + source + "' is no " + elementTypeName(dtype) + " that can be read: " + why};
  };
  if (bytes.size() > std::numeric_limits<int>::max())
    return refuse("it is larger than 2 GiB");
  if (depth > maxDepth)
    return refuse("it is nested more than " + std::to_string(maxDepth) + " deep");
  CodedInputStream stream(reinterpret_cast<const std::uint8_t *>(bytes.data()),
                          static_cast<int>(bytes.size()));
  stream.SetTotalBytesLimit(std::numeric_limits<int>::max());
  Result<Tensor> result = Tensor::create(dtype, {});
  if (!result)
    return result;
  while (std::uint32_t tag = stream.ReadTag()) {
    int field = WireFormatLite::GetTagFieldNumber(tag);
    bool isText = WireFormatLite::GetTagWireType(tag) == delimited;
    if (field == fieldKind || !isText) {
      if (!WireFormatLite::SkipField(&stream, tag))
        return refuse("it is cut off");
      continue;
    }
    std::string text;
    int length = 0;
    if (!stream.ReadVarintSizeAsInt(&length) || !stream.ReadString(&text, length))
      return refuse("it is cut off");
    if (field == fieldName) {
      result->name = std::move(text);
      continue;
    }
    if (field != fieldTensor && field != fieldSequence && field != fieldOptional)
      return refuse("it holds values that are no tensors, sequences or optional values");
    Result<Tensor> value =
        field == fieldTensor
            ? parseTensorProto(text, source)
            : parse(text, source, field == fieldSequence ? DOUGONG_SEQUENCE : DOUGONG_OPTIONAL,
                    depth + 1);
    if (!value)
      return value;
    result->values.push_back(std::move(*value));
  }
  if (!stream.ConsumedEntireMessage())
    return refuse("it is no message of Protobuf");
  if (dtype == DOUGONG_OPTIONAL && result->values.size() > 1)
    return refuse("it holds " + std::to_string(result->values.size()) + " values, expected 0 or 1");
  return result;
}

Result<Tensor> dougong::parseSequenceProto(std::string_view bytes, const std::string &source,
                                           std::int32_t dtype) {
  return parse(bytes, source, dtype, 0);
}

std::string dougong::printSequenceProto(const Tensor &sequence) {
  std::string bytes;
  StringOutputStream target(&bytes);
  CodedOutputStream stream(&target);
  auto writeText = [&](int field, const std::string &text) {
    stream.WriteTag(WireFormatLite::MakeTag(field, delimited));
    stream.WriteVarint64(text.size());
    stream.WriteString(text);
  };
  if (!sequence.name.empty())
    writeText(fieldName, sequence.name);
  std::int32_t inner = sequence.values.empty() ? 0 : sequence.values.front().dtype;
  // An optional that holds nothing says so by its kind.
  bool isNothing = sequence.dtype == DOUGONG_OPTIONAL && sequence.values.empty();
  if (!isNothing) {
    stream.WriteTag(WireFormatLite::MakeTag(fieldKind, varint));
    stream.WriteVarint32(inner == DOUGONG_SEQUENCE   ? kindSequence
                         : inner == DOUGONG_OPTIONAL ? kindOptional
                                                     : kindTensor);
  }
  for (const Tensor &value : sequence.values)
    writeText(value.dtype == DOUGONG_SEQUENCE   ? fieldSequence
              : value.dtype == DOUGONG_OPTIONAL ? fieldOptional
                                                : fieldTensor,
              isSequenceType(value.dtype) ? printSequenceProto(value) : printTensorProto(value));
  stream.Trim();
  return bytes;
}
