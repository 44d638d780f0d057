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

  if (holdsPointers(value.dtype()) && std::string_view(collectives.backend()) != "threads" &&
      !wiring.stages[origin.stage].contains(root))
    return Error{"model output '" + value.name() + "': " + elementTypeName(value.dtype()) +
                 " elements cannot move between processes"};
  Result<Tensor> whole = gather(index);
  if (!whole)
    return Error{"model output '" + value.name() + "': " + whole.message()};
  whole->name = value.name();
  return whole;
}

/// The extents of an output of the last step, with all rows.
Result<std::vector<std::int64_t>> Executor::Impl::outputDims(int index) const {
  const Origin &origin = wiring.modelOutputs[index];
  std::vector<std::int64_t> dims = microBatches[0]->outputLayout(origin).globalExtents();
  std::optional<int> batchDim = outputBatchDims[index];
  for (std::size_t number = 1; number < activeCount; ++number) {
    std::vector<std::int64_t> other = microBatches[number]->outputLayout(origin).globalExtents();
    if (batchDim)
      other[*batchDim] = dims[*batchDim];
    if (other != dims)
      return Error{"micro-batch 0 makes " + printDims(dims) + ", micro-batch " +
                   std::to_string(number) + " makes " + printDims(other)};
  }
  if (batchDim)
    dims[*batchDim] = microBatches[activeCount - 1]->rows().end;
  return dims;
}

/// Puts an output of a stage together on the root, from the parts of all ranks and
/// micro-batches. One without a batch is the same in all: that of the last is taken.
Result<Tensor> Executor::Impl::gather(int index) {
  const plan::v1::Value &value = model().outputs(index);
  bool atRoot = rank() == static_cast<int>(root);
  Result<std::vector<std::int64_t>> dims = outputDims(index);
  if (!dims)
    return dims.takeError();
  // Elements that a tensor owns in another form than buffers have them.
  bool isOwned = holdsPointers(value.dtype()) || elementBits(value.dtype()) < 8;
  Result<Tensor> tensor = Tensor();
  Part elements;
  std::byte *to = nullptr;
  if (atRoot) {
    tensor = Tensor::create(value.dtype(), *dims);
    if (!tensor)
      return tensor;
    to = tensor->data.data();
    if (isOwned) {
      Result<std::size_t> bytes = bufferBytes(value.dtype(), *dims);
      if (!bytes)
        return bytes.takeError();
      Result<Part> taken = buffers.take(*bytes);
      if (!taken)
        return taken.takeError();
      elements = std::move(*taken);
      to = elements->data();
    }
  }
  std::vector<Mover::Outgoing> outgoing;
  for (std::size_t number = outputBatchDims[index] ? 0 : activeCount - 1; number < activeCount;
       ++number)
    if (Result<void> done = gatherRows(index, *microBatches[number], *dims, to, outgoing); !done)
      return done.takeError();
  std::vector<Collectives::RequestPtr> requests;
  for (Mover::Outgoing &message : outgoing)
    requests.push_back(std::move(message.request));
  if (Result<void> done = collectives.wait(requests, {-1, value.name().c_str()}); !done)
    return done.takeError();
  if (atRoot && isOwned)
    return ownTensor({to, dims->data(), static_cast<std::int32_t>(dims->size()), value.dtype()});
  return tensor;
}

/// Sends this rank's part of the rows of a micro-batch to the root, which puts them
/// into its whole tensor of dims `dims` at `to`.
Result<void> Executor::Impl::gatherRows(int index, MicroBatch &microBatch,
                                        const std::vector<std::int64_t> &dims, std::byte *to,
                                        std::vector<Mover::Outgoing> &outgoing) {
  const Origin &origin = wiring.modelOutputs[index];
  const plan::v1::Value &value = model().outputs(index);
  const ShardLayout &from = microBatch.outputLayout(origin);
  ShardLayout rows = ShardLayout::whole(root, from.globalExtents());
  std::size_t elementSize = bufferElementBytes(value.dtype());
  Result<Mover> mover =
      Mover::create(from, rows, elementSize, microBatch.tagOf(wiring.firstGatherTag + index),
                    collectives, buffers);
  if (!mover)
    return mover.takeError();
  Part part = microBatch.output(origin);
  if (part)
    if (Result<void> sent = mover->send(part, outgoing); !sent)
      return sent;
  if (rank() != static_cast<int>(root))
    return {};
  Box box = rows.box(root);
  std::vector<std::int64_t> origins(dims.size(), 0);
  if (std::optional<int> dim = outputBatchDims[index])
    origins[*dim] = -microBatch.rows().begin;
  CallSite site{-1, value.name().c_str()};
  std::int64_t offset = contiguousOffset(box, origins, dims, elementSize);
  if (offset >= 0)
    return mover->receive(part.get(), to + offset, site);
  Result<Part> taken = buffers.take(box.elements() * elementSize);
  if (!taken)
    return taken.takeError();
  if (Result<void> done = mover->receive(part.get(), (*taken)->data(), site); !done)
    return done;
  copyBox(box, elementSize, {box.begin, rows.localExtents()}, (*taken)->data(), {origins, dims},
          to);
  return {};
}

Json Executor::Impl::profile() const {
  Json::Array all;
  for (std::size_t s = 0; s < stages.size(); ++s) {
    if (!stages[s])
      continue;
    const RankStage &stage = *stages[s];
    Json::Array calls, timeline;
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
    for (const StageRun &run : stage.cost.timeline)
      timeline.push_back(Json::Object{{"step", run.step},
                                      {"micro_batch", run.microBatch},
                                      {"begin", run.begin},
                                      {"end", run.end}});
    all.push_back(Json::Object{{"stage", wiring.stages[s].stage->name()},
                               {"runs", stage.cost.runs},
                               {"arena_bytes", stage.cost.arenaBytes},
                               {"weight_bytes", stage.weights.bytes},
                               {"receive_seconds", stage.cost.receiveSeconds},
                               {"run_seconds", stage.cost.runSeconds},
                               {"send_seconds", stage.cost.sendSeconds},
                               {"calls", std::move(calls)},
                               {"timeline", std::move(timeline)}});
  }
  return Json::Object{
      {"rank", rank()}, {"peak_bytes", buffers.peakBytes()}, {"stages", std::move(all)}};
}
