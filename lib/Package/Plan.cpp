//===- Plan.cpp - canonical JSON of a plan --------------------------------===//

#include "dougong/Package/Plan.h"

#include "dougong/Support/Json.h"
#include "dougong/Support/Sha256.h"

#include <cmath>
#include <google/protobuf/util/json_util.h>
#include <vector>

namespace dougong {

namespace fs = std::filesystem;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::util::JsonParseOptions;
using google::protobuf::util::JsonPrintOptions;

/// The path of a text that is not UTF-8, or of a number that is not finite, in
/// `message`; empty if there is none. Protobuf would write both without complaint.
static std::string findUnprintable(const Message &message) {
  const auto *reflection = message.GetReflection();
  std::vector<const FieldDescriptor *> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor *field : fields) {
    const bool repeated = field->is_repeated();
    const int count = repeated ? reflection->FieldSize(message, field) : 1;
    for (int i = 0; i != count; ++i) {
      std::string path = field->name() + (repeated ? "[" + std::to_string(i) + "]" : "");
      bool bad = false;
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        std::string inner =
            findUnprintable(repeated ? reflection->GetRepeatedMessage(message, field, i)
                                     : reflection->GetMessage(message, field));
        if (!inner.empty())
          return path + "." + inner;
      } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
        bad = !isUtf8(repeated ? reflection->GetRepeatedString(message, field, i)
                               : reflection->GetString(message, field));
      } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE && !repeated) {
        bad = !std::isfinite(reflection->GetDouble(message, field));
      }
      if (bad)
        return path;
    }
  }
  return "";
}

Result<std::string> printPlan(const plan::v1::Plan &plan) {
  if (std::string path = findUnprintable(plan); !path.empty())
    return Error{"plan cannot be written: '" + path + "' is not UTF-8 text or not a finite number"};
  JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string text;
  auto status = google::protobuf::util::MessageToJsonString(plan, &text, options);
  if (!status.ok())
    return Error{"plan cannot be written: " + std::string(status.message())};
  // Protobuf promises no order of keys and no spacing; ours are fixed.
  auto json = Json::parse(text);
  if (!json)
    return Error{"plan cannot be written: " + json.message()};
  return json->print() + "\n";
}

/// Looks at `api_version` before Protobuf does: of a newer major version, its
/// complaint would be about some field that we do not know.
static Result<void> checkVersion(const Json &json, std::string_view source) {
  auto failure = [&](const std::string &what) { return Error{std::string(source) + ": " + what}; };
  if (!json.asObject())
    return failure("not a plan: expected a JSON object");
  const Json *field = json.find("api_version");
  const std::string *version = field ? field->asString() : nullptr;
  if (!version)
    return failure("not a plan: expected 'api_version' to be '" + std::string(planApiVersion) +
                   "', and it is missing");
  // A minor version may follow the major one, e.g. v1.2.
  if (*version != planApiVersion && !version->starts_with(std::string(planApiVersion) + "."))
    return failure("'api_version' is '" + *version + "'; this reader understands '" +
                   std::string(planApiVersion) + "': use the dougong that wrote the plan");
  return {};
}

Result<plan::v1::Plan> parsePlan(std::string_view text, std::string_view source) {
  auto json = Json::parse(text);
  if (!json)
    return Error{std::string(source) + ":" + json.message()};
  if (auto version = checkVersion(*json, source); !version)
    return version.takeError();

  plan::v1::Plan plan;
  JsonParseOptions options;
  options.ignore_unknown_fields = false;
  auto status = google::protobuf::util::JsonStringToMessage(
      google::protobuf::StringPiece(text.data(), text.size()), &plan, options);
  if (!status.ok())
    return Error{std::string(source) + ": " + std::string(status.message())};
  return plan;
}

Result<std::string> computePlanId(const plan::v1::Plan &plan) {
  plan::v1::Plan anonymous = plan;
  anonymous.clear_plan_id();
  auto text = printPlan(anonymous);
  if (!text)
    return text;
  return sha256(*text);
}

Result<plan::v1::Plan> readPlan(const fs::path &path) {
  std::error_code error;
  fs::path file = fs::is_directory(path, error) ? path / planFileName : path;
  auto text = readFile(file);
  if (!text)
    return text.takeError();
  return parsePlan(*text, file.string());
}

Result<plan::v1::Plan> readUnchangedPlan(const fs::path &path) {
  auto plan = readPlan(path);
  if (!plan)
    return plan;
  auto id = computePlanId(*plan);
  if (!id)
    return id.takeError();
  if (*id != plan->plan_id())
    return Error{"'" + path.string() +
                 "': the plan was changed after it was made; compile it again"};
  return plan;
}

Result<void> writePlan(plan::v1::Plan &plan, const fs::path &package) {
  plan.set_api_version(std::string(planApiVersion));
  auto id = computePlanId(plan);
  if (!id)
    return id.takeError();
  plan.set_plan_id(*id);
  auto text = printPlan(plan);
  if (!text)
    return text.takeError();
  std::error_code error;
  fs::create_directories(package, error);
  if (error)
    return Error{"cannot make folder '" + package.string() + "': " + error.message()};
  return writeFileAtomically(package / planFileName, *text);
}

} // namespace dougong
