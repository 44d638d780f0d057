//===- MaxRoiPool.cpp - maxima of the parts of regions --------------------===//
#include "Numbers.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace dougong;

namespace {

/// The places [first, last) of part `index` of `count` of a region, within the image.
struct Part {
  std::int64_t first, last;
  Part(std::int64_t start, std::int64_t extent, std::int64_t index, std::int64_t count,
       std::int64_t size) {
    auto clamp = [&](std::int64_t place) {
      return std::clamp<std::int64_t>(place + start, 0, size);
    };
    first = clamp(index * extent / count);
    last = clamp(((index + 1) * extent + count - 1) / count);
  }
};

} // namespace

/// MaxRoiPool: [maxima (regions, channels, height, width)], [x (images, channels, rows, columns),
/// regions (number of the image, x1, y1, x2, y2)], {scale, height, width}. Corners are rounded
/// and belong to the region, which has at least one row and column; a part outside the image
/// is 0.
static Result<void> runMaxRoiPool(const LibraryCall &call) {
  AttributeReader attributes(call.attributes);
  double scale = attributes.real();
  std::int64_t height = attributes.integer(), width = attributes.integer();
  const dougong_tensor &x = call.tensors[1], &regions = call.tensors[2];
  if (x.rank != 4 || regions.rank != 2 || regions.dims[1] != 5)
    return Error{"x and regions have dims " + printDims(dimsOf(x)) + " and " +
                 printDims(dimsOf(regions)) + ", expected 4 dims and [regions, 5]"};
  std::int64_t channels = x.dims[1], rows = x.dims[2], columns = x.dims[3];
  std::int64_t dims[] = {regions.dims[0], channels, height, width};
  if (Result<void *> output = call.makeOutput(0, dims); !output)
    return output.takeError();
  std::int64_t to = 0;
  for (std::int64_t region = 0; region < dims[0]; ++region) {
    double image = loadNumber(regions, 5 * region), corner[4];
    if (!(image >= 0 && image < static_cast<double>(x.dims[0])))
      return Error{"region " + std::to_string(region) + " is of image " + std::to_string(image) +
                   ", x has " + std::to_string(x.dims[0]) + " images"};
    for (int i = 0; i < 4; ++i) {
      corner[i] = std::round(loadNumber(regions, 5 * region + 1 + i) * scale);
      if (!(std::abs(corner[i]) < 0x1p31))
        return Error{"a corner of region " + std::to_string(region) + " is at " +
                     std::to_string(corner[i]) + ", expected a number below 2^31"};
    }
    auto left = static_cast<std::int64_t>(corner[0]), top = static_cast<std::int64_t>(corner[1]);
    auto wide = std::max<std::int64_t>(static_cast<std::int64_t>(corner[2]) - left + 1, 1);
    auto high = std::max<std::int64_t>(static_cast<std::int64_t>(corner[3]) - top + 1, 1);
    for (std::int64_t channel = 0; channel < channels; ++channel)
      for (std::int64_t i = 0; i < height; ++i)
        for (std::int64_t j = 0; j < width; ++j) {
          Part down(top, high, i, height, rows), across(left, wide, j, width, columns);
          bool isEmpty = down.first >= down.last || across.first >= across.last;
          double best = isEmpty ? 0 : -std::numeric_limits<double>::infinity();
          std::int64_t plane = (static_cast<std::int64_t>(image) * channels + channel) * rows;
          for (std::int64_t row = down.first; row < down.last; ++row)
            for (std::int64_t column = across.first; column < across.last; ++column)
              best = std::max(best, loadNumber(x, (plane + row) * columns + column));
          if (Result<void> stored = storeNumber(call.tensors[0], to++, best); !stored)
            return stored;
        }
  }
  return {};
}

static LibraryEntry maxRoiPool("MaxRoiPool", runMaxRoiPool);
