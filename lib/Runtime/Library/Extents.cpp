//===- Extents.cpp - extents that depend on data --------------------------===//
//
// Each function fills its output (int64) with the dims that the operator's result
// has for these operands: ONNX's shape inference with the values at hand.
//
//===----------------------------------------------------------------------===//
#include "Numbers.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

using namespace dougong;

using Dims = std::vector<std::int64_t>;

static Dims dimsOfOperand(const LibraryCall &call, std::size_t operand) {
  std::span<const std::int64_t> dims = dimsOf(call.tensors[1 + operand]);
  return {dims.begin(), dims.end()};
}

static bool has(const LibraryCall &call, std::size_t operand) {
  return 1 + operand < call.tensors.size() && isPresent(call.tensors[1 + operand]);
}

/// All integers of an operand; none if it is absent.
static Dims integersOf(const LibraryCall &call, std::size_t operand) {
  Dims values;
  if (has(call, operand))
    for (std::int64_t i = 0, count = countOf(call.tensors[1 + operand]); i < count; ++i)
      values.push_back(loadInteger(call.tensors[1 + operand], i));
  return values;
}

/// a + b and a * b, at the ends of the range where they do not fit: `give` refuses those.
static std::int64_t add(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum))
    return sum;
  return a < 0 ? std::numeric_limits<std::int64_t>::min()
               : std::numeric_limits<std::int64_t>::max();
}
static std::int64_t multiply(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  if (!__builtin_mul_overflow(a, b, &product))
    return product;
  return (a < 0) != (b < 0) ? std::numeric_limits<std::int64_t>::min()
                            : std::numeric_limits<std::int64_t>::max();
}
/// A whole number within the range of integers; NaN is -1, which `give` refuses.
static std::int64_t toInteger(double value) {
  if (value != value)
    return -1;
  return static_cast<std::int64_t>(std::clamp(value, -0x1p62, 0x1p62));
}

/// Elements that no memory holds, whatever their type: bytes in 64 bits stay exact.
static constexpr std::int64_t mostElements = std::int64_t{1} << 48;

static Result<void> give(const LibraryCall &call, const Dims &dims) {
  const dougong_tensor &output = call.tensors[0];
  if (countOf(output) != static_cast<std::int64_t>(dims.size()))
    return Error{"the result has " + std::to_string(dims.size()) + " dims, the model says " +
                 std::to_string(countOf(output))};
  std::int64_t elements = 1;
  for (std::int64_t dim : dims) {
    if (dim < 0)
      return Error{"the result would have dims " + printDims(dims) + ", expected none below 0"};
    elements = multiply(elements, dim);
  }
  if (elements > mostElements)
    return Error{"the result would have dims " + printDims(dims) +
                 ", expected at most 2^48 elements"};
  std::copy(dims.begin(), dims.end(), static_cast<std::int64_t *>(output.data));
  return {};
}

/// The axes in operand `operand`, from 0; all of `rank` where it is absent.
static Result<Dims> axesOf(const LibraryCall &call, std::size_t operand, std::int64_t rank) {
  Dims axes;
  if (!has(call, operand)) {
    for (std::int64_t axis = 0; axis < rank; ++axis)
      axes.push_back(axis);
    return axes;
  }
  for (std::int64_t axis : integersOf(call, operand)) {
    Result<std::int64_t> normal = normalAxis(axis, rank);
    if (!normal)
      return normal.takeError();
    axes.push_back(*normal);
  }
  return axes;
}

static Result<void> extentsOfReshape(const LibraryCall &call) {
  bool allowZero = AttributeReader(call.attributes).integer() != 0;
  Dims source = dimsOfOperand(call, 0), target = integersOf(call, 1);
  std::int64_t known = 1, open = -1;
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (target[i] == 0 && !allowZero) {
      if (i >= source.size())
        return Error{"dim " + std::to_string(i) + " of the shape is 0, but data has " +
                     std::to_string(source.size()) + " dims"};
      target[i] = source[i];
    }
    if (target[i] != -1)
      known = multiply(known, target[i]);
    else if (std::exchange(open, static_cast<std::int64_t>(i)) >= 0)
      return Error{"the shape " + printDims(integersOf(call, 1)) +
                   " has more than one dim of -1, expected at most one"};
  }
  std::int64_t count = countOf(call.tensors[1]);
  if (open >= 0) {
    if (known == 0 || count % known != 0)
      return Error{std::to_string(count) + " elements do not fill the shape " + printDims(target)};
    target[open] = count / known;
    known *= target[open];
  }
  if (known != count)
    return Error{std::to_string(count) + " elements do not fill the shape " + printDims(target)};
  return give(call, target);
}

