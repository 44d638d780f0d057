//===- Package.cpp - programs, weights and plan to a folder ---------------===//
#include "dougong/Pipelines/Package.h"

#include "Estimates.h"

#include "dougong-c/program.h"
#include "dougong/Package/Check.h"
#include "dougong/Package/Plan.h"
#include "dougong/Package/Report.h"
#include "dougong/Packaging/WeightsFile.h"
#include "dougong/Pipelines/Lower.h"
#include "dougong/Support/Sha256.h"
#include "dougong/Version.h"

#include "mlir/IR/SymbolTable.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"

#include <filesystem>
#include <set>

using namespace mlir;
using namespace dougong;

namespace {

/// A folder that takes the place of another when it is complete, and vanishes
/// if it never is.
class PendingFolder {
public:
  static llvm::Expected<PendingFolder> create(StringRef target) {
    std::error_code code;
    std::filesystem::path path(target.rtrim('/').str());
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

/// Fills in a program of the plan: its artefact and its weights.
class ProgramWriter {
public:
  ProgramWriter(ModuleOp lowered, const Target &target, StringRef modelFolder,
                const PendingFolder &folder, WeightsFile &weights, Progress &progress)
      : symbols(lowered), target(target), modelFolder(modelFolder), folder(folder),
        weights(weights), progress(progress) {}

  /// `mesh` is that of the stages that run the program.
  llvm::Error write(plan::v1::Program &program, const plan::v1::Mesh &mesh);

private:
  llvm::Error writeCode(ModuleOp code, plan::v1::Program &program);

  SymbolTable symbols;
  const Target &target;
  std::string modelFolder;
  const PendingFolder &folder;
  WeightsFile &weights;
  Progress &progress;
  llvm::DenseMap<Operation *, plan::v1::Program> written; ///< artefact of each code
};

} // namespace

llvm::Error ProgramWriter::writeCode(ModuleOp code, plan::v1::Program &program) {
  auto [entry, isNew] = written.try_emplace(code);
  plan::v1::Program &artefact = entry->second;
  if (isNew) {
    std::filesystem::path programs = folder.getPath() / std::string(programsFolderName);
    std::string extension = "." + target.getArtifactExtension().str();
    std::filesystem::path pending = programs / ("pending" + extension);
    progress.begin("emit");
    if (llvm::Error error = target.emit(code, pending.string()))
      return error;
    Result<std::string> digest = sha256File(pending);
    if (!digest)
      return llvm::createStringError(digest.message());
    // Equal code is one file, whatever weights and values it is used with.
    std::string name = digest->substr(0, 16) + extension;
    std::error_code error;
    std::filesystem::rename(pending, programs / name, error);
    if (error)
      return llvm::createStringError("cannot write program " + name + ": " + error.message());
    artefact.set_kind(target.getArtifactKind().str());
    artefact.set_path(std::string(programsFolderName) + "/" + name);
    artefact.set_sha256(*digest);
    artefact.set_size_bytes(std::filesystem::file_size(programs / name, error));
    artefact.set_abi(DOUGONG_PROGRAM_ABI);
    artefact.set_target(target.getName().str());
  }
  program.MergeFrom(artefact);
  return llvm::Error::success();
}

llvm::Error ProgramWriter::write(plan::v1::Program &program, const plan::v1::Mesh &mesh) {
  auto recipes = symbols.lookup<ModuleOp>(program.id());
  auto codeName =
      recipes ? recipes->getAttrOfType<FlatSymbolRefAttr>(codeAttrName) : FlatSymbolRefAttr();
  auto code = codeName ? symbols.lookup<ModuleOp>(codeName.getValue()) : ModuleOp();
  auto names = recipes ? recipes->getAttrOfType<ArrayAttr>(weightsAttrName) : ArrayAttr();
  if (!code || !names)
    return llvm::createStringError("program '" + program.id() +
                                   "' of the plan has no code in the module");
  progress.begin("weights");
  WeightEvaluator evaluator(recipes, modelFolder);
  for (Attribute name : names) {
    llvm::Expected<plan::v1::Weight> weight =
        weights.add(evaluator, cast<FlatSymbolRefAttr>(name).getValue(), mesh);
    if (!weight)
      return weight.takeError();
    *program.add_weights() = std::move(*weight);
  }
  return writeCode(code, program);
}

/// Programs get their hash as name; those that turned out equal are one.
static void nameByContent(plan::v1::Plan &plan) {
  llvm::StringMap<std::string> names;
  std::set<std::string> seen;
  google::protobuf::RepeatedPtrField<plan::v1::Program> programs;
  for (plan::v1::Program &program : *plan.mutable_programs()) {
    std::string old = program.id();
    program.clear_id();
    std::string id = sha256(program.SerializeAsString()).substr(0, 16);
    names[old] = id;
    program.set_id(id);
    if (seen.insert(id).second)
      *programs.Add() = std::move(program);
  }
  *plan.mutable_programs() = std::move(programs);
  for (plan::v1::Stage &stage : *plan.mutable_stages())
    stage.set_program(names.lookup(stage.program()));
}

llvm::Error dougong::checkPackageFolder(StringRef folder) {
  namespace fs = std::filesystem;
  std::error_code code;
  fs::path path(folder.str());
  auto refuse = [&](const std::string &why) {
    return llvm::createStringError("output folder '" + folder.str() + "' " + why);
  };
  if (fs::exists(path, code)) {
    if (!fs::is_directory(path, code))
      return refuse("is a file: give another one");
    if (!fs::is_empty(path, code) && !fs::exists(path / std::string(planFileName), code))
      return refuse("exists and is no package: give another one");
  }
  // The package is made beside its place, under the nearest folder that exists.
  fs::path parent = fs::absolute(path, code).lexically_normal();
  if (!parent.has_filename())
    parent = parent.parent_path();
  do
    parent = parent.parent_path();
  while (!fs::exists(parent, code) && parent.has_relative_path());
  if (!fs::is_directory(parent, code))
    return refuse("cannot be made: '" + parent.string() + "' is a file");
  // Trying is the only sure test: permissions are not all that forbids it.
  SmallString<128> trial;
  if (std::error_code failed =
          llvm::sys::fs::createUniqueDirectory((parent / ".dougong-trial").string(), trial))
    return refuse("cannot be made in '" + parent.string() + "': " + failed.message());
  fs::remove(trial.str().str(), code);
  return llvm::Error::success();
}

char InfeasibleError::ID = 0;

llvm::Error dougong::writePackage(ModuleOp lowered, const fleet::Fleet &fleet, const Target &target,
                                  StringRef modelFolder, StringRef folder, Progress &progress) {
  Result<plan::v1::Plan> carried = getPlan(lowered);
  if (!carried)
    return llvm::createStringError(carried.message());
  plan::v1::Plan &plan = *carried;
  llvm::Expected<PendingFolder> pending = PendingFolder::create(folder);
  if (!pending)
    return pending.takeError();
  plan.mutable_producer()->set_tool("dougong");
  plan.mutable_producer()->set_version(DOUGONG_VERSION);
  plan.mutable_producer()->set_llvm_version(LLVM_VERSION_STRING);

  std::string weightsName = std::string(weightsFolderName) + "/weights.bin";
  auto weights = WeightsFile::create((pending->getPath() / weightsName).string(), weightsName);
  if (!weights)
    return weights.takeError();
  ProgramWriter writer(lowered, target, modelFolder, *pending, **weights, progress);
  for (plan::v1::Program &program : *plan.mutable_programs()) {
    auto stage = llvm::find_if(
        plan.stages(), [&](const plan::v1::Stage &one) { return one.program() == program.id(); });
    if (stage == plan.stages().end())
      continue;
    auto mesh = llvm::find_if(plan.meshes(),
                              [&](const plan::v1::Mesh &one) { return one.id() == stage->mesh(); });
    if (mesh == plan.meshes().end())
      return llvm::createStringError("stage '" + stage->name() + "' has no mesh");
    if (llvm::Error error = writer.write(program, *mesh))
      return error;
  }
  nameByContent(plan);
  if (llvm::Error error = (*weights)->finish())
    return error;
  if (llvm::Error error = proveStages(plan, fleet))
    return error;
  plan.mutable_binding()->set_mode("abstract");
  if (Result<void> written = writePlan(plan, pending->getPath()); !written)
    return llvm::createStringError(written.message());
  ReportOptions report;
  report.findings = checkPlan(plan, pending->getPath());
  if (Result<void> written = writeReport(plan, pending->getPath(), report); !written)
    return llvm::createStringError(written.message());
  return pending->commit();
}
