//===- ExecutorStep.cpp - run one step of one rank ------------------------===//
#include "ExecutorImpl.h"

#include <algorithm>

using namespace dougong;

/// The type and dims of every model input: of the tensor that is given, or of the
/// state that is carried.
Result<std::vector<GivenInput>> Executor::Impl::givenInputs(const InputTensors &inputs) const {
  std::vector<GivenInput> given;
  for (int i = 0; i < model().inputs_size(); ++i) {
    const plan::v1::Value &value = model().inputs(i);
    if (int state = wiring.stateOfInput[i]; carrying && state >= 0) {
      given.push_back({value.dtype(), carriedDims[state]});
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

Result<std::vector<Executor::Impl::StepPart>>
Executor::Impl::cutStep(const InputTensors &inputs) const {
  Result<std::vector<GivenInput>> given = givenInputs(inputs);
  if (!given)
    return given.takeError();
  Result<SymbolValues> symbols = solveSymbols(model(), modelInputDims, *given);
  if (!symbols)
    return symbols.takeError();
  std::vector<StepPart> parts;
  if (batch.empty()) {
    if (Result<void> held = checkConditions(model(), *symbols); !held)
      return held.takeError();
    parts.push_back({{}, std::move(*given), std::move(*symbols)});
    return parts;
  }
  std::int64_t rows = symbols->at(batch);
  for (const RowRange &range : cutRows(rows, static_cast<std::int64_t>(microBatches.size()))) {
    StepPart part{range, *given, *symbols};
    part.symbols[batch] = range.end - range.begin;
    for (std::size_t i = 0; i < part.given.size(); ++i)
      if (inputBatchDims[i])
        part.given[i].dims[*inputBatchDims[i]] = range.end - range.begin;
    // What operators demand, they demand of the rows that they get.
    if (Result<void> held = checkConditions(model(), part.symbols); !held)
      return Error{"micro-batch " + std::to_string(parts.size()) + " of " + std::to_string(rows) +
                   " rows: " + held.message()};
    parts.push_back(std::move(part));
  }
  return parts;
}

/// Keeps what the next step takes from this one.
Result<void> Executor::Impl::keepStates(const InputTensors &inputs,
                                        const std::vector<StepPart> &parts) {
  for (std::size_t number = 0; number < activeCount; ++number)
    if (Result<void> ended = microBatches[number]->end(); !ended)
      return ended;
  carriedDims.clear();
  for (std::size_t s = 0; s < wiring.states.size(); ++s) {
    carriedDims.push_back(microBatches[0]->state(s).layout->globalExtents());
    if (std::optional<int> dim = outputBatchDims[wiring.states[s].output])
      carriedDims.back()[*dim] = parts.back().rows.end;
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

std::string Executor::Impl::describeTask(const Task &task) const {
  std::string text =
      "stage '" + wiring.stages[task.stage].stage->name() + "', rank " + std::to_string(rank());
  if (batch.empty())
    return text;
  const RowRange &rows = microBatches[task.microBatch]->rows();
  return text + ", micro-batch " + std::to_string(task.microBatch) + " (rows " +
         std::to_string(rows.begin) + " to " + std::to_string(rows.end - 1) + ")";
}

/// Runs the stages of this rank.
Result<void> Executor::Impl::runTasks(const InputTensors &inputs,
                                      const std::vector<StepPart> &parts) {
  for (std::size_t number = activeCount; number < microBatches.size(); ++number)
    if (Result<void> cleared = microBatches[number]->clear(); !cleared)
      return cleared;
  std::vector<bool> begun(activeCount, false);
  auto begin = [&](std::size_t number) -> Result<void> {
    if (begun[number])
      return {};
    begun[number] = true;
    const StepPart &part = parts[number];
    return microBatches[number]->begin(part.rows, part.given, part.symbols);
  };
  // A micro-batch begins with its first task, for until then this rank may still be
  // sending what it made of it in the last step. States that move must be under way
  // before this rank waits for anything: others may wait for them.
  bool movesStates = std::ranges::any_of(
      wiring.links, [](const Link &link) { return link.carried && !link.aligned; });
  for (std::size_t number = 0; movesStates && number < activeCount; ++number)
    if (Result<void> ready = begin(number); !ready)
      return ready;
  for (const Task &task : orderTasks(wiring, rank(), static_cast<int>(activeCount))) {
    if (Result<void> ready = begin(task.microBatch); !ready)
      return ready;
    if (Result<void> done = microBatches[task.microBatch]->runStage(task.stage, inputs); !done)
      return Error{describeTask(task) + ": " + done.message()};
  }
  return {};
}

Result<void> Executor::Impl::step(const InputTensors &inputs) {
  ran = false;
  strings.clear();
  views.clear();
  Result<std::vector<StepPart>> parts = cutStep(inputs);
  if (!parts)
    return parts.takeError();
  activeCount = parts->size();
  if (Result<void> done = runTasks(inputs, *parts); !done)
    return done;
  if (Result<void> kept = keepStates(inputs, *parts); !kept)
    return kept;
  ran = true;
  ++stepNumber;
  return {};
}

Result<void> Executor::Impl::steps(std::span<const InputTensors> all) {
  auto finish = [&]() -> Result<void> {
    for (const std::unique_ptr<MicroBatch> &microBatch : microBatches)
      if (Result<void> finished = microBatch->finishSends(); !finished)
        return finished;
    return {};
  };
  for (std::size_t number = 0; number < all.size(); ++number) {
    // The text of strings lives on the rank that made it until its next step.
    if (number != 0 && movesPointers) {
      if (Result<void> finished = finish(); !finished)
        return finished;
      if (Result<void> met = collectives.barrier(Collectives::world, {}); !met)
        return met;
    }
    if (Result<void> done = step(all[number]); !done)
      return all.size() == 1 ? std::move(done)
                             : Error{"step " + std::to_string(number) + ": " + done.message()};
  }
  return finish();
}
