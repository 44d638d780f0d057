//===- ExecutorStep.cpp - run one step of one rank ------------------------===//
#include "ExecutorImpl.h"

#include "dougong/Runtime/ElementType.h"

#include <algorithm>
#include <chrono>
#include <cstring>

using namespace dougong;
using Clock = std::chrono::steady_clock;

static double secondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

static Result<std::size_t> bytesOf(const plan::v1::Value &value,
                                   std::span<const std::int64_t> dims) {
  Result<std::size_t> bytes = bufferBytes(value.dtype(), dims);
  if (!bytes)
    return Error{"value '" + value.name() + "': " + bytes.message()};
  return bytes;
}

/// The type and dims of every model input: of the tensor that is given, or of the
/// state that is carried.
Result<std::vector<GivenInput>> Executor::Impl::givenInputs(const InputTensors &inputs) const {
  std::vector<GivenInput> given;
  for (int i = 0; i < model().inputs_size(); ++i) {
    const plan::v1::Value &value = model().inputs(i);
    if (int state = wiring.stateOfInput[i]; carrying && state >= 0) {
      given.push_back({value.dtype(), carried[state].dims});
      continue;
    }
    auto found = inputs.find(value.name());
    if (found == inputs.end())
      return Error{"input '" + value.name() + "' is missing"};
    given.push_back({found->second.dtype, found->second.dims});
  }
  for (const auto &[name, tensor] : inputs) {
    auto known = [&](const plan::v1::Value &value) { return value.name() == name; };
    if (std::none_of(model().inputs().begin(), model().inputs().end(), known))
      return Error{"the model has no input '" + name + "'"};
  }
  return given;
}

/// Solves the symbols and computes the layout of every port of every stage. Kept
/// from the last step if no extent has changed.
Result<void> Executor::Impl::setLayouts(const std::vector<GivenInput> &given) {
  Result<SymbolValues> solved = solveSymbols(model(), modelInputDims, given);
  if (!solved)
    return solved.takeError();
  if (symbols && *symbols == *solved)
    return {};
  symbols.reset();
  movers.clear(); // they refer to the layouts
  layouts.clear();
  late.clear();
  auto layoutOf = [&](const WiredStage &stage, const plan::v1::Value &value,
                      const DimExprs &dims) -> Result<ShardLayout> {
    if (dependOnData(dims, *solved)) { // set when a stage has told them
      if (Result<void> valid = checkCutOfData(value, dims, *solved); !valid)
        return valid.takeError();
      return ShardLayout::whole(0, {});
    }
    Result<std::vector<std::int64_t>> extents = evaluateDims(value, dims, *solved);
    if (!extents)
      return extents.takeError();
    Result<ShardLayout> layout = ShardLayout::create(*stage.mesh, value.sharding(), *extents);
    if (!layout)
      return Error{"value '" + value.name() + "': " + layout.message()};
    return layout;
  };
  for (std::size_t s = 0; s < wiring.stages.size(); ++s) {
    const WiredStage &stage = wiring.stages[s];
    StageLayouts &ports = layouts.emplace_back();
    for (int i = 0; i < stage.program->inputs_size(); ++i) {
      Result<ShardLayout> layout =
          layoutOf(stage, stage.program->inputs(i), stageDims[s].inputs[i]);
      if (!layout)
        return layout.takeError();
      const Origin &origin = stage.inputs[i];
      if (origin.isModel() && given[origin.index].dims != layout->globalExtents())
        return Error{"stage '" + stage.stage->name() + "' expects " +
                     printDims(layout->globalExtents()) + " for model input '" +
                     model().inputs(origin.index).name() + "', it is " +
                     printDims(given[origin.index].dims)};
      ports.inputs.push_back(std::move(*layout));
    }
    for (int i = 0; i < stage.program->outputs_size(); ++i) {
      if (dependOnData(stageDims[s].outputs[i], *solved))
        late.push_back(
            {{static_cast<int>(s), i}, wiring.firstExtentsTag + static_cast<int>(late.size())});
      Result<ShardLayout> layout =
          layoutOf(stage, stage.program->outputs(i), stageDims[s].outputs[i]);
      if (!layout)
        return layout.takeError();
      ports.outputs.push_back(std::move(*layout));
    }
  }
  for (const Link &link : wiring.links) {
    const ShardLayout &from = layouts[link.from.stage].outputs[link.from.index];
    const ShardLayout &to = layouts[link.stage].inputs[link.index];
    if (!link.carried && !findLate(link.from) && from.globalExtents() != to.globalExtents())
      return Error{"value '" + wiring.stages[link.stage].program->inputs(link.index).name() +
                   "' is " + printDims(from.globalExtents()) + " where it leaves stage '" +
                   wiring.stages[link.from.stage].stage->name() + "' and " +
                   printDims(to.globalExtents()) + " where it enters stage '" +
                   wiring.stages[link.stage].stage->name() + "'"};
  }
  movers.resize(wiring.links.size());
  symbols = std::move(*solved);
  return {};
}

