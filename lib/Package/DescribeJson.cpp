//===- DescribeJson.cpp - the report of a plan as JSON --------------------===//

#include "dougong/Package/Describe.h"

#include "Summary.h"
#include "dougong/Package/Boxes.h"

#include <google/protobuf/util/json_util.h>

namespace dougong {
namespace {

/// A part of the plan as plan.json has it; null where that fails.
Json toJson(const google::protobuf::Message &message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text, options).ok())
    return {};
  Result<Json> json = Json::parse(text);
  return json ? std::move(*json) : Json();
}

template <typename List> Json::Array toJsonList(const List &list) {
  Json::Array array;
  for (const auto &entry : list)
    array.push_back(toJson(entry));
  return array;
}

Json describeStage(const plan::v1::Plan &plan, const plan::v1::Stage &stage) {
  Json::Object object{{"name", stage.name()},
                      {"program", stage.program()},
                      {"nodes", Json::Array(stage.nodes().begin(), stage.nodes().end())},
                      {"memory", toJsonList(stage.memory())}};
  if (const auto *mesh = package::findMesh(plan, stage.mesh())) {
    Json::Array ranks, axes;
    Result<std::int64_t> size = meshSize(*mesh);
    for (std::int64_t i = 0; size && i != *size; ++i)
      ranks.push_back(mesh->first_rank() + i);
    for (const auto &axis : mesh->axes())
      axes.push_back(Json::Object{{"name", axis.name()}, {"size", axis.size()}});
    object["ranks"] = std::move(ranks);
    object["mesh"] = std::move(axes);
    object["chip_type"] = mesh->chip_type();
  }
  return object;
}

} // namespace

Json planToJson(const plan::v1::Plan &plan, const DescribeOptions &options) {
  Json::Array stages;
  for (const auto &stage : plan.stages())
    stages.push_back(describeStage(plan, stage));
  Result<std::vector<RankWork>> work = rankWork(plan, options.symbols);
  Json::Object object{{"name", plan.name()},
                      {"plan_id", plan.plan_id()},
                      {"stages", std::move(stages)},
                      {"ranks", work ? rankWorkToJson(*work) : Json()},
                      {"policies", toJsonList(plan.policies())},
                      {"warnings", Json::Array(plan.warnings().begin(), plan.warnings().end())}};
  if (plan.model().has_micro_batches())
    object["micro_batches"] = toJson(plan.model().micro_batches());
  if (plan.has_estimates())
    object["estimates"] = toJson(plan.estimates());
  return object;
}

} // namespace dougong
