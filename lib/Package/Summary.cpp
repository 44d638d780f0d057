//===- Summary.cpp - what the text and the HTML report both say -----------===//

#include "Summary.h"

#include "DataTypes.h"
#include "Memory.h"
#include "dougong/Package/Boxes.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <tuple>

namespace dougong::package {

using plan::v1::Plan;

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

std::string printType(const plan::v1::Value &value) {
  return fmt::format("{} [{}]", dataTypeName(value.dtype()), fmt::join(value.dims(), ", "));
}

std::string printSymbol(const plan::v1::Symbol &symbol) {
  if (symbol.has_max())
    return fmt::format("{}: {} to {}", symbol.name(), symbol.min(), symbol.max());
  return fmt::format("{}: at least {}, no upper bound", symbol.name(), symbol.min());
}

std::string printRanks(std::int64_t first, std::int64_t count) {
  if (count == 1)
    return fmt::format("rank {}", first);
  return fmt::format("ranks {}-{}", first, first + count - 1);
}

std::string printMesh(const plan::v1::Mesh &mesh) {
  std::string text;
  for (const auto &axis : mesh.axes())
    text += fmt::format("{}{}={}", text.empty() ? "" : " x ", axis.name(), axis.size());
  return text.empty() ? "one rank" : text;
}

std::string printMicroBatches(const plan::v1::Model &model) {
  const auto &parts = model.micro_batches();
  return fmt::format("a step takes dim {0} in {1} micro-batches of up to {0} ceildiv {1} rows",
                     parts.batch(), parts.count());
}

std::string printSymbols(const SymbolValues &symbols) {
  std::string text;
  for (const auto &[name, value] : symbols)
    text += fmt::format("{}{}={}", text.empty() ? "" : ", ", name, value);
  return text;
}

template <typename List> static auto findById(const List &list, const std::string &id) {
  auto found =
      std::find_if(list.begin(), list.end(), [&](const auto &entry) { return entry.id() == id; });
  return found == list.end() ? nullptr : &*found;
}

const plan::v1::Mesh *findMesh(const Plan &plan, const std::string &id) {
  return findById(plan.meshes(), id);
}
const plan::v1::Program *findProgram(const Plan &plan, const std::string &id) {
  return findById(plan.programs(), id);
}
const plan::v1::ChipType *findChipType(const Plan &plan, const std::string &id) {
  return findById(plan.fleet().chip_types(), id);
}

std::string printEndpoint(const Plan &plan, const plan::v1::Endpoint &end, bool isSource) {
  const char *way = isSource ? "output" : "input";
  if (end.place_case() == plan::v1::Endpoint::kModel)
    return fmt::format("model {} '{}'", isSource ? "input" : "output", end.model());
  if (end.place_case() != plan::v1::Endpoint::kPort)
    return "nothing";
  const auto &port = end.port();
  if (port.stage() >= static_cast<std::uint32_t>(plan.stages_size()))
    return fmt::format("stage {} {} {}", port.stage(), way, port.index());
  const auto &stage = plan.stages(static_cast<int>(port.stage()));
  std::string text = fmt::format("stage '{}' {} {}", stage.name(), way, port.index());
  const auto *program = findProgram(plan, stage.program());
  if (!program)
    return text;
  const auto &ports = isSource ? program->outputs() : program->inputs();
  if (port.index() < static_cast<std::uint32_t>(ports.size()))
    text += fmt::format(" '{}'", ports[static_cast<int>(port.index())].name());
  return text;
}

static std::string shortHash(const std::string &hash) { return hash.substr(0, 12); }

static std::int64_t ranksOf(const plan::v1::Mesh *mesh) {
  if (!mesh)
    return 0;
  auto size = meshSize(*mesh);
  return size ? *size : 0;
}

//===----------------------------------------------------------------------===//
// Tables
//===----------------------------------------------------------------------===//

Table stageTable(const Plan &plan) {
  Table table{{{"stage", "ranks", "mesh", "chip type", "program", "nodes"}},
              {false, false, false, false, false, false}};
  for (const auto &stage : plan.stages()) {
    const auto *mesh = findMesh(plan, stage.mesh());
    std::int64_t count = ranksOf(mesh);
    table.rows.push_back({stage.name(), count ? printRanks(mesh->first_rank(), count) : "?",
                          mesh ? printMesh(*mesh) : stage.mesh() + "?",
                          mesh ? mesh->chip_type() : "?", shortHash(stage.program()),
                          fmt::format("{}", fmt::join(stage.nodes(), ", "))});
  }
  return table;
}

Table memoryTable(const Plan &plan) {
  Table table{{{"stage", "pool", "weights", "state", "activations", "io", "collectives",
                "workspace", "total", "capacity", "used", "bound"}},
              {false, false, true, true, true, true, true, true, true, true, true, false}};
  for (const auto &stage : plan.stages())
    for (const auto &memory : stage.memory()) {
      std::vector<std::string> row = {stage.name(), memory.pool()};
      for (const MemoryPart &part : memoryParts(memory))
        row.push_back(formatBytes(part.bytes));
      row.push_back(formatBytes(memory.total()));
      row.push_back(memory.capacity() ? formatBytes(memory.capacity()) : "unknown");
      row.push_back(memory.capacity()
                        ? fmt::format("{:.0f} %", 100.0 * static_cast<double>(memory.total()) /
                                                      static_cast<double>(memory.capacity()))
                        : "");
      row.push_back(memory.bound());
      table.rows.push_back(std::move(row));
    }
  return table;
}

/// The value of an amount, or its text where a symbol has no value.
static std::string printAmount(const std::optional<std::int64_t> &value, const std::string &text,
                               bool bytes) {
  if (!value)
    return text;
  if (bytes && *value >= 0)
    return formatBytes(static_cast<std::uint64_t>(*value));
  return formatCount(static_cast<double>(*value));
}

Table workTable(const Plan &plan, const DescribeOptions &options) {
  Table table{{{"ranks", "stage", "matrix weights", "matmul flop", "all flop", "sent"}},
              {false, false, true, true, true, true}};
  auto work = rankWork(plan, options.symbols);
  if (!work) {
    table.rows.push_back({"?", work.message(), "", "", "", ""});
    return table;
  }
  // One row a rank, or one a stage where that would be too many.
  bool byStage = options.maxRanks != 0 && work->size() > options.maxRanks;
  for (std::size_t i = 0; i != work->size();) {
    const RankWork &row = (*work)[i];
    std::size_t end = i + 1;
    while (byStage && end != work->size() && (*work)[end].stage == row.stage &&
           (*work)[end].rank == (*work)[end - 1].rank + 1)
      ++end;
    auto stage = std::find_if(plan.stages().begin(), plan.stages().end(),
                              [&](const auto &s) { return s.name() == row.stage; });
    const auto *program =
        stage == plan.stages().end() ? nullptr : findProgram(plan, stage->program());
    static const plan::v1::Work none;
    const plan::v1::Work &texts = program ? program->work() : none;
    std::string ranks = printRanks(row.rank, static_cast<std::int64_t>(end - i));
    table.rows.push_back({ranks + (byStage && end - i > 1 ? ", each" : ""), row.stage,
                          formatBytes(row.matrixWeightBytes),
                          printAmount(row.matmulFlops, texts.matmul_flops(), false),
                          printAmount(row.flops, texts.flops(), false),
                          printAmount(row.sentBytes, texts.sent_bytes(), true)});
    i = end;
  }
  return table;
}

Table callTable(const Plan &plan) {
  Table table{{{"program", "calls", "kind", "over", "elements of a rank", "first for node"}},
              {false, true, false, false, false, false}};
  for (const auto &program : plan.programs()) {
    // Equal calls in the order of their first one.
    std::map<std::string, std::size_t> rowOf;
    std::vector<std::pair<std::vector<std::string>, int>> rows;
    for (const auto &call : program.calls()) {
      std::string over = fmt::format("group {}?", call.group());
      if (call.group() < static_cast<std::uint32_t>(program.groups_size()))
        over = fmt::format("{}",
                           fmt::join(program.groups(static_cast<int>(call.group())).axes(), " x "));
      std::string kind = call.kind();
      if (!call.reduction().empty())
        kind += " " + call.reduction();
      std::string elements = call.elements() + " of " + dataTypeName(call.dtype());
      auto [slot, fresh] = rowOf.try_emplace(kind + "\n" + over + "\n" + elements, rows.size());
      if (fresh)
        rows.push_back({{shortHash(program.id()), "", kind, over, elements, call.node()}, 0});
      ++rows[slot->second].second;
    }
    for (auto &[row, count] : rows) {
      row[1] = std::to_string(count);
      table.rows.push_back(std::move(row));
    }
  }
  return table;
}

Table transferTable(const Plan &plan) {
  Table table{{{"from", "to", "value", "type"}}, {false, false, false, false}};
  for (const auto &transfer : plan.transfers()) {
    // The type is known at a stage's port, and at both ends the same.
    std::string type;
    for (bool isSource : {true, false}) {
      const auto &end = isSource ? transfer.from() : transfer.to();
      if (end.place_case() != plan::v1::Endpoint::kPort ||
          end.port().stage() >= static_cast<std::uint32_t>(plan.stages_size()))
        continue;
      const auto *program =
          findProgram(plan, plan.stages(static_cast<int>(end.port().stage())).program());
      if (!program)
        continue;
      const auto &ports = isSource ? program->outputs() : program->inputs();
      if (end.port().index() < static_cast<std::uint32_t>(ports.size()))
        type = printType(ports[static_cast<int>(end.port().index())]);
    }
    table.rows.push_back({printEndpoint(plan, transfer.from(), true),
                          printEndpoint(plan, transfer.to(), false), transfer.value(), type});
  }
  return table;
}

Table estimateTable(const Plan &plan) {
  Table table{{{"stage", "time", "compute", "memory", "communication", "launch", "provenance"}},
              {false, true, true, true, true, true, false}};
  for (const auto &estimate : plan.estimates().stages())
    table.rows.push_back({estimate.stage(), formatSeconds(estimate.time_s()),
                          formatSeconds(estimate.compute_s()), formatSeconds(estimate.memory_s()),
                          formatSeconds(estimate.communication_s()),
                          formatSeconds(estimate.launch_s()), estimate.provenance()});
  if (plan.estimates().transfer_s() > 0)
    table.rows.push_back(
        {"(between stages)", formatSeconds(plan.estimates().transfer_s()), "", "", "", "", ""});
  return table;
}

Table figureTable(const Plan &plan) {
  Table table{{{"of", "figure", "value", "provenance"}}, {false, false, true, false}};
  for (const auto &figure : plan.estimates().figures())
    table.rows.push_back({figure.subject(), figure.figure(), figure.value(), figure.provenance()});
  return table;
}

Table fallbackTable(const Plan &plan) {
  Table table{{{"node", "operator", "why it is slow"}}, {false, false, false}};
  for (const auto &fallback : plan.fallbacks())
    table.rows.push_back({fallback.node(), fallback.op(), fallback.reason()});
  return table;
}

/// "ascend x 2, metax x 1", in the order of the stages.
static std::string printPools(const google::protobuf::RepeatedPtrField<std::string> &pools) {
  std::string text;
  for (auto it = pools.begin(); it != pools.end();) {
    auto end = std::find_if(it, pools.end(), [&](const std::string &pool) { return pool != *it; });
    text +=
        (text.empty() ? "" : ", ") + *it + (end - it > 1 ? " x " + std::to_string(end - it) : "");
    it = end;
  }
  return text;
}

Table choiceTable(const Plan &plan) {
  Table table{{{"strategy", "pools of stages", "ranks", "predicted step", "memory of a rank", "of",
                "verdict"}},
              {false, false, true, true, true, true, false}};
  for (const auto &entry : plan.choice().alternatives())
    table.rows.push_back({entry.strategy(), printPools(entry.pools()),
                          std::to_string(entry.ranks()),
                          entry.step_s() > 0 ? formatSeconds(entry.step_s()) : "not predicted",
                          formatBytes(entry.memory_bytes()),
                          entry.capacity_bytes() ? formatBytes(entry.capacity_bytes()) : "unknown",
                          entry.verdict()});
  return table;
}

std::string printPrediction(const Plan &plan) {
  const auto &estimates = plan.estimates();
  if (estimates.step_s() <= 0)
    return "none: " + estimates.model();
  std::string text = "predicted, not measured";
  if (!estimates.model().empty())
    text += "; rests on " + estimates.model();
  std::string extents;
  for (const auto &extent : estimates.extents())
    extents += fmt::format("{}{}={} ({})", extents.empty() ? "" : ", ", extent.name(),
                           extent.extent(), extent.upper() ? "its greatest" : "assumed");
  return extents.empty() ? text : text + "; at " + extents;
}

Table fleetTable(const Plan &plan) {
  Table table{{{"chip type", "vendor", "model", "domestic", "target", "ranks", "memory", "reserved",
                "provenance"}},
              {false, false, false, false, false, true, true, true, false}};
  for (const auto &type : plan.fleet().chip_types()) {
    std::int64_t ranks = 0;
    for (const auto &stage : plan.stages()) {
      const auto *mesh = findMesh(plan, stage.mesh());
      if (mesh && mesh->chip_type() == type.id())
        ranks += ranksOf(mesh);
    }
    table.rows.push_back({type.id(), type.vendor(), type.model(), type.domestic() ? "yes" : "no",
                          type.target(), std::to_string(ranks),
                          type.memory_bytes() ? formatBytes(type.memory_bytes()) : "unknown",
                          formatBytes(type.reserved_bytes()), type.provenance()});
  }
  return table;
}

} // namespace dougong::package
