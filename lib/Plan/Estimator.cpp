//===- Estimator.cpp - memory and time of a candidate ---------------------===//
#include "Estimator.h"

#include <numeric>

using namespace mlir;
using namespace dougong;
using namespace dougong::planner;

std::pair<StringRef, double> MemoryEstimate::getLargest() const {
  std::pair<StringRef, double> parts[] = {{"weights", weights},
                                          {"state", state},
                                          {"activations", activations},
                                          {"io", io},
                                          {"collectives", collectives}};
  return *std::max_element(std::begin(parts), std::end(parts),
                           [](const auto &a, const auto &b) { return a.second < b.second; });
}

Estimator::Estimator(ModelProfile &profile, const fleet::Fleet &fleet)
    : profile(profile), fleet(fleet) {
  // Repeated blocks repeat their costs.
  std::map<std::tuple<double, double, double, double>, std::vector<size_t>> buckets;
  for (auto [number, op] : llvm::enumerate(profile.ops)) {
    auto &bucket = buckets[{op.amounts.flops, op.amounts.bytes, op.weightBytes, op.resultBytes}];
    auto same = llvm::find_if(
        bucket, [&](size_t one) { return op.hasCostOf(profile.ops[representatives[one]]); });
    if (same != bucket.end()) {
      classes.push_back(*same);
      continue;
    }
    bucket.push_back(representatives.size());
    classes.push_back(representatives.size());
    representatives.push_back(number);
  }
}

const std::vector<size_t> &Estimator::getBorders(int64_t count) {
  auto [it, inserted] = borders.try_emplace(count);
  if (inserted) {
    it->second = profile.getBorders(count);
    it->second.push_back(profile.ops.size());
  }
  return it->second;
}

const std::vector<double> &Estimator::getCrossing(int64_t tp, int64_t dp) {
  auto [it, inserted] = crossing.try_emplace({tp, dp});
  if (!inserted)
    return it->second;
  std::vector<double> &bytes = it->second;
  bytes.assign(profile.ops.size() + 2, 0);
  for (auto [number, op] : llvm::enumerate(profile.ops)) {
    double local = op.resultBytes * op.resultTp.getShare(tp) * op.dp.getShare(dp);
    bytes[number + 1] += local;
    bytes[profile.lastUse[number] + 1] -= local;
  }
  std::partial_sum(bytes.begin(), bytes.end(), bytes.begin());
  return bytes;
}

MemoryEstimate Estimator::estimateStage(const Candidate &candidate, size_t begin, size_t end) {
  MemoryEstimate memory;
  for (const WeightProfile &weight : profile.weights) {
    auto user = llvm::lower_bound(weight.users, begin);
    if (user != weight.users.end() && *user < end)
      memory.weights += weight.bytes * weight.tp.getShare(candidate.tp);
  }
  for (const PortProfile &port : profile.ports) {
    // State belongs to its first user; other inputs go to every stage.
    bool isHere = port.isState ? port.first >= begin && port.first < end
                               : port.first < end && port.last >= begin;
    if (isHere)
      (port.isState ? memory.state : memory.io) +=
          port.bytes * port.tp.getShare(candidate.tp) * port.dp.getShare(candidate.dp);
  }
  const std::vector<double> &live = getCrossing(candidate.tp, candidate.dp);
  // What lives while an op runs: what crosses to it, and its results.
  double largestReduced = 0;
  for (size_t op = begin; op < end; ++op) {
    const OpProfile &profiled = profile.ops[op];
    double dp = profiled.dp.getShare(candidate.dp);
    double results = profiled.resultBytes * profiled.resultTp.getShare(candidate.tp) * dp;
    memory.activations = std::max(memory.activations, live[op] + results);
    if (candidate.tp > 1)
      largestReduced =
          std::max(largestReduced, std::max(profiled.reducedBytes, profiled.gatheredBytes) * dp);
  }
  double in = begin > 0 ? live[begin] : 0, out = end < profile.ops.size() ? live[end] : 0;
  memory.io += in + out;
  memory.collectives = 2 * largestReduced + in + out * candidate.tp * candidate.dp;
  return memory;
}

