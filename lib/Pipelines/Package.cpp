//===- Package.cpp - programs, weights and plan to a folder ---------------===//
#include "dougong/Pipelines/Package.h"

#include "dougong-c/program.h"
#include "dougong/Package/Check.h"
#include "dougong/Package/Memory.h"
#include "dougong/Package/Plan.h"
#include "dougong/Package/Report.h"
#include "dougong/Packaging/WeightsFile.h"
#include "dougong/Pipelines/Lower.h"
#include "dougong/Support/Sha256.h"

#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"

#include <filesystem>
#include <map>

using namespace mlir;
using namespace dougong;

namespace {

/// A folder that takes the place of another when it is complete, and vanishes
/// if it never is.
class PendingFolder {
public:
  static llvm::Expected<PendingFolder> create(StringRef target) {
    std::error_code code;
    std::filesystem::path path(target.str());
    if (std::filesystem::exists(path, code) && !std::filesystem::is_empty(path, code) &&
        !std::filesystem::exists(path / std::string(planFileName), code))
      return llvm::createStringError("'" + target.str() +
                                     "' exists and is no package: give another output folder");
    PendingFolder result;
    result.target = path;
    result.folder = path.string() + ".tmp-" + std::to_string(llvm::sys::Process::getProcessId());
    std::filesystem::remove_all(result.folder, code);
    if (Result<void> made = createPackage(result.folder); !made)
      return llvm::createStringError(made.message());
    return result;
  }
  PendingFolder(PendingFolder &&other)
      : target(std::move(other.target)), folder(std::move(other.folder)) {
    other.folder.clear();
  }
  ~PendingFolder() {
    std::error_code ignored;
    if (!folder.empty())
      std::filesystem::remove_all(folder, ignored);
  }

  const std::filesystem::path &getPath() const { return folder; }

  llvm::Error commit() {
    std::error_code code;
    std::filesystem::remove_all(target, code);
    std::filesystem::rename(folder, target, code);
    if (code)
      return llvm::createStringError("cannot write '" + target.string() + "': " + code.message());
    folder.clear();
    return llvm::Error::success();
  }

private:
  PendingFolder() = default;
  std::filesystem::path target, folder;
};

/// Lowers and emits a program and fills in what its module then says.
class ProgramBuilder {
public:
  ProgramBuilder(const Target &target, StringRef modelFolder, const PendingFolder &folder)
      : target(target), modelFolder(modelFolder), folder(folder) {}

  llvm::Expected<plan::v1::Program> build(StageProgram &stage, WeightsFile &weights);

private:
  llvm::Error lower(ModuleOp module);
  llvm::Error addWeights(ModuleOp lowered, StageProgram &stage, ModuleOp recipes,
                         WeightsFile &weights, plan::v1::Program &program);

