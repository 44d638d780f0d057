//===- Bmp.cpp - Windows bitmaps ------------------------------------------===//
//
// The file header of 14 bytes, a header of 12 (OS/2) or at least 40 bytes, colours, pixels.
// Rows go from the bottom up, unless the height is negative, and are filled up to 4 bytes.
//
//===----------------------------------------------------------------------===//
#include "Image.h"

#include <bit>

using namespace dougong;

namespace {

enum Compression : std::uint32_t { none = 0, runs8 = 1, runs4 = 2, bitFields = 3, alphaFields = 6 };

/// Little-endian numbers; 0 past the end.
std::uint32_t readNumber(Bytes file, std::size_t offset, int bytes) {
  std::uint32_t value = 0;
  for (int i = 0; i < bytes; ++i)
    if (offset + i < file.size())
      value |= std::uint32_t{file[offset + i]} << 8 * i;
  return value;
}

/// The bits of a pixel that are one of its colours.
struct Field {
  std::uint32_t mask = 0;
  std::uint8_t of(std::uint32_t pixel) const {
    if (!mask)
      return 0;
    std::uint64_t value = (pixel & mask) >> std::countr_zero(mask);
    std::uint64_t most = mask >> std::countr_zero(mask);
    return static_cast<std::uint8_t>(value * 255 / most);
  }
};

class Bitmap {
public:
  Bitmap(Bytes file, Image &image) : file(file), image(image) {}

  bool decode() {
    if (!readHeader())
      return false;
    if (compression == runs8 || compression == runs4)
      return decodeRuns();
    std::size_t stride = (static_cast<std::size_t>(image.width) * bits + 31) / 32 * 4;
    if (pixels > file.size() || stride > (file.size() - pixels) / image.height)
      return false;
    for (std::int64_t row = 0; row < image.height; ++row)
      decodeRow(row, pixels + static_cast<std::size_t>(row) * stride);
    return true;
  }

private:
  bool readHeader() {
    std::size_t size = readNumber(file, 14, 4);
    bool isOld = size == 12;
    if ((!isOld && size < 40) || size > file.size())
      return false;
    pixels = readNumber(file, 10, 4);
    std::int64_t width = readNumber(file, 18, isOld ? 2 : 4);
    std::int64_t height = readNumber(file, isOld ? 20 : 22, isOld ? 2 : 4);
    if (!isOld) { // they are signed
      width = static_cast<std::int32_t>(width);
      height = static_cast<std::int32_t>(height);
    }
    isTopDown = height < 0;
    if (!image.resize(isTopDown ? -height : height, width))
      return false;
    bits = static_cast<int>(readNumber(file, isOld ? 24 : 28, 2));
    compression = isOld ? none : readNumber(file, 30, 4);
    colours = 14 + size;
    colourBytes = isOld ? 3 : 4;
    return readFields();
  }

  /// Which bits are red, green and blue; false for a combination that there is not.
  bool readFields() {
    bool isIndexed = bits == 1 || bits == 4 || bits == 8;
    if (compression == runs8 || compression == runs4)
      return bits == (compression == runs8 ? 8 : 4) && !isTopDown;
    if (compression == bitFields || compression == alphaFields) {
      // Behind a header of 40 bytes, or its bytes from 40 on: the same place.
      for (int i = 0; i < 3; ++i)
        fields[i].mask = readNumber(file, 54 + 4 * i, 4);
      return bits == 16 || bits == 32;
    }
    for (int i = 0; i < 3; ++i)
      fields[i].mask = bits == 16 ? 0x1fu << (10 - 5 * i) : 0xffu << (16 - 8 * i);
    return compression == none && (isIndexed || bits == 16 || bits == 24 || bits == 32);
  }

  void setIndexed(std::uint8_t *to, std::uint32_t index) const {
    std::size_t entry = colours + std::size_t{index} * colourBytes;
    for (int i = 0; i < 3; ++i)
      to[i] = static_cast<std::uint8_t>(readNumber(file, entry + 2 - i, 1));
  }

  std::uint8_t *at(std::int64_t row, std::int64_t column) {
    return image.pixel(isTopDown ? row : image.height - 1 - row, column);
  }

  void decodeRow(std::int64_t row, std::size_t offset) {
    for (std::int64_t column = 0; column < image.width; ++column) {
      std::uint8_t *to = at(row, column);
      if (bits <= 8) {
        std::size_t bit = static_cast<std::size_t>(column) * bits;
        setIndexed(to, file[offset + bit / 8] >> (8 - bits - bit % 8) & ((1 << bits) - 1));
        continue;
      }
      std::size_t place = offset + static_cast<std::size_t>(column) * bits / 8;
      std::uint32_t pixel = readNumber(file, place, bits / 8);
      for (int i = 0; i < 3; ++i)
        to[i] = fields[i].of(pixel);
    }
  }

  /// Runs of pixels: pairs (count, index), or 0 and an escape: the end of the row, of the
  /// image, a step, or the number of indices that follow as they are.
  bool decodeRuns() {
    std::int64_t row = 0, column = 0;
    auto put = [&](std::uint32_t index) {
      if (row < image.height && column < image.width)
        setIndexed(at(row, column), index);
      ++column;
    };
    // Skipped pixels are of colour 0.
    for (std::int64_t r = 0; r < image.height; ++r)
      for (std::int64_t c = 0; c < image.width; ++c)
        setIndexed(at(r, c), 0);
    bool isNarrow = compression == runs4;
    auto pick = [&](std::uint8_t byte, int i) -> std::uint32_t {
      return !isNarrow ? byte : i % 2 ? byte & 15 : byte >> 4;
    };
    for (std::size_t i = pixels; i + 1 < file.size();) {
      int count = file[i], value = file[i + 1];
      i += 2;
      if (count) {
        for (int k = 0; k < count; ++k)
          put(pick(static_cast<std::uint8_t>(value), k));
      } else if (value == 0) {
        ++row;
        column = 0;
      } else if (value == 1) {
        return true;
      } else if (value == 2) {
        column += readNumber(file, i, 1);
        row += readNumber(file, i + 1, 1);
        i += 2;
      } else {
        std::size_t bytes = isNarrow ? (value + 1) / 2 : value;
        if (bytes > file.size() - i)
          return false;
        for (int k = 0; k < value; ++k)
          put(pick(file[i + (isNarrow ? k / 2 : k)], k));
        i += (bytes + 1) / 2 * 2;
      }
    }
    return false;
  }

  Bytes file;
  Image &image;
  std::size_t pixels = 0, colours = 0;
  int bits = 0, colourBytes = 4;
  std::uint32_t compression = none;
  bool isTopDown = false;
  Field fields[3];
};

} // namespace

bool dougong::decodeBmp(Bytes file, Image &image) { return Bitmap(file, image).decode(); }
