//===- Sequences.cpp - sequences and optional values ----------------------===//
//
// What is put in a sequence is copied to memory that lives until the next step:
// a program writes over its own buffers. Sequences are never changed, so they
// share what they hold.
//
//===----------------------------------------------------------------------===//
#include "Values.h"

#include <algorithm>
#include <cstring>

using namespace dougong;

Result<void> dougong::copyValue(const LibraryCall &call, std::size_t index,
                                const dougong_tensor &value) {
  dougong_tensor &output = call.tensors[index];
  if (!isPresent(output))
    return {};
  if (value.dtype != output.dtype || value.rank != output.rank)
    return Error{"the value is " + elementTypeName(value.dtype) + " " + printDims(dimsOf(value)) +
                 ", the model says " + elementTypeName(output.dtype) + " of rank " +
                 std::to_string(output.rank)};
  Result<void *> memory = call.makeOutput(index, dimsOf(value));
  if (!memory)
    return memory.takeError();
  Result<std::size_t> bytes = bufferBytes(value.dtype, dimsOf(value));
  if (!bytes)
    return bytes.takeError();
  if (*bytes)
    std::memcpy(*memory, value.data, *bytes);
  return {};
}

Result<void> dougong::setValue(const LibraryCall &call, std::size_t index,
                               const dougong_tensor &value) {
  dougong_tensor &output = call.tensors[index];
  bool isMade = !output.data && !output.dims;
  if (!isMade || value.dtype != output.dtype || value.rank != output.rank)
    return copyValue(call, index, value);
  output = value;
  return {};
}

static std::span<const dougong_tensor> valuesOf(const dougong_tensor &sequence) {
  const auto &values = *static_cast<const dougong_sequence *>(sequence.data);
  return {values.values, static_cast<std::size_t>(values.size)};
}

/// A copy of `tensor`, dims and elements, that lives until the next step.
static Result<dougong_tensor> keep(const LibraryCall &call, const dougong_tensor &tensor) {
  Result<std::size_t> bytes = bufferBytes(tensor.dtype, dimsOf(tensor));
  if (!bytes)
    return bytes.takeError();
  std::size_t dimsBytes = (dimsOf(tensor).size_bytes() + 63) / 64 * 64;
  Result<void *> memory = call.allocate(dimsBytes + *bytes);
  if (!memory)
    return memory.takeError();
  auto *place = static_cast<std::byte *>(*memory);
  if (tensor.rank)
    std::memcpy(place, tensor.dims, dimsOf(tensor).size_bytes());
  if (*bytes)
    std::memcpy(place + dimsBytes, tensor.data, *bytes);
  return dougong_tensor{place + dimsBytes, reinterpret_cast<const std::int64_t *>(place),
                        tensor.rank, tensor.dtype};
}

/// Makes output 0 the sequence (or optional) of `values`, which live until the next
/// step.
static Result<void> setValues(const LibraryCall &call, std::span<const dougong_tensor> values) {
  Result<void *> output = call.makeOutput(0, {});
  if (!output)
    return output.takeError();
  Result<void *> memory = call.allocate(values.size_bytes());
  if (!memory)
    return memory.takeError();
  if (!values.empty())
    std::memcpy(*memory, values.data(), values.size_bytes());
  *static_cast<dougong_sequence *>(*output) = {static_cast<const dougong_tensor *>(*memory),
                                               static_cast<std::int64_t>(values.size())};
  return {};
}

/// The position that operand `index` says, in [0, limit]; `absent` without one.
static Result<std::int64_t> positionOf(const LibraryCall &call, std::size_t index,
                                       std::int64_t size, std::int64_t limit, std::int64_t absent) {
  if (index >= call.tensors.size() || !isPresent(call.tensors[index]))
    return absent;
  std::int64_t given = loadInteger(call.tensors[index], 0);
  std::int64_t position = given < 0 ? given + size : given;
  if (position < 0 || position > limit)
    return Error{"position " + std::to_string(given) + " of a sequence of " + std::to_string(size)};
  return position;
}

/// SequenceConstruct: [sequence], [tensors...]; SequenceEmpty: [sequence], [];
/// Optional: [optional], [value, or none].
static Result<void> runConstruct(const LibraryCall &call) {
  std::vector<dougong_tensor> values;
  for (const dougong_tensor &tensor : call.tensors.subspan(1)) {
    if (!isPresent(tensor))
      continue;
    Result<dougong_tensor> kept = keep(call, tensor);
    if (!kept)
      return kept.takeError();
    values.push_back(*kept);
  }
  return setValues(call, values);
}

