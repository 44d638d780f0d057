//===- Partition.cpp - the plan, shard and stage phases -------------------===//
#include "dougong/Pipelines/Partition.h"

#include "dougong/Dist/PartitionResult.h"
#include "dougong/Dist/Passes.h"
#include "dougong/Dist/Propagation.h"
#include "dougong/Dist/Strategy.h"
#include "dougong/Fleet/Analysis.h"
#include "dougong/Import/ElementTypes.h"
#include "dougong/Onnx/DimRanges.h"
#include "dougong/Package/Memory.h"
#include "dougong/Plan/Choose.h"
#include "dougong/Plan/Predict.h"
#include "dougong/Support/DimExpr.h"

#include "Dist/IR/Layout.h"

#include "mlir/Pass/PassManager.h"

#include <set>

using namespace mlir;
using namespace dougong;

namespace {

using PassList = std::vector<std::unique_ptr<Pass>>;

/// The phases of partitioning: each is passes and the check of what then holds.
SmallVector<std::pair<StringRef, PassList>> makePhases(const CompileOptions &options,
                                                       const planner::Candidate *chosen) {
  dist::PlanPassOptions plan;
  if (chosen) {
    plan.chosen = chosen->getStrategy();
    for (const fleet::Pool *pool : chosen->pools)
      plan.pools.push_back(pool->id);
  }
  plan.parallel = options.parallel;
  plan.strategyFile = options.strategy;
  plan.states = SmallVector<std::string>(options.states.begin(), options.states.end());
  SmallVector<std::pair<StringRef, PassList>> phases(3);
  phases[0].first = "plan";
  phases[0].second.push_back(dist::createPlanPass(plan));
  phases[0].second.push_back(dist::createPropagatePass());
  phases[0].second.push_back(dist::createVerifyPropagatedPass());
  phases[1].first = "shard";
  phases[1].second.push_back(dist::createPartitionPass());
  phases[1].second.push_back(dist::createVerifyPartitionedPass());
  phases[2].first = "stage";
  phases[2].second.push_back(dist::createStagePass());
  phases[2].second.push_back(dist::createVerifyStagedPass());
  return phases;
}

plan::v1::Value describe(const std::string &name, Type elementType, ArrayRef<std::string> dims) {
  plan::v1::Value value;
  value.set_name(name);
  value.set_dtype(importer::getDataType(elementType));
  for (const std::string &dim : dims)
    value.add_dims(dim);
  return value;
}

plan::v1::Value describe(const dist::PortInfo &port) {
  plan::v1::Value value = describe(port.name, port.global.getElementType(), port.globalDims);
  bool isCut =
      llvm::any_of(port.sharding, [](const dist::CutInfo &cut) { return !cut.axes.empty(); });
  if (!isCut)
    return value;
  for (const dist::CutInfo &cut : port.sharding) {
    plan::v1::DimSharding *entry = value.add_sharding();
    for (const std::string &axis : cut.axes)
      entry->add_axes(axis);
    entry->set_unit(cut.unit);
  }
  return value;
}

void describe(const dist::EndInfo &end, plan::v1::Endpoint &endpoint) {
  if (!end.stage) {
    endpoint.set_model(end.model);
    return;
  }
  endpoint.mutable_port()->set_stage(*end.stage);
  endpoint.mutable_port()->set_index(end.port);
}

plan::v1::Work describe(const dist::WorkInfo &work) {
  plan::v1::Work entry;
  entry.set_matrix_weight_bytes(work.matrixWeightBytes);
  entry.set_matmul_flops(work.matmulFlops);
  entry.set_flops(work.flops);
  entry.set_sent_bytes(work.sentBytes);
  for (const dist::ReplicatedInfo &info : work.replicated) {
    plan::v1::Replicated *replicated = entry.add_replicated();
    replicated->set_node(info.node);
    replicated->set_reason(info.reason);
    replicated->set_flops(info.flops);
  }
  return entry;
}

int64_t getNumRanks(const plan::v1::Mesh &mesh) {
  int64_t ranks = 1;
  for (const plan::v1::Axis &axis : mesh.axes())
    ranks *= axis.size();
  return ranks;
}

int64_t getNumRanks(const dist::MeshInfo &mesh) {
  int64_t ranks = 1;
  for (const auto &[axis, size] : mesh.axes)
    ranks *= size;
  return ranks;
}

/// Gives every stage a pool of chips: the one it names, or the pools of the
/// fleet in turn.
class PoolAssignment {
public:
  PoolAssignment(const fleet::Fleet &fleet, bool shared) : fleet(fleet), shared(shared) {
    for (const fleet::Pool &pool : fleet.pools)
      free[pool.id] = pool.count;
  }