static Result<void> extentsOfExpand(const LibraryCall &call) {
  Dims dims = dimsOfOperand(call, 0), target = integersOf(call, 1);
  if (dims.size() < target.size())
    dims.insert(dims.begin(), target.size() - dims.size(), 1);
  for (std::size_t i = 0; i < target.size(); ++i) {
    std::int64_t &dim = dims[dims.size() - target.size() + i];
    if (dim != 1 && target[i] != 1 && dim != target[i])
      return Error{"dims " + printDims(dimsOf(call.tensors[1])) + " do not broadcast to " +
                   printDims(target)};
    dim = dim == 1 ? target[i] : dim;
  }
  return give(call, dims);
}

static Result<void> extentsOfTile(const LibraryCall &call) {
  Dims dims = dimsOfOperand(call, 0), repeats = integersOf(call, 1);
  if (repeats.size() != dims.size())
    return Error{"there are " + std::to_string(repeats.size()) + " repeats for " +
                 std::to_string(dims.size()) + " dims"};
  for (std::size_t i = 0; i < dims.size(); ++i)
    dims[i] = multiply(dims[i], repeats[i]);
  return give(call, dims);
}

static Result<void> extentsOfRange(const LibraryCall &call) {
  const dougong_tensor &start = call.tensors[1], &limit = call.tensors[2], &delta = call.tensors[3];
  if (loadNumber(delta, 0) == 0)
    return Error{"delta is 0, expected another number"};
  if (start.dtype != DOUGONG_I64)
    return give(call, {std::max<std::int64_t>(
                          toInteger(std::ceil((loadNumber(limit, 0) - loadNumber(start, 0)) /
                                              loadNumber(delta, 0))),
                          0)});
  // A double is not exact here.
  auto span = static_cast<__int128>(loadInteger(limit, 0)) - loadInteger(start, 0);
  auto step = static_cast<__int128>(loadInteger(delta, 0));
  __int128 count =
      span == 0 || (span < 0) != (step < 0) ? 0 : (span + step + (step > 0 ? -1 : 1)) / step;
  constexpr __int128 most = std::numeric_limits<std::int64_t>::max();
  return give(call, {static_cast<std::int64_t>(std::min(count, most))});
}

static Result<void> extentsOfConstantOfShape(const LibraryCall &call) {
  return give(call, integersOf(call, 0));
}

static Result<void> extentsOfSlice(const LibraryCall &call) {
  Dims dims = dimsOfOperand(call, 0), starts = integersOf(call, 1), ends = integersOf(call, 2);
  Dims steps = integersOf(call, 4);
  Result<Dims> axes = axesOf(call, 3, static_cast<std::int64_t>(dims.size()));
  if (!axes)
    return axes.takeError();
  if (ends.size() != starts.size() || axes->size() < starts.size() ||
      (!steps.empty() && steps.size() != starts.size()))
    return Error{"starts, ends, axes and steps differ in length"};
  for (std::size_t i = 0; i < starts.size(); ++i) {
    std::int64_t &dim = dims[(*axes)[i]], step = steps.empty() ? 1 : steps[i];
    if (step == 0)
      return Error{"a step is 0"};
    if (dim == 0)
      continue;
    auto place = [&](std::int64_t at, std::int64_t low, std::int64_t high) {
      return std::clamp(at < 0 ? at + dim : at, low, high);
    };
    std::int64_t start = step > 0 ? place(starts[i], 0, dim) : place(starts[i], 0, dim - 1);
    std::int64_t end = step > 0 ? place(ends[i], 0, dim) : place(ends[i], -1, dim);
    std::int64_t span = end - start;
    dim = std::max<std::int64_t>((span + step + (step > 0 ? -1 : 1)) / step, 0);
  }
  return give(call, dims);
}

static Result<void> extentsOfPad(const LibraryCall &call) {
  Dims dims = dimsOfOperand(call, 0), pads = integersOf(call, 1);
  Result<Dims> axes = axesOf(call, 3, static_cast<std::int64_t>(dims.size()));
  if (!axes)
    return axes.takeError();
  if (pads.size() != 2 * axes->size())
    return Error{"there are " + std::to_string(pads.size()) + " pads for " +
                 std::to_string(axes->size()) + " axes"};
  for (std::size_t i = 0; i < axes->size(); ++i)
    dims[(*axes)[i]] = add(dims[(*axes)[i]], add(pads[i], pads[i + axes->size()]));
  return give(call, dims);
}

