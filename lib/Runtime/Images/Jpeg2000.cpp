//===- Jpeg2000.cpp - JPEG 2000, by OpenJPEG ------------------------------===//
#include "Image.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include <openjpeg.h>

using namespace dougong;

namespace {

/// A file in memory, as OpenJPEG reads it.
struct Source {
  Bytes file;
  std::size_t at = 0;

  static OPJ_SIZE_T read(void *to, OPJ_SIZE_T size, void *user) {
    auto *source = static_cast<Source *>(user);
    std::size_t bytes = std::min<std::size_t>(size, source->file.size() - source->at);
    if (!bytes)
      return static_cast<OPJ_SIZE_T>(-1);
    std::memcpy(to, source->file.data() + source->at, bytes);
    source->at += bytes;
    return bytes;
  }
  static OPJ_OFF_T skip(OPJ_OFF_T size, void *user) {
    auto *source = static_cast<Source *>(user);
    if (size < 0 || static_cast<std::size_t>(size) > source->file.size() - source->at)
      return -1;
    source->at += static_cast<std::size_t>(size);
    return size;
  }
  static OPJ_BOOL seek(OPJ_OFF_T offset, void *user) {
    auto *source = static_cast<Source *>(user);
    if (offset < 0 || static_cast<std::size_t>(offset) > source->file.size())
      return OPJ_FALSE;
    source->at = static_cast<std::size_t>(offset);
    return OPJ_TRUE;
  }
};

template <typename T> using Owned = std::unique_ptr<T, void (*)(T *)>;

/// A component's number at a pixel, in 8 bits.
int getSample(const opj_image_comp_t &component, std::int64_t row, std::int64_t column) {
  std::int64_t y = std::min<std::int64_t>(row / component.dy, component.h - 1);
  std::int64_t x = std::min<std::int64_t>(column / component.dx, component.w - 1);
  std::int64_t value = component.data[y * component.w + x];
  int bits = static_cast<int>(component.prec);
  if (component.sgnd)
    value += std::int64_t{1} << (bits - 1);
  value = bits > 8 ? value >> (bits - 8) : value * 255 / ((1 << bits) - 1);
  return static_cast<int>(std::clamp<std::int64_t>(value, 0, 255));
}

std::uint8_t toByte(double value) {
  return static_cast<std::uint8_t>(std::clamp(value + 0.5, 0.0, 255.0));
}

bool convert(const opj_image_t &from, Image &image) {
  if (!from.numcomps || from.x1 <= from.x0 || from.y1 <= from.y0 ||
      !image.resize(from.y1 - from.y0, from.x1 - from.x0))
    return false;
  int components = from.numcomps < 3 ? 1 : 3;
  for (int i = 0; i < components; ++i) {
    const opj_image_comp_t &component = from.comps[i];
    if (!component.data || !component.w || !component.h || !component.dx || !component.dy ||
        component.prec < 1 || component.prec > 31)
      return false;
  }
  for (std::int64_t row = 0; row < image.height; ++row)
    for (std::int64_t column = 0; column < image.width; ++column) {
      std::uint8_t *to = image.pixel(row, column);
      int values[3];
      for (int i = 0; i < 3; ++i)
        values[i] = getSample(from.comps[components == 1 ? 0 : i], row, column);
      if (components == 3 && from.color_space == OPJ_CLRSPC_SYCC) {
        // ITU-R 601, full range.
        double luma = values[0], blue = values[1] - 128, red = values[2] - 128;
        to[0] = toByte(luma + 1.402 * red);
        to[1] = toByte(luma - 0.344136 * blue - 0.714136 * red);
        to[2] = toByte(luma + 1.772 * blue);
        continue;
      }
      std::copy(values, values + 3, to);
    }
  return true;
}

} // namespace

bool dougong::decodeJpeg2000(Bytes file, Image &image) {
  Source source{file};
  Owned<opj_stream_t> stream(opj_stream_default_create(OPJ_TRUE), opj_stream_destroy);
  bool isBare = beginsWith(file, "\xff\x4f");
  Owned<opj_codec_t> codec(opj_create_decompress(isBare ? OPJ_CODEC_J2K : OPJ_CODEC_JP2),
                           opj_destroy_codec);
  if (!stream || !codec)
    return false;
  opj_stream_set_user_data(stream.get(), &source, nullptr);
  opj_stream_set_user_data_length(stream.get(), file.size());
  opj_stream_set_read_function(stream.get(), Source::read);
  opj_stream_set_skip_function(stream.get(), Source::skip);
  opj_stream_set_seek_function(stream.get(), Source::seek);
  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  opj_image_t *header = nullptr;
  if (!opj_setup_decoder(codec.get(), &parameters) ||
      !opj_read_header(stream.get(), codec.get(), &header))
    return false;
  Owned<opj_image_t> decoded(header, opj_image_destroy);
  // Room is made before anything is decoded: too large an image ends here.
  if (!image.resize(std::int64_t{header->y1} - header->y0, std::int64_t{header->x1} - header->x0))
    return false;
  return opj_decode(codec.get(), stream.get(), header) &&
         opj_end_decompress(codec.get(), stream.get()) && convert(*header, image);
}
