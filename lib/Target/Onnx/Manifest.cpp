//===- Manifest.cpp - how the parts of an export belong together ----------===//
#include "dougong/Target/Onnx/Manifest.h"

#include "Ports.h"

#include "dougong/Import/ElementTypes.h"
#include "dougong/Version.h"

#include <set>

using namespace mlir;
using namespace dougong;
using namespace dougong::exporter;

std::string dougong::exporter::getPartFileName(unsigned level) {
  return "part" + std::to_string(level) + ".onnx";
}

std::string dougong::exporter::getRankFolder(const dist::StageInfo &stage, int64_t rank) {
  return stage.name + "/rank" + std::to_string(rank);
}

namespace {

Json::Array toArray(const std::vector<std::string> &texts) {
  return Json::Array(texts.begin(), texts.end());
}

class ManifestWriter {
public:
  ManifestWriter(const dist::PartitionResult &partition, ArrayRef<CutProgram> programs)
      : partition(partition), programs(programs) {}

  Json write();

private:
  Json::Array describeDims(RankedTensorType type, const std::vector<std::string> &dims) const;
  Json::Object describeValue(RankedTensorType type, const std::vector<std::string> &dims) const;
  const CutProgram &getProgram(unsigned stage) const {
    return programs[partition.stages[stage].program];
  }
  const dist::MeshInfo &getMesh(unsigned stage) const {
    return partition.meshes[partition.stages[stage].mesh];
  }
  Json describeStage(unsigned stage) const;
  Json describePort(unsigned stage, const dist::PortInfo &port, const std::string &value) const;
  Json describeCollective(unsigned stage, const Collective &collective) const;
  Json describeTransfer(const dist::LinkInfo &link) const;
  Json describeEnd(const dist::EndInfo &end, bool isSource) const;
  Holders getHolders(const dist::EndInfo &end, bool isSource) const;

  const dist::PartitionResult &partition;
  ArrayRef<CutProgram> programs;
  std::set<std::string> symbols; ///< those that the extents of inputs tell
};

} // namespace

/// Extents; null where only data tell them.
Json::Array ManifestWriter::describeDims(RankedTensorType type,
                                         const std::vector<std::string> &dims) const {
  Json::Array list(type.getRank());
  for (auto [dim, text] : llvm::enumerate(dims))
    if (Result<DimExpr> expr = DimExpr::parse(text))
      if (llvm::all_of(expr->symbols(),
                       [&](const std::string &symbol) { return symbols.count(symbol); }))
        list[dim] = toJson(*expr);
  return list;
}

Json::Object ManifestWriter::describeValue(RankedTensorType type,
                                           const std::vector<std::string> &dims) const {
  return {{"dtype", importer::getDataType(type.getElementType())},
          {"dims", describeDims(type, dims)}};
}

Json ManifestWriter::describePort(unsigned stage, const dist::PortInfo &port,
                                  const std::string &value) const {
  Json::Object entry = describeValue(port.global, port.globalDims);
  entry["local"] = describeDims(port.local, port.localDims);
  entry["value"] = value;
  Json::Array ranks;
  for (const RankBox &box : getBoxes(port, getMesh(stage))) {
    Json::Array dims;
    for (const std::optional<DimPart> &part : box)
      dims.push_back(toJson(part));
    ranks.push_back(std::move(dims));
  }
  entry["boxes"] = std::move(ranks);
  return entry;
}

Json ManifestWriter::describeCollective(unsigned stage, const Collective &collective) const {
  Json::Object entry = {{"collective", collective.kind},
                        {"input", collective.input},
                        {"output", collective.output},
                        {"node", collective.node}};
  if (!collective.reduction.empty())
    entry["reduction"] = collective.reduction;
  if (collective.split)
    entry["split"] = *collective.split;
  if (collective.concat)
    entry["concat"] = *collective.concat;
  auto list = [&](const std::vector<std::string> &axes) {
    Json::Array groups;
    for (const std::vector<int64_t> &group : getGroups(getMesh(stage), axes))
      groups.push_back(Json::Array(group.begin(), group.end()));
    return groups;
  };
  entry["groups"] = list(collective.axes);
  if (!collective.from.empty())
    entry["senders"] = list(collective.from);
  return entry;
}