  FailureOr<const fleet::Pool *> take(Location loc, const dist::StageInfo &stage, StringRef on,
                                      uint64_t ranks) {
    StringRef wanted = on.contains("::") ? on.rsplit("::").second : on;
    const fleet::Pool *chosen = nullptr;
    for (const fleet::Pool &pool : fleet.pools) {
      if (!wanted.empty() && wanted != pool.id && wanted != pool.chip)
        continue;
      if (!shared && free[pool.id] < ranks)
        continue;
      // The next pool in turn, so that stages use all of a mixed fleet.
      if (!chosen || free[pool.id] > free[chosen->id])
        chosen = &pool;
    }
    if (!chosen) {
      InFlightDiagnostic error = emitError(loc)
                                 << "stage '" << stage.name << "' needs " << ranks << " chips of "
                                 << (wanted.empty() ? StringRef("one pool") : wanted) << ", fleet '"
                                 << fleet.name << "' has no such pool left";
      for (const fleet::Pool &pool : fleet.pools)
        error.attachNote() << "pool '" << pool.id << "': " << free[pool.id] << " of " << pool.count
                           << " chips of type " << pool.chip << " are free";
      error.attachNote() << "use a smaller width (--parallel), more stages (pp), or another fleet";
      return failure();
    }
    free[chosen->id] -= std::min<uint64_t>(ranks, free[chosen->id]);
    return chosen;
  }

private:
  const fleet::Fleet &fleet;
  bool shared; ///< ranks may share chips: the host that compiles stands in for them
  std::map<std::string, uint64_t> free;
};

void addSymbols(plan::v1::Model &model, const SymbolRanges &ranges) {
  std::set<std::string> names;
  for (const auto *values : {&model.inputs(), &model.outputs()})
    for (const plan::v1::Value &value : *values)
      for (const std::string &dim : value.dims())
        if (Result<DimExpr> expr = DimExpr::parse(dim))
          names.merge(expr->symbols());
  for (const std::string &name : names) {
    plan::v1::Symbol *symbol = model.add_symbols();
    symbol->set_name(name);
    auto range = ranges.find(name);
    if (range == ranges.end())
      continue;
    symbol->set_min(range->second.min);
    if (range->second.max != onnx::unboundedDim)
      symbol->set_max(range->second.max);
  }
}

/// The share of domestic chips: of the site, as its rules ask, or of the job.
void addPolicies(PartitionedModel &model, const fleet::Fleet &fleet) {
  // A job is a site that has the chips of the job.
  fleet::Fleet job = fleet;
  for (fleet::Pool &pool : job.pools) {
    pool.count = 0;
    for (const StageProgram &stage : model.stages)
      if (stage.pool == pool.id)
        pool.count += getNumRanks(stage.mesh);
  }
  for (const fleet::Policy &policy : fleet.policies) {
    plan::v1::Policy &entry = model.policies.emplace_back();
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

/// Symbols and ranges of a model that is not partitioned yet.
FailureOr<ModelRanges> getModelRanges(ModuleOp module) {
  FailureOr<func::FuncOp> main = dist::getMainFunction(module);
  if (failed(main))
    return failure();
  FailureOr<SymbolRanges> ranges = onnx::getDimRanges(*main);
  if (failed(ranges))
    return failure();
  plan::v1::Model model;
  for (Type type : main->getArgumentTypes())
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      if (FailureOr<SmallVector<DimExpr>> extents = dist::getExtents(tensor); succeeded(extents))
        for (const DimExpr &extent : *extents)
          model.add_inputs()->add_dims(extent.print());
  addSymbols(model, *ranges);
  return ModelRanges::of(model);
}

/// Every symbol at its greatest, or as it is assumed.
SymbolValues getExtents(const ModelRanges &ranges) {
  SymbolValues extents;
  for (const auto &[symbol, range] : ranges.ranges)
    extents[symbol] = range.max;
  return extents;
}

/// Whether nobody has said how to partition, and there is something to choose.
FailureOr<bool> isChoiceWanted(ModuleOp module, const fleet::Fleet &fleet,
                               const CompileOptions &options) {
  if (!options.parallel.empty() || fleet.name == "localhost" || fleet.getChipCount() < 2)
    return false;
  if (options.strategy.empty())
    return true;
  llvm::Expected<dist::Strategy> strategy = dist::readStrategyFile(options.strategy);
  if (strategy)
    return strategy->isSilent();
  return module.emitError() << llvm::toString(strategy.takeError());
}

FailureOr<planner::Decision> choose(ModuleOp module, const fleet::Fleet &fleet,
                                    const CompileOptions &options, bool &infeasible) {
  FailureOr<ModelRanges> ranges = getModelRanges(module);
  if (failed(ranges))
    return failure();
  planner::ChoiceRequest request;
  request.extents = getExtents(*ranges);
  for (const auto &[symbol, range] : ranges->ranges)
    if (!ranges->assumed.count(symbol))
      request.ranges[symbol] = range;
  dist::Strategy states;
  for (const std::string &state : options.states)
    if (llvm::Error error = dist::addState(states, state))
      return module.emitError() << llvm::toString(std::move(error));
  request.states = states.states;
  return planner::chooseStrategy(module, fleet, request, infeasible);
}

void describe(const planner::Decision &decision, plan::v1::Choice &choice) {
  choice.set_rule(decision.rule);
  choice.set_considered(decision.considered);
  for (const planner::Candidate &candidate : decision.candidates) {
    plan::v1::Alternative *entry = choice.add_alternatives();
    entry->set_strategy(candidate.getStrategy());
    for (const fleet::Pool *pool : candidate.pools)
      entry->add_pools(pool->id);
    entry->set_ranks(candidate.getRanks());
    entry->set_step_s(candidate.step);
    entry->set_memory_bytes(candidate.memory);
    entry->set_capacity_bytes(candidate.capacity);
    entry->set_verdict(candidate.verdict);
  }
}

/// Predicts the step of the partition, or says why it cannot.
plan::v1::Estimates estimate(const dist::PartitionResult &partition,
                             ArrayRef<planner::StagePlace> places, const fleet::Fleet &fleet,
                             const plan::v1::Model &model) {
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
                                  "messages; nothing overlaps") +
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

} // namespace

FailureOr<PartitionedModel>
dougong::partitionModel(OwningOpRef<ModuleOp> module, const fleet::Fleet &fleet,
                        const CompileOptions &options, bool &infeasible,
                        llvm::function_ref<bool(StringRef, ModuleOp)> afterPhase) {
  FailureOr<bool> wanted = isChoiceWanted(*module, fleet, options);
  if (failed(wanted))
    return failure();
  std::optional<planner::Decision> decision;
  if (*wanted) {
    FailureOr<planner::Decision> made = choose(*module, fleet, options, infeasible);
    if (failed(made))
      return failure();
    decision = std::move(*made);
  }
  for (auto &[phase, passes] :
       makePhases(options, decision ? &decision->candidates.front() : nullptr)) {
    PassManager manager(module->getContext());
    for (std::unique_ptr<Pass> &pass : passes)
      manager.addPass(std::move(pass));
    if (failed(manager.run(*module)) || !afterPhase(phase, *module))
      return failure();
  }
  FailureOr<dist::PartitionResult> partition = dist::getPartitionResult(*module);
  if (failed(partition))
    return failure();

  PartitionedModel result;
  for (const dist::ModelPortInfo &input : partition->inputs)
    *result.model.add_inputs() = describe(input.name, input.type.getElementType(), input.dims);
  for (const dist::ModelPortInfo &output : partition->outputs)
    *result.model.add_outputs() = describe(output.name, output.type.getElementType(), output.dims);
  addSymbols(result.model, partition->ranges);
  for (const auto &[input, output] : partition->states) {
    plan::v1::State *state = result.model.add_states();
    state->set_input(input);
    state->set_output(output);
  }

  if (decision)
    describe(*decision, result.choice);
  PoolAssignment pools(fleet, /*shared=*/fleet.name == "localhost");
  SmallVector<planner::StagePlace> places;
  std::map<std::string, int64_t> taken; // chips of each pool
  for (const dist::StageInfo &info : partition->stages) {
    const dist::MeshInfo &mesh = partition->meshes[info.mesh];
    const dist::ProgramInfo &program = partition->programs[info.program];
    StageProgram &stage = result.stages.emplace_back();
    stage.name = info.name;
    stage.nodes = info.nodes;
    stage.mesh.set_id(mesh.id);
    stage.mesh.set_first_rank(mesh.firstRank);
    uint64_t ranks = 1;
    for (const auto &[name, size] : mesh.axes) {
      plan::v1::Axis *axis = stage.mesh.add_axes();
      axis->set_name(name);
      axis->set_size(size);
      ranks *= size;
    }
    FailureOr<const fleet::Pool *> pool = pools.take(module->getLoc(), info, mesh.on, ranks);
    if (failed(pool)) {
      infeasible = true;
      return failure();
    }
    places.push_back({*pool, taken[(*pool)->id]});
    taken[(*pool)->id] += ranks;
    stage.pool = (*pool)->id;
    stage.mesh.set_chip_type((*pool)->chip);
    for (const dist::PortInfo &port : program.inputs)
      stage.inputs.push_back(describe(port));
    for (const dist::PortInfo &port : program.outputs)
      stage.outputs.push_back(describe(port));
    stage.work = describe(program.work);
    ModuleOp programModule = program.module;
    stage.module = programModule.clone();
    // Meshes are declared once, beside the programs that refer to them.
    OpBuilder builder = OpBuilder::atBlockBegin(stage.module->getBody());
    if (programModule != *module)
      for (auto meshOp : module->getOps<dist::MeshOp>())
        if (!stage.module->lookupSymbol(meshOp.getSymName()))
          builder.clone(*meshOp);
  }
  for (const dist::LinkInfo &link : partition->links) {
    plan::v1::Transfer &transfer = result.transfers.emplace_back();
    describe(link.from, *transfer.mutable_from());
    describe(link.to, *transfer.mutable_to());
    transfer.set_value(link.value);
  }
  result.estimates = estimate(*partition, places, fleet, result.model);
  addPolicies(result, fleet);
  return result;
}
