//===- Package.cpp - programs, weights and plan to a folder ---------------===//
#include "dougong/Pipelines/Package.h"

#include "Estimates.h"
#include "Output.h"

#include "dougong-c/program.h"
#include "dougong/Package/Check.h"
#include "dougong/Package/Plan.h"
#include "dougong/Package/Report.h"
#include "dougong/Packaging/WeightsFile.h"
#include "dougong/Pipelines/Lower.h"
#include "dougong/Support/Sha256.h"
#include "dougong/Version.h"

#include "mlir/IR/SymbolTable.h"
#include <filesystem>
#include <set>

using namespace mlir;
using namespace dougong;
namespace fs = std::filesystem;

namespace {

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

char InfeasibleError::ID = 0;
char DefectError::ID = 0;

static llvm::Error makeOutputError(llvm::Error error) {
  return error ? llvm::make_error<OutputError>(llvm::toString(std::move(error)))
               : llvm::Error::success();
}

llvm::Error dougong::writePackage(ModuleOp lowered, const fleet::Fleet &fleet, const Target &target,
                                  StringRef modelFolder, StringRef folder, Progress &progress) {
  Result<plan::v1::Plan> carried = getPlan(lowered);
  if (!carried)
    return llvm::createStringError(carried.message());
  plan::v1::Plan &plan = *carried;
  llvm::Expected<PendingFolder> pending = PendingFolder::create(folder, OutputKind::Package);
  if (!pending)
    return makeOutputError(pending.takeError());
  if (Result<void> made = createPackage(pending->getPath()); !made)
    return llvm::make_error<OutputError>(made.message());
  plan.mutable_producer()->set_tool("dougong");
  plan.mutable_producer()->set_version(DOUGONG_VERSION);
  plan.mutable_producer()->set_llvm_version(LLVM_VERSION_STRING);

  std::string weightsName = std::string(weightsFolderName) + "/weights.bin";
  auto weights = WeightsFile::create((pending->getPath() / weightsName).string(), weightsName);
  if (!weights)
    return makeOutputError(weights.takeError());
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
    if (llvm::Error error = writer.write(program, *mesh)) {
      if (error.isA<OutputError>())
        return llvm::make_error<OutputError>("package '" + folder +
                                             "': " + llvm::toString(std::move(error)));
      return error;
    }
  }
  nameByContent(plan);
  if (llvm::Error error = (*weights)->finish())
    return makeOutputError(std::move(error));
  if (llvm::Error error = proveStages(plan, fleet))
    return error;
  plan.mutable_binding()->set_mode("abstract");
  if (Result<void> written = writePlan(plan, pending->getPath()); !written)
    return llvm::make_error<OutputError>(written.message());
  ReportOptions report;
  CheckOptions options;
  options.hashes = false; // of what was written a moment ago
  report.findings = checkPlan(plan, pending->getPath(), options);
  for (const Finding &finding : report.findings)
    if (finding.severity == Severity::Error)
      return llvm::make_error<DefectError>("the package would be refused: " + finding.subject +
                                           ": " + finding.message + " [" + finding.id + "]");
  if (Result<void> written = writeReport(plan, pending->getPath(), report); !written)
    return llvm::make_error<OutputError>(written.message());
  return makeOutputError(pending->commit());
}
