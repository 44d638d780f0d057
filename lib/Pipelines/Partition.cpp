//===- Partition.cpp - the plan, shard and stage phases -------------------===//
#include "dougong/Pipelines/Partition.h"

#include "Choice.h"
#include "Estimates.h"

#include "dougong/Dist/PartitionResult.h"
#include "dougong/Dist/Passes.h"
#include "dougong/Import/ElementTypes.h"
#include "dougong/Pipelines/Lower.h"
#include "dougong/Support/DimExpr.h"
#include "dougong/Support/Text.h"

#include "mlir/Pass/PassManager.h"

#include <map>

using namespace mlir;
using namespace dougong;

namespace {

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
  for (const dist::NodeInfo &info : work.nodes) {
    plan::v1::Node *node = entry.add_nodes();
    node->set_name(info.name);
    node->set_op(info.op);
    if (info.flops != "0")
      node->set_flops(info.flops);
    for (const std::string &output : info.outputs)
      node->add_outputs(output);
    for (const std::string &weight : info.weights)
      node->add_weights(weight);
  }
  return entry;
}

/// Gives every stage a pool of chips: the one it names, or that with the most
/// chips left.
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
      // So that stages use all of a mixed fleet.
      if (!chosen || free[pool.id] > free[chosen->id])
        chosen = &pool;
    }
    if (!chosen) {
      InFlightDiagnostic error = emitError(loc)
                                 << "stage '" << stage.name << "' needs " << countOf(ranks, "chip")
                                 << " of " << (wanted.empty() ? StringRef("one pool") : wanted)
                                 << ", fleet '" << fleet.name << "' has no such pool left";
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

int64_t countRanks(const plan::v1::Mesh &mesh) {
  int64_t ranks = 1;
  for (const plan::v1::Axis &axis : mesh.axes())
    ranks *= axis.size();
  return ranks;
}

void addChipType(plan::v1::Fleet &entry, const fleet::Chip &chip) {
  for (const plan::v1::ChipType &known : entry.chip_types())
    if (known.id() == chip.id)
      return;
  plan::v1::ChipType *type = entry.add_chip_types();
  type->set_id(chip.id);
  type->set_vendor(chip.vendor);
  type->set_domestic(chip.domestic);
  type->set_model(chip.title);
  type->set_target(chip.target);
  type->set_visible_env(chip.visibleEnv);
  for (const fleet::ResourceKey &key : chip.resourceKeys) {
    plan::v1::ResourceKey *added = type->add_resource_keys();
    added->set_system(key.system);
    added->set_key(key.key);
  }
  if (chip.memory && chip.memory->bytes) {
    type->set_memory_bytes(static_cast<uint64_t>(chip.memory->bytes->value));
    fleet::Provenance weakest = chip.memory->bytes->kind;
    if (const fleet::MaybeFigure &reserved = chip.memory->reserved) {
      type->set_reserved_bytes(static_cast<uint64_t>(reserved->value));
      weakest = fleet::weaker(weakest, reserved->kind);
    }
    type->set_provenance(fleet::stringify(weakest).str());
  }
}

void addModel(plan::v1::Model &model, const dist::PartitionResult &partition) {
  for (const dist::ModelPortInfo &input : partition.inputs)
    *model.add_inputs() = describe(input.name, input.type.getElementType(), input.dims);
  for (const dist::ModelPortInfo &output : partition.outputs)
    *model.add_outputs() = describe(output.name, output.type.getElementType(), output.dims);
  // Extents that only data tell are in the work of what comes behind them.
  std::vector<std::string> work;
  for (const dist::ProgramInfo &program : partition.programs) {
    work.insert(work.end(), {program.work.flops, program.work.sentBytes});
    for (const dist::NodeInfo &node : program.work.nodes)
      work.push_back(node.flops);
  }
  addSymbols(model, partition.ranges, work);
  if (partition.microBatches > 1) {
    model.mutable_micro_batches()->set_count(partition.microBatches);
    model.mutable_micro_batches()->set_batch(partition.batch);
  }
  for (const auto &[input, output] : partition.states) {
    plan::v1::State *state = model.add_states();
    state->set_input(input);
    state->set_output(output);
  }
}

} // namespace

