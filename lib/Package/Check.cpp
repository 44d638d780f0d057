//===- Check.cpp - prove that a plan can run ------------------------------===//

#include "dougong/Package/Check.h"

#include "Checker.h"
#include "dougong/Package/Boxes.h"
#include "dougong/Package/Plan.h"

#include <algorithm>

namespace dougong {
namespace package {

std::string quote(std::string_view text) { return "'" + std::string(text) + "'"; }

Checker::Checker(const plan::v1::Plan &plan, std::filesystem::path folder,
                 const CheckOptions &options)
    : plan(plan), folder(std::move(folder)), options(options) {
  for (const auto &mesh : plan.meshes())
    meshes.try_emplace(mesh.id(), &mesh);
  for (const auto &program : plan.programs())
    programs.try_emplace(program.id(), &program);
  for (const auto &stage : plan.stages())
    stages.try_emplace(stage.name(), &stage);
  for (const auto &type : plan.fleet().chip_types())
    chipTypes.try_emplace(type.id(), &type);
  for (const auto &symbol : plan.model().symbols())
    symbols.insert(symbol.name());
}

const plan::v1::Mesh *Checker::meshOf(const plan::v1::Stage &stage) const {
  auto found = meshes.find(stage.mesh());
  return found == meshes.end() ? nullptr : found->second;
}

const plan::v1::Program *Checker::programOf(const plan::v1::Stage &stage) const {
  auto found = programs.find(stage.program());
  return found == programs.end() ? nullptr : found->second;
}

std::vector<const plan::v1::Mesh *> Checker::meshesOf(const plan::v1::Program &program) const {
  std::vector<const plan::v1::Mesh *> result;
  for (const auto &stage : plan.stages()) {
    const auto *mesh = meshOf(stage);
    if (mesh && programOf(stage) == &program &&
        std::find(result.begin(), result.end(), mesh) == result.end())
      result.push_back(mesh);
  }
  return result;
}

std::optional<std::int64_t> Checker::sizeOf(const plan::v1::Mesh &mesh) {
  auto size = meshSize(mesh);
  return size ? std::optional(*size) : std::nullopt;
}

void Checker::error(std::string id, std::string subject, std::string message, std::string remedy) {
  findings.push_back(
      {std::move(id), Severity::Error, std::move(subject), std::move(message), std::move(remedy)});
}

void Checker::warning(std::string id, std::string subject, std::string message,
                      std::string remedy) {
  findings.push_back({std::move(id), Severity::Warning, std::move(subject), std::move(message),
                      std::move(remedy)});
}

void Checker::note(std::string id, std::string subject, std::string message, std::string remedy) {
  findings.push_back(
      {std::move(id), Severity::Note, std::move(subject), std::move(message), std::move(remedy)});
}

std::optional<DimExpr> Checker::expression(const std::string &text, const std::string &subject,
                                           bool mayBeEmpty) {
  if (text.empty() && mayBeEmpty)
    return DimExpr(0);
  auto parsed = DimExpr::parse(text);
  if (!parsed) {
    error("symbol", subject, parsed.message());
    return std::nullopt;
  }
  bool known = true;
  for (const std::string &name : parsed->symbols())
    if (!symbols.count(name)) {
      known = false;
      error("symbol", subject,
            quote(text) + " uses symbol " + quote(name) + ", which the model does not have",
            "give the dim a value, or list the symbol in model.symbols");
    }
  if (!known)
    return std::nullopt;
  return *parsed;
}

std::int64_t Checker::checkAxes(const google::protobuf::RepeatedPtrField<std::string> &axes,
                                const plan::v1::Mesh &mesh, const std::string &id,
                                const std::string &subject) {
  std::int64_t product = 1;
  std::set<std::string> used;
  for (const std::string &name : axes) {
    auto axis = std::find_if(mesh.axes().begin(), mesh.axes().end(),
                             [&](const plan::v1::Axis &a) { return a.name() == name; });
    if (axis == mesh.axes().end())
      error(id, subject, "mesh " + quote(mesh.id()) + " has no axis " + quote(name));
    else if (!used.insert(name).second)
      error(id, subject, "axis " + quote(name) + " is named twice");
    else if (__builtin_mul_overflow(product, axis->size(), &product))
      product = 0; // the mesh is too large, which is a finding by itself
  }
  return product;
}

} // namespace package

//===----------------------------------------------------------------------===//
// The public face
//===----------------------------------------------------------------------===//

const char *severityName(Severity severity) {
  switch (severity) {
  case Severity::Note:
    return "note";
  case Severity::Warning:
    return "warning";
  case Severity::Error:
    return "error";
  }
  return "";
}

std::vector<Finding> checkPlan(const plan::v1::Plan &plan, const std::filesystem::path &package,
                               const CheckOptions &options) {
  package::Checker checker(plan, package, options);
  for (auto check :
       {package::checkSchema, package::checkFiles, package::checkWeights, package::checkRanks,
        package::checkMemory, package::checkPrograms, package::checkTransfers, package::checkStates,
        package::checkMicroBatches, package::checkStatements})
    check(checker);
  return std::move(checker.findings);
}

std::vector<Finding> checkPackage(const std::filesystem::path &path, const CheckOptions &options) {
  auto plan = readPlan(path);
  if (!plan)
    return {{"schema", Severity::Error, path.string(), plan.message(), ""}};
  std::error_code error;
  std::filesystem::path folder =
      std::filesystem::is_directory(path, error) ? path : path.parent_path();
  // An empty folder would mean "check no files".
  return checkPlan(*plan, folder.empty() ? "." : folder, options);
}

bool hasErrors(const std::vector<Finding> &findings) {
  return std::any_of(findings.begin(), findings.end(),
                     [](const Finding &f) { return f.severity == Severity::Error; });
}

Json findingsToJson(const std::vector<Finding> &findings) {
  Json::Array array;
  for (const Finding &finding : findings) {
    Json::Object object = {{"id", finding.id},
                           {"severity", severityName(finding.severity)},
                           {"subject", finding.subject},
                           {"message", finding.message}};
    if (!finding.remedy.empty())
      object.emplace("remedy", finding.remedy);
    array.push_back(std::move(object));
  }
  return array;
}

std::string findingsToText(const std::vector<Finding> &findings) {
  std::string text;
  for (const Finding &finding : findings) {
    text += std::string(severityName(finding.severity)) + ": " + finding.subject + ": " +
            finding.message + " [" + finding.id + "]\n";
    if (!finding.remedy.empty())
      text += "  remedy: " + finding.remedy + "\n";
  }
  return text;
}

} // namespace dougong