Json ManifestWriter::describeStage(unsigned stage) const {
  const dist::StageInfo &info = partition.stages[stage];
  const dist::ProgramInfo &program = partition.programs[info.program];
  const CutProgram &cut = getProgram(stage);
  const dist::MeshInfo &mesh = getMesh(stage);
  Json::Array axes, inputs, outputs, steps, ranks;
  for (const auto &[name, size] : mesh.axes)
    axes.push_back(Json::Object{{"name", name}, {"size", size}});
  for (int64_t rank = 0; rank < countRanks(mesh); ++rank)
    ranks.push_back(mesh.firstRank + rank);
  for (auto [port, value] : llvm::zip_equal(program.inputs, cut.inputs))
    inputs.push_back(describePort(stage, port, value));
  for (auto [port, value] : llvm::zip_equal(program.outputs, cut.outputs))
    outputs.push_back(describePort(stage, port, value));
  for (auto [number, level] : llvm::enumerate(cut.levels)) {
    if (level.part)
      steps.push_back(Json::Object{{"run", getPartFileName(number)},
                                   {"inputs", toArray(level.part->inputs)},
                                   {"outputs", toArray(level.part->outputs)}});
    for (const Collective &collective : level.collectives)
      steps.push_back(describeCollective(stage, collective));
  }
  return Json::Object{{"name", info.name},           {"nodes", toArray(info.nodes)},
                      {"mesh", std::move(axes)},     {"ranks", std::move(ranks)},
                      {"inputs", std::move(inputs)}, {"outputs", std::move(outputs)},
                      {"steps", std::move(steps)}};
}

Json ManifestWriter::describeEnd(const dist::EndInfo &end, bool isSource) const {
  if (!end.stage)
    return Json::Object{{"stage", nullptr}, {"value", end.model}};
  const CutProgram &program = getProgram(*end.stage);
  return Json::Object{{"stage", partition.stages[*end.stage].name},
                      {"value", (isSource ? program.outputs : program.inputs)[end.port]}};
}

Holders ManifestWriter::getHolders(const dist::EndInfo &end, bool isSource) const {
  if (!end.stage) {
    const std::vector<dist::ModelPortInfo> &ports = isSource ? partition.inputs : partition.outputs;
    auto port = llvm::find_if(
        ports, [&](const dist::ModelPortInfo &port) { return port.name == end.model; });
    size_t rank = port == ports.end() ? 0 : port->type.getRank();
    return {{RankBox(rank)}, std::nullopt};
  }
  const dist::ProgramInfo &program = partition.programs[partition.stages[*end.stage].program];
  const dist::MeshInfo &mesh = getMesh(*end.stage);
  return {getBoxes((isSource ? program.outputs : program.inputs)[end.port], mesh), mesh.firstRank};
}

Json ManifestWriter::describeTransfer(const dist::LinkInfo &link) const {
  return Json::Object{
      {"from", describeEnd(link.from, /*isSource=*/true)},
      {"to", describeEnd(link.to, /*isSource=*/false)},
      {"moves", describeMoves(getHolders(link.from, true), getHolders(link.to, false))}};
}

Json ManifestWriter::write() {
  Json::Array known = describeSymbols(partition.inputs);
  for (const Json &symbol : known)
    symbols.insert(*symbol.find("name")->asString());
  Json::Array inputs, outputs, states, stages, transfers;
  auto describeAll = [&](const std::vector<dist::ModelPortInfo> &ports, Json::Array &list) {
    for (const dist::ModelPortInfo &port : ports) {
      Json::Object entry = describeValue(port.type, port.dims);
      entry["name"] = port.name;
      list.push_back(std::move(entry));
    }
  };
  describeAll(partition.inputs, inputs);
  describeAll(partition.outputs, outputs);
  for (const dist::LinkInfo &link : partition.links)
    transfers.push_back(describeTransfer(link));
  for (const auto &[input, output] : partition.states)
    states.push_back(Json::Object{{"input", input}, {"output", output}});
  for (unsigned stage = 0; stage < partition.stages.size(); ++stage)
    stages.push_back(describeStage(stage));
  Json::Object manifest{{"format", manifestFormat.str()},
                        {"version", manifestVersion},
                        {"producer", "dougong " DOUGONG_VERSION},
                        {"symbols", std::move(known)},
                        {"inputs", std::move(inputs)},
                        {"outputs", std::move(outputs)},
                        {"states", std::move(states)},
                        {"stages", std::move(stages)},
                        {"transfers", std::move(transfers)}};
  if (partition.microBatches > 1)
    manifest["micro_batches"] =
        Json::Object{{"batch", partition.batch}, {"count", partition.microBatches}};
  return manifest;
}

Json dougong::exporter::describeExport(const dist::PartitionResult &partition,
                                       ArrayRef<CutProgram> programs) {
  return ManifestWriter(partition, programs).write();
}
