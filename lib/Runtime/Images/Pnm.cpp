//===- Pnm.cpp - portable bitmaps, graymaps, pixmaps and arbitrary maps ---===//
//
// P1 to P3 are texts, P4 to P6 bytes (1 bit for bitmaps, where 1 is black; 2 bytes from a
// maximum of 256 on), P7 has its header in lines of words.
//
//===----------------------------------------------------------------------===//
#include "Image.h"

#include <string>

using namespace dougong;

namespace {

class Reader {
public:
  explicit Reader(Bytes file) : file(file) {}

  /// The next word of the header; a comment goes to the end of its line.
  std::string word() {
    while (at < file.size() && (isSpace(file[at]) || file[at] == '#'))
      if (file[at++] == '#')
        while (at < file.size() && file[at] != '\n')
          ++at;
    std::string text;
    while (at < file.size() && !isSpace(file[at]) && file[at] != '#' && text.size() < 64)
      text.push_back(static_cast<char>(file[at++]));
    return text;
  }

  /// The next word as a number from 0 to 2^30; -1 if it is none.
  std::int64_t number() { return toNumber(word()); }

  /// A digit of a P1 file, which may stand without a space before it.
  std::int64_t digit() {
    while (at < file.size() && isSpace(file[at]))
      ++at;
    return at < file.size() && (file[at] == '0' || file[at] == '1') ? file[at++] - '0' : -1;
  }

  /// The one space between header and bytes.
  void skipSpace() { ++at; }

  std::int64_t bytes(int count) {
    if (at > file.size() || static_cast<std::size_t>(count) > file.size() - at)
      return -1;
    std::int64_t value = 0;
    for (int i = 0; i < count; ++i)
      value = value << 8 | file[at++];
    return value;
  }

  static std::int64_t toNumber(const std::string &text) {
    std::int64_t value = text.empty() ? -1 : 0;
    for (char c : text) {
      if (c < '0' || c > '9' || value > (1 << 26))
        return -1;
      value = value * 10 + (c - '0');
    }
    return value;
  }

private:
  static bool isSpace(std::uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

  Bytes file;
  std::size_t at = 0;
};

struct Header {
  std::int64_t width = -1, height = -1, maximum = 1;
  std::int64_t depth = 1; ///< numbers of a pixel
  bool isText = false, isBitmap = false;
};

bool readWords(Reader &reader, Header &header) {
  for (std::string key = reader.word(); key != "ENDHDR"; key = reader.word()) {
    if (key.empty())
      return false;
    std::string value = reader.word();
    std::int64_t number = Reader::toNumber(value);
    if (key == "WIDTH")
      header.width = number;
    else if (key == "HEIGHT")
      header.height = number;
    else if (key == "DEPTH")
      header.depth = number;
    else if (key == "MAXVAL")
      header.maximum = number;
  }
  return header.depth >= 1 && header.depth <= 4;
}

bool readHeader(Reader &reader, Header &header) {
  std::string kind = reader.word();
  if (kind.size() != 2 || kind[0] != 'P' || kind[1] < '1' || kind[1] > '7')
    return false;
  if (kind == "P7")
    return readWords(reader, header);
  header.isText = kind[1] <= '3';
  header.isBitmap = kind == "P1" || kind == "P4";
  header.depth = kind == "P3" || kind == "P6" ? 3 : 1;
  header.width = reader.number();
  header.height = reader.number();
  if (!header.isBitmap)
    header.maximum = reader.number();
  return true;
}

} // namespace

bool dougong::decodePnm(Bytes file, Image &image) {
  Reader reader(file);
  Header header;
  if (!readHeader(reader, header) || header.maximum < 1 || header.maximum > 65535 ||
      !image.resize(header.height, header.width))
    return false;
  if (!header.isText)
    reader.skipSpace();
  int size = header.maximum > 255 ? 2 : 1;
  for (std::int64_t row = 0; row < image.height; ++row) {
    std::int64_t packed = 0;
    for (std::int64_t column = 0; column < image.width; ++column) {
      std::int64_t values[4] = {};
      for (int i = 0; i < header.depth; ++i) {
        if (header.isBitmap && !header.isText && column % 8 == 0)
          packed = reader.bytes(1);
        values[i] = !header.isBitmap ? header.isText ? reader.number() : reader.bytes(size)
                    : header.isText  ? reader.digit()
                    : packed < 0     ? -1
                                     : packed >> (7 - column % 8) & 1;
        if (values[i] < 0 || values[i] > header.maximum)
          return false;
        values[i] = (values[i] * 255 + header.maximum / 2) / header.maximum;
        if (header.isBitmap)
          values[i] = 255 - values[i];
      }
      for (int i = 0; i < 3; ++i)
        image.pixel(row, column)[i] = static_cast<std::uint8_t>(values[header.depth < 3 ? 0 : i]);
    }
  }
  return true;
}
