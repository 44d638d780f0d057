//===- MelWeightMatrix.cpp - a spectrogram in mel bands -------------------===//
#include "Numbers.h"

#include <cmath>

using namespace dougong;

/// MelWeightMatrix: [weights], [bands, DFT length, samples a second, lower and upper
/// edge in Hz]: a triangle over the bins of the spectrum for each band, the
/// corners at equal distances in mel = 2595 log10(1 + f / 700).
static Result<void> runMelWeights(const LibraryCall &call) {
  std::span<dougong_tensor> tensors = call.tensors;
  auto bands = static_cast<std::int64_t>(loadNumber(tensors[1], 0));
  auto length = static_cast<std::int64_t>(loadNumber(tensors[2], 0));
  double rate = loadNumber(tensors[3], 0);
  if (bands < 0 || length < 0 || rate <= 0)
    return Error{"there are " + std::to_string(bands) + " bands, a DFT length of " +
                 std::to_string(length) + " and " + std::to_string(rate) + " samples a second"};
  std::int64_t bins = length / 2 + 1;
  std::int64_t dims[] = {bins, bands};
  Result<void *> output = call.makeOutput(0, dims);
  if (!output)
    return output.takeError();
  auto toMel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
  double low = toMel(loadNumber(tensors[4], 0)), high = toMel(loadNumber(tensors[5], 0));
  double step = (high - low) / static_cast<double>(bands + 2);
  std::vector<std::int64_t> corners;
  for (std::int64_t i = 0; i < bands + 2; ++i) {
    double hertz = 700 * (std::pow(10, (i * step + low) / 2595) - 1);
    corners.push_back(static_cast<std::int64_t>(std::floor((length + 1) * hertz / rate)));
    if (corners.back() < 0 || (i <= bands && corners.back() >= bins))
      return Error{"the corner of band " + std::to_string(i) + " is bin " +
                   std::to_string(corners.back()) + " of " + std::to_string(bins)};
  }
  for (std::int64_t band = 0; band < bands; ++band) {
    std::int64_t left = corners[band], centre = corners[band + 1], right = corners[band + 2];
    for (std::int64_t bin = 0; bin < bins; ++bin) {
      double weight = 0;
      if (bin >= centre && bin < right)
        weight = double(right - bin) / double(right - centre);
      else if (bin == centre && left == centre)
        weight = 1;
      else if (bin >= left && bin <= centre && left < centre)
        weight = double(bin - left) / double(centre - left);
      if (Result<void> stored = storeNumber(tensors[0], bin * bands + band, weight); !stored)
        return stored;
    }
  }
  return {};
}

static LibraryEntry melWeightsEntry("MelWeightMatrix", runMelWeights);
