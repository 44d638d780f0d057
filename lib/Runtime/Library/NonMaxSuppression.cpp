//===- NonMaxSuppression.cpp - NonMaxSuppression --------------------------===//
#include "Numbers.h"

#include <algorithm>

using namespace dougong;

namespace {
struct Box {
  float y1, x1, y2, x2;
  float area() const { return (y2 - y1) * (x2 - x1); }
};
} // namespace

static Box loadBox(const float *box, bool isCenter) {
  if (isCenter) // x, y of the middle, width, height
    return {box[1] - box[3] / 2, box[0] - box[2] / 2, box[1] + box[3] / 2, box[0] + box[2] / 2};
  // Two corners, in either order.
  return {std::min(box[0], box[2]), std::min(box[1], box[3]), std::max(box[0], box[2]),
          std::max(box[1], box[3])};
}

static bool overlap(const Box &a, const Box &b, float threshold) {
  float height = std::min(a.y2, b.y2) - std::max(a.y1, b.y1);
  float width = std::min(a.x2, b.x2) - std::max(a.x1, b.x1);
  if (height <= 0 || width <= 0 || a.area() <= 0 || b.area() <= 0)
    return false;
  float shared = height * width, all = a.area() + b.area() - shared;
  return all > 0 && shared / all > threshold;
}

/// NonMaxSuppression: [selected (int64)], [boxes, scores (float32), most per class
/// (int64), IoU threshold, score threshold], {center_point_box}. Rows are batch,
/// class, box: for each class by falling score, without boxes that overlap one
/// taken before.
static Result<void> runNonMaxSuppression(const LibraryCall &call) {
  const dougong_tensor &boxes = call.tensors[1], &scores = call.tensors[2];
  if (boxes.rank != 3 || scores.rank != 3 || boxes.dims[2] != 4 ||
      boxes.dims[1] != scores.dims[2] || boxes.dims[0] != scores.dims[0])
    return Error{"boxes of dims " + printDims(dimsOf(boxes)) + " and scores of dims " +
                 printDims(dimsOf(scores)) + " do not fit"};
  bool isCenter = AttributeReader(call.attributes).integer() != 0;
  const dougong_tensor &most = call.tensors[3], &iou = call.tensors[4], &least = call.tensors[5];
  std::int64_t limit = isPresent(most) && countOf(most) ? loadInteger(most, 0) : 0;
  float threshold = isPresent(iou) && countOf(iou) ? loadNumber(iou, 0) : 0;
  bool hasLeast = isPresent(least) && countOf(least);
  float leastScore = hasLeast ? loadNumber(least, 0) : 0;
  std::int64_t count = boxes.dims[1], classes = scores.dims[1];
  std::vector<std::int64_t> selected;
  for (std::int64_t batch = 0; batch < scores.dims[0]; ++batch)
    for (std::int64_t kind = 0; kind < classes; ++kind) {
      const float *score =
          static_cast<const float *>(scores.data) + (batch * classes + kind) * count;
      const float *box = static_cast<const float *>(boxes.data) + batch * count * 4;
      std::vector<std::int64_t> order;
      for (std::int64_t i = 0; i < count; ++i)
        if (!hasLeast || score[i] > leastScore)
          order.push_back(i);
      std::sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
        return score[a] != score[b] ? score[a] > score[b] : a < b;
      });
      std::vector<Box> taken;
      for (std::int64_t i : order) {
        if (static_cast<std::int64_t>(taken.size()) >= limit)
          break;
        Box candidate = loadBox(box + i * 4, isCenter);
        if (std::any_of(taken.begin(), taken.end(),
                        [&](const Box &other) { return overlap(candidate, other, threshold); }))
          continue;
        taken.push_back(candidate);
        selected.insert(selected.end(), {batch, kind, i});
      }
    }
  std::int64_t dims[] = {static_cast<std::int64_t>(selected.size() / 3), 3};
  Result<void *> output = call.makeOutput(0, dims);
  if (!output)
    return output.takeError();
  std::copy(selected.begin(), selected.end(), static_cast<std::int64_t *>(*output));
  return {};
}

static LibraryEntry nonMaxSuppression("NonMaxSuppression", runNonMaxSuppression);
