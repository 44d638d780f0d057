//===- Memory.cpp - how much memory a rank can need -----------------------===//

#include "dougong/Package/Memory.h"

#include "DataTypes.h"
#include "Memory.h"
#include "Summary.h"
#include "dougong/Package/Boxes.h"
#include "dougong/Package/Describe.h"
#include "dougong/Package/MicroBatches.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>

namespace dougong {

using package::dataTypeBits;
using plan::v1::Memory;
using plan::v1::Mesh;
using plan::v1::Plan;
using plan::v1::Program;
using plan::v1::Stage;
using plan::v1::Value;

namespace package {

std::uint64_t weightBytes(const Program &program) {
  std::set<std::pair<std::string, std::uint64_t>> counted;
  std::uint64_t total = 0;
  for (const auto &weight : program.weights()) {
    auto largest = std::max_element(weight.shards().begin(), weight.shards().end(),
                                    [](const plan::v1::Segment &a, const plan::v1::Segment &b) {
                                      return a.bytes() < b.bytes();
                                    });
    // Equal segments (tied weights) are mapped once.
    if (largest == weight.shards().end() ||
        !counted.insert({largest->file(), largest->offset()}).second)
      continue;
    if (__builtin_add_overflow(total, largest->bytes(), &total))
      return UINT64_MAX;
  }
  return total;
}

} // namespace package

/// Bounds beyond it are none: models cut with "the greatest number" where they
/// mean "to the end", and no dim of a step has so many elements.
static constexpr std::int64_t greatestExtent = 1 << 24;

ModelRanges ModelRanges::of(const plan::v1::Model &model) {
  ModelRanges result;
  for (const auto &symbol : model.symbols()) {
    std::int64_t min = std::max<std::int64_t>(symbol.min(), 0);
    bool isBounded = symbol.has_max() && symbol.max() <= greatestExtent;
    std::int64_t max = isBounded ? symbol.max() : std::max<std::int64_t>(min, 1);
    result.ranges[symbol.name()] = {std::min(min, max), max};
    if (!isBounded)
      result.assumed.insert(symbol.name());
  }
  return result;
}

namespace {

/// A string or a sequence in a buffer: a pointer and a length.
constexpr std::int64_t pointingElementBytes = 16;

/// How many ways `axes` cut.
std::int64_t countParts(const Mesh &mesh,
                        const google::protobuf::RepeatedPtrField<std::string> &axes) {
  std::int64_t parts = 1;
  for (const auto &axis : mesh.axes())
    if (std::find(axes.begin(), axes.end(), axis.name()) != axes.end())
      parts *= axis.size();
  return parts;
}

/// Adds up the parts of one stage.
class StageBound {
public:
  StageBound(const Plan &plan, int stage, const ModelRanges &ranges)
      : plan(plan), number(stage), ranges(ranges) {
    takeMicroBatches();
  }

  Result<MemoryBound> compute();

private:
  struct Port {
    const Stage *stage;
    const Program *program;
    const Mesh *mesh;
    const Value *value;
  };
  /// The port of a stage; its members are null if the plan has no such port.
  Port findPort(const plan::v1::StagePort &port, bool isInput) const;
  bool isAligned(const Port &from, const Port &to) const {
    return from.stage->mesh() == to.stage->mesh() && equalSharding(*from.value, *to.value);
  }

  void takeMicroBatches();
  Result<std::uint64_t> upper(const DimExpr &expr);
  Result<std::uint64_t> upper(const std::string &text);
  Result<std::uint64_t> localBytes(const Port &port);
  Result<void> addPorts();
  Result<void> addMoves(const Port &from, const Port &to);
  Result<void> addCalls();
  Result<void> addAllocation();
  bool add(std::uint64_t &part, std::uint64_t bytes, std::uint64_t times = 1) {
    bool overflow = __builtin_mul_overflow(bytes, times, &bytes);
    overflow |= __builtin_add_overflow(part, bytes, &part);
    overflowed |= overflow;
    return !overflow;
  }

