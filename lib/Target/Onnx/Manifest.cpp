//===- Manifest.cpp - how the parts of an export belong together ----------===//
#include "dougong/Target/Onnx/Manifest.h"

#include "Ports.h"

#include "dougong/Import/ElementTypes.h"
#include "dougong/Version.h"

#include <map>
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
  Json describeEnd(unsigned stage, const std::string &value) const {
    return Json::Object{{"stage", partition.stages[stage].name}, {"value", value}};
  }

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
  Json::Array groups;
  for (const std::vector<int64_t> &group : getGroups(getMesh(stage), collective.axes))
    groups.push_back(Json::Array(group.begin(), group.end()));
  entry["groups"] = std::move(groups);
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
  return Json::Object{{"name", info.name},
                      {"nodes", toArray(info.nodes)},
                      {"mesh", std::move(axes)},
                      {"ranks", std::move(ranks)},
                      {"inputs", std::move(inputs)},
                      {"outputs", std::move(outputs)},
                      {"steps", std::move(steps)}};
}

Json ManifestWriter::describeTransfer(const dist::LinkInfo &link) const {
  unsigned from = *link.from.stage, to = *link.to.stage;
  const dist::PortInfo &source =
      partition.programs[partition.stages[from].program].outputs[link.from.port];
  const dist::PortInfo &target =
      partition.programs[partition.stages[to].program].inputs[link.to.port];
  return Json::Object{{"from", describeEnd(from, getProgram(from).outputs[link.from.port])},
                      {"to", describeEnd(to, getProgram(to).inputs[link.to.port])},
                      {"moves", describeMoves(getBoxes(source, getMesh(from)),
                                              getMesh(from).firstRank,
                                              getBoxes(target, getMesh(to)),
                                              getMesh(to).firstRank)}};
}

Json ManifestWriter::write() {
  Json::Array known = describeSymbols(partition.inputs);
  for (const Json &symbol : known)
    symbols.insert(*symbol.find("name")->asString());
  std::map<std::string, Json::Array> taken; // by model input: where it goes
  std::map<std::string, Json> made;         // by model output: where it comes from
  Json::Array inputs, outputs, states, stages, transfers;
  for (const dist::LinkInfo &link : partition.links) {
    if (link.from.stage && link.to.stage)
      transfers.push_back(describeTransfer(link));
    else if (link.to.stage)
      taken[link.from.model].push_back(
          describeEnd(*link.to.stage, getProgram(*link.to.stage).inputs[link.to.port]));
    else if (link.from.stage)
      made[link.to.model] =
          describeEnd(*link.from.stage, getProgram(*link.from.stage).outputs[link.from.port]);
  }
  for (const dist::ModelPortInfo &input : partition.inputs) {
    Json::Object entry = describeValue(input.type, input.dims);
    entry["name"] = input.name;
    entry["to"] = taken[input.name];
    inputs.push_back(std::move(entry));
  }
  for (const dist::ModelPortInfo &output : partition.outputs) {
    Json::Object entry = describeValue(output.type, output.dims);
    entry["name"] = output.name;
    entry["from"] = made[output.name];
    outputs.push_back(std::move(entry));
  }
  for (const auto &[input, output] : partition.states)
    states.push_back(Json::Object{{"input", input}, {"output", output}});
  for (unsigned stage = 0; stage < partition.stages.size(); ++stage)
    stages.push_back(describeStage(stage));
  return Json::Object{{"format", manifestFormat.str()},
                      {"version", manifestVersion},
                      {"producer", "dougong " DOUGONG_VERSION},
                      {"symbols", std::move(known)},
                      {"inputs", std::move(inputs)},
                      {"outputs", std::move(outputs)},
                      {"states", std::move(states)},
                      {"stages", std::move(stages)},
                      {"transfers", std::move(transfers)}};
}

Json dougong::exporter::describeExport(const dist::PartitionResult &partition,
                                       ArrayRef<CutProgram> programs) {
  return ManifestWriter(partition, programs).write();
}