/// The mover of a link for this step; a carried one starts from the layout that
/// the state had in the last step.
Result<Mover *> Executor::Impl::moverOf(int index) {
  const Link &link = wiring.links[index];
  std::optional<Mover> &mover = link.carried ? carriedMovers[index] : movers[index];
  if (mover)
    return &*mover;
  const ShardLayout *from = &layouts[link.from.stage].outputs[link.from.index];
  if (link.carried)
    for (std::size_t s = 0; s < wiring.states.size(); ++s)
      if (std::count(wiring.states[s].links.begin(), wiring.states[s].links.end(), index))
        from = &*carried[s].layout;
  const plan::v1::Value &value = wiring.stages[link.stage].program->inputs(link.index);
  if (holdsPointers(value.dtype()) && std::string_view(collectives.backend()) != "threads")
    return Error{"value '" + value.name() + "': " + elementTypeName(value.dtype()) +
                 " elements cannot move between processes"};
  Result<Mover> made =
      Mover::create(*from, layouts[link.stage].inputs[link.index],
                    bufferElementBytes(value.dtype()), link.tag, collectives, buffers);
  if (!made)
    return Error{"value '" + value.name() + "': " + made.message()};
  mover = std::move(*made);
  return &*mover;
}

/// Sends the carried states that other ranks or cuts need.
Result<void> Executor::Impl::sendCarried(std::vector<Mover::Outgoing> &outgoing) {
  carriedMovers.clear();
  carriedMovers.resize(wiring.links.size());
  if (!carrying)
    return {};
  for (std::size_t s = 0; s < wiring.states.size(); ++s)
    for (int link : wiring.states[s].links) {
      if (wiring.links[link].aligned || !carried[s].part)
        continue;
      Result<Mover *> mover = moverOf(link);
      if (!mover)
        return mover.takeError();
      if (Result<void> sent = (*mover)->send(carried[s].part, outgoing); !sent)
        return sent;
    }
  return {};
}

