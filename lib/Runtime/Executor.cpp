//===- Executor.cpp - set up the stages of one rank -----------------------===//
#include "dougong/Runtime/Executor.h"

#include "ExecutorImpl.h"

#include "dougong/Package/MicroBatches.h"
#include "dougong/Runtime/ElementType.h"
#include "dougong/Support/Sha256.h"

#include <algorithm>

using namespace dougong;

Executor::Executor(std::unique_ptr<Impl> impl) : impl(std::move(impl)) {}
Executor::~Executor() = default;

Result<std::unique_ptr<Executor>> Executor::create(std::shared_ptr<Package> package,
                                                   Collectives &collectives,
                                                   const ExecutorOptions &options) {
  auto impl = std::make_unique<Impl>(std::move(package), collectives, options);
  if (Result<void> ready = impl->setUp(); !ready)
    return ready.takeError();
  return std::unique_ptr<Executor>(new Executor(std::move(impl)));
}

Result<int> Executor::worldSize(const plan::v1::Plan &plan) {
  Result<Wiring> wiring = wirePlan(plan, {});
  if (!wiring)
    return wiring.takeError();
  return wiring->world;
}

Result<void> Executor::checkInputs(const InputTensors &inputs) const {
  Result<std::vector<Impl::StepPart>> parts = impl->cutStep(inputs);
  if (!parts)
    return parts.takeError();
  return {};
}

Result<void> Executor::steps(std::span<const InputTensors> inputs) { return impl->steps(inputs); }
Result<Tensor> Executor::fetch(int index) { return impl->fetch(index); }
Json Executor::profile() const { return impl->profile(); }

void Executor::reset() {
  for (const std::unique_ptr<MicroBatch> &microBatch : impl->microBatches)
    microBatch->reset();
  impl->carrying = false;
}

Result<void> Executor::Impl::setUp() {
  const plan::v1::Plan &plan = package->plan();
  Result<Wiring> wired = wirePlan(plan, options.states);
  if (!wired)
    return wired.takeError();
  wiring = std::move(*wired);
  if (collectives.size() != wiring.world)
    return Error{"the plan needs " + std::to_string(wiring.world) + " ranks, there are " +
                 std::to_string(collectives.size())};

  for (const plan::v1::Value &value : model().inputs()) {
    Result<DimExprs> dims = parseDims(value);
    if (!dims)
      return dims.takeError();
    modelInputDims.push_back(std::move(*dims));
  }
  for (const WiredStage &stage : wiring.stages) {
    StageDims &all = stageDims.emplace_back();
    for (const plan::v1::Value &value : stage.program->inputs()) {
      Result<DimExprs> dims = parseDims(value);
      if (!dims)
        return dims.takeError();
      all.inputs.push_back(std::move(*dims));
    }
    for (const plan::v1::Value &value : stage.program->outputs()) {
      Result<DimExprs> dims = parseDims(value);
      if (!dims)
        return dims.takeError();
      all.outputs.push_back(std::move(*dims));
    }
  }
  if (Result<void> ready = setUpMicroBatches(); !ready)
    return ready;
  stages.resize(wiring.stages.size());
  for (std::size_t s = 0; s < stages.size(); ++s)
    if (Result<void> ready = setUpStage(static_cast<int>(s)); !ready)
      return Error{"stage '" + wiring.stages[s].stage->name() + "', rank " +
                   std::to_string(rank()) + ": " + ready.message()};
  return compareRanks();
}