MemoryEstimate Estimator::estimateMemory(Candidate &candidate) {
  const std::vector<size_t> &starts = getBorders(candidate.pp);
  auto [it, inserted] = memories.try_emplace({candidate.tp, candidate.pp, candidate.dp});
  if (inserted)
    for (int64_t stage = 0; stage < candidate.pp; ++stage)
      it->second.push_back(estimateStage(candidate, starts[stage], starts[stage + 1]));
  MemoryEstimate tightest;
  double worst = -1;
  for (auto [stage, memory] : llvm::enumerate(it->second)) {
    uint64_t capacity = fleet.getChip(*candidate.pools[stage])->getUsableBytes().value_or(0);
    double used = capacity ? memory.getTotal() / capacity : HUGE_VAL;
    if (used <= worst)
      continue;
    worst = used;
    tightest = memory;
    candidate.memory = static_cast<uint64_t>(memory.getTotal());
    candidate.capacity = capacity;
    candidate.tightStage = stage;
  }
  return tightest;
}

llvm::Expected<const Estimator::PrefixTimes *> Estimator::getTimes(const Candidate &candidate,
                                                                   const fleet::Pool &pool) {
  auto [it, inserted] = times.try_emplace({candidate.tp, candidate.dp, pool.id});
  if (!inserted)
    return &it->second;
  llvm::Expected<ChipModel> chip = ChipModel::create(*fleet.getChip(pool));
  if (!chip) {
    times.erase(it);
    return chip.takeError();
  }
  PoolNetwork network(fleet, pool);
  SmallVector<int64_t> group = llvm::to_vector(llvm::seq<int64_t>(0, candidate.tp));
  std::vector<double> ofClass;
  for (size_t number : representatives) {
    const OpProfile &op = profile.ops[number];
    double tp = op.tp.getShare(candidate.tp), dp = op.dp.getShare(candidate.dp);
    OpAmounts amounts = op.amounts;
    amounts.flops *= tp * dp;
    amounts.bytes = amounts.bytes * tp * dp + op.weightBytes * op.weightTp.getShare(candidate.tp);
    llvm::Expected<OpTime> time = chip->getTime(amounts, figures);
    if (!time) {
      times.erase(it);
      return time.takeError();
    }
    double seconds = time->getTotal();
    for (auto [kind, bytes] :
         {std::pair("all_reduce", op.reducedBytes), std::pair("all_gather", op.gatheredBytes)}) {
      if (candidate.tp == 1 || bytes == 0)
        continue;
      llvm::Expected<double> sent = network.getCollectiveTime(kind, bytes * dp, group, figures);
      if (!sent) {
        times.erase(it);
        return sent.takeError();
      }
      seconds += *sent;
    }
    ofClass.push_back(seconds);
  }
  it->second.push_back(0);
  for (size_t one : classes)
    it->second.push_back(it->second.back() + ofClass[one]);
  return &it->second;
}

llvm::Error Estimator::estimateTime(Candidate &candidate) {
  const std::vector<size_t> &starts = getBorders(candidate.pp);
  const std::vector<double> &live = getCrossing(candidate.tp, candidate.dp);
  double step = 0;
  int64_t width = candidate.tp * candidate.dp, chip = 0;
  for (int64_t stage = 0; stage < candidate.pp; ++stage) {
    const fleet::Pool &pool = *candidate.pools[stage];
    llvm::Expected<const PrefixTimes *> prefix = getTimes(candidate, pool);
    if (!prefix)
      return prefix.takeError();
    step += (**prefix)[starts[stage + 1]] - (**prefix)[starts[stage]];
    if (stage == 0)
      continue;
    const fleet::Pool &before = *candidate.pools[stage - 1];
    double bytes = live[starts[stage]];
    // Stages of one pool lie side by side.
    llvm::Expected<double> moved =
        &before == &pool
            ? PoolNetwork(fleet, pool).getMessageTime(bytes, chip, chip + width, figures)
            : getCrossTime(fleet, before.id, pool.id, bytes, figures);
    if (!moved)
      return moved.takeError();
    step += *moved;
    chip = &before == &pool ? chip + width : 0;
  }
  candidate.step = step;
  return llvm::Error::success();
}
