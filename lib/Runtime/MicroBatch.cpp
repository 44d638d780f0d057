//===- MicroBatch.cpp - extents and moves of a micro-batch ----------------===//
#include "MicroBatch.h"

#include "ExecutorImpl.h"
#include "dougong/Runtime/ElementType.h"

#include <algorithm>

using namespace dougong;

MicroBatch::MicroBatch(Executor::Impl &owner, int number)
    : owner(owner), number(number), carried(owner.wiring.states.size()) {
  for (const WiredStage &stage : owner.wiring.stages)
    outputs.emplace_back(stage.program->outputs_size());
}

int MicroBatch::tagOf(int tag) const { return number * owner.wiring.tags + tag; }

Result<void> MicroBatch::begin(const RowRange &rows, const std::vector<GivenInput> &given,
                               const SymbolValues &solved) {
  if (Result<void> finished = finishSends(); !finished)
    return finished;
  range = rows;
  if (Result<void> set = setLayouts(given, solved); !set)
    return set;
  for (LateOutput &output : late)
    output.known = false;
  return sendCarried();
}

Result<void> MicroBatch::end() {
  for (LateOutput &output : late)
    if (Result<void> learnt = learnExtents(output); !learnt)
      return learnt;
  for (std::size_t s = 0; s < carried.size(); ++s) {
    const Origin &origin = owner.wiring.modelOutputs[owner.wiring.states[s].output];
    carried[s] = {outputLayout(origin), output(origin)};
  }
  carrying = !carried.empty();
  return {};
}

Result<void> MicroBatch::finishSends() {
  std::vector<Collectives::RequestPtr> requests;
  for (Mover::Outgoing &message : outgoing)
    requests.push_back(std::move(message.request));
  if (Result<void> done = owner.collectives.wait(requests, {}); !done)
    return done;
  outgoing.clear();
  return {};
}

Result<void> MicroBatch::clear() {
  if (Result<void> finished = finishSends(); !finished)
    return finished;
  for (std::vector<Part> &parts : outputs)
    parts.assign(parts.size(), nullptr);
  reset();
  return {};
}

void MicroBatch::reset() {
  carried.assign(carried.size(), {});
  carrying = false;
}

/// Computes the layout of every port of every stage. Kept from the last step if no
/// extent has changed.
Result<void> MicroBatch::setLayouts(const std::vector<GivenInput> &given,
                                    const SymbolValues &solved) {
  if (symbols && *symbols == solved)
    return {};
  symbols.reset();
  movers.clear(); // they refer to the layouts
  layouts.clear();
  late.clear();
  auto layoutOf = [&](const WiredStage &stage, const plan::v1::Value &value,
                      const DimExprs &dims) -> Result<ShardLayout> {
    if (dependOnData(dims, solved)) { // set when a stage has told them
      if (Result<void> valid = checkCutOfData(value, dims, solved); !valid)
        return valid.takeError();
      return ShardLayout::whole(0, {});
    }
    Result<std::vector<std::int64_t>> extents = evaluateDims(value, dims, solved);
    if (!extents)
      return extents.takeError();
    Result<ShardLayout> layout = ShardLayout::create(*stage.mesh, value.sharding(), *extents);
    if (!layout)
      return Error{"value '" + value.name() + "': " + layout.message()};
    return layout;
  };
  for (std::size_t s = 0; s < owner.wiring.stages.size(); ++s) {
    const WiredStage &stage = owner.wiring.stages[s];
    StageLayouts &ports = layouts.emplace_back();
    for (int i = 0; i < stage.program->inputs_size(); ++i) {
      Result<ShardLayout> layout =
          layoutOf(stage, stage.program->inputs(i), owner.stageDims[s].inputs[i]);
      if (!layout)
        return layout.takeError();
      const Origin &origin = stage.inputs[i];
      if (origin.isModel() && given[origin.index].dims != layout->globalExtents())
        return Error{"stage '" + stage.stage->name() + "' expects " +
                     printDims(layout->globalExtents()) + " for model input '" +
                     owner.model().inputs(origin.index).name() + "', it is " +
                     printDims(given[origin.index].dims)};
      ports.inputs.push_back(std::move(*layout));
    }
    for (int i = 0; i < stage.program->outputs_size(); ++i) {
      if (dependOnData(owner.stageDims[s].outputs[i], solved))
        late.push_back({{static_cast<int>(s), i},
                        owner.wiring.firstExtentsTag + static_cast<int>(late.size())});
      Result<ShardLayout> layout =
          layoutOf(stage, stage.program->outputs(i), owner.stageDims[s].outputs[i]);
      if (!layout)
        return layout.takeError();
      ports.outputs.push_back(std::move(*layout));
    }
  }
  for (const Link &link : owner.wiring.links) {
    const ShardLayout &from = layouts[link.from.stage].outputs[link.from.index];
    const ShardLayout &to = layouts[link.stage].inputs[link.index];
    if (!link.carried && !findLate(link.from) && from.globalExtents() != to.globalExtents())
      return Error{"value '" + owner.wiring.stages[link.stage].program->inputs(link.index).name() +
                   "' is " + printDims(from.globalExtents()) + " where it leaves stage '" +
                   owner.wiring.stages[link.from.stage].stage->name() + "' and " +
                   printDims(to.globalExtents()) + " where it enters stage '" +
                   owner.wiring.stages[link.stage].stage->name() + "'"};
  }
  movers.resize(owner.wiring.links.size());
  symbols = solved;
  return {};
}

/// The mover of a link for this step; a carried one starts from the layout that
/// the state had in the last step.
Result<Mover *> MicroBatch::moverOf(int index) {
  const Link &link = owner.wiring.links[index];
  std::optional<Mover> &mover = link.carried ? carriedMovers[index] : movers[index];
  if (mover)
    return &*mover;
  const ShardLayout *from = &layouts[link.from.stage].outputs[link.from.index];
  if (link.carried)
    for (std::size_t s = 0; s < owner.wiring.states.size(); ++s)
      if (std::count(owner.wiring.states[s].links.begin(), owner.wiring.states[s].links.end(),
                     index))
        from = &*carried[s].layout;
  const plan::v1::Value &value = owner.wiring.stages[link.stage].program->inputs(link.index);
  if (holdsPointers(value.dtype()) && std::string_view(owner.collectives.backend()) != "threads")
    return Error{"value '" + value.name() + "': " + elementTypeName(value.dtype()) +
                 " elements cannot move between processes"};
  Result<Mover> made = Mover::create(*from, layouts[link.stage].inputs[link.index],
                                     bufferElementBytes(value.dtype()), tagOf(link.tag),
                                     owner.collectives, owner.buffers);
  if (!made)
    return Error{"value '" + value.name() + "': " + made.message()};
  mover = std::move(*made);
  return &*mover;
}

/// Sends the carried states that other ranks or cuts need.
Result<void> MicroBatch::sendCarried() {
  carriedMovers.clear();
  carriedMovers.resize(owner.wiring.links.size());
  if (!carrying)
    return {};
  for (std::size_t s = 0; s < owner.wiring.states.size(); ++s)
    for (int link : owner.wiring.states[s].links) {
      if (owner.wiring.links[link].aligned || !carried[s].part)
        continue;
      Result<Mover *> mover = moverOf(link);
      if (!mover)
        return mover.takeError();
      if (Result<void> sent = (*mover)->send(carried[s].part, outgoing); !sent)
        return sent;
    }
  return {};
}
