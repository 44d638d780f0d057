//===- Decode.cpp - which format a file is of -----------------------------===//
#include "Image.h"

#include <new>

using namespace dougong;

bool Image::resize(std::int64_t newHeight, std::int64_t newWidth) {
  if (newHeight <= 0 || newWidth <= 0 || newWidth > mostPixels / newHeight)
    return false;
  height = newHeight;
  width = newWidth;
  rgb.assign(static_cast<std::size_t>(3 * height * width), 0);
  return true;
}

static bool decode(Bytes file, Image &image) {
  using namespace std::string_view_literals;
  if (beginsWith(file, "\xff\xd8\xff"sv))
    return decodeJpeg(file, image);
  if (beginsWith(file, "\x89PNG\r\n\x1a\n"sv))
    return decodePng(file, image);
  if (beginsWith(file, "BM"sv))
    return decodeBmp(file, image);
  if (beginsWith(file, "RIFF"sv) && beginsWith(file, "WEBP"sv, 8))
    return decodeWebP(file, image);
  if (beginsWith(file, "II*\0"sv) || beginsWith(file, "MM\0*"sv))
    return decodeTiff(file, image);
  if (beginsWith(file, "\0\0\0\x0cjP  "sv) || beginsWith(file, "\xff\x4f\xff\x51"sv))
    return decodeJpeg2000(file, image);
  return decodePnm(file, image);
}

extern "C" __attribute__((visibility("default"))) bool
dougong_decode_image(const std::uint8_t *data, std::size_t size, Image *image) {
  // Memory is all that the decoders may lack by an exception.
  try {
    return decode({data, size}, *image);
  } catch (const std::bad_alloc &) {
    return false;
  }
}
