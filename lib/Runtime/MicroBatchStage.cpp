//===- MicroBatchStage.cpp - a stage's work on a micro-batch --------------===//
#include "ExecutorImpl.h"
#include "MicroBatch.h"

#include "dougong/Runtime/ElementType.h"

#include <algorithm>
#include <chrono>
#include <cstring>

using namespace dougong;
using Clock = std::chrono::steady_clock;

static double secondsBetween(Clock::time_point begin, Clock::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

static Result<std::size_t> bytesOf(const plan::v1::Value &value,
                                   std::span<const std::int64_t> dims) {
  Result<std::size_t> bytes = bufferBytes(value.dtype(), dims);
  if (!bytes)
    return Error{"value '" + value.name() + "': " + bytes.message()};
  return bytes;
}

/// This rank's part of these rows of a whole tensor, for model input `input`, its
/// padding zero. A part that is the whole is the tensor's own memory.
Result<Part> MicroBatch::cutInput(const ShardLayout &layout, const Tensor &tensor, int input) {
  std::int32_t dtype = owner.model().inputs(input).dtype();
  Box box = layout.box(static_cast<std::uint32_t>(owner.rank()));
  // In the numbering of the box, which counts from the first of these rows.
  std::vector<std::int64_t> start(tensor.dims.size(), 0);
  if (std::optional<int> dim = owner.inputBatchDims[input])
    start[*dim] = -range.begin;
  std::size_t size = bufferElementBytes(dtype);
  Result<dougong_tensor> view = owner.views.view(tensor);
  if (!view)
    return view.takeError();
  // (an extent of 1 that is cut is 1 on every rank, but empty on all but the first)
  bool isWhole = layout.localExtents() == tensor.dims && box.extents() == tensor.dims;
  if (view->data == tensor.data.data() && isWhole) {
    // Not owned: the caller's tensors outlive the step.
    return Part(std::shared_ptr<void>(), const_cast<Buffer *>(&tensor.data));
  }
  Result<std::size_t> bytes = bufferBytes(dtype, layout.localExtents());
  if (!bytes)
    return bytes.takeError();
  Result<Part> part = owner.buffers.take(*bytes);
  if (!part)
    return part;
  if (box.extents() != layout.localExtents())
    std::memset((*part)->data(), 0, *bytes);
  if (!box.empty())
    copyBox(box, size, {start, tensor.dims}, view->data, {box.begin, layout.localExtents()},
            (*part)->data());
  return part;
}

/// This rank's part of a value that a stage made, in this step or (a carried one)
/// in the last.
Result<Part> MicroBatch::receivePart(int index, const ShardLayout &layout,
                                     std::size_t elementSize) {
  const Link &link = owner.wiring.links[index];
  Part source;
  if (link.carried) {
    const Origin &origin = link.from;
    for (std::size_t s = 0; s < owner.wiring.states.size(); ++s) {
      const Origin &output = owner.wiring.modelOutputs[owner.wiring.states[s].output];
      if (output.stage == origin.stage && output.index == origin.index)
        source = carried[s].part;
    }
  } else {
    source = outputs[link.from.stage][link.from.index];
  }
  if (link.aligned)
    return source;
  Result<Mover *> mover = moverOf(index);
  if (!mover)
    return mover.takeError();
  Result<std::int64_t> elements = elementCount(layout.localExtents());
  if (!elements)
    return elements.takeError();
  std::size_t bytes = *elements * elementSize;
  Result<Part> part = owner.buffers.take(bytes);
  if (!part)
    return part;
  if (layout.box(static_cast<std::uint32_t>(owner.rank())).extents() != layout.localExtents())
    std::memset((*part)->data(), 0, bytes);
  const plan::v1::Value &value = owner.wiring.stages[link.stage].program->inputs(link.index);
  CallSite site{-1, value.name().c_str()};
  if (Result<void> done = (*mover)->receive(source.get(), (*part)->data(), site); !done)
    return done.takeError();
  return part;
}

Result<Part> MicroBatch::inputPart(int stage, int index, const InputTensors &inputs) {
  const WiredStage &wired = owner.wiring.stages[stage];
  const plan::v1::Value &value = wired.program->inputs(index);
  const ShardLayout &layout = layouts[stage].inputs[index];
  const Origin &origin = wired.inputs[index];
  if (!origin.isModel())
    return receivePart(wired.inputLinks[index], layout, bufferElementBytes(value.dtype()));
  if (int state = owner.wiring.stateOfInput[origin.index]; carrying && state >= 0)
    for (int link : owner.wiring.states[state].links)
      if (owner.wiring.links[link].stage == stage && owner.wiring.links[link].index == index)
        return receivePart(link, layout, bufferElementBytes(value.dtype()));
  return cutInput(layout, inputs.at(owner.model().inputs(origin.index).name()), origin.index);
}

/// Asks the program for its outputs' extents, compares them with the plan, and
/// allocates them and the arena.
Result<std::vector<Part>> MicroBatch::allocateOutputs(int index,
                                                      const std::vector<std::int64_t> &inputDims) {
  const plan::v1::Program &program = *owner.wiring.stages[index].program;
  RankStage &stage = *owner.stages[index];
  std::size_t total = 0;
  for (const plan::v1::Value &value : program.outputs())
    total += value.dims_size();
  std::vector<std::int64_t> dims(total, -1);
  std::int64_t arenaBytes = 0;
  std::int32_t code =
      stage.loaded->shapes(inputDims.data(), stage.coordinates.data(), dims.data(), &arenaBytes);
  if (code != 0)
    return Error{checkText(program, code)};
  if (arenaBytes < 0)
    return Error{"the program asks for an arena of " + std::to_string(arenaBytes) + " bytes"};

  std::vector<Part> made;
  std::span<const std::int64_t> rest = dims;
  for (int i = 0; i < program.outputs_size(); ++i) {
    const plan::v1::Value &value = program.outputs(i);
    std::span<const std::int64_t> own = rest.first(value.dims_size());
    rest = rest.subspan(value.dims_size());
    if (std::ranges::count(own, -1) != 0) { // the program gives it
      made.push_back(nullptr);
      continue;
    }
    if (Result<void> taken = takeExtents(index, i, own); !taken)
      return taken.takeError();
    Result<std::size_t> bytes = bytesOf(value, own);
    if (!bytes)
      return bytes.takeError();
    Result<Part> part = owner.buffers.take(*bytes);
    if (!part)
      return part.takeError();
    made.push_back(std::move(*part));
  }
  std::size_t bytes = static_cast<std::size_t>(arenaBytes);
  stage.cost.arenaBytes = std::max(stage.cost.arenaBytes, bytes);
  if (!stage.arena || stage.arena->capacity() < bytes) {
    stage.arena.reset(); // before the larger one is made
    Result<Part> arena = owner.buffers.take(bytes);
    if (!arena)
      return Error{"the arena: " + arena.message()};
    stage.arena = std::move(*arena);
  }
  return made;
}

/// Keeps the outputs whose extents the program has found out.
Result<void> MicroBatch::takeGivenOutputs(int index) {
  const plan::v1::Program &program = *owner.wiring.stages[index].program;
  RankStage &stage = *owner.stages[index];
  for (int i = 0; i < program.outputs_size(); ++i) {
    if (outputs[index][i])
      continue;
    const plan::v1::Value &value = program.outputs(i);
    auto given = stage.host->givenOutputs.find(i);
    if (given == stage.host->givenOutputs.end())
      return Error{"the program did not give output '" + value.name() + "'"};
    const std::vector<std::int64_t> &dims = given->second.dims;
    Result<std::size_t> bytes = bytesOf(value, dims);
    if (!bytes)
      return bytes.takeError();
    Result<Part> part = owner.buffers.take(*bytes);
    if (!part)
      return part.takeError();
    if (*bytes)
      std::memcpy((*part)->data(), given->second.data, *bytes);
    outputs[index][i] = std::move(*part);
    if (Result<void> taken = takeExtents(index, i, dims); !taken)
      return taken;
  }
  return {};
}

/// Runs the program of a stage on this rank's parts of its inputs.
Result<void> MicroBatch::runProgram(int index, const std::vector<Part> &inputs,
                                    const std::vector<std::int64_t> &inputDims) {
  RankStage &stage = *owner.stages[index];
  outputs[index].assign(outputs[index].size(), nullptr);
  Result<std::vector<Part>> made = allocateOutputs(index, inputDims);
  if (!made)
    return made.takeError();
  std::vector<void *> inputPointers, outputPointers;
  for (const Part &part : inputs)
    inputPointers.push_back(part->data());
  for (const Part &part : *made)
    outputPointers.push_back(part ? part->data() : nullptr);
  // Kept even if the run fails: other ranks may be reading them.
  outputs[index] = std::move(*made);
  if (Result<void> done = stage.host->run(
          *stage.loaded, stage.arena->data(), stage.weights.pointers.data(),
          stage.coordinates.data(), inputPointers.data(), outputPointers.data(), inputDims.data());
      !done)
    return done;
  return takeGivenOutputs(index);
}

/// Starts to send a stage's outputs to the stages that take them.
Result<void> MicroBatch::sendOutputs(int index) {
  if (Result<void> told = tellExtents(index); !told)
    return told;
  const WiredStage &wired = owner.wiring.stages[index];
  for (std::size_t i = 0; i < outputs[index].size(); ++i)
    for (int link : wired.outputLinks[i]) {
      if (owner.wiring.links[link].carried || owner.wiring.links[link].aligned)
        continue;
      Result<Mover *> mover = moverOf(link);
      if (!mover)
        return mover.takeError();
      if (Result<void> sent = (*mover)->send(outputs[index][i], outgoing); !sent)
        return sent;
    }
  return {};
}

Result<void> MicroBatch::runStage(int index, const InputTensors &inputs) {
  const WiredStage &wired = owner.wiring.stages[index];
  StageCost &cost = owner.stages[index]->cost;
  Clock::time_point begin = Clock::now();
  std::vector<Part> parts;
  std::vector<std::int64_t> inputDims;
  for (int i = 0; i < wired.program->inputs_size(); ++i) {
    if (LateOutput *output = findLate(wired.inputs[i]))
      if (Result<void> learnt = learnExtents(*output); !learnt)
        return learnt;
    Result<Part> part = inputPart(index, i, inputs);
    if (!part)
      return part.takeError();
    parts.push_back(std::move(*part));
    const std::vector<std::int64_t> &dims = layouts[index].inputs[i].localExtents();
    inputDims.insert(inputDims.end(), dims.begin(), dims.end());
  }
  Clock::time_point ready = Clock::now();
  if (Result<void> done = runProgram(index, parts, inputDims); !done)
    return done;
  Clock::time_point made = Clock::now();
  if (Result<void> sent = sendOutputs(index); !sent)
    return sent;
  Clock::time_point end = Clock::now();
  cost.receiveSeconds += secondsBetween(begin, ready);
  cost.runSeconds += secondsBetween(ready, made);
  cost.sendSeconds += secondsBetween(made, end);
  ++cost.runs;
  if (owner.options.profile)
    cost.timeline.push_back(
        {owner.stepNumber, number, secondsBetween({}, ready), secondsBetween({}, made)});
  return {};
}
