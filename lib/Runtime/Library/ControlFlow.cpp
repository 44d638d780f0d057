//===- ControlFlow.cpp - loops and branches of any values -----------------===//
//
// Each iteration's values live until the next step: memory grows with the number
// of iterations. Loops over numbers whose shapes stay are kernels, and do not come
// here.
//
//===----------------------------------------------------------------------===//
#include "Values.h"

#include <algorithm>
#include <cstring>

using namespace dougong;

/// A scalar in memory that lives until the next step.
template <typename T>
static Result<dougong_tensor> makeScalar(const LibraryCall &call, T value, dougong_dtype dtype) {
  Result<void *> memory = call.allocate(sizeof(T));
  if (!memory)
    return memory.takeError();
  *static_cast<T *>(*memory) = value;
  return dougong_tensor{*memory, nullptr, 0, dtype};
}

/// `value` as the body takes it: a Loop may start with an optional value and go on
/// with what it holds.
static Result<dougong_tensor> asCarried(const LibraryCall &call, const dougong_tensor &value,
                                        dougong_dtype dtype) {
  if (dtype != DOUGONG_OPTIONAL || value.dtype == DOUGONG_OPTIONAL)
    return value;
  Result<void *> memory = call.allocate(sizeof(dougong_tensor));
  if (!memory)
    return memory.takeError();
  auto *held = static_cast<dougong_tensor *>(*memory);
  *held = value;
  return makeScalar(call, dougong_sequence{held, 1}, DOUGONG_OPTIONAL);
}

/// Makes output `index` the tensors of all iterations, one behind the other.
static Result<void> setStacked(const LibraryCall &call, std::size_t index,
                               std::span<const dougong_tensor> values) {
  dougong_tensor &output = call.tensors[index];
  if (!isPresent(output))
    return {};
  std::vector<std::int64_t> dims = {static_cast<std::int64_t>(values.size())};
  if (!values.empty())
    dims.insert(dims.end(), values[0].dims, values[0].dims + values[0].rank);
  else if (output.dims)
    dims.insert(dims.end(), output.dims + 1, output.dims + output.rank);
  else
    dims.resize(output.rank, 0);
  for (const dougong_tensor &value : values)
    if (value.dtype != output.dtype || value.rank + 1 != output.rank ||
        !std::ranges::equal(dimsOf(value), dimsOf(values[0])))
      return Error{"an iteration gives " + elementTypeName(value.dtype) + " " +
                   printDims(dimsOf(value)) + " to be stacked, the first one gave " +
                   elementTypeName(values[0].dtype) + " " + printDims(dimsOf(values[0]))};
  Result<void *> memory = call.makeOutput(index, dims);
  if (!memory)
    return memory.takeError();
  if (values.empty())
    return {};
  Result<std::size_t> bytes = bufferBytes(values[0].dtype, dimsOf(values[0]));
  if (!bytes)
    return bytes.takeError();
  auto *to = static_cast<std::byte *>(*memory);
  for (std::size_t i = 0; *bytes && i < values.size(); ++i)
    std::memcpy(to + i * *bytes, values[i].data, *bytes);
  return {};
}

/// Loop: [carried..., stacked...], [trip count or none, condition or none,
/// carried..., captured..., body], {results, carried}. The body takes [iteration,
/// condition, carried..., captured...] and gives [condition, carried..., stacked...].
static Result<void> runLoop(const LibraryCall &call) {
  AttributeReader attributes(call.attributes);
  auto results = static_cast<std::size_t>(attributes.integer());
  auto carried = static_cast<std::size_t>(attributes.integer());
  std::span<dougong_tensor> tensors = call.tensors;
  const dougong_tensor &body = tensors.back();
  std::size_t stacked = results - carried;
  const dougong_tensor &limit = tensors[results], &start = tensors[results + 1];
  std::span<dougong_tensor> initial = tensors.subspan(results + 2, carried);
  std::span<dougong_tensor> captured =
      tensors.subspan(results + 2 + carried, tensors.size() - results - 3 - carried);

  std::vector<dougong_tensor> states(initial.begin(), initial.end());
  std::vector<std::vector<dougong_tensor>> stacks(stacked);
  bool goesOn = !isPresent(start) || *static_cast<const std::uint8_t *>(start.data) != 0;
  std::int64_t end = isPresent(limit) ? loadInteger(limit, 0) : INT64_MAX;
  for (std::int64_t i = 0; goesOn && i < end; ++i) {
    Result<dougong_tensor> number = makeScalar(call, i, DOUGONG_I64);
    Result<dougong_tensor> condition = makeScalar<std::uint8_t>(call, 1, DOUGONG_BOOL);
    if (!number || !condition)
      return number ? condition.takeError() : number.takeError();
    std::vector<dougong_tensor> inputs = {*number, *condition};
    for (std::size_t s = 0; s < carried; ++s) {
      Result<dougong_tensor> state = asCarried(call, states[s], initial[s].dtype);
      if (!state)
        return state.takeError();
      inputs.push_back(*state);
    }
    inputs.insert(inputs.end(), captured.begin(), captured.end());
    std::vector<dougong_tensor> outputs(1 + results);
    if (Result<void> done = call.run(body, inputs, outputs); !done)
      return done;
    goesOn = *static_cast<const std::uint8_t *>(outputs[0].data) != 0;
    states.assign(outputs.begin() + 1, outputs.begin() + 1 + carried);
    for (std::size_t s = 0; s < stacked; ++s)
      stacks[s].push_back(outputs[1 + carried + s]);
  }
  for (std::size_t i = 0; i < carried; ++i)
    if (Result<void> set = copyValue(call, i, states[i]); !set)
      return set;
  for (std::size_t s = 0; s < stacked; ++s)
    if (Result<void> set = setStacked(call, carried + s, stacks[s]); !set)
      return set;
  return {};
}

/// If: [results...], [condition, captured by the first branch..., by the second...,
/// then, else], {results, captured by the first}.
static Result<void> runIf(const LibraryCall &call) {
  AttributeReader attributes(call.attributes);
  auto results = static_cast<std::size_t>(attributes.integer());
  auto first = static_cast<std::size_t>(attributes.integer());
  std::span<dougong_tensor> tensors = call.tensors;
  bool holds = *static_cast<const std::uint8_t *>(tensors[results].data) != 0;
  std::span<dougong_tensor> captured = tensors.subspan(results + 1, tensors.size() - results - 3);
  std::vector<dougong_tensor> outputs(results);
  Result<void> done = call.run(tensors[tensors.size() - (holds ? 2 : 1)],
                               holds ? captured.first(first) : captured.subspan(first), outputs);
  for (std::size_t i = 0; done && i < results; ++i)
    done = copyValue(call, i, outputs[i]);
  return done;
}

static LibraryEntry loopEntry("Loop", runLoop);
static LibraryEntry ifEntry("If", runIf);
