//===- Estimates.cpp - what a plan predicts and how it is judged ----------===//
#include "Estimates.h"

#include "Choice.h"
#include "dougong/Fleet/Analysis.h"
#include "dougong/Pipelines/Package.h"

#include <map>

using namespace mlir;
using namespace dougong;

static int64_t getNumRanks(const dist::MeshInfo &mesh) {
  int64_t ranks = 1;
  for (const auto &[axis, size] : mesh.axes)
    ranks *= size;
  return ranks;
}

plan::v1::Estimates dougong::estimate(const dist::PartitionResult &partition,
                                      ArrayRef<planner::StagePlace> places,
                                      const fleet::Fleet &fleet, const plan::v1::Model &model) {
  plan::v1::Estimates estimates;
  for (auto [stage, place] : llvm::zip_equal(partition.stages, places))
    if (place.firstChip + getNumRanks(partition.meshes[stage.mesh]) >
        static_cast<int64_t>(place.pool->count)) {
      estimates.set_model("no prediction: ranks share the chips of pool '" + place.pool->id + "'");
      return estimates;
    }
  ModelRanges ranges = ModelRanges::of(model);
  llvm::Expected<planner::Prediction> prediction =
      planner::predictStep(partition, places, fleet, getExtents(ranges));
  if (!prediction) {
    estimates.set_model("no prediction: " + llvm::toString(prediction.takeError()));
    return estimates;
  }
  bool standIn = llvm::any_of(places, [&](const planner::StagePlace &place) {
    return fleet.getChip(*place.pool)->runsOnStandIn();
  });
  estimates.set_model(std::string("a roofline of each operator and an alpha-beta model of "
                                  "messages; ") +
                      (partition.microBatches > 1 ? "stages overlap on micro-batches, else nothing"
                                                  : "nothing overlaps") +
                      (standIn ? "; of the chips, not of the host that stands in for them" : ""));
  estimates.set_step_s(prediction->step);
  estimates.set_transfer_s(prediction->transfer);
  for (auto [stage, predicted] : llvm::zip_equal(partition.stages, prediction->stages)) {
    plan::v1::StageEstimate *entry = estimates.add_stages();
    entry->set_stage(stage.name);
    entry->set_compute_s(predicted.compute);
    entry->set_memory_s(predicted.memory);
    entry->set_communication_s(predicted.communication);
    entry->set_launch_s(predicted.launch);
    entry->set_time_s(predicted.time);
    entry->set_provenance(prediction->figures.getWeakest());
  }
  for (const auto &[symbol, range] : ranges.ranges) {
    plan::v1::SymbolExtent *extent = estimates.add_extents();
    extent->set_name(symbol);
    extent->set_extent(range.max);
    extent->set_upper(!ranges.assumed.count(symbol));
  }
  for (const auto &[key, used] : prediction->figures.get()) {
    plan::v1::FigureUse *figure = estimates.add_figures();
    figure->set_subject(used.subject);
    figure->set_figure(used.figure);
    figure->set_value(used.value);
    figure->set_provenance(used.provenance);
  }
  return estimates;
}

void dougong::addPolicies(plan::v1::Plan &plan, const fleet::Fleet &fleet) {
  // A job is a site that has the chips of the job.
  fleet::Fleet job = fleet;
  for (fleet::Pool &pool : job.pools) {
    pool.count = 0;
    for (const plan::v1::RankSet &set : plan.rank_sets())
      if (set.pool() == pool.id)
        pool.count += set.count();
  }
  for (const fleet::Policy &policy : fleet.policies) {
    plan::v1::Policy &entry = *plan.add_policies();
    entry.set_name(policy.name);
    entry.set_basis(fleet::stringify(policy.basis).str());
    if (policy.threshold)
      entry.set_threshold(policy.threshold->value);
    bool isJob = policy.scope == fleet::PolicyScope::Job;
    fleet::Policy asked = policy;
    asked.scope = fleet::PolicyScope::Site;
    const fleet::Fleet &judged = isJob ? job : fleet;
    StringRef dataType = policy.dataType.empty() ? "fp16" : StringRef(policy.dataType);
    entry.set_value(
        fleet::computeDomesticShare(judged, policy.basis, dataType).getShare().value_or(0));
    entry.set_verdict(fleet::stringify(fleet::judge(judged, asked)).str());
  }
}

llvm::Error dougong::proveStages(plan::v1::Plan &plan, const fleet::Fleet &fleet) {
  // Ranks may share a chip only where the host stands for the fleet.
  std::map<std::string, uint64_t> ranksOfPool;
  std::map<std::string, std::string> poolOfStage;
  for (const plan::v1::RankSet &set : plan.rank_sets()) {
    ranksOfPool[set.pool()] += set.count();
    poolOfStage[set.stage()] = set.pool();
  }
  for (auto [number, stage] : llvm::enumerate(plan.stages())) {
    const std::string &poolName = poolOfStage[stage.name()];
    const fleet::Pool *pool = fleet.findPool(poolName);
    const fleet::Chip *chip = pool ? fleet.getChip(*pool) : nullptr;
    uint64_t capacity = chip ? chip->getUsableBytes().value_or(0) : 0;
    if (pool && ranksOfPool[poolName] > pool->count)
      capacity /= llvm::divideCeil(ranksOfPool[poolName], pool->count);
    std::string kind = chip && chip->memory ? chip->memory->kind : "";
    if (Result<void> proved = proveMemory(plan, number, kind, capacity); !proved)
      return llvm::createStringError(proved.message());
    if (std::string misfit = describeMisfit(plan, number); !misfit.empty())
      return llvm::make_error<InfeasibleError>(misfit);
  }
  return llvm::Error::success();
}
