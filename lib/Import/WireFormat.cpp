//===- WireFormat.cpp - a model's bytes without its weights ---------------===//
//
// Walks the Protobuf wire format of a ModelProto down to its TensorProtos, and
// copies everything but the weights. Field numbers are those of onnx.proto.
//
//===----------------------------------------------------------------------===//
#include "WireFormat.h"
#include "Error.h"

#include <optional>

using namespace dougong::importer;
using llvm::StringRef;

namespace {

enum class Message { Model, Training, Graph, Node, Attribute, Function, Tensor };

/// The message type of field `field` of `message`, if tensors may be inside.
/// Sparse tensors are left alone: the checker reads their values.
std::optional<Message> getChild(Message message, uint64_t field) {
  switch (message) {
  case Message::Model:
    return field == 7    ? std::optional(Message::Graph)
           : field == 20 ? std::optional(Message::Training)
           : field == 25 ? std::optional(Message::Function)
                         : std::nullopt;
  case Message::Training:
    return field == 1 || field == 2 ? std::optional(Message::Graph) : std::nullopt;
  case Message::Graph:
    return field == 1   ? std::optional(Message::Node)
           : field == 5 ? std::optional(Message::Tensor)
                        : std::nullopt;
  case Message::Node:
    return field == 5 ? std::optional(Message::Attribute) : std::nullopt;
  case Message::Attribute:
    return field == 5 || field == 10   ? std::optional(Message::Tensor)
           : field == 6 || field == 11 ? std::optional(Message::Graph)
                                       : std::nullopt;
  case Message::Function:
    return field == 7    ? std::optional(Message::Node)
           : field == 11 ? std::optional(Message::Attribute)
                         : std::nullopt;
  case Message::Tensor:
    return std::nullopt;
  }
  return std::nullopt;
}

enum WireType : unsigned { Varint = 0, Fixed64 = 1, Bytes = 2, Fixed32 = 5 };

/// One field of a message.
struct Field {
  uint64_t number;
  unsigned wireType;
  uint64_t value = 0; ///< of a varint
  StringRef payload;  ///< of a length-delimited field
  StringRef whole;    ///< the field with its tag
};

/// Reads the fields of a message one after the other.
class FieldReader {
public:
  FieldReader(StringRef message, StringRef file) : rest(message), file(file) {}

  bool atEnd() const { return rest.empty(); }

  Field next() {
    const char *begin = rest.data();
    Field field;
    uint64_t tag = readVarint();
    field.number = tag >> 3;
    field.wireType = tag & 7;
    if (field.number == 0)
      fail("field number 0");
    switch (field.wireType) {
    case Varint:
      field.value = readVarint();
      break;
    case Fixed64:
      take(8);
      break;
    case Fixed32:
      take(4);
      break;
    case Bytes:
      field.payload = take(readVarint());
      break;
    default: // groups are not in proto3, and not in ONNX
      fail("wire type " + std::to_string(field.wireType));
    }
    field.whole = StringRef(begin, rest.data() - begin);
    return field;
  }

private:
  [[noreturn]] void fail(const std::string &what) {
    throw ImportError("the file is no ONNX model or is damaged: " + what + " at byte " +
                      std::to_string(rest.data() - file.data()));
  }

  StringRef take(uint64_t size) {
    if (size > rest.size())
      throw ImportError("the file is no ONNX model or is cut off: a field of " +
                        std::to_string(size) + " bytes starts " + std::to_string(rest.size()) +
                        " bytes before the end of its message, at byte " +
                        std::to_string(rest.data() - file.data()));
    StringRef taken = rest.take_front(size);
    rest = rest.drop_front(size);
    return taken;
  }

  uint64_t readVarint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
      uint8_t byte = take(1)[0];
      value |= shift < 64 ? uint64_t(byte & 0x7f) << shift : 0;
      if (!(byte & 0x80))
        return value;
    }
    fail("an integer of more than 10 bytes");
  }

  StringRef rest, file;
};

class Rewriter {
public:
  Rewriter(StringRef file, StringRef location) : file(file), location(location) {}

  void rewrite(Message message, StringRef bytes, std::string &out, unsigned depth) {
    // Protobuf itself refuses messages nested deeper than 100.
    if (depth > 100)
      throw ImportError("graphs are nested more than 100 messages deep");
    if (message == Message::Tensor)
      return rewriteTensor(bytes, out);
    FieldReader reader(bytes, file);
    while (!reader.atEnd()) {
      Field field = reader.next();
      std::optional<Message> child = getChild(message, field.number);
      // A small message holds no payload over the limit.
      if (!child || field.wireType != Bytes || field.payload.size() <= inlineLimit) {
        append(out, field.whole);
        continue;
      }
      std::string inner;
      rewrite(*child, field.payload, inner, depth + 1);
      appendBytes(out, field.number, inner);
    }
  }

private:
  void rewriteTensor(StringRef bytes, std::string &out) {
    // The numbers of the data fields of a TensorProto.
    auto isData = [](uint64_t number) {
      return (number >= 4 && number <= 7) || (number >= 9 && number <= 11);
    };
    std::optional<Field> data;
    unsigned dataFields = 0;
    uint64_t elementType = 0;
    bool external = false;
    for (FieldReader reader(bytes, file); !reader.atEnd();) {
      Field field = reader.next();
      if (isData(field.number)) {
        ++dataFields;
        data = field;
      }
      if (field.number == 2)
        elementType = field.value;
      external |= field.number == 13 || (field.number == 14 && field.value == 1);
    }
    // Little-endian as it stands: raw_data, but no strings (8); packed
    // float_data of float (1) and complex64 (14); packed double_data of double
    // (11) and complex128 (15). Anything else is as the checker finds it.
    bool asRaw = data && data->wireType == Bytes &&
                 ((data->number == 9 && elementType != 8) ||
                  (data->number == 4 && (elementType == 1 || elementType == 14)) ||
                  (data->number == 10 && (elementType == 11 || elementType == 15)));
    if (!asRaw || dataFields != 1 || external || data->payload.size() <= inlineLimit)
      return append(out, bytes);

    for (FieldReader reader(bytes, file); !reader.atEnd();) {
      Field field = reader.next();
      if (!isData(field.number))
        append(out, field.whole);
    }
    appendEntry(out, "location", location);
    appendEntry(out, "offset", std::to_string(data->payload.data() - file.data()));
    appendEntry(out, "length", std::to_string(data->payload.size()));
    appendVarint(out, 14 << 3 | Varint);
    appendVarint(out, 1); // data_location = EXTERNAL
  }

  /// external_data (13) is a list of messages {key = 1, value = 2}.
  static void appendEntry(std::string &out, StringRef key, StringRef value) {
    std::string entry;
    appendBytes(entry, 1, key);
    appendBytes(entry, 2, value);
    appendBytes(out, 13, entry);
  }

  static void append(std::string &out, StringRef bytes) { out.append(bytes.data(), bytes.size()); }

  static void appendVarint(std::string &out, uint64_t value) {
    for (; value >= 0x80; value >>= 7)
      out.push_back(char(value | 0x80));
    out.push_back(char(value));
  }

  static void appendBytes(std::string &out, uint64_t number, StringRef bytes) {
    appendVarint(out, number << 3 | Bytes);
    appendVarint(out, bytes.size());
    append(out, bytes);
  }

  StringRef file, location;
};

} // namespace

std::string dougong::importer::replacePayloads(StringRef file, StringRef location) {
  std::string out;
  Rewriter(file, location).rewrite(Message::Model, file, out, 0);
  return out;
}
