//===- MicroBatchExtents.cpp - extents that only a run can tell --------------===//
//
// An output whose extents depend on data (NonZero, and what is made of it) has no
// layout before its stage has run. Then the stage's first rank tells the extents to
// every rank outside of the stage: to those of the stages that take the value, to
// the one that gathers it, and to all, where it is a state.
//
//===----------------------------------------------------------------------===//
#include "ExecutorImpl.h"

#include <algorithm>
#include <cstring>

using namespace dougong;

/// Whether an extent holds a symbol that the inputs' dims do not tell.
static bool dependsOnData(const DimExpr &dim, const SymbolValues &symbols) {
  return std::ranges::any_of(dim.symbols(),
                             [&](const std::string &symbol) { return !symbols.contains(symbol); });
}

bool dougong::dependOnData(const DimExprs &dims, const SymbolValues &symbols) {
  return std::ranges::any_of(dims, [&](const DimExpr &dim) { return dependsOnData(dim, symbols); });
}

Result<void> dougong::checkCutOfData(const plan::v1::Value &value, const DimExprs &dims,
                                     const SymbolValues &symbols) {
  for (int d = 0; d < value.sharding_size(); ++d)
    if (value.sharding(d).axes_size() != 0 && dependsOnData(dims[d], symbols))
      return Error{"value '" + value.name() + "' is cut along dim " + std::to_string(d) + " (" +
                   dims[d].print() + "), whose extent depends on data, which is not supported"};
  return {};
}

LateOutput *MicroBatch::findLate(const Origin &origin) {
  auto found = std::ranges::find_if(late, [&](const LateOutput &output) {
    return output.origin.stage == origin.stage && output.origin.index == origin.index;
  });
  return found == late.end() ? nullptr : &*found;
}

/// Sets the layouts of a late output and of the inputs that take it.
Result<void> MicroBatch::setLate(LateOutput &output, std::span<const std::int64_t> extents) {
  auto [stage, index] = output.origin;
  const plan::v1::Value &value = owner.wiring.stages[stage].program->outputs(index);
  Result<ShardLayout> layout =
      ShardLayout::create(*owner.wiring.stages[stage].mesh, value.sharding(), extents);
  if (!layout)
    return Error{"value '" + value.name() + "': " + layout.message()};
  layouts[stage].outputs[index] = std::move(*layout);
  for (int number : owner.wiring.stages[stage].outputLinks[index]) {
    const Link &link = owner.wiring.links[number];
    if (link.carried) // what enters is the state of the step before
      continue;
    const WiredStage &target = owner.wiring.stages[link.stage];
    Result<ShardLayout> taken =
        ShardLayout::create(*target.mesh, target.program->inputs(link.index).sharding(), extents);
    if (!taken)
      return Error{"value '" + value.name() + "': " + taken.message()};
    layouts[link.stage].inputs[link.index] = std::move(*taken);
    movers[number].reset(); // it knows the extents of the step before
  }
  output.known = true;
  return {};
}

/// Takes the local extents that this rank's program has told for output `index`.
Result<void> MicroBatch::takeExtents(int stage, int index, std::span<const std::int64_t> own) {
  const plan::v1::Program &program = *owner.wiring.stages[stage].program;
  const plan::v1::Value &value = program.outputs(index);
  if (LateOutput *output = findLate({stage, index})) {
    const DimExprs &dims = owner.stageDims[stage].outputs[index];
    std::vector<std::int64_t> extents(own.begin(), own.end());
    for (std::size_t d = 0; d < dims.size(); ++d)
      if (!dependsOnData(dims[d], *symbols)) {
        Result<std::int64_t> extent = dims[d].evaluate(*symbols);
        if (!extent)
          return Error{"value '" + value.name() + "': " + extent.message()};
        extents[d] = *extent;
      }
    if (Result<void> set = setLate(*output, extents); !set)
      return set;
  }
  const std::vector<std::int64_t> &planned = layouts[stage].outputs[index].localExtents();
  if (!std::ranges::equal(own, planned))
    return Error{"output '" + value.name() + "' of program '" + program.id() + "' is " +
                 printDims(own) + " on this rank, the plan says " + printDims(planned)};
  return {};
}

/// Starts to send the extents that a stage has found out, from its first rank.
Result<void> MicroBatch::tellExtents(int stage) {
  const WiredStage &wired = owner.wiring.stages[stage];
  if (owner.rank() != wired.firstRank)
    return {};
  for (const LateOutput &output : late) {
    if (output.origin.stage != stage)
      continue;
    const std::vector<std::int64_t> &extents =
        layouts[stage].outputs[output.origin.index].globalExtents();
    std::size_t bytes = extents.size() * sizeof(std::int64_t);
    Result<Part> message = owner.buffers.take(bytes);
    if (!message)
      return message.takeError();
    std::memcpy((*message)->data(), extents.data(), bytes);
    for (int other = 0; other < owner.wiring.world; ++other) {
      if (wired.contains(other))
        continue;
      Result<Collectives::RequestPtr> request =
          owner.collectives.startSend(other, tagOf(output.tag), (*message)->data(), bytes);
      if (!request)
        return request.takeError();
      outgoing.push_back({std::move(*request), *message});
    }
  }
  return {};
}

/// Waits for the extents of a late output of a stage that runs on other ranks.
Result<void> MicroBatch::learnExtents(LateOutput &output) {
  if (output.known)
    return {};
  const WiredStage &stage = owner.wiring.stages[output.origin.stage];
  const plan::v1::Value &value = stage.program->outputs(output.origin.index);
  std::vector<std::int64_t> extents(value.dims_size());
  std::string what = "extents of '" + value.name() + "'";
  if (Result<void> done =
          owner.collectives.receive(stage.firstRank, tagOf(output.tag), extents.data(),
                                    extents.size() * sizeof(std::int64_t), {-1, what.c_str()});
      !done)
    return done;
  return setLate(output, extents);
}
