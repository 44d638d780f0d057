//===- WebP.cpp - WebP, by libwebp ----------------------------------------===//
#include "Image.h"

#include <webp/decode.h>

using namespace dougong;

bool dougong::decodeWebP(Bytes file, Image &image) {
  int width = 0, height = 0;
  return WebPGetInfo(file.data(), file.size(), &width, &height) && image.resize(height, width) &&
         WebPDecodeRGBInto(file.data(), file.size(), image.rgb.data(), image.rgb.size(), 3 * width);
}
