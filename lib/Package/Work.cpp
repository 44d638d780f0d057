//===- Work.cpp - what each rank does in one step -------------------------===//

#include "Memory.h"
#include "Summary.h"
#include "dougong/Package/Boxes.h"
#include "dougong/Package/Describe.h"

#include <algorithm>
#include <tuple>

namespace dougong {
namespace {

/// The value of an amount; nothing if a symbol has none. An empty text is 0.
Result<std::optional<std::int64_t>> amount(const std::string &text, const SymbolValues &symbols) {
  using Amount = std::optional<std::int64_t>;
  if (text.empty())
    return Amount(0);
  auto parsed = DimExpr::parse(text);
  if (!parsed)
    return parsed.takeError();
  for (const std::string &name : parsed->symbols())
    if (!symbols.count(name))
      return Amount();
  auto value = parsed->evaluate(symbols);
  if (!value)
    return value.takeError();
  return Amount(*value);
}

/// The work of one rank of a stage, without its number.
Result<RankWork> stageWork(const plan::v1::Stage &stage, const plan::v1::Work &work,
                           const SymbolValues &symbols) {
  RankWork row;
  row.stage = stage.name();
  row.matrixWeightBytes = work.matrix_weight_bytes();
  for (auto [text, field] :
       {std::pair(&work.matmul_flops(), &row.matmulFlops), std::pair(&work.flops(), &row.flops),
        std::pair(&work.sent_bytes(), &row.sentBytes)}) {
    auto value = amount(*text, symbols);
    if (!value)
      return Error{"work of stage '" + stage.name() + "': " + value.message()};
    *field = *value;
  }
  return row;
}

Json optionalToJson(const std::optional<std::int64_t> &value) {
  return value ? Json(*value) : Json();
}

} // namespace

Result<std::vector<RankWork>> rankWork(const plan::v1::Plan &plan, const SymbolValues &symbols) {
  std::vector<RankWork> rows;
  for (const auto &stage : plan.stages()) {
    auto mesh = std::find_if(plan.meshes().begin(), plan.meshes().end(),
                             [&](const auto &m) { return m.id() == stage.mesh(); });
    if (mesh == plan.meshes().end())
      return Error{"stage '" + stage.name() + "' is on mesh '" + stage.mesh() +
                   "', which the plan does not have"};
    auto program = std::find_if(plan.programs().begin(), plan.programs().end(),
                                [&](const auto &p) { return p.id() == stage.program(); });
    if (program == plan.programs().end())
      return Error{"stage '" + stage.name() + "' runs program '" + stage.program() +
                   "', which the plan does not have"};
    auto size = meshSize(*mesh);
    if (!size)
      return size.takeError();
    if (*size > (std::int64_t{1} << 24))
      return Error{"mesh '" + mesh->id() +
                   "' has too many ranks to list: " + std::to_string(*size)};
    auto row = stageWork(stage, program->work(), symbols);
    if (!row)
      return row.takeError();
    for (std::int64_t i = 0; i != *size; ++i) {
      row->rank = mesh->first_rank() + static_cast<std::uint32_t>(i);
      rows.push_back(*row);
    }
  }
  std::sort(rows.begin(), rows.end(), [](const RankWork &a, const RankWork &b) {
    return std::tie(a.rank, a.stage) < std::tie(b.rank, b.stage);
  });
  return rows;
}

Json rankWorkToJson(const std::vector<RankWork> &work) {
  Json::Array array;
  for (const RankWork &row : work)
    array.push_back(Json::Object{{"rank", row.rank},
                                 {"stage", row.stage},
                                 {"matrix_weight_bytes", row.matrixWeightBytes},
                                 {"matmul_flops", optionalToJson(row.matmulFlops)},
                                 {"flops", optionalToJson(row.flops)},
                                 {"sent_bytes", optionalToJson(row.sentBytes)}});
  return array;
}

Json::Object planFactsToJson(const plan::v1::Plan &plan) {
  Json::Object facts;
  if (plan.estimates().step_s() > 0)
    facts["step_s"] = plan.estimates().step_s();
  if (plan.has_estimates())
    facts["prediction"] = package::printPrediction(plan);
  Json::Array memory;
  for (const auto &stage : plan.stages())
    for (const auto &entry : stage.memory()) {
      Json::Object row{{"stage", stage.name()},
                       {"total", entry.total()},
                       {"capacity", entry.capacity()},
                       {"bound", entry.bound()}};
      for (const package::MemoryPart &part : package::memoryParts(entry))
        row[part.name] = part.bytes;
      memory.push_back(std::move(row));
    }
  if (!memory.empty())
    facts["memory"] = std::move(memory);
  if (plan.choice().alternatives_size() > 0) {
    Json::Array alternatives;
    for (const auto &entry : plan.choice().alternatives()) {
      Json::Array pools;
      for (const std::string &pool : entry.pools())
        pools.push_back(pool);
      alternatives.push_back(Json::Object{{"strategy", entry.strategy()},
                                          {"pools", std::move(pools)},
                                          {"ranks", entry.ranks()},
                                          {"step_s", entry.step_s()},
                                          {"memory", entry.memory_bytes()},
                                          {"capacity", entry.capacity_bytes()},
                                          {"verdict", entry.verdict()}});
    }
    facts["choice"] = Json::Object{{"rule", plan.choice().rule()},
                                   {"considered", plan.choice().considered()},
                                   {"alternatives", std::move(alternatives)}};
  }
  Json::Array policies;
  for (const auto &policy : plan.policies())
    policies.push_back(Json::Object{{"name", policy.name()},
                                    {"basis", policy.basis()},
                                    {"value", policy.value()},
                                    {"threshold", policy.threshold()},
                                    {"verdict", policy.verdict()}});
  if (!policies.empty())
    facts["policies"] = std::move(policies);
  return facts;
}

} // namespace dougong