static Result<void> extentsOfTopK(const LibraryCall &call) {
  Dims dims = dimsOfOperand(call, 0);
  std::int64_t axis = AttributeReader(call.attributes).integer(), k = integersOf(call, 1).at(0);
  if (k > dims.at(axis))
    return Error{"k is " + std::to_string(k) + ", the axis has " + std::to_string(dims[axis]) +
                 " elements"};
  dims[axis] = k;
  return give(call, dims);
}

static Result<void> extentsOfOneHot(const LibraryCall &call) {
  Dims dims = dimsOfOperand(call, 0);
  std::int64_t axis = AttributeReader(call.attributes).integer();
  dims.insert(dims.begin() + axis, toInteger(loadNumber(call.tensors[2], 0)));
  return give(call, dims);
}

static Result<void> extentsOfResize(const LibraryCall &call) {
  AttributeReader attributes(call.attributes);
  Dims dims = dimsOfOperand(call, 0), axes = attributes.integers();
  std::string policy = attributes.text();
  for (std::int64_t &axis : axes)
    axis += axis < 0 ? static_cast<std::int64_t>(dims.size()) : 0;
  if (axes.empty())
    for (std::size_t i = 0; i < dims.size(); ++i)
      axes.push_back(static_cast<std::int64_t>(i));
  Dims sizes = integersOf(call, 3);
  if (!sizes.empty()) {
    double common = 0;
    for (std::size_t i = 0; i < axes.size(); ++i) {
      double scale = static_cast<double>(sizes.at(i)) / static_cast<double>(dims[axes[i]]);
      common = i == 0
                   ? scale
                   : (policy == "not_larger" ? std::min(common, scale) : std::max(common, scale));
    }
    for (std::size_t i = 0; i < axes.size(); ++i) {
      std::int64_t &dim = dims[axes[i]];
      dim = policy == "stretch"
                ? sizes[i]
                : static_cast<std::int64_t>(static_cast<double>(dim) * common + 0.5);
    }
    return give(call, dims);
  }
  if (!has(call, 2) || countOf(call.tensors[3]) != static_cast<std::int64_t>(axes.size()))
    return Error{"there are neither sizes nor scales for all axes"};
  for (std::size_t i = 0; i < axes.size(); ++i)
    dims[axes[i]] = static_cast<std::int64_t>(
        std::floor(static_cast<double>(dims[axes[i]]) *
                   loadNumber(call.tensors[3], static_cast<std::int64_t>(i))));
  return give(call, dims);
}

static Result<void> extentsOfUnsqueeze(const LibraryCall &call) {
  Dims dims = dimsOfOperand(call, 0);
  Dims given = integersOf(call, 1);
  std::int64_t rank = static_cast<std::int64_t>(dims.size() + given.size());
  for (std::int64_t &axis : given)
    axis += axis < 0 ? rank : 0;
  std::sort(given.begin(), given.end());
  for (std::int64_t axis : given) {
    if (axis < 0 || axis > static_cast<std::int64_t>(dims.size()))
      return Error{"axis " + std::to_string(axis) + " is out of range"};
    dims.insert(dims.begin() + axis, 1);
  }
  return give(call, dims);
}

static Result<void> extentsOfSqueeze(const LibraryCall &call) {
  Dims dims = dimsOfOperand(call, 0), kept;
  Result<Dims> axes = axesOf(call, 1, static_cast<std::int64_t>(dims.size()));
  if (!axes)
    return axes.takeError();
  for (std::size_t i = 0; i < dims.size(); ++i) {
    bool listed =
        std::find(axes->begin(), axes->end(), static_cast<std::int64_t>(i)) != axes->end();
    if (!listed || dims[i] != 1)
      kept.push_back(dims[i]);
    if (listed && has(call, 1) && dims[i] != 1)
      return Error{"dim " + std::to_string(i) + " is " + std::to_string(dims[i]) + ", not 1"};
  }
  return give(call, kept);
}

static Result<void> extentsOfReduce(const LibraryCall &call) {
  AttributeReader attributes(call.attributes);
  bool keep = attributes.integer() != 0, noop = attributes.integer() != 0;
  Dims dims = dimsOfOperand(call, 0), result;
  Result<Dims> axes = axesOf(call, 1, static_cast<std::int64_t>(dims.size()));
  if (!axes)
    return axes.takeError();
  bool all = axes->empty() && !noop;
  if (!has(call, 1) && noop)
    axes->clear();
  for (std::size_t i = 0; i < dims.size(); ++i) {
    bool reduced =
        all || std::find(axes->begin(), axes->end(), static_cast<std::int64_t>(i)) != axes->end();
    if (!reduced)
      result.push_back(dims[i]);
    else if (keep)
      result.push_back(1);
  }
  return give(call, result);
}