  const Plan &plan;
  int number;
  ModelRanges ranges; ///< of a micro-batch
  /// Of how many micro-batches a rank holds states and outputs.
  std::uint64_t kept = 1;
  MemoryBound result;
  std::uint64_t state = 0, io = 0, activations = 0, moves = 0, calls = 0, workspace = 0;
  bool isConstant = true, overflowed = false;
};

/// A program sees the rows of one micro-batch. Their states and outputs are kept to the
/// end of the step, inputs and temporaries not.
void StageBound::takeMicroBatches() {
  std::int64_t count = microBatchCount(plan.model());
  auto batch = ranges.ranges.find(plan.model().micro_batches().batch());
  if (count <= 1 || batch == ranges.ranges.end())
    return;
  auto &[min, max] = batch->second;
  kept = static_cast<std::uint64_t>(std::max<std::int64_t>(std::min(count, max), 1));
  max = max / count + (max % count != 0);
  min = std::min<std::int64_t>({min, 1, max});
}

StageBound::Port StageBound::findPort(const plan::v1::StagePort &port, bool isInput) const {
  Port found{nullptr, nullptr, nullptr, nullptr};
  if (port.stage() >= static_cast<std::uint32_t>(plan.stages_size()))
    return found;
  found.stage = &plan.stages(static_cast<int>(port.stage()));
  found.program = package::findProgram(plan, found.stage->program());
  found.mesh = package::findMesh(plan, found.stage->mesh());
  if (!found.program || !found.mesh)
    return found;
  const auto &values = isInput ? found.program->inputs() : found.program->outputs();
  if (port.index() < static_cast<std::uint32_t>(values.size()))
    found.value = &values[static_cast<int>(port.index())];
  return found;
}

Result<std::uint64_t> StageBound::upper(const DimExpr &expr) {
  for (const std::string &symbol : expr.symbols()) {
    isConstant = false;
    // An extent that depends on data is no dim of the model.
    bool isKnown = !ranges.ranges.try_emplace(symbol, DimRange{0, 1}).second;
    if (!isKnown || ranges.assumed.count(symbol))
      result.assumed.insert(symbol);
  }
  auto range = expr.range(ranges.ranges);
  if (!range)
    return range.takeError();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(range->max, 0));
}

Result<std::uint64_t> StageBound::upper(const std::string &text) {
  auto expr = DimExpr::parse(text);
  if (!expr)
    return expr.takeError();
  return upper(*expr);
}

/// Bytes of a rank's part of a value.
Result<std::uint64_t> StageBound::localBytes(const Port &port) {
  const Value &value = *port.value;
  DimExpr elements(1);
  for (int d = 0; d != value.dims_size(); ++d) {
    auto extent = DimExpr::parse(value.dims(d));
    if (!extent)
      return extent.takeError();
    if (d < value.sharding_size() && !value.sharding(d).axes().empty())
      *extent = localExtent(*extent, value.sharding(d).unit(),
                            countParts(*port.mesh, value.sharding(d).axes()));
    elements = elements * *extent;
  }
  if (dataTypeBits(value.dtype()) == 0) {
    result.hasStrings = true;
    return upper(elements * DimExpr(pointingElementBytes));
  }
  return upper(ceilDiv(elements * DimExpr(dataTypeBits(value.dtype())), 8));
}

/// What moving a value to another cut takes: a packed piece for each receiver at
/// the source, the pieces before they are put together at the destination.
Result<void> StageBound::addMoves(const Port &from, const Port &to) {
  if (isAligned(from, to))
    return {};
  auto sent = localBytes(from), received = localBytes(to);
  if (!sent || !received)
    return sent ? received.takeError() : sent.takeError();
  const Stage *self = &plan.stages(number);
  if (to.stage == self)
    add(moves, *received);
  auto receivers = meshSize(*to.mesh);
  std::uint64_t bytes;
  if (from.stage == self && receivers &&
      !__builtin_mul_overflow(std::min(*sent, *received), static_cast<std::uint64_t>(*receivers),
                              &bytes))
    add(moves, bytes, kept);
  return {};
}

Result<void> StageBound::addPorts() {
  const Stage *self = &plan.stages(number);
  std::map<std::string, std::string> outputOfState, inputOfState;
  for (const auto &entry : plan.model().states()) {
    outputOfState[entry.input()] = entry.output();
    inputOfState[entry.output()] = entry.input();
  }
  // Where model inputs that are states arrive, and where their outputs are made.
  std::map<std::string, Port> makers;
  std::multimap<std::string, Port> takers;
  for (const auto &transfer : plan.transfers()) {
    if (transfer.from().has_port() && transfer.to().has_model())
      if (Port port = findPort(transfer.from().port(), false); port.value)
        makers.emplace(transfer.to().model(), port);
    if (transfer.from().has_model() && transfer.to().has_port())
      if (Port port = findPort(transfer.to().port(), true); port.value)
        takers.emplace(transfer.from().model(), port);
  }

  std::set<std::uint32_t> stateInputs, stateOutputs;
  for (const auto &transfer : plan.transfers()) {
    const auto &from = transfer.from(), &to = transfer.to();
    if (from.has_model() && to.has_port() && outputOfState.count(from.model()) &&
        to.port().stage() == static_cast<std::uint32_t>(number))
      stateInputs.insert(to.port().index());
    if (from.has_port() && to.has_model() && inputOfState.count(to.model()) &&
        from.port().stage() == static_cast<std::uint32_t>(number))
      stateOutputs.insert(from.port().index());
    if (!from.has_port() || !to.has_port())
      continue;
    Port source = findPort(from.port(), false), target = findPort(to.port(), true);
    if (source.value && target.value)
      if (auto added = addMoves(source, target); !added)
        return added;
  }
  for (const auto &[output, input] : inputOfState) {
    auto maker = makers.find(output);
    if (maker == makers.end())
      continue;
    bool isAligned = false;
    for (auto [it, end] = takers.equal_range(input); it != end; ++it) {
      if (auto added = addMoves(maker->second, it->second); !added)
        return added;
      isAligned |= this->isAligned(maker->second, it->second);
    }
    // The maker keeps it until the takers have their own; an aligned taker reads
    // the very buffer, which is counted as its input.
    if (maker->second.stage == self && !isAligned) {
      auto bytes = localBytes(maker->second);
      if (!bytes)
        return bytes.takeError();
      add(state, *bytes, kept);
    }
  }

  const Program *program = package::findProgram(plan, self->program());
  for (bool isInput : {true, false}) {
    const auto &values = isInput ? program->inputs() : program->outputs();
    const auto &states = isInput ? stateInputs : stateOutputs;
    for (std::uint32_t index = 0; index != static_cast<std::uint32_t>(values.size()); ++index) {
      plan::v1::StagePort port;
      port.set_stage(static_cast<std::uint32_t>(number));
      port.set_index(index);
      auto bytes = localBytes(findPort(port, isInput));
      if (!bytes)
        return bytes.takeError();
      bool isState = states.count(index) != 0;
      add(isState ? state : io, *bytes, isState || !isInput ? kept : 1);
    }
  }
  return {};
}

Result<void> StageBound::addCalls() {
  const Stage &stage = plan.stages(number);
  const Program *program = package::findProgram(plan, stage.program());
  const Mesh *mesh = package::findMesh(plan, stage.mesh());
  for (const auto &call : program->calls()) {
    // Moves write straight into their results.
    if (call.reduction().empty() ||
        call.group() >= static_cast<std::uint32_t>(program->groups_size()))
      continue;
    auto elements = upper(call.elements());
    if (!elements)
      return elements.takeError();
    auto members = static_cast<std::uint64_t>(
        countParts(*mesh, program->groups(static_cast<int>(call.group())).axes()));
    std::uint64_t bytes = 0, gathered = 0, twice = 0;
    overflowed |= __builtin_mul_overflow(
        *elements, static_cast<std::uint64_t>(dataTypeBits(call.dtype()) + 7) / 8, &bytes);
    // A small all-reduce, and a reduce-scatter, hold the parts of all ranks; a
    // large all-reduce one round of slices, and its own result.
    bool isReduce = call.kind() == "all_reduce";
    overflowed |= __builtin_mul_overflow(isReduce ? std::min(bytes, gatheredReduceBytes) : bytes,
                                         members, &gathered);
    overflowed |= __builtin_mul_overflow(bytes, 2, &twice);
    calls = std::max({calls, gathered, isReduce && bytes > gatheredReduceBytes ? twice : 0});
  }
  return {};
}

Result<void> StageBound::addAllocation() {
  const Program *program = package::findProgram(plan, plan.stages(number).program());
  for (const std::string &term : program->allocation().arena()) {
    auto bytes = upper(term);
    if (!bytes)
      return bytes.takeError();
    add(activations, *bytes);
  }
  for (const std::string &text : program->allocation().workspace()) {
    auto bytes = upper(text);
    if (!bytes)
      return bytes.takeError();
    workspace = std::max(workspace, *bytes);
  }
  result.unproved.insert(program->allocation().unproved().begin(),
                         program->allocation().unproved().end());
  return {};
}

Result<MemoryBound> StageBound::compute() {
  const Stage &stage = plan.stages(number);
  const Program *program = package::findProgram(plan, stage.program());
  if (!program || !package::findMesh(plan, stage.mesh()))
    return Error{"stage '" + stage.name() + "' names program '" + stage.program() + "' and mesh '" +
                 stage.mesh() + "', of which the plan lacks one"};
  // The products of axes below rest on it.
  for (const Mesh &mesh : plan.meshes())
    if (auto size = meshSize(mesh); !size)
      return Error{"stage '" + stage.name() + "': " + size.message()};
  for (auto step : {&StageBound::addPorts, &StageBound::addCalls, &StageBound::addAllocation})
    if (auto added = (this->*step)(); !added)
      return Error{"stage '" + stage.name() + "': " + added.message()};

  Memory &memory = result.memory;
  memory.set_weights(package::weightBytes(*program));
  memory.set_state(state);
  memory.set_activations(activations);
  memory.set_io(io);
  add(moves, calls);
  memory.set_collectives(moves);
  memory.set_workspace(workspace);
  std::uint64_t total = 0;
  for (const package::MemoryPart &part : package::memoryParts(memory))
    add(total, part.bytes);
  if (overflowed)
    return Error{"stage '" + stage.name() + "': its memory may exceed 2^64 bytes"};
  memory.set_total(total);
  bool isEstimate = !result.assumed.empty() || !result.unproved.empty() || result.hasStrings;
  memory.set_bound(isEstimate ? "estimate" : isConstant && moves == 0 ? "exact" : "upper");
  return std::move(result);
}

/// "--dim past=0..4096", for a symbol whose upper bound is what is too much.
std::string findFittingRange(const Plan &plan, int stage, const plan::v1::Symbol &symbol,
                             std::uint64_t capacity) {
  ModelRanges ranges = ModelRanges::of(plan.model());
  auto fits = [&](std::int64_t max) {
    ranges.ranges[symbol.name()] = {std::min<std::int64_t>(symbol.min(), max), max};
    auto bound = boundMemory(plan, stage, ranges);
    return bound && bound->memory.total() <= capacity;
  };
  if (!symbol.has_max() || symbol.max() <= symbol.min() || !fits(symbol.min()))
    return "";
  std::int64_t low = symbol.min(), high = symbol.max();
  while (high - low > 1) {
    std::int64_t middle = low + (high - low) / 2;
    (fits(middle) ? low : high) = middle;
  }
  return fmt::format("--dim {}={}..{}", symbol.name(), symbol.min(), low);
}

} // namespace

