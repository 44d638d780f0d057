//===- Images.cpp - ImageDecoder ------------------------------------------===//
#include "../Images/Image.h"
#include "../Plugin.h"
#include "Numbers.h"

using namespace dougong;

static Result<ImageDecoder> loadDecoder() {
  static const Result<void *> entry =
      loadPlugin({"libdougong_images.so", imageDecoderName, "the decoder of images",
                  "install the libraries of JPEG, PNG, TIFF, WebP and JPEG 2000"});
  if (!entry)
    return Error{entry.message()};
  return reinterpret_cast<ImageDecoder>(*entry);
}

/// The brightness of ITU-R 601: (299 R + 587 G + 114 B) / 1000, in 16 bits, rounded.
static std::uint8_t toGray(const std::uint8_t *rgb) {
  return static_cast<std::uint8_t>((19595 * rgb[0] + 38470 * rgb[1] + 7471 * rgb[2] + 0x8000) >>
                                   16);
}

/// ImageDecoder: [image (height, width, channels)], [the file's bytes], {pixel format}. What
/// cannot be decoded is an image without rows, as ONNX says.
static Result<void> runImageDecoder(const LibraryCall &call) {
  std::string format = AttributeReader(call.attributes).text();
  bool isGray = format == "Grayscale", isReversed = format == "BGR";
  Result<ImageDecoder> decode = loadDecoder();
  if (!decode)
    return decode.takeError();
  const dougong_tensor &file = call.tensors[1];
  Image image;
  if (!(*decode)(static_cast<const std::uint8_t *>(file.data),
                 static_cast<std::size_t>(countOf(file)), &image))
    image = {};
  std::int64_t dims[] = {image.height, image.width, isGray ? 1 : 3};
  Result<void *> output = call.makeOutput(0, dims);
  if (!output)
    return output.takeError();
  auto *to = static_cast<std::uint8_t *>(*output);
  const std::uint8_t *from = image.rgb.data();
  for (std::int64_t pixel = 0; pixel < image.height * image.width; ++pixel, from += 3) {
    if (isGray) {
      *to++ = toGray(from);
      continue;
    }
    *to++ = from[isReversed ? 2 : 0];
    *to++ = from[1];
    *to++ = from[isReversed ? 0 : 2];
  }
  return {};
}

static LibraryEntry imageDecoder("ImageDecoder", runImageDecoder);