/// SequenceAt: [tensor], [sequence, position].
static Result<void> runAt(const LibraryCall &call) {
  std::span<const dougong_tensor> values = valuesOf(call.tensors[1]);
  auto size = static_cast<std::int64_t>(values.size());
  Result<std::int64_t> position = positionOf(call, 2, size, size - 1, 0);
  if (!position)
    return position.takeError();
  return setValue(call, 0, values[*position]);
}

/// SequenceInsert: [sequence], [sequence, tensor, position or none].
static Result<void> runInsert(const LibraryCall &call) {
  std::span<const dougong_tensor> values = valuesOf(call.tensors[1]);
  auto size = static_cast<std::int64_t>(values.size());
  Result<std::int64_t> position = positionOf(call, 3, size, size, size);
  if (!position)
    return position.takeError();
  Result<dougong_tensor> kept = keep(call, call.tensors[2]);
  if (!kept)
    return kept.takeError();
  std::vector<dougong_tensor> result(values.begin(), values.end());
  result.insert(result.begin() + *position, *kept);
  return setValues(call, result);
}

/// SequenceErase: [sequence], [sequence, position or none].
static Result<void> runErase(const LibraryCall &call) {
  std::span<const dougong_tensor> values = valuesOf(call.tensors[1]);
  auto size = static_cast<std::int64_t>(values.size());
  if (size == 0)
    return Error{"the sequence is empty"};
  Result<std::int64_t> position = positionOf(call, 2, size, size - 1, size - 1);
  if (!position)
    return position.takeError();
  std::vector<dougong_tensor> result(values.begin(), values.end());
  result.erase(result.begin() + *position);
  return setValues(call, result);
}

/// SequenceLength: [length (int64)], [sequence].
static Result<void> runLength(const LibraryCall &call) {
  Result<void *> output = call.makeOutput(0, {});
  if (!output)
    return output.takeError();
  *static_cast<std::int64_t *>(*output) =
      static_cast<std::int64_t>(valuesOf(call.tensors[1]).size());
  return {};
}

/// OptionalGetElement: [value], [optional].
static Result<void> runGetElement(const LibraryCall &call) {
  std::span<const dougong_tensor> values = valuesOf(call.tensors[1]);
  if (values.empty())
    return Error{"the optional value is none"};
  return setValue(call, 0, values[0]);
}

/// OptionalHasElement: [bool], [optional, another value, or none].
static Result<void> runHasElement(const LibraryCall &call) {
  Result<void *> output = call.makeOutput(0, {});
  if (!output)
    return output.takeError();
  bool has = call.tensors.size() > 1 && isPresent(call.tensors[1]);
  if (has && call.tensors[1].dtype == DOUGONG_OPTIONAL)
    has = !valuesOf(call.tensors[1]).empty();
  *static_cast<std::uint8_t *>(*output) = has;
  return {};
}

/// Copies `count` slices from slice `begin` on, along a dim, to a tensor that has
/// `size` of them, from slice `at` on.
static void copySlices(const dougong_tensor &from, std::int64_t axis, std::int64_t begin,
                       std::int64_t count, std::byte *to, std::int64_t at, std::int64_t size) {
  AroundDim around(dimsOf(from), axis);
  std::size_t slice = around.inner * bufferElementBytes(from.dtype);
  if (slice * count == 0)
    return;
  const auto *source = static_cast<const std::byte *>(from.data);
  for (std::int64_t outer = 0; outer < around.outer; ++outer)
    std::memcpy(to + (outer * size + at) * slice, source + (outer * around.size + begin) * slice,
                slice * count);
}