  const Target &target;
  std::string modelFolder;
  const PendingFolder &folder;
};

llvm::Error ProgramBuilder::lower(ModuleOp module) {
  PassManager manager(module.getContext());
  if (llvm::Error error = buildLowerPipeline(manager, target))
    return error;
  if (failed(manager.run(module)))
    return llvm::createStringError("lowering failed");
  return llvm::Error::success();
}

llvm::Error ProgramBuilder::addWeights(ModuleOp lowered, StageProgram &stage, ModuleOp recipes,
                                       WeightsFile &weights, plan::v1::Program &program) {
  WeightEvaluator evaluator(recipes, modelFolder);
  for (Attribute name : lowered->getAttrOfType<ArrayAttr>("dougong.weights")) {
    llvm::Expected<plan::v1::Weight> weight =
        weights.add(evaluator, cast<FlatSymbolRefAttr>(name).getValue(), stage.mesh);
    if (!weight)
      return weight.takeError();
    *program.add_weights() = std::move(*weight);
  }
  return llvm::Error::success();
}

llvm::Expected<plan::v1::Program> ProgramBuilder::build(StageProgram &stage, WeightsFile &weights) {
  // Recipes are read after lowering, which drops them.
  OwningOpRef<ModuleOp> recipes = ModuleOp::create(stage.module->getLoc());
  for (auto weight : stage.module->getOps<onnx::WeightOp>())
    recipes->push_back(weight->clone());

  ModuleOp module = *stage.module;
  if (llvm::Error error = lower(module))
    return error;
  // The target may have laid weights down anew: (name, type, value) each.
  if (auto added = module->getAttrOfType<ArrayAttr>("dougong.added_weights"))
    for (ArrayAttr weight : added.getAsRange<ArrayAttr>()) {
      OpBuilder builder = OpBuilder::atBlockEnd(recipes->getBody());
      onnx::WeightOp::create(builder, module.getLoc(), cast<StringAttr>(weight[0]),
                             cast<TypeAttr>(weight[1]), weight[2]);
    }
  plan::v1::Program program;
  if (llvm::Error error = addWeights(module, stage, *recipes, weights, program))
    return error;
  for (Attribute check : module->getAttrOfType<ArrayAttr>("dougong.checks"))
    program.add_checks(cast<StringAttr>(check).getValue().str());
  auto addTexts = [&](StringRef name, google::protobuf::RepeatedPtrField<std::string> &texts) {
    if (auto list = module->getAttrOfType<ArrayAttr>(name))
      for (StringRef text : list.getAsValueRange<StringAttr>())
        texts.Add(text.str());
  };
  addTexts("dougong.arena", *program.mutable_allocation()->mutable_arena());
  addTexts("dougong.workspace", *program.mutable_allocation()->mutable_workspace());
  addTexts("dougong.unproved", *program.mutable_allocation()->mutable_unproved());
  if (auto groups = module->getAttrOfType<ArrayAttr>("dougong.groups"))
    for (Attribute group : groups) {
      plan::v1::Group *entry = program.add_groups();
      for (Attribute axis : cast<ArrayAttr>(group))
        entry->add_axes(cast<StringAttr>(axis).getValue().str());
    }
  if (auto calls = module->getAttrOfType<ArrayAttr>("dougong.calls"))
    for (Attribute attribute : calls) {
      auto call = cast<DictionaryAttr>(attribute);
      auto text = [&](StringRef name) {
        auto value = call.getAs<StringAttr>(name);
        return value ? value.getValue().str() : std::string();
      };
      plan::v1::Call *entry = program.add_calls();
      entry->set_kind(text("kind"));
      entry->set_group(call.getAs<IntegerAttr>("group").getInt());
      entry->set_dtype(call.getAs<IntegerAttr>("dtype").getInt());
      entry->set_elements(text("elements"));
      entry->set_reduction(text("reduction"));
      entry->set_node(text("node"));
    }

  std::filesystem::path programs = folder.getPath() / std::string(programsFolderName);
  std::string extension = "." + target.getArtifactExtension().str();
  std::filesystem::path pending = programs / ("pending" + extension);
  if (llvm::Error error = target.emit(module, pending.string()))
    return error;
  Result<std::string> digest = sha256File(pending);
  if (!digest)
    return llvm::createStringError(digest.message());
  // Equal code is one file, whatever weights and values it is used with.
  std::string name = digest->substr(0, 16) + extension;
  std::error_code code;
  std::filesystem::rename(pending, programs / name, code);
  if (code)
    return llvm::createStringError("cannot write program " + name + ": " + code.message());
  program.set_kind(target.getArtifactKind().str());
  program.set_path(std::string(programsFolderName) + "/" + name);
  program.set_sha256(*digest);
  program.set_size_bytes(std::filesystem::file_size(programs / name, code));
  program.set_abi(DOUGONG_PROGRAM_ABI);
  program.set_target(target.getName().str());
  for (const plan::v1::Value &value : stage.inputs)
    *program.add_inputs() = value;
  for (const plan::v1::Value &value : stage.outputs)
    *program.add_outputs() = value;
  *program.mutable_work() = stage.work;
  program.set_id(sha256(program.SerializeAsString()).substr(0, 16));
  return program;
}

/// Writes the memory proof of every stage.
llvm::Error proveStages(plan::v1::Plan &plan, ArrayRef<StageProgram> stages,
                        const fleet::Fleet &fleet) {
  // Ranks may share a chip only where the host stands for the fleet.
  std::map<std::string, uint64_t> ranksOfPool;
  for (const plan::v1::RankSet &set : plan.rank_sets())
    for (const StageProgram &stage : stages)
      if (stage.name == set.stage())
        ranksOfPool[stage.pool] += set.count();
  for (auto [number, stage] : llvm::enumerate(stages)) {
    const fleet::Pool *pool = fleet.findPool(stage.pool);
    const fleet::Chip *chip = pool ? fleet.getChip(*pool) : nullptr;
    uint64_t capacity = chip ? chip->getUsableBytes().value_or(0) : 0;
    if (pool && ranksOfPool[stage.pool] > pool->count)
      capacity /= llvm::divideCeil(ranksOfPool[stage.pool], pool->count);
    std::string kind = chip && chip->memory ? chip->memory->kind : "";
    if (Result<void> proved = proveMemory(plan, number, kind, capacity); !proved)
      return llvm::createStringError(proved.message());
    if (std::string misfit = describeMisfit(plan, number); !misfit.empty())
      return llvm::make_error<InfeasibleError>(misfit);
  }
  return llvm::Error::success();
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
    if (chip.memory->reserved)
      type->set_reserved_bytes(static_cast<uint64_t>(chip.memory->reserved->value));
  }
}

} // namespace

