//===- Npy.cpp - NumPy's .npy files ---------------------------------------===//
//
// Format: numpy.lib.format. Magic, version, header length, a Python literal
// {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }, the elements.
//
//===----------------------------------------------------------------------===//
#include "dougong/Runtime/TensorIO.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstring>

using namespace dougong;

namespace {
struct Descr {
  std::int32_t dtype;
  const char *text; // without the byte order
};
constexpr Descr descrs[] = {
    {DOUGONG_F32, "f4"},   {DOUGONG_F64, "f8"},     {DOUGONG_F16, "f2"}, {DOUGONG_I8, "i1"},
    {DOUGONG_I16, "i2"},   {DOUGONG_I32, "i4"},     {DOUGONG_I64, "i8"}, {DOUGONG_U8, "u1"},
    {DOUGONG_U16, "u2"},   {DOUGONG_U32, "u4"},     {DOUGONG_U64, "u8"}, {DOUGONG_BOOL, "b1"},
    {typeComplex64, "c8"}, {typeComplex128, "c16"},
};

/// The header's dictionary.
struct Header {
  std::string descr;
  bool fortran = false;
  std::vector<std::int64_t> shape;
};

/// Reads the header's Python literal, keys in any order.
class HeaderReader {
public:
  explicit HeaderReader(std::string_view text) : text(text) {}

  bool read(Header &header) {
    bool haveDescr = false, haveOrder = false, haveShape = false;
    if (!take('{'))
      return false;
    while (!take('}')) {
      std::string key;
      if (!readString(key) || !take(':'))
        return false;
      if (key == "descr")
        haveDescr = readString(header.descr);
      else if (key == "fortran_order")
        haveOrder = readBool(header.fortran);
      else if (key == "shape")
        haveShape = readShape(header.shape);
      else
        return false;
      take(',');
      if (text.empty())
        return false;
    }
    return haveDescr && haveOrder && haveShape;
  }

private:
  void skipSpace() {
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())))
      text.remove_prefix(1);
  }
  bool take(char wanted) {
    skipSpace();
    if (text.empty() || text.front() != wanted)
      return false;
    text.remove_prefix(1);
    return true;
  }
  bool readString(std::string &value) {
    skipSpace();
    if (text.empty() || (text.front() != '\'' && text.front() != '"'))
      return false;
    std::size_t end = text.find(text.front(), 1);
    if (end == std::string_view::npos)
      return false;
    value = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    return true;
  }
  bool readBool(bool &value) {
    skipSpace();
    value = text.starts_with("True");
    if (!value && !text.starts_with("False"))
      return false;
    text.remove_prefix(value ? 4 : 5);
    return true;
  }
  bool readShape(std::vector<std::int64_t> &shape) {
    if (!take('('))
      return false;
    while (!take(')')) {
      skipSpace();
      std::int64_t dim = 0;
      auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), dim);
      if (error != std::errc() || dim < 0)
        return false;
      text.remove_prefix(end - text.data());
      shape.push_back(dim);
      take('L'); // Python 2
      take(',');
    }
    return true;
  }

  std::string_view text;
};
} // namespace

/// Rearranges column-major elements to row-major.
static void transposeToRowMajor(const std::byte *from, std::byte *to,
                                const std::vector<std::int64_t> &dims, std::size_t size,
                                std::int64_t count) {
  std::vector<std::int64_t> index(dims.size(), 0), stride(dims.size(), 1);
  for (std::size_t d = 1; d < dims.size(); ++d)
    stride[d] = stride[d - 1] * dims[d - 1];
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t offset = 0;
    for (std::size_t d = 0; d < dims.size(); ++d)
      offset += index[d] * stride[d];
    std::memcpy(to + i * size, from + offset * size, size);
    for (std::size_t d = dims.size(); d-- > 0;) {
      if (++index[d] < dims[d])
        break;
      index[d] = 0;
    }
  }
}

