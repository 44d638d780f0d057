//===- Tiff.cpp - TIFF, by libtiff ----------------------------------------===//
#include "Image.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>

#include <tiffio.h>

using namespace dougong;

namespace {

/// A file in memory, as libtiff reads it.
struct Source {
  Bytes file;
  std::size_t at = 0;

  static tmsize_t read(thandle_t handle, void *to, tmsize_t size) {
    auto *source = static_cast<Source *>(handle);
    std::size_t rest = source->file.size() - std::min(source->at, source->file.size());
    std::size_t bytes = std::min(static_cast<std::size_t>(size), rest);
    std::memcpy(to, source->file.data() + (source->file.size() - rest), bytes);
    source->at += bytes;
    return static_cast<tmsize_t>(bytes);
  }
  static tmsize_t write(thandle_t, void *, tmsize_t) { return 0; }
  static toff_t seek(thandle_t handle, toff_t offset, int from) {
    auto *source = static_cast<Source *>(handle);
    source->at = offset + (from == SEEK_CUR   ? source->at
                           : from == SEEK_END ? source->file.size()
                                              : 0);
    return source->at;
  }
  static toff_t size(thandle_t handle) { return static_cast<Source *>(handle)->file.size(); }
  static int close(thandle_t) { return 0; }
};

/// libtiff multiplies colours by alpha, unless the file says that they are so already.
void keepColours(TIFF *tiff) {
  std::uint16_t count = 0, *meanings = nullptr;
  if (!TIFFGetField(tiff, TIFFTAG_EXTRASAMPLES, &count, &meanings))
    return;
  std::vector<std::uint16_t> changed(meanings, meanings + count);
  std::replace(changed.begin(), changed.end(), std::uint16_t{EXTRASAMPLE_UNASSALPHA},
               std::uint16_t{EXTRASAMPLE_ASSOCALPHA});
  TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, count, changed.data());
}

} // namespace

bool dougong::decodeTiff(Bytes file, Image &image) {
  static std::once_flag isQuiet; // the handlers are the process's
  std::call_once(isQuiet, [] {
    TIFFSetWarningHandler(nullptr);
    TIFFSetErrorHandler(nullptr);
  });
  Source source{file};
  std::unique_ptr<TIFF, void (*)(TIFF *)> tiff(
      TIFFClientOpen("image", "rm", &source, Source::read, Source::write, Source::seek,
                     Source::close, Source::size, nullptr, nullptr),
      TIFFClose);
  std::uint32_t width = 0, height = 0;
  if (!tiff || !TIFFGetField(tiff.get(), TIFFTAG_IMAGEWIDTH, &width) ||
      !TIFFGetField(tiff.get(), TIFFTAG_IMAGELENGTH, &height) || !image.resize(height, width))
    return false;
  keepColours(tiff.get());
  std::uint16_t orientation = ORIENTATION_TOPLEFT;
  TIFFGetFieldDefaulted(tiff.get(), TIFFTAG_ORIENTATION, &orientation);
  std::vector<std::uint32_t> pixels(image.rgb.size() / 3);
  if (!TIFFReadRGBAImageOriented(tiff.get(), width, height, pixels.data(), orientation, 1))
    return false;
  for (std::size_t pixel = 0; pixel < pixels.size(); ++pixel) {
    image.rgb[3 * pixel] = TIFFGetR(pixels[pixel]);
    image.rgb[3 * pixel + 1] = TIFFGetG(pixels[pixel]);
    image.rgb[3 * pixel + 2] = TIFFGetB(pixels[pixel]);
  }
  return true;
}
