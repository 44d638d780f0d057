//===- Jpeg.cpp - JPEG, by libjpeg-turbo ----------------------------------===//
#include "Image.h"

#include <memory>

#include <turbojpeg.h>

using namespace dougong;

/// Inks to light: Adobe's files hold them inverted.
static std::uint8_t mix(std::uint8_t ink, std::uint8_t black) {
  return static_cast<std::uint8_t>((ink * black + 127) / 255);
}

bool dougong::decodeJpeg(Bytes file, Image &image) {
  std::unique_ptr<void, int (*)(tjhandle)> decoder(tjInitDecompress(), tjDestroy);
  int width = 0, height = 0, sampling = 0, colours = 0;
  auto size = static_cast<unsigned long>(file.size());
  if (!decoder ||
      tjDecompressHeader3(decoder.get(), file.data(), size, &width, &height, &sampling, &colours) ||
      !image.resize(height, width))
    return false;
  bool isInk = colours == TJCS_CMYK || colours == TJCS_YCCK;
  std::vector<std::uint8_t> inks(isInk ? 4 * image.rgb.size() / 3 : 0);
  // A warning (missing bytes, say) is a fault too: what was decoded is not the image.
  if (tjDecompress2(decoder.get(), file.data(), size, isInk ? inks.data() : image.rgb.data(), width,
                    0, height, isInk ? TJPF_CMYK : TJPF_RGB, TJFLAG_ACCURATEDCT))
    return false;
  for (std::size_t pixel = 0; 4 * pixel < inks.size(); ++pixel)
    for (int i = 0; i < 3; ++i)
      image.rgb[3 * pixel + i] = mix(inks[4 * pixel + i], inks[4 * pixel + 3]);
  return true;
}