static Result<void> extentsOfDFT(const LibraryCall &call) {
  AttributeReader attributes(call.attributes);
  bool inverse = attributes.integer() != 0, onesided = attributes.integer() != 0;
  Dims dims = dimsOfOperand(call, 0), length = integersOf(call, 1), axes = integersOf(call, 2);
  Result<std::int64_t> axis =
      normalAxis(axes.empty() ? -2 : axes[0], static_cast<std::int64_t>(dims.size()));
  if (!axis)
    return axis.takeError();
  std::int64_t &dim = dims[*axis];
  if (!length.empty())
    dim = length[0];
  else if (inverse && onesided)
    dim = 2 * (dim - 1);
  if (onesided && !inverse)
    dim = dim / 2 + 1;
  dims.back() = inverse && onesided ? 1 : 2;
  return give(call, dims);
}

static Result<void> extentsOfCol2Im(const LibraryCall &call) {
  Dims source = dimsOfOperand(call, 0), image = integersOf(call, 1), block = integersOf(call, 2);
  std::int64_t product = 1;
  for (std::int64_t extent : block)
    product *= extent;
  if (product <= 0 || source.at(1) % product != 0)
    return Error{"dim 1 of the input is " + std::to_string(source.at(1)) +
                 ", no multiple of the block " + printDims(block)};
  Dims dims = {source[0], source[1] / product};
  dims.insert(dims.end(), image.begin(), image.end());
  return give(call, dims);
}

static Result<void> extentsOfSplit(const LibraryCall &call) {
  AttributeReader attributes(call.attributes);
  std::int64_t axis = attributes.integer(), part = attributes.integer(), sum = 0;
  std::int64_t parts = attributes.integer();
  Dims dims = dimsOfOperand(call, 0), sizes = integersOf(call, 1);
  if (static_cast<std::int64_t>(sizes.size()) != parts)
    return Error{"split lists " + std::to_string(sizes.size()) +
                 " sizes, expected one for each of " + std::to_string(parts) + " outputs"};
  for (std::int64_t size : sizes)
    sum = add(sum, size);
  std::int64_t &dim = dims.at(axis);
  if (sum != dim || *std::min_element(sizes.begin(), sizes.end()) < 0)
    return Error{"parts of sizes " + printDims(sizes) + " do not make up a dim of " +
                 std::to_string(dim)};
  dim = sizes.at(part);
  return give(call, dims);
}

static Result<void> extentsOfAffineGrid(const LibraryCall &call) {
  Dims theta = dimsOfOperand(call, 0), size = integersOf(call, 1);
  if (size.size() < 3 || size[0] != theta.at(0))
    return Error{"size " + printDims(size) + " does not go with the " +
                 std::to_string(theta.at(0)) + " matrices of theta"};
  Dims dims = {theta[0]};
  dims.insert(dims.end(), size.begin() + 2, size.end());
  dims.push_back(static_cast<std::int64_t>(size.size()) - 2);
  return give(call, dims);
}

static const LibraryEntry entries[] = {
    {"ExtentsOfReshape", extentsOfReshape},
    {"ExtentsOfExpand", extentsOfExpand},
    {"ExtentsOfTile", extentsOfTile},
    {"ExtentsOfRange", extentsOfRange},
    {"ExtentsOfSlice", extentsOfSlice},
    {"ExtentsOfPad", extentsOfPad},
    {"ExtentsOfTopK", extentsOfTopK},
    {"ExtentsOfOneHot", extentsOfOneHot},
    {"ExtentsOfResize", extentsOfResize},
    {"ExtentsOfUnsqueeze", extentsOfUnsqueeze},
    {"ExtentsOfSqueeze", extentsOfSqueeze},
    {"ExtentsOfReduce", extentsOfReduce},
    {"ExtentsOfDFT", extentsOfDFT},
    {"ExtentsOfCol2Im", extentsOfCol2Im},
    {"ExtentsOfSplit", extentsOfSplit},
    {"ExtentsOfAffineGrid", extentsOfAffineGrid},
    {"ExtentsOfConstantOfShape", extentsOfConstantOfShape},
};
