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
namespace fs = std::filesystem;

namespace {

/// The path from the root on, without "." and ".." and a last slash.
fs::path normalise(StringRef folder) {
  std::error_code ignored;
  fs::path path = (fs::current_path(ignored) / folder.str()).lexically_normal();
  return path.has_filename() ? path : path.parent_path();
}

/// Fails unless `path` is new, an empty folder, or a package with nothing else
/// in it: these may be replaced. `shown` is its name in messages.
llvm::Error checkReplaceable(const fs::path &path, StringRef shown) {
  std::error_code code;
  auto refuse = [&](const std::string &why) {
    return llvm::createStringError("output folder '" + shown.str() + "' " + why +
                                   ": give another one");
  };
  if (!fs::exists(path, code))
    return llvm::Error::success();
  if (!fs::is_directory(path, code))
    return refuse("is a file");
  fs::path current = fs::current_path(code);
  for (fs::path outer = current; !code; outer = outer.parent_path()) {
    if (fs::equivalent(outer, path, code))
      return refuse(outer == current ? "is the current folder" : "holds the current folder");
    if (!outer.has_relative_path())
      break;
  }
  std::set<std::string> entries;
  for (fs::directory_iterator entry(path, code), end; !code && entry != end; entry.increment(code))
    entries.insert(entry->path().filename().string());
  if (code)
    return refuse("cannot be read (" + code.message() + ")");
  if (entries.empty())
    return llvm::Error::success();
  if (!entries.count(std::string(planFileName)) || !readPlan(path))
    return refuse("exists and is no package");
  for (const std::string &entry : entries)
    if (!llvm::is_contained(
            {planFileName, programsFolderName, weightsFolderName, {reportFileName}, {"onnx"}},
            std::string_view(entry)))
      return refuse("holds '" + entry + "', which is no part of a package");
  return llvm::Error::success();
}

/// A folder that takes the place of another when it is complete, and vanishes
/// if it never is.
class PendingFolder {
public:
  static llvm::Expected<PendingFolder> create(StringRef target) {
    std::error_code code;
    PendingFolder result;
    result.target = normalise(target);
    result.folder = result.beside("tmp");
    fs::remove_all(result.folder, code);
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
      fs::remove_all(folder, ignored);
  }

  const fs::path &getPath() const { return folder; }

  /// What was there goes only when the new folder is in its place.
  llvm::Error commit();

private:
  PendingFolder() = default;
  fs::path beside(const char *kind) const {
    return target.string() + "." + kind + "-" + std::to_string(llvm::sys::Process::getProcessId());
  }
  fs::path target, folder;
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

llvm::Error PendingFolder::commit() {
  // It may have changed while the model was compiled.
  if (llvm::Error error = checkReplaceable(target, target.string()))
    return error;
  std::error_code code;
  fs::path old = beside("old");
  bool replaces = fs::exists(fs::symlink_status(target, code));
  if (replaces) {
    fs::rename(target, old, code);
    if (code)
      return llvm::createStringError("cannot move '" + target.string() + "' to '" + old.string() +
                                     "': " + code.message());
  }
  fs::rename(folder, target, code);
  if (code) {
    std::string message = "cannot write '" + target.string() + "': " + code.message();
    if (replaces)
      fs::rename(old, target, code);
    if (replaces && code)
      message += "; what was there is now '" + old.string() + "': " + code.message();
    return llvm::createStringError(message);
  }
  folder.clear();
  if (replaces)
    fs::remove_all(old, code);
  if (code)
    return llvm::createStringError("'" + target.string() + "' is written, but '" + old.string() +
                                   "', which it replaces, cannot be removed: " + code.message());
  return llvm::Error::success();
}

llvm::Error ProgramWriter::writeCode(ModuleOp code, plan::v1::Program &program) {
  auto [entry, isNew] = written.try_emplace(code);
  plan::v1::Program &artefact = entry->second;
  if (isNew) {
    fs::path programs = folder.getPath() / std::string(programsFolderName);
    std::string extension = "." + target.getArtifactExtension().str();
    fs::path pending = programs / ("pending" + extension);
    progress.begin("emit");
    if (llvm::Error error = target.emit(code, pending.string()))
      return error;
    Result<std::string> digest = sha256File(pending);
    if (!digest)
      return llvm::createStringError(digest.message());
    // Equal code is one file, whatever weights and values it is used with.
    std::string name = digest->substr(0, 16) + extension;
    std::error_code error;
    fs::rename(pending, programs / name, error);
    if (error)
      return llvm::createStringError("cannot write program " + name + ": " + error.message());
    artefact.set_kind(target.getArtifactKind().str());
    artefact.set_path(std::string(programsFolderName) + "/" + name);
    artefact.set_sha256(*digest);
    artefact.set_size_bytes(fs::file_size(programs / name, error));
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
  std::error_code code;
  auto refuse = [&](const std::string &why) {
    return llvm::createStringError("output folder '" + folder.str() + "' " + why);
  };
  fs::path parent = normalise(folder);
  if (llvm::Error error = checkReplaceable(parent, folder))
    return error;
  // The package is made beside its place, under the nearest folder that exists.
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
  CheckOptions options;
  options.hashes = false; // of what was written a moment ago
  report.findings = checkPlan(plan, pending->getPath(), options);
  for (const Finding &finding : report.findings)
    if (finding.severity == Severity::Error)
      return llvm::createStringError("the package would be refused: " + finding.subject + ": " +
                                     finding.message + " [" + finding.id + "]");
  if (Result<void> written = writeReport(plan, pending->getPath(), report); !written)
    return llvm::createStringError(written.message());
  return pending->commit();
}