Result<Tensor> dougong::parseNpy(std::string_view bytes, const std::string &source) {
  auto refuse = [&](const std::string &why) {
    return Error{"'" + source + "' is no .npy file that can be read: " + why};
  };
  if (bytes.size() < 12 || !bytes.starts_with("\x93NUMPY"))
    return refuse("it does not begin with NumPy's magic bytes");
  int version = bytes[6];
  auto byteAt = [&](std::size_t i) { return std::size_t{static_cast<unsigned char>(bytes[i])}; };
  std::size_t begin = version == 1 ? 10 : 12;
  std::size_t length = byteAt(8) | byteAt(9) << 8;
  if (version != 1)
    length |= byteAt(10) << 16 | byteAt(11) << 24;
  if (version < 1 || version > 3)
    return refuse("format version " + std::to_string(version) + ", expected 1 to 3");
  Header header;
  if (bytes.size() - begin < length || !HeaderReader(bytes.substr(begin, length)).read(header))
    return refuse("its header is damaged or describes records");

  std::string_view descr = header.descr;
  char order = '=';
  if (!descr.empty() && std::strchr("<>|=", descr.front())) {
    order = descr.front();
    descr.remove_prefix(1);
  }
  auto known = std::find_if(std::begin(descrs), std::end(descrs),
                            [&](const Descr &entry) { return descr == entry.text; });
  if (known == std::end(descrs))
    return refuse("element type '" + header.descr +
                  "' is not supported; for bfloat16 and 8-bit floats use .pb");
  Result<std::size_t> size = tensorBytes(known->dtype, header.shape);
  if (!size)
    return refuse(size.message());
  std::string_view elements = bytes.substr(begin + length);
  if (elements.size() != *size)
    return refuse(elementTypeName(known->dtype) + " " + printDims(header.shape) + " has " +
                  std::to_string(*size) + " bytes, the file has " +
                  std::to_string(elements.size()));

  Result<Tensor> tensor = Tensor::create(known->dtype, header.shape);
  if (!tensor)
    return refuse(tensor.message());
  std::byte *data = tensor->data.data();
  std::size_t width = elementBytes(known->dtype);
  if (header.fortran && header.shape.size() > 1)
    transposeToRowMajor(reinterpret_cast<const std::byte *>(elements.data()), data, header.shape,
                        width, static_cast<std::int64_t>(*size / width));
  else if (*size)
    std::memcpy(data, elements.data(), *size);
  if (order == '>') {
    std::size_t number = descr.front() == 'c' ? width / 2 : width;
    for (std::size_t i = 0; i < *size; i += number)
      std::reverse(data + i, data + i + number);
  }
  return tensor;
}

Result<std::string> dougong::printNpy(const Tensor &tensor) {
  auto known = std::find_if(std::begin(descrs), std::end(descrs),
                            [&](const Descr &entry) { return entry.dtype == tensor.dtype; });
  if (known == std::end(descrs))
    return Error{".npy files cannot hold " + elementTypeName(tensor.dtype) + "; use .pb"};
  std::string shape;
  for (std::int64_t dim : tensor.dims)
    shape += std::to_string(dim) + ", ";
  if (tensor.dims.size() > 1)
    shape.resize(shape.size() - 2);
  else if (!shape.empty())
    shape.pop_back(); // "3,": a tuple of one
  const char *order = elementBytes(tensor.dtype) == 1 ? "|" : "<";
  std::string header = std::string("{'descr': '") + order + known->text +
                       "', 'fortran_order': False, 'shape': (" + shape + "), }";
  // Padded with blanks and a newline so that the elements are 64-byte aligned.
  std::size_t total = (10 + header.size() + 1 + 63) / 64 * 64;
  header.resize(total - 10 - 1, ' ');
  header += '\n';
  std::string bytes = std::string("\x93NUMPY\x01", 7) + '\0';
  bytes += static_cast<char>(header.size() & 0xff);
  bytes += static_cast<char>(header.size() >> 8);
  bytes += header;
  bytes.append(reinterpret_cast<const char *>(tensor.data.data()), tensor.bytes());
  return bytes;
}