Result<MemoryBound> boundMemory(const Plan &plan, int stage, const ModelRanges &ranges) {
  return StageBound(plan, stage, ranges).compute();
}

Result<void> proveMemory(Plan &plan, int stage, const std::string &pool, std::uint64_t capacity) {
  auto bound = boundMemory(plan, stage, ModelRanges::of(plan.model()));
  if (!bound)
    return bound.takeError();
  Memory *memory = plan.mutable_stages(stage)->add_memory();
  *memory = std::move(bound->memory);
  memory->set_pool(pool);
  memory->set_capacity(capacity);
  return {};
}

std::string describeMisfit(const Plan &plan, int stage) {
  const Stage &entry = plan.stages(stage);
  const Mesh *mesh = package::findMesh(plan, entry.mesh());
  for (const Memory &memory : entry.memory()) {
    if (memory.capacity() == 0 || memory.total() <= memory.capacity())
      continue;
    package::MemoryPart binding = package::bindingPart(memory);
    std::string text = fmt::format(
        "stage '{}' does not fit: a rank needs {}, chip '{}' has {} ({}); the largest part is {}",
        entry.name(), formatBytes(memory.total()), mesh ? mesh->chip_type() : "?",
        formatBytes(memory.capacity()), package::printParts(memory), binding.name);
    std::string fitting;
    for (const auto &symbol : plan.model().symbols())
      if (std::string range = findFittingRange(plan, stage, symbol, memory.capacity());
          !range.empty())
        fitting += (fitting.empty() ? "" : " or ") + range;
    return text + "; " + (fitting.empty() ? binding.remedy : "it would fit with " + fitting);
  }
  return "";
}

} // namespace dougong
