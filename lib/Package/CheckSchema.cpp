//===- CheckSchema.cpp - fields that must be there, and statements --------===//
//
// Ids: schema, hash-mismatch (of the plan itself), symbol (of the model),
// fallback, policy, planner.
//
//===----------------------------------------------------------------------===//

#include "Checker.h"
#include "DataTypes.h"
#include "dougong/Package/Boxes.h"
#include "dougong/Package/Plan.h"

#include <fmt/format.h>

namespace dougong::package {
namespace {

bool oneOf(std::string_view text, std::initializer_list<std::string_view> choices) {
  for (std::string_view choice : choices)
    if (text == choice)
      return true;
  return false;
}

/// Every element of `list` has a name of its own. `nameOf` gives it; `field` is
/// the field's path without the index.
template <typename List, typename NameOf>
void checkNames(Checker &checker, const List &list, const char *field, const char *nameField,
                NameOf nameOf) {
  std::set<std::string> names;
  for (int i = 0; i != list.size(); ++i) {
    const std::string &name = nameOf(list[i]);
    std::string subject = std::string(field) + "[" + std::to_string(i) + "]." + nameField;
    if (name.empty())
      checker.error("schema", subject, "must not be empty");
    else if (!names.insert(name).second)
      checker.error("schema", subject, quote(name) + " is taken by an earlier one");
  }
}

void checkIdentity(Checker &checker) {
  const auto &plan = checker.plan;
  if (plan.api_version() != planApiVersion)
    checker.error("schema", "api_version",
                  "expected " + quote(planApiVersion) + ", got " + quote(plan.api_version()));
  if (!oneOf(plan.binding().mode(), {"abstract", "bound"}))
    checker.error("schema", "binding.mode",
                  "expected 'abstract' or 'bound', got " + quote(plan.binding().mode()));

  auto id = computePlanId(plan);
  if (!id)
    checker.error("schema", "plan_id", id.message());
  else if (plan.plan_id().empty())
    checker.error("schema", "plan_id", "must not be empty");
  else if (plan.plan_id() != *id)
    checker.error("hash-mismatch", std::string(planFileName),
                  "plan_id is " + plan.plan_id() + ", but the plan hashes to " + *id +
                      ": it was changed after it was made",
                  "compile again instead of editing the plan");
}

void checkMeshes(Checker &checker) {
  for (const auto &mesh : checker.plan.meshes()) {
    std::string subject = "mesh " + quote(mesh.id());
    if (auto size = meshSize(mesh); !size)
      checker.error("schema", subject, size.message());
    if (!mesh.has_first_rank())
      checker.error("schema", subject, "first_rank is missing");
    for (const auto &axis : mesh.axes())
      if (axis.name().empty())
        checker.error("schema", subject, "an axis has no name");
  }
}

void checkStages(Checker &checker) {
  if (checker.plan.stages().empty())
    checker.error("schema", "stages", "a plan needs at least one stage");
  for (const auto &stage : checker.plan.stages()) {
    std::string subject = "stage " + quote(stage.name());
    if (!checker.programOf(stage))
      checker.error("schema", subject, "there is no program " + quote(stage.program()));
    if (!checker.meshOf(stage))
      checker.error("schema", subject, "there is no mesh " + quote(stage.mesh()));
  }
  for (const auto &estimate : checker.plan.estimates().stages())
    if (!checker.stages.count(estimate.stage()))
      checker.error("schema", "estimates", "there is no stage " + quote(estimate.stage()));
}

void checkModel(Checker &checker) {
  const auto &model = checker.plan.model();
  for (const auto &symbol : model.symbols())
    if (symbol.has_min() && symbol.has_max() && symbol.min() > symbol.max())
      checker.error("symbol", "symbol " + quote(symbol.name()),
                    "its range is empty: " + std::to_string(symbol.min()) + " to " +
                        std::to_string(symbol.max()));
  for (const auto &condition : model.conditions()) {
    std::string subject = "condition of node " + quote(condition.node());
    checker.expression(condition.left(), subject);
    checker.expression(condition.right(), subject);
    if (!condition.other().empty())
      checker.expression(condition.other(), subject);
  }
  auto checkValues = [&](const auto &values, const char *what) {
    for (const auto &value : values) {
      std::string subject = std::string(what) + " " + quote(value.name());
      if (!isDataType(value.dtype()))
        checker.error("schema", subject, "unknown element type " + std::to_string(value.dtype()));
      if (!value.sharding().empty())
        checker.error("schema", subject, "a value of the model is whole, but it has a sharding");
      for (const std::string &dim : value.dims())
        checker.expression(dim, subject);
    }
  };
  checkValues(model.inputs(), "model input");
  checkValues(model.outputs(), "model output");
}

} // namespace

void checkSchema(Checker &checker) {
  const auto &plan = checker.plan;
  checkIdentity(checker);
  checkNames(checker, plan.meshes(), "meshes", "id", [](auto &m) -> auto & { return m.id(); });
  checkNames(checker, plan.programs(), "programs", "id", [](auto &p) -> auto & { return p.id(); });
  checkNames(checker, plan.stages(), "stages", "name", [](auto &s) -> auto & { return s.name(); });
  checkNames(checker, plan.fleet().chip_types(), "fleet.chip_types", "id",
             [](auto &t) -> auto & { return t.id(); });
  checkNames(checker, plan.model().symbols(), "model.symbols", "name",
             [](auto &s) -> auto & { return s.name(); });
  checkNames(checker, plan.model().inputs(), "model.inputs", "name",
             [](auto &v) -> auto & { return v.name(); });
  checkNames(checker, plan.model().outputs(), "model.outputs", "name",
             [](auto &v) -> auto & { return v.name(); });
  checkMeshes(checker);
  checkStages(checker);
  checkModel(checker);
}

/// What the plan says about itself: slow paths, policies, warnings.
void checkStatements(Checker &checker) {
  for (const auto &fallback : checker.plan.fallbacks())
    checker.note("fallback", "node " + quote(fallback.node()),
                 fallback.op() + " took a slow path: " + fallback.reason());

  for (const auto &policy : checker.plan.policies()) {
    std::string subject = "policy " + quote(policy.name());
    std::string values = fmt::format("{:g} against a threshold of {:g}, by {}", policy.value(),
                                     policy.threshold(), policy.basis());
    if (!oneOf(policy.verdict(), {"pass", "fail", "unknown"}))
      checker.error("schema", subject,
                    "verdict must be 'pass', 'fail' or 'unknown', got " + quote(policy.verdict()));
    else if (policy.verdict() == "fail")
      checker.error("policy", subject, "it fails: " + values);
    else if (policy.verdict() == "unknown")
      checker.warning("policy", subject,
                      "it could not be decided, on the basis of " + policy.basis());
    else if (policy.name() == "domestic-share" && policy.value() < policy.threshold())
      checker.error("policy", subject, "the verdict is 'pass', but the share is " + values);
  }

  for (const std::string &warning : checker.plan.warnings())
    checker.warning("planner", "plan", warning);
}

} // namespace dougong::package
