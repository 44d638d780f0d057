//===- Png.cpp - PNG, by libpng -------------------------------------------===//
#include "Image.h"

#include <csetjmp>
#include <cstring>

#include <png.h>

using namespace dougong;

namespace {

void read(png_structp png, png_bytep to, png_size_t size) {
  auto *rest = static_cast<Bytes *>(png_get_io_ptr(png));
  if (size > rest->size())
    png_error(png, "end of file");
  std::memcpy(to, rest->data(), size);
  *rest = rest->subspan(size);
}

/// libpng leaves by longjmp: nothing here has a destructor.
bool decode(png_structp png, png_infop info, Image &image) {
  if (setjmp(png_jmpbuf(png)))
    return false;
  png_set_user_limits(png, mostPixels, mostPixels);
  png_read_info(png, info);
  png_set_expand(png);
  png_set_strip_16(png);
  png_set_strip_alpha(png);
  png_set_gray_to_rgb(png);
  int passes = png_set_interlace_handling(png);
  png_read_update_info(png, info);
  if (!image.resize(png_get_image_height(png, info), png_get_image_width(png, info)) ||
      png_get_rowbytes(png, info) != 3 * static_cast<png_size_t>(image.width))
    return false;
  for (int pass = 0; pass < passes; ++pass)
    for (std::int64_t row = 0; row < image.height; ++row)
      png_read_row(png, image.pixel(row, 0), nullptr);
  return true;
}

} // namespace

bool dougong::decodePng(Bytes file, Image &image) {
  auto ignore = [](png_structp, png_const_charp) {};
  auto leave = [](png_structp png, png_const_charp) { png_longjmp(png, 1); };
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, nullptr, leave, ignore);
  if (!png)
    return false;
  png_infop info = png_create_info_struct(png);
  png_set_read_fn(png, &file, read);
  bool done = info && decode(png, info, image);
  png_destroy_read_struct(&png, &info, nullptr);
  return done;
}
