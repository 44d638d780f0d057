//===- OnnxExport.cpp - a partition as standard ONNX files ----------------===//
#include "dougong/Pipelines/OnnxExport.h"

#include "Dist/IR/Dist.h"
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

namespace {

/// Weights up to this many bytes are inside the graph: shape inference of ONNX and
/// onnxruntime sees no others.
constexpr int64_t smallWeight = 1024;

bool isInline(onnx::WeightOp weight) {
  if (isa<ElementsAttr>(weight.getValue()))
    return true;
  auto type = cast<RankedTensorType>(weight.getType());
  Type element = type.getElementType();
  return element.isIntOrFloat() && element.getIntOrFloatBitWidth() >= 8 &&
         type.getNumElements() * element.getIntOrFloatBitWidth() / 8 <= smallWeight;
}

/// The places of weights in the file of each rank.
void placeWeights(const exporter::CutProgram &program, OnnxExport::Weights &weights) {
  uint64_t end = 0;
  for (const exporter::Level &level : program.levels) {
    if (!level.part)
      continue;
    for (auto weight : level.part->module.get().getOps<onnx::WeightOp>()) {
      StringRef name = weight.getSymName();
      if (isInline(weight) || weights.places.contains(name))
        continue;
      auto type = cast<RankedTensorType>(weight.getType());
      FileRange range = placeTensor(end, type.getElementType(), type.getShape());
      end = range.offset + range.length;
      weights.places[name] = {exporter::rankWeightsFileName.str(),
                              static_cast<int64_t>(range.offset),
                              static_cast<int64_t>(range.length)};
      weights.names.push_back(name.str());
    }
  }
}

} // namespace

char ReportedError::ID = 0;

LogicalResult dougong::checkExportable(ModuleOp program) {
  WalkResult walk = program.walk([](Operation *op) {
    if (!isa<onnx::PartExpertsOp, dist::RaggedAllToAllOp>(op))
      return WalkResult::advance();
    op->emitError("whole experts (ep) have no form in ONNX: cut them by tp, each along its inner "
                  "width");
    return WalkResult::interrupt();
  });
  return failure(walk.wasInterrupted());
}

OnnxExport dougong::makeOnnxExport(dist::PartitionResult partition) {
  OnnxExport result;
  for (const dist::ProgramInfo &program : partition.programs) {
    result.programs.push_back(exporter::cutAtCollectives(program.module));
    placeWeights(result.programs.back(), result.weights.emplace_back());
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
        program(model.programs[stage.program]), weights(model.weights[stage.program]),
        folder(folder), evaluator(model.partition.programs[stage.program].module, modelFolder) {}

  llvm::Error write();

private:
  AxisCoordinates getCoordinates(int64_t rank) const;
  llvm::Expected<llvm::StringSet<>> findCuttingAxes();
  llvm::Error writeRank(const fs::path &rankFolder, const AxisCoordinates &coordinates);
  llvm::Error writeWeights(const fs::path &path, const AxisCoordinates &coordinates);
  llvm::Error writePart(ModuleOp part, const fs::path &path, const AxisCoordinates &coordinates);

  const dist::StageInfo &stage;
  const dist::MeshInfo &mesh;
  const exporter::CutProgram &program;
  const OnnxExport::Weights &weights;
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

/// The axes that tell the weights of ranks apart.
llvm::Expected<llvm::StringSet<>> StageWriter::findCuttingAxes() {
  llvm::StringSet<> cutting;
  for (const exporter::Level &level : program.levels)
    if (level.part)
      for (auto weight : level.part->module.get().getOps<onnx::WeightOp>()) {
        auto axes = evaluator.getAxes(weight.getSymName());
        if (!axes)
          return axes.takeError();
        for (StringRef axis : *axes)
          cutting.insert(axis);
      }
  return cutting;
}

llvm::Error StageWriter::writeWeights(const fs::path &path, const AxisCoordinates &coordinates) {
  auto file = ExternalDataFile::create(path.string());
  if (!file)
    return file.takeError();
  for (const std::string &name : weights.names) {
    auto reader = evaluator.open(name, coordinates);
    if (!reader)
      return reader.takeError();
    (*file)->add(**reader);
  }
  return (*file)->finish();
}

/// The part with the values of its small weights on this rank.
llvm::Error StageWriter::writePart(ModuleOp part, const fs::path &path,
                                   const AxisCoordinates &coordinates) {
  OwningOpRef<ModuleOp> copy(part.clone());
  for (auto weight : copy->getOps<onnx::WeightOp>()) {
    if (!isInline(weight) || isa<ElementsAttr>(weight.getValue()))
      continue;
    auto reader = evaluator.open(weight.getSymName(), coordinates);
    if (!reader)
      return reader.takeError();
    weight.setValueAttr(DenseElementsAttr::getFromRawBuffer(
        cast<RankedTensorType>(weight.getType()), readWeight(**reader)));
  }
  std::string bytes;
  llvm::raw_string_ostream stream(bytes);
  if (failed(exportModel(*copy, weights.places, stream)))
    return llvm::make_error<ReportedError>();
  return writeFile(path, bytes);
}

llvm::Error StageWriter::writeRank(const fs::path &rankFolder, const AxisCoordinates &coordinates) {
  for (auto [number, level] : llvm::enumerate(program.levels))
    if (level.part)
      if (llvm::Error error = writePart(
              *level.part->module, rankFolder / exporter::getPartFileName(number), coordinates))
        return error;
  if (weights.names.empty())
    return llvm::Error::success();
  return writeWeights(rankFolder / exporter::rankWeightsFileName.str(), coordinates);
}

llvm::Error StageWriter::write() {
  auto cutting = findCuttingAxes();
  if (!cutting)
    return cutting.takeError();
  int64_t ranks = 1;
  for (const auto &[name, size] : mesh.axes)
    ranks *= size;
  std::map<std::string, fs::path> written; // folders by coordinates
  for (int64_t rank = 0; rank < ranks; ++rank) {
    fs::path rankFolder = folder / exporter::getRankFolder(stage, mesh.firstRank + rank);
    std::error_code code;
    fs::create_directories(rankFolder, code);
    if (code)
      return makeOutputError(rankFolder, code);
    AxisCoordinates coordinates = getCoordinates(rank);
    std::string key;
    for (const auto &[name, size] : mesh.axes)
      if (cutting->contains(name))
        key += std::to_string(coordinates[name].index) + ",";
    auto [known, isNew] = written.try_emplace(key, rankFolder);
    // Recipes run once for ranks whose weights are equal. (Links would do, but the
    // checker of ONNX refuses them.)
    if (!isNew)
      fs::copy(known->second, rankFolder, code);
    else if (llvm::Error error = writeRank(rankFolder, coordinates))
      return error;
    if (code)
      return makeOutputError(rankFolder, code);
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