/// This rank's part of a whole tensor, its padding zero. A part that is the whole
/// is the tensor's own memory.
Result<Part> Executor::Impl::cutInput(const ShardLayout &layout, const Tensor &tensor,
                                      std::int32_t dtype) {
  Box box = layout.box(static_cast<std::uint32_t>(rank()));
  std::vector<std::int64_t> start(tensor.dims.size(), 0);
  std::size_t size = bufferElementBytes(dtype);
  Result<dougong_tensor> view = views.view(tensor);
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
  Result<Part> part = buffers.take(*bytes);
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
Result<Part> Executor::Impl::receivePart(int index, const ShardLayout &layout,
                                         std::size_t elementSize) {
  const Link &link = wiring.links[index];
  Part source;
  if (link.carried) {
    const Origin &origin = link.from;
    for (std::size_t s = 0; s < wiring.states.size(); ++s) {
      const Origin &output = wiring.modelOutputs[wiring.states[s].output];
      if (output.stage == origin.stage && output.index == origin.index)
        source = carried[s].part;
    }
  } else if (stages[link.from.stage]) {
    source = stages[link.from.stage]->outputs[link.from.index];
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
  Result<Part> part = buffers.take(bytes);
  if (!part)
    return part;
  if (layout.box(static_cast<std::uint32_t>(rank())).extents() != layout.localExtents())
    std::memset((*part)->data(), 0, bytes);
  const plan::v1::Value &value = wiring.stages[link.stage].program->inputs(link.index);
  CallSite site{-1, value.name().c_str()};
  if (Result<void> done = (*mover)->receive(source.get(), (*part)->data(), site); !done)
    return done.takeError();
  return part;
}

Result<Part> Executor::Impl::inputPart(int stage, int index, const InputTensors &inputs) {
  const WiredStage &wired = wiring.stages[stage];
  const plan::v1::Value &value = wired.program->inputs(index);
  const ShardLayout &layout = layouts[stage].inputs[index];
  const Origin &origin = wired.inputs[index];
  if (!origin.isModel())
    return receivePart(wired.inputLinks[index], layout, bufferElementBytes(value.dtype()));
  if (int state = wiring.stateOfInput[origin.index]; carrying && state >= 0)
    for (int link : wiring.states[state].links)
      if (wiring.links[link].stage == stage && wiring.links[link].index == index)
        return receivePart(link, layout, bufferElementBytes(value.dtype()));
  return cutInput(layout, inputs.at(model().inputs(origin.index).name()), value.dtype());
}

/// Asks the program for its outputs' extents, compares them with the plan, and
/// allocates them and the arena.
Result<std::vector<Part>>
Executor::Impl::allocateOutputs(int index, const std::vector<std::int64_t> &inputDims) {
  const plan::v1::Program &program = *wiring.stages[index].program;
  RankStage &stage = *stages[index];
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

  std::vector<Part> outputs;
  std::span<const std::int64_t> rest = dims;
  for (int i = 0; i < program.outputs_size(); ++i) {
    const plan::v1::Value &value = program.outputs(i);
    std::span<const std::int64_t> own = rest.first(value.dims_size());
    rest = rest.subspan(value.dims_size());
    if (std::ranges::count(own, -1) != 0) { // the program gives it
      outputs.push_back(nullptr);
      continue;
    }
    if (Result<void> taken = takeExtents(index, i, own); !taken)
      return taken.takeError();
    Result<std::size_t> bytes = bytesOf(value, own);
    if (!bytes)
      return bytes.takeError();
    Result<Part> part = buffers.take(*bytes);
    if (!part)
      return part.takeError();
    outputs.push_back(std::move(*part));
  }
  std::size_t bytes = static_cast<std::size_t>(arenaBytes);
  stage.cost.arenaBytes = std::max(stage.cost.arenaBytes, bytes);
  if (!stage.arena || stage.arena->capacity() < bytes) {
    stage.arena.reset(); // before the larger one is made
    Result<Part> arena = buffers.take(bytes);
    if (!arena)
      return Error{"the arena: " + arena.message()};
    stage.arena = std::move(*arena);
  }
  return outputs;
}

/// Keeps the outputs whose extents the program has found out.
Result<void> Executor::Impl::takeGivenOutputs(int index) {
  const plan::v1::Program &program = *wiring.stages[index].program;
  RankStage &stage = *stages[index];
  for (int i = 0; i < program.outputs_size(); ++i) {
    if (stage.outputs[i])
      continue;
    const plan::v1::Value &value = program.outputs(i);
    auto given = stage.host->givenOutputs.find(i);
    if (given == stage.host->givenOutputs.end())
      return Error{"the program did not give output '" + value.name() + "'"};
    const std::vector<std::int64_t> &dims = given->second.dims;
    Result<std::size_t> bytes = bytesOf(value, dims);
    if (!bytes)
      return bytes.takeError();
    Result<Part> part = buffers.take(*bytes);
    if (!part)
      return part.takeError();
    if (*bytes)
      std::memcpy((*part)->data(), given->second.data, *bytes);
    stage.outputs[i] = std::move(*part);
    if (Result<void> taken = takeExtents(index, i, dims); !taken)
      return taken;
  }
  return {};
}

Result<void> Executor::Impl::runStage(int index, const InputTensors &inputs,
                                      std::vector<Mover::Outgoing> &outgoing) {
  const WiredStage &wired = wiring.stages[index];
  RankStage &stage = *stages[index];
  Clock::time_point begin = Clock::now();
  std::vector<Part> parts;
  std::vector<void *> inputPointers, outputPointers;
  std::vector<std::int64_t> inputDims;
  for (int i = 0; i < wired.program->inputs_size(); ++i) {
    if (LateOutput *output = findLate(wired.inputs[i]))
      if (Result<void> learnt = learnExtents(*output); !learnt)
        return learnt;
    Result<Part> part = inputPart(index, i, inputs);
    if (!part)
      return part.takeError();
    inputPointers.push_back((*part)->data());
    parts.push_back(std::move(*part));
    const std::vector<std::int64_t> &dims = layouts[index].inputs[i].localExtents();
    inputDims.insert(inputDims.end(), dims.begin(), dims.end());
  }
  stage.cost.receiveSeconds += secondsSince(begin);

  begin = Clock::now();
  stage.outputs.assign(stage.outputs.size(), nullptr);
  Result<std::vector<Part>> outputs = allocateOutputs(index, inputDims);
  if (!outputs)
    return outputs.takeError();
  for (const Part &part : *outputs)
    outputPointers.push_back(part ? part->data() : nullptr);
  // Kept even if the run fails: other ranks may be reading them.
  stage.outputs = std::move(*outputs);
  if (Result<void> done = stage.host->run(
          *stage.loaded, stage.arena->data(), stage.weights.pointers.data(),
          stage.coordinates.data(), inputPointers.data(), outputPointers.data(), inputDims.data());
      !done)
    return done;
  if (Result<void> taken = takeGivenOutputs(index); !taken)
    return taken;
  stage.cost.runSeconds += secondsSince(begin);

  begin = Clock::now();
  if (Result<void> told = tellExtents(index, outgoing); !told)
    return told;
  for (std::size_t i = 0; i < stage.outputs.size(); ++i)
    for (int link : wired.outputLinks[i]) {
      if (wiring.links[link].carried || wiring.links[link].aligned)
        continue;
      Result<Mover *> mover = moverOf(link);
      if (!mover)
        return mover.takeError();
      if (Result<void> sent = (*mover)->send(stage.outputs[i], outgoing); !sent)
        return sent;
    }
  stage.cost.sendSeconds += secondsSince(begin);
  ++stage.cost.steps;
  return {};
}

/// Keeps what the next step takes from this one.
Result<void> Executor::Impl::keepStates(const InputTensors &inputs) {
  for (std::size_t s = 0; s < wiring.states.size(); ++s) {
    const Origin &origin = wiring.modelOutputs[wiring.states[s].output];
    const ShardLayout &layout = layouts[origin.stage].outputs[origin.index];
    carried[s].dims = layout.globalExtents();
    carried[s].layout = layout;
    carried[s].part = stages[origin.stage] ? stages[origin.stage]->outputs[origin.index] : nullptr;
  }
  carrying = !wiring.states.empty();
  passedThrough.clear();
  if (rank() != 0)
    return {};
  for (int i = 0; i < model().outputs_size(); ++i) {
    const Origin &origin = wiring.modelOutputs[i];
    if (!origin.isModel())
      continue;
    auto found = inputs.find(model().inputs(origin.index).name());
    if (found == inputs.end())
      return Error{"model output '" + model().outputs(i).name() +
                   "' is an input that is carried between steps, which is not supported"};
    Result<Tensor> copy = found->second.clone();
    if (!copy)
      return copy.takeError();
    copy->name = model().outputs(i).name();
    passedThrough.emplace(i, std::move(*copy));
  }
  return {};
}

Result<void> Executor::Impl::step(const InputTensors &inputs) {
  ran = false;
  strings.clear();
  views.clear();
  Result<std::vector<GivenInput>> given = givenInputs(inputs);
  if (!given)
    return given.takeError();
  if (Result<void> set = setLayouts(*given); !set)
    return set;
  // What is sent stays in `outgoing` until the receivers have it; sends are only
  // waited for at the end, so that stages that share ranks cannot wait for each
  // other.
  std::vector<Mover::Outgoing> outgoing;
  for (LateOutput &output : late)
    output.known = false;
  if (Result<void> sent = sendCarried(outgoing); !sent)
    return sent;
  for (int index : wiring.order)
    if (stages[index])
      if (Result<void> done = runStage(index, inputs, outgoing); !done)
        return Error{"stage '" + wiring.stages[index].stage->name() + "', rank " +
                     std::to_string(rank()) + ": " + done.message()};
  for (LateOutput &output : late)
    if (Result<void> learnt = learnExtents(output); !learnt)
      return learnt;
  std::vector<Collectives::RequestPtr> requests;
  for (Mover::Outgoing &message : outgoing)
    requests.push_back(std::move(message.request));
  if (Result<void> done = collectives.wait(requests, {}); !done)
    return done;
  if (Result<void> kept = keepStates(inputs); !kept)
    return kept;
  ran = true;
  return {};
}
