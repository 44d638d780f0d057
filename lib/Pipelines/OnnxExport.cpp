//===- OnnxExport.cpp - a partition as standard ONNX files ----------------===//
#include "dougong/Pipelines/OnnxExport.h"

#include "Onnx/IR/Onnx.h"
#include "dougong/Conversion/KernelPasses.h"
#include "dougong/Export/Export.h"
#include "dougong/Package/Plan.h"
#include "dougong/Packaging/ExternalData.h"
#include "dougong/Target/Onnx/Manifest.h"
#include "dougong/Target/Onnx/Passes.h"

#include "llvm/ADT/StringSet.h"

#include <filesystem>
#include <map>

using namespace mlir;
using namespace dougong;
namespace fs = std::filesystem;

void dougong::addExportPasses(PassManager &manager) {
  OpPassManager &program = manager.nest<ModuleOp>();
  // Slices of this rank become operators, too: before what they need is looked for.
  program.addPass(createExpandCollectivesPass());
  program.addPass(createDeriveAxisIndexPass());
  program.addPass(createExpandExtentsPass());
}

/// Graphs with the places of their weights, which are the same for all ranks.
static LogicalResult makeGraphs(const exporter::CutProgram &program, OnnxExport::Graphs &graphs) {
  llvm::StringMap<WeightPlace> places;
  uint64_t end = 0;
  for (const exporter::Level &level : program.levels) {
    std::string &text = graphs.parts.emplace_back();
    if (!level.part)
      continue;
    ModuleOp part = *level.part->module;
    for (auto weight : part.getOps<onnx::WeightOp>()) {
      // Texts and small constants stay in the model.
      if (isa<ElementsAttr>(weight.getValue()) || places.contains(weight.getSymName()))
        continue;
      auto type = cast<RankedTensorType>(weight.getType());
      FileRange range = placeTensor(end, type.getElementType(), type.getShape());
      end = range.offset + range.length;
      places[weight.getSymName()] = {exporter::rankWeightsFileName.str(),
                                     static_cast<int64_t>(range.offset),
                                     static_cast<int64_t>(range.length)};
      graphs.weights.push_back(weight.getSymName().str());
    }
    llvm::raw_string_ostream stream(text);
    if (failed(exportModel(part, places, stream)))
      return failure();
  }
  return success();
}

FailureOr<OnnxExport> dougong::makeOnnxExport(dist::PartitionResult partition) {
  OnnxExport result;
  for (const dist::ProgramInfo &program : partition.programs) {
    result.programs.push_back(exporter::cutAtCollectives(program.module));
    if (failed(makeGraphs(result.programs.back(), result.graphs.emplace_back())))
      return failure();
  }
  result.partition = std::move(partition);
  return result;
}

namespace {

llvm::Error makeOutputError(const fs::path &path, const std::error_code &code) {
  return llvm::make_error<OutputError>("cannot write '" + path.string() + "': " + code.message());
}

llvm::Error writeFile(const fs::path &path, StringRef bytes) {
  std::error_code code;
  llvm::raw_fd_ostream stream(path.string(), code);
  if (code)
    return makeOutputError(path, code);
  stream << bytes;
  stream.close();
  code = stream.error();
  stream.clear_error();
  return code ? makeOutputError(path, code) : llvm::Error::success();
}

/// Writes the folders of the ranks of one stage.
class StageWriter {
public:
  StageWriter(const OnnxExport &model, const dist::StageInfo &stage, StringRef modelFolder,
              const fs::path &folder)
      : stage(stage), mesh(model.partition.meshes[stage.mesh]),
        graphs(model.graphs[stage.program]), folder(folder),
        evaluator(model.partition.programs[stage.program].module, modelFolder) {}

  llvm::Error write();

private:
  AxisCoordinates getCoordinates(int64_t rank) const;
  llvm::Error writeWeights(const fs::path &path, const AxisCoordinates &coordinates);

  const dist::StageInfo &stage;
  const dist::MeshInfo &mesh;
  const OnnxExport::Graphs &graphs;
  const fs::path &folder;
  WeightEvaluator evaluator;
};

} // namespace

AxisCoordinates StageWriter::getCoordinates(int64_t rank) const {
  AxisCoordinates coordinates;
  for (const auto &[name, size] : llvm::reverse(mesh.axes)) {
    coordinates[name] = {rank % size, size};
    rank /= size;
  }
  return coordinates;
}

llvm::Error StageWriter::writeWeights(const fs::path &path, const AxisCoordinates &coordinates) {
  auto file = ExternalDataFile::create(path.string());
  if (!file)
    return file.takeError();
  for (const std::string &name : graphs.weights) {
    auto reader = evaluator.open(name, coordinates);
    if (!reader)
      return reader.takeError();
    (*file)->add(**reader);
  }
  return (*file)->finish();
}

llvm::Error StageWriter::write() {
  llvm::StringSet<> cutting; // axes that tell the weights of ranks apart
  for (const std::string &name : graphs.weights) {
    auto axes = evaluator.getAxes(name);
    if (!axes)
      return axes.takeError();
    for (StringRef axis : *axes)
      cutting.insert(axis);
  }
  int64_t ranks = 1;
  for (const auto &[name, size] : mesh.axes)
    ranks *= size;
  std::map<std::string, fs::path> written; // by coordinates: weights of other ranks
  for (int64_t rank = 0; rank < ranks; ++rank) {
    fs::path rankFolder = folder / exporter::getRankFolder(stage, mesh.firstRank + rank);
    std::error_code code;
    fs::create_directories(rankFolder, code);
    if (code)
      return makeOutputError(rankFolder, code);
    for (auto [level, bytes] : llvm::enumerate(graphs.parts))
      if (!bytes.empty())
        if (llvm::Error error = writeFile(rankFolder / exporter::getPartFileName(level), bytes))
          return error;
    if (graphs.weights.empty())
      continue;
    AxisCoordinates coordinates = getCoordinates(rank);
    std::string key;
    for (const auto &[name, size] : mesh.axes)
      if (cutting.contains(name))
        key += std::to_string(coordinates[name].index) + ",";
    fs::path path = rankFolder / exporter::rankWeightsFileName.str();
    auto [known, isNew] = written.try_emplace(key, path);
    // Recipes run once for ranks whose weights are equal. (Links would do, but the
    // checker of ONNX refuses them.)
    if (isNew) {
      if (llvm::Error error = writeWeights(path, coordinates))
        return error;
    } else if (fs::copy_file(known->second, path, code); code) {
      return makeOutputError(path, code);
    }
  }
  return llvm::Error::success();
}

llvm::Error dougong::writeOnnxExport(const OnnxExport &model,
                                     const std::optional<exporter::AnnotatedModel> &annotated,
                                     StringRef modelFolder, StringRef folder) {
  fs::path path = folder.str();
  for (const dist::StageInfo &stage : model.partition.stages)
    if (llvm::Error error = StageWriter(model, stage, modelFolder, path).write())
      return error;
  if (annotated)
    if (llvm::Error error = writeFile(path / exporter::annotatedFileName.str(), annotated->bytes))
      return error;
  Json manifest = exporter::describeExport(model.partition, model.programs);
  return writeFile(path / exporter::manifestFileName.str(), manifest.print() + "\n");
}
