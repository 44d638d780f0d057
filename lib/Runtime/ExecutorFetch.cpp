//===- ExecutorFetch.cpp - outputs and measurements of a rank -------------===//
#include "ExecutorImpl.h"

#include "dougong/Runtime/ElementType.h"

#include <cstring>

using namespace dougong;

/// The rank that gets whole outputs.
static constexpr std::uint32_t root = 0;

Result<Tensor> Executor::Impl::fetch(int index) {
  if (!ran)
    return Error{"no step has run whose outputs could be fetched"};
  if (index < 0 || index >= model().outputs_size())
    return Error{"the model has no output " + std::to_string(index)};
  const Origin &origin = wiring.modelOutputs[index];
  const plan::v1::Value &value = model().outputs(index);
  bool atRoot = rank() == static_cast<int>(root);
  if (origin.isModel()) {
    return atRoot ? passedThrough.at(index).clone() : Tensor();
  }

  const ShardLayout &from = layouts[origin.stage].outputs[origin.index];
  ShardLayout whole = ShardLayout::whole(root, from.globalExtents());
  // Elements that a tensor owns in another form than buffers have them.
  bool isOwned = holdsPointers(value.dtype()) || elementBits(value.dtype()) < 8;
  if (holdsPointers(value.dtype()) && std::string_view(collectives.backend()) != "threads" &&
      !from.contains(root))
    return Error{"model output '" + value.name() + "': " + elementTypeName(value.dtype()) +
                 " elements cannot move between processes"};
  Part part = stages[origin.stage] ? stages[origin.stage]->outputs[origin.index] : nullptr;
  Result<Tensor> tensor = Tensor();
  if (atRoot) {
    tensor = Tensor::create(value.dtype(), from.globalExtents());
    if (!tensor)
      return Error{"model output '" + value.name() + "': " + tensor.message()};
    tensor->name = value.name();
  }
  Result<Mover> mover = Mover::create(from, whole, bufferElementBytes(value.dtype()),
                                      wiring.firstGatherTag + index, collectives, buffers);
  if (!mover)
    return Error{"model output '" + value.name() + "': " + mover.message()};
  std::vector<Mover::Outgoing> outgoing;
  if (part)
    if (Result<void> sent = mover->send(part, outgoing); !sent)
      return sent.takeError();
  CallSite site{-1, value.name().c_str()};
  if (atRoot) {
    Part elements;
    std::byte *to = tensor->data.data();
    Result<std::size_t> bytes = bufferBytes(value.dtype(), tensor->dims);
    if (!bytes)
      return bytes.takeError();
    if (isOwned) {
      Result<Part> taken = buffers.take(*bytes);
      if (!taken)
        return taken.takeError();
      elements = std::move(*taken);
      to = elements->data();
    }
    if (Result<void> done = mover->receive(part.get(), to, site); !done)
      return done.takeError();
    if (isOwned) {
      std::vector<std::int64_t> dims = tensor->dims;
      tensor = ownTensor({to, dims.data(), static_cast<std::int32_t>(dims.size()), value.dtype()});
      if (!tensor)
        return Error{"model output '" + value.name() + "': " + tensor.message()};
      tensor->name = value.name();
    }
  }
  std::vector<Collectives::RequestPtr> requests;
  for (Mover::Outgoing &message : outgoing)
    requests.push_back(std::move(message.request));
  if (Result<void> done = collectives.wait(requests, site); !done)
    return done.takeError();
  return tensor;
}

Json Executor::Impl::profile() const {
  Json::Array all;
  for (std::size_t s = 0; s < stages.size(); ++s) {
    if (!stages[s])
      continue;
    const RankStage &stage = *stages[s];
    Json::Array calls;
    for (std::size_t c = 0; options.profile && c < stage.host->costs.size(); ++c) {
      const CallCost &cost = stage.host->costs[c];
      const plan::v1::Call &call = stage.host->program.calls(static_cast<int>(c));
      calls.push_back(Json::Object{{"call", c},
                                   {"kind", call.kind()},
                                   {"node", call.node()},
                                   {"times", cost.times},
                                   {"bytes", cost.bytes},
                                   {"seconds", cost.seconds}});
    }
    all.push_back(Json::Object{{"stage", wiring.stages[s].stage->name()},
                               {"steps", stage.cost.steps},
                               {"arena_bytes", stage.cost.arenaBytes},
                               {"weight_bytes", stage.weights.bytes},
                               {"receive_seconds", stage.cost.receiveSeconds},
                               {"run_seconds", stage.cost.runSeconds},
                               {"send_seconds", stage.cost.sendSeconds},
                               {"calls", std::move(calls)}});
  }
  return Json::Object{
      {"rank", rank()}, {"peak_bytes", buffers.peakBytes()}, {"stages", std::move(all)}};
}