/// SplitToSequence: [sequence], [tensor, lengths or none], {axis, keepdims}. One
/// number instead of a list is the length of all parts but the last.
static Result<void> runSplit(const LibraryCall &call) {
  AttributeReader attributes(call.attributes);
  const dougong_tensor &input = call.tensors[1];
  Result<std::int64_t> axis = normalAxis(attributes.integer(), input.rank);
  if (!axis)
    return axis.takeError();
  bool keepsDim = attributes.integer() != 0;
  std::int64_t whole = input.dims[*axis];
  std::vector<std::int64_t> lengths;
  bool isGiven = call.tensors.size() > 2 && isPresent(call.tensors[2]);
  if (isGiven && call.tensors[2].rank > 0) {
    for (std::int64_t i = 0; i < countOf(call.tensors[2]); ++i)
      lengths.push_back(loadInteger(call.tensors[2], i));
  } else {
    std::int64_t length = isGiven ? loadInteger(call.tensors[2], 0) : 1;
    if (length < 1)
      return Error{"the length of a part is " + std::to_string(length) + ", expected at least 1"};
    for (std::int64_t begin = 0; begin < whole; begin += length)
      lengths.push_back(std::min(length, whole - begin));
  }
  std::int64_t sum = 0;
  for (std::int64_t length : lengths) {
    if (length < 0 || length > whole - sum)
      return Error{"the parts " + printDims(lengths) + " do not make up " + std::to_string(whole)};
    sum += length;
  }
  if (sum != whole)
    return Error{"the parts " + printDims(lengths) + " do not make up " + std::to_string(whole)};

  std::vector<dougong_tensor> parts;
  std::int64_t begin = 0;
  for (std::int64_t length : lengths) {
    std::vector<std::int64_t> dims(input.dims, input.dims + input.rank);
    dims[*axis] = length;
    if (!isGiven && !keepsDim)
      dims.erase(dims.begin() + *axis);
    dougong_tensor shape = {nullptr, nullptr, 0, input.dtype};
    LibraryCall part = call;
    part.tensors = {&shape, 1};
    Result<void *> memory = part.makeOutput(0, dims);
    if (!memory)
      return memory.takeError();
    copySlices(input, *axis, begin, length, static_cast<std::byte *>(*memory), 0, length);
    begin += length;
    parts.push_back(shape);
  }
  return setValues(call, parts);
}

/// ConcatFromSequence: [tensor], [sequence], {axis, new axis}.
static Result<void> runConcat(const LibraryCall &call) {
  AttributeReader attributes(call.attributes);
  std::int64_t given = attributes.integer();
  bool isNew = attributes.integer() != 0;
  std::span<const dougong_tensor> values = valuesOf(call.tensors[1]);
  if (values.empty())
    return Error{"the sequence is empty"};
  // With a new axis each tensor has one more dim, of extent 1.
  std::int32_t rank = values[0].rank + isNew;
  Result<std::int64_t> axis = normalAxis(given, rank);
  if (!axis)
    return axis.takeError();
  std::vector<std::vector<std::int64_t>> shapes;
  std::int64_t total = 0;
  for (const dougong_tensor &value : values) {
    std::vector<std::int64_t> &dims = shapes.emplace_back(value.dims, value.dims + value.rank);
    if (isNew && *axis <= value.rank)
      dims.insert(dims.begin() + *axis, 1);
    std::vector<std::int64_t> expected = shapes[0];
    if (static_cast<std::int32_t>(dims.size()) == rank)
      expected[*axis] = dims[*axis];
    if (dims != expected || value.dtype != call.tensors[0].dtype)
      return Error{"the tensors are " + elementTypeName(values[0].dtype) + " " +
                   printDims(shapes[0]) + " and " + elementTypeName(value.dtype) + " " +
                   printDims(dims) + ", which do not fit together along axis " +
                   std::to_string(*axis)};
    total += dims[*axis];
  }
  std::vector<std::int64_t> dims = shapes[0];
  dims[*axis] = total;
  Result<void *> output = call.makeOutput(0, dims);
  if (!output)
    return output.takeError();
  std::int64_t at = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    dougong_tensor part = {values[i].data, shapes[i].data(), rank, values[i].dtype};
    copySlices(part, *axis, 0, shapes[i][*axis], static_cast<std::byte *>(*output), at, total);
    at += shapes[i][*axis];
  }
  return {};
}

static LibraryEntry constructEntry("SequenceConstruct", runConstruct);
static LibraryEntry emptyEntry("SequenceEmpty", runConstruct);
static LibraryEntry optionalEntry("Optional", runConstruct);
static LibraryEntry atEntry("SequenceAt", runAt);
static LibraryEntry insertEntry("SequenceInsert", runInsert);
static LibraryEntry eraseEntry("SequenceErase", runErase);
static LibraryEntry lengthEntry("SequenceLength", runLength);
static LibraryEntry getEntry("OptionalGetElement", runGetElement);
static LibraryEntry hasEntry("OptionalHasElement", runHasElement);
static LibraryEntry splitEntry("SplitToSequence", runSplit);
static LibraryEntry concatEntry("ConcatFromSequence", runConcat);
