//===- Image.h - images of seven formats ------------------------*- C++ -*-===//
#ifndef DOUGONG_LIB_RUNTIME_IMAGES_IMAGE_H
#define DOUGONG_LIB_RUNTIME_IMAGES_IMAGE_H

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace dougong {

/// Pixels from the top left, by rows, 3 bytes each. What a file says of transparency,
/// orientation and colour profile is left out.
struct Image {
  std::int64_t height = 0, width = 0;
  std::vector<std::uint8_t> rgb;
  /// Makes room; false if an extent is not positive or there are too many pixels.
  bool resize(std::int64_t newHeight, std::int64_t newWidth);
  std::uint8_t *pixel(std::int64_t row, std::int64_t column) {
    return rgb.data() + 3 * (row * width + column);
  }
};

/// More pixels are refused: a file of some bytes can claim 2^62.
constexpr std::int64_t mostPixels = std::int64_t{1} << 28;

using Bytes = std::span<const std::uint8_t>;

/// Whether the file begins with these bytes, from `offset` on.
inline bool beginsWith(Bytes file, std::string_view magic, std::size_t offset = 0) {
  return file.size() >= offset + magic.size() &&
         std::string_view(reinterpret_cast<const char *>(file.data()) + offset, magic.size()) ==
             magic;
}

// Each decodes a file whose first bytes are of its format; false if it is damaged or of a
// form that is not known. The image is then of no use.
bool decodeBmp(Bytes file, Image &image);
bool decodeJpeg(Bytes file, Image &image);
bool decodeJpeg2000(Bytes file, Image &image);
bool decodePng(Bytes file, Image &image);
bool decodePnm(Bytes file, Image &image);
bool decodeTiff(Bytes file, Image &image);
bool decodeWebP(Bytes file, Image &image);

/// The plug-in's function: decodes a file of `size` bytes; false if it cannot.
using ImageDecoder = bool (*)(const std::uint8_t *data, std::size_t size, Image *image);
inline constexpr const char *imageDecoderName = "dougong_decode_image";

} // namespace dougong

#endif // DOUGONG_LIB_RUNTIME_IMAGES_IMAGE_H
