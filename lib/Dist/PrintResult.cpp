//===- PrintResult.cpp - the partition as JSON ----------------------------===//
#include "dougong/Dist/PartitionResult.h"
#include "dougong/Dist/Passes.h"

#include "llvm/Support/JSON.h"

namespace dougong::dist {
#define GEN_PASS_DEF_PRINTRESULTPASS
#include "dougong/Dist/Passes.h.inc"
} // namespace dougong::dist

using namespace mlir;
using namespace dougong::dist;
namespace json = llvm::json;

static json::Array toJson(const std::vector<std::string> &texts) {
  json::Array array;
  for (const std::string &text : texts)
    array.push_back(text);
  return array;
}

static std::string toString(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

static json::Array toJson(const std::vector<PortInfo> &ports) {
  json::Array array;
  for (const PortInfo &port : ports) {
    json::Array sharding;
    for (const CutInfo &cut : port.sharding)
      sharding.push_back(json::Object{{"axes", toJson(cut.axes)}, {"unit", cut.unit}});
    array.push_back(json::Object{{"name", port.name},
                                 {"dims", toJson(port.globalDims)},
                                 {"local", toJson(port.localDims)},
                                 {"sharding", std::move(sharding)}});
  }
  return array;
}

static json::Object toJson(const ProgramInfo &program) {
  json::Array calls, replicated;
  for (const CallInfo &call : program.calls)
    calls.push_back(json::Object{{"kind", call.kind},
                                 {"axes", toJson(call.axes)},
                                 {"type", toString(call.elementType)},
                                 {"elements", call.elements},
                                 {"reduction", call.reduction},
                                 {"node", call.node}});
  for (const ReplicatedInfo &entry : program.work.replicated)
    replicated.push_back(
        json::Object{{"node", entry.node}, {"reason", entry.reason}, {"flops", entry.flops}});
  return json::Object{{"name", program.name},
                      {"code_class", program.codeClass},
                      {"inputs", toJson(program.inputs)},
                      {"outputs", toJson(program.outputs)},
                      {"calls", std::move(calls)},
                      {"work", json::Object{{"matrix_weight_bytes", program.work.matrixWeightBytes},
                                            {"matmul_flops", program.work.matmulFlops},
                                            {"flops", program.work.flops},
                                            {"sent_bytes", program.work.sentBytes},
                                            {"replicated", std::move(replicated)}}}};
}

static json::Value toJson(const EndInfo &end) {
  if (end.stage)
    return json::Object{{"stage", *end.stage}, {"port", end.port}};
  return end.model;
}

namespace {
struct PrintResultPass : dougong::dist::impl::PrintResultPassBase<PrintResultPass> {
  void runOnOperation() override {
    FailureOr<PartitionResult> result = getPartitionResult(getOperation());
    if (failed(result))
      return signalPassFailure();
    json::Array meshes, programs, stages, links, states;
    for (const MeshInfo &mesh : result->meshes) {
      json::Object axes;
      for (const auto &[name, size] : mesh.axes)
        axes[name] = size;
      meshes.push_back(json::Object{{"id", mesh.id},
                                    {"axes", std::move(axes)},
                                    {"on", mesh.on},
                                    {"first_rank", mesh.firstRank}});
    }
    for (const ProgramInfo &program : result->programs)
      programs.push_back(toJson(program));
    for (const StageInfo &stage : result->stages)
      stages.push_back(json::Object{{"name", stage.name},
                                    {"program", stage.program},
                                    {"mesh", stage.mesh},
                                    {"nodes", toJson(stage.nodes)}});
    for (const LinkInfo &link : result->links)
      links.push_back(json::Object{
          {"from", toJson(link.from)}, {"to", toJson(link.to)}, {"value", link.value}});
    for (const auto &[input, output] : result->states)
      states.push_back(json::Array{input, output});
    json::Value all =
        json::Object{{"ranks", result->numRanks},       {"meshes", std::move(meshes)},
                     {"programs", std::move(programs)}, {"stages", std::move(stages)},
                     {"links", std::move(links)},       {"states", std::move(states)}};
    if (result->microBatches > 1)
      all.getAsObject()->insert({"micro_batches", json::Object{{"batch", result->batch},
                                                               {"count", result->microBatches}}});
    llvm::outs() << llvm::formatv("{0:2}\n", all);
    markAllAnalysesPreserved();
  }
};
} // namespace
