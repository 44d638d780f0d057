//===- Partition.cpp - the plan, shard and stage phases -------------------===//
#include "dougong/Pipelines/Partition.h"

#include "dougong/Dist/PartitionResult.h"
#include "dougong/Dist/Passes.h"
#include "dougong/Import/ElementTypes.h"
#include "dougong/Onnx/DimRanges.h"
#include "dougong/Support/DimExpr.h"

#include "mlir/Pass/PassManager.h"

#include <set>

using namespace mlir;
using namespace dougong;

namespace {

using PassList = std::vector<std::unique_ptr<Pass>>;

/// The phases of partitioning: each is passes and the check of what then holds.
SmallVector<std::pair<StringRef, PassList>> makePhases(const CompileOptions &options) {
  dist::PlanPassOptions plan;
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

plan::v1::Value describe(const std::string &name, Type elementType,
                         ArrayRef<std::string> dims) {
  plan::v1::Value value;
  value.set_name(name);
  value.set_dtype(importer::getDataType(elementType));
  for (const std::string &dim : dims)
    value.add_dims(dim);
  return value;
}

plan::v1::Value describe(const dist::PortInfo &port) {
  plan::v1::Value value =
      describe(port.name, port.global.getElementType(), port.globalDims);
  bool isCut = llvm::any_of(port.sharding,
                            [](const dist::CutInfo &cut) { return !cut.axes.empty(); });
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
                                 << (wanted.empty() ? StringRef("one pool") : wanted)
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

/// The share of domestic chips among the ranks, against the fleet's rules. Only
/// the count of chips is known here; other bases are reported as unknown.
void addPolicies(PartitionedModel &model, const fleet::Fleet &fleet) {
  int64_t total = 0, domestic = 0;
  for (const StageProgram &stage : model.stages) {
    int64_t ranks = 1;
    for (const plan::v1::Axis &axis : stage.mesh.axes())
      ranks *= axis.size();
    total += ranks;
    const fleet::Chip *chip = fleet.findChip(stage.mesh.chip_type());
    domestic += chip && chip->domestic ? ranks : 0;
  }
  for (const fleet::Policy &policy : fleet.policies) {
    plan::v1::Policy &entry = model.policies.emplace_back();
    entry.set_name(policy.name);
    entry.set_basis(fleet::stringify(policy.basis).str());
    if (policy.threshold)
      entry.set_threshold(policy.threshold->value);
    if (policy.basis != fleet::ShareBasis::Chips || total == 0 || !policy.threshold) {
      entry.set_verdict("unknown");
      continue;
    }
    entry.set_value(static_cast<double>(domestic) / total);
    entry.set_verdict(entry.value() > entry.threshold() ? "pass" : "fail");
  }
}

} // namespace

FailureOr<PartitionedModel>
dougong::partitionModel(OwningOpRef<ModuleOp> module, const fleet::Fleet &fleet,
                        const CompileOptions &options, bool &infeasible,
                        llvm::function_ref<bool(StringRef, ModuleOp)> afterPhase) {
  for (auto &[phase, passes] : makePhases(options)) {
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

  PoolAssignment pools(fleet, /*shared=*/fleet.name == "localhost");
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
  addPolicies(result, fleet);
  return result;
}