Result<void> Executor::Impl::setUpMicroBatches() {
  std::int64_t count = microBatchCount(model());
  if (model().has_micro_batches()) {
    batch = model().micro_batches().batch();
    // Every message has a tag of its own, and tags end at 2^27.
    std::int64_t most =
        std::min<std::int64_t>(maxMicroBatches, (1 << 27) / std::max(wiring.tags, 1));
    if (count < 1 || count > most)
      return Error{"the plan makes " + std::to_string(count) + " micro-batches, expected 1 to " +
                   std::to_string(most)};
  }
  bool isGiven = batch.empty();
  auto findBatch = [&](const plan::v1::Value &value, const char *what,
                       std::vector<std::optional<int>> &dims) -> Result<void> {
    std::optional<int> &dim = dims.emplace_back();
    if (batch.empty())
      return {};
    Result<std::optional<int>> found = batchDim(value, batch);
    if (!found)
      return Error{std::string(what) + " '" + value.name() + "': " + found.message()};
    dim = *found;
    return {};
  };
  for (const plan::v1::Value &value : model().inputs()) {
    if (Result<void> found = findBatch(value, "input", inputBatchDims); !found)
      return found;
    isGiven |= inputBatchDims.back().has_value();
  }
  for (const plan::v1::Value &value : model().outputs())
    if (Result<void> found = findBatch(value, "output", outputBatchDims); !found)
      return found;
  if (!isGiven)
    return Error{"no input has the batch '" + batch + "', of which the plan makes micro-batches"};
  for (const CarriedState &state : wiring.states)
    if (inputBatchDims[state.input] != outputBatchDims[state.output])
      return Error{"state '" + model().outputs(state.output).name() + "' to '" +
                   model().inputs(state.input).name() + "': the batch '" + batch +
                   "' is not the same dim of both"};
  for (const WiredStage &stage : wiring.stages)
    for (const auto *values : {&stage.program->inputs(), &stage.program->outputs()})
      for (const plan::v1::Value &value : *values)
        movesPointers |= holdsPointers(value.dtype());
  for (std::int64_t number = 0; number < count; ++number)
    microBatches.push_back(std::make_unique<MicroBatch>(*this, static_cast<int>(number)));
  return {};
}

Result<void> Executor::Impl::setUpStage(int index) {
  const WiredStage &wired = wiring.stages[index];
  if (!wired.contains(rank()))
    return {};
  auto stage = std::make_unique<RankStage>();
  Result<std::shared_ptr<LoadedProgram>> loaded = package->program(*wired.program);
  if (!loaded)
    return loaded.takeError();
  stage->loaded = std::move(*loaded);
  stage->coordinates = meshCoordinates(*wired.mesh, rank() - wired.firstRank);
  Result<RankWeights> weights =
      package->weights(*wired.program, *wired.mesh, stage->coordinates, options.threads);
  if (!weights)
    return weights.takeError();
  stage->weights = std::move(*weights);
  // In the plan's order: the same on every member, as createGroup asks.
  std::vector<int> groups;
  for (const plan::v1::Group &group : wired.program->groups()) {
    Result<std::vector<int>> ranks = groupRanks(*wired.mesh, stage->coordinates, group);
    if (!ranks)
      return ranks.takeError();
    Result<int> made = collectives.createGroup(std::move(*ranks));
    if (!made)
      return made.takeError();
    groups.push_back(*made);
  }
  stage->host =
      std::make_unique<ProgramHost>(*wired.program, collectives, pool, strings, std::move(groups));
  stage->host->profile = options.profile;
  stages[index] = std::move(stage);
  return {};
}

/// Compares a text over the members of a group by its hash.
Result<void> Executor::Impl::compareGroup(int group, const std::string &text,
                                          const std::string &what) {
  constexpr std::size_t digits = 64;
  std::string mine = sha256(text);
  const std::vector<int> &ranks = collectives.groupRanks(group);
  std::string all(ranks.size() * digits, ' ');
  if (Result<void> done =
          collectives.allGather(group, mine.data(), all.data(), digits, DOUGONG_U8, {});
      !done)
    return done;
  for (std::size_t i = 0; i < ranks.size(); ++i)
    if (all.compare(i * digits, digits, mine) != 0)
      return Error{"rank " + std::to_string(ranks[i]) + " has " + what + " than rank " +
                   std::to_string(rank()) + "; start all ranks on the same package"};
  return {};
}

/// Finds ranks of another plan, and groups whose members would make different
/// calls, before they hang.
Result<void> Executor::Impl::compareRanks() {
  Result<std::string> plan = computePlanId(package->plan());
  if (!plan)
    return plan.takeError();
  std::string world = *plan;
  for (const auto &[input, output] : options.states)
    world += "\n" + output + "=" + input;
  if (Result<void> same = compareGroup(Collectives::world, world, "another plan or other states");
      !same)
    return same;
  for (const std::unique_ptr<RankStage> &stage : stages) {
    if (!stage)
      continue;
    const plan::v1::Program &program = stage->host->program;
    for (int g = 0; g < program.groups_size(); ++g) {
      std::string calls;
      for (const plan::v1::Call &call : program.calls())
        if (static_cast<int>(call.group()) == g)
          calls += call.kind() + " " + std::to_string(call.dtype()) + " " + call.elements() + " " +
                   call.reduction() + " " + std::to_string(call.from()) + "\n";
      if (Result<void> same =
              compareGroup(stage->host->groups[g], calls,
                           "another sequence of calls in group " + std::to_string(g));
          !same)
        return same;
    }
  }
  return {};
}