char InfeasibleError::ID = 0;

llvm::Error dougong::writePackage(PartitionedModel &partitioned, const fleet::Fleet &fleet,
                                  const Target &target, StringRef modelFolder, StringRef folder) {
  llvm::Expected<PendingFolder> pending = PendingFolder::create(folder);
  if (!pending)
    return pending.takeError();
  plan::v1::Plan plan;
  plan.set_name(partitioned.model.name());
  plan.mutable_producer()->set_tool("dougong");
  plan.mutable_producer()->set_version("0.1.0");
  plan.mutable_producer()->set_llvm_version(LLVM_VERSION_STRING);
  *plan.mutable_model() = partitioned.model;
  plan.mutable_fleet()->set_name(fleet.name);

  std::string weightsName = std::string(weightsFolderName) + "/weights.bin";
  auto weights = WeightsFile::create((pending->getPath() / weightsName).string(), weightsName);
  if (!weights)
    return weights.takeError();
  ProgramBuilder builder(target, modelFolder, *pending);
  for (StageProgram &stage : partitioned.stages) {
    llvm::Expected<plan::v1::Program> program = builder.build(stage, **weights);
    if (!program)
      return program.takeError();
    plan::v1::Stage *entry = plan.add_stages();
    entry->set_name(stage.name);
    entry->set_program(program->id());
    entry->set_mesh(stage.mesh.id());
    for (const std::string &node : stage.nodes)
      entry->add_nodes(node);
    *plan.add_meshes() = stage.mesh;
    bool known = llvm::any_of(plan.programs(), [&](const plan::v1::Program &other) {
      return other.id() == program->id();
    });
    if (!known)
      *plan.add_programs() = std::move(*program);
    int64_t ranks = 1;
    for (const plan::v1::Axis &axis : stage.mesh.axes())
      ranks *= axis.size();
    plan::v1::RankSet *set = plan.add_rank_sets();
    set->set_stage(stage.name);
    set->set_first(stage.mesh.first_rank());
    set->set_count(ranks);
    set->set_stride(1);
    set->set_chip_type(stage.mesh.chip_type());
    if (const fleet::Pool *pool = fleet.findPool(stage.pool))
      if (const fleet::Chip *chip = fleet.getChip(*pool))
        addChipType(*plan.mutable_fleet(), *chip);
  }
  if (llvm::Error error = (*weights)->finish())
    return error;
  for (const plan::v1::Transfer &transfer : partitioned.transfers)
    *plan.add_transfers() = transfer;
  if (llvm::Error error = proveStages(plan, partitioned.stages, fleet))
    return error;
  *plan.mutable_estimates() = partitioned.estimates;
  if (partitioned.choice.alternatives_size() > 0)
    *plan.mutable_choice() = partitioned.choice;
  for (const plan::v1::Policy &policy : partitioned.policies)
    *plan.add_policies() = policy;
  plan.mutable_binding()->set_mode("abstract");
  if (Result<void> written = writePlan(plan, pending->getPath()); !written)
    return llvm::createStringError(written.message());
  ReportOptions report;
  report.findings = checkPlan(plan, pending->getPath());
  if (Result<void> written = writeReport(plan, pending->getPath(), report); !written)
    return llvm::createStringError(written.message());
  return pending->commit();
}