void dougong::addPartitionPasses(StringRef phase, PassManager &manager,
                                 const CompileOptions &options, const planner::Candidate *chosen) {
  if (phase == "plan") {
    dist::PlanPassOptions plan;
    if (chosen) {
      plan.chosen = chosen->getStrategy();
      for (const fleet::Pool *pool : chosen->pools)
        plan.pools.push_back(pool->id);
    }
    plan.parallel = options.parallel;
    plan.strategyFile = options.strategy;
    plan.configuration = options.configuration;
    plan.states = SmallVector<std::string>(options.states.begin(), options.states.end());
    manager.addPass(dist::createPlanPass(plan));
    manager.addPass(dist::createPropagatePass());
    manager.addPass(dist::createVerifyPropagatedPass());
  } else if (phase == "shard") {
    manager.addPass(dist::createPartitionPass());
    manager.addPass(dist::createMergeCollectivesPass());
    manager.addPass(dist::createVerifyPartitionedPass());
  } else {
    manager.addPass(dist::createStagePass());
    manager.addPass(dist::createVerifyStagedPass());
  }
}

FailureOr<plan::v1::Plan> dougong::describePlan(ModuleOp staged, const fleet::Fleet &fleet,
                                                bool &infeasible) {
  FailureOr<dist::PartitionResult> partition = dist::getPartitionResult(staged);
  if (failed(partition))
    return failure();
  plan::v1::Plan plan;
  if (staged->hasAttr(planAttrName)) {
    Result<plan::v1::Plan> carried = getPlan(staged);
    if (!carried)
      return staged.emitError(carried.message());
    plan = std::move(*carried);
  }
  addModel(*plan.mutable_model(), *partition);
  if (auto model = staged->getAttrOfType<DictionaryAttr>(modelAttrName)) {
    if (auto name = model.getAs<StringAttr>("name")) {
      plan.set_name(name.str());
      plan.mutable_model()->set_name(name.str());
    }
    if (auto digest = model.getAs<StringAttr>("sha256"))
      plan.mutable_model()->set_sha256(digest.str());
  }
  plan.mutable_fleet()->set_name(fleet.name);
  for (const dist::ProgramInfo &info : partition->programs) {
    plan::v1::Program *program = plan.add_programs();
    program->set_id(info.name);
    for (const dist::PortInfo &port : info.inputs)
      *program->add_inputs() = describe(port);
    for (const dist::PortInfo &port : info.outputs)
      *program->add_outputs() = describe(port);
    *program->mutable_work() = describe(info.work);
  }
  PoolAssignment pools(fleet, /*shared=*/fleet.thisMachine);
  SmallVector<planner::StagePlace> places;
  std::map<std::string, int64_t> taken; // chips of each pool
  for (const dist::StageInfo &info : partition->stages) {
    const dist::MeshInfo &meshInfo = partition->meshes[info.mesh];
    plan::v1::Mesh *mesh = plan.add_meshes();
    mesh->set_id(meshInfo.id);
    mesh->set_first_rank(meshInfo.firstRank);
    for (const auto &[name, size] : meshInfo.axes) {
      plan::v1::Axis *axis = mesh->add_axes();
      axis->set_name(name);
      axis->set_size(size);
    }
    int64_t ranks = countRanks(*mesh);
    FailureOr<const fleet::Pool *> pool = pools.take(info.loc, info, meshInfo.on, ranks);
    if (failed(pool)) {
      infeasible = true;
      return failure();
    }
    places.push_back({*pool, taken[(*pool)->id]});
    taken[(*pool)->id] += ranks;
    mesh->set_chip_type((*pool)->chip);
    if (const fleet::Chip *chip = fleet.getChip(**pool))
      addChipType(*plan.mutable_fleet(), *chip);

    plan::v1::Stage *stage = plan.add_stages();
    stage->set_name(info.name);
    stage->set_program(partition->programs[info.program].name);
    stage->set_mesh(meshInfo.id);
    for (const std::string &node : info.nodes)
      stage->add_nodes(node);

    plan::v1::RankSet *set = plan.add_rank_sets();
    set->set_stage(info.name);
    set->set_first(meshInfo.firstRank);
    set->set_count(ranks);
    set->set_stride(1);
    set->set_chip_type((*pool)->chip);
    set->set_pool((*pool)->id);
  }
  for (const dist::LinkInfo &link : partition->links) {
    plan::v1::Transfer *transfer = plan.add_transfers();
    describe(link.from, *transfer->mutable_from());
    describe(link.to, *transfer->mutable_to());
    transfer->set_value(link.value);
  }
  *plan.mutable_estimates() = estimate(*partition, places, fleet, plan.model());
  addPolicies(plan, fleet);
  return plan;
}
