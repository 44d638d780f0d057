//===- OnnxRuntime.cpp - a model's values as onnxruntime has them ---------===//
#include "OnnxRuntime.h"

#include "OnnxRuntimeScript.h"
#include "Packages.h"

#include "dougong/Package/Plan.h"
#include "dougong/Support/Json.h"

#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

#include <cstring>

using namespace dougong;
namespace fs = std::filesystem;

namespace {

/// What the script exits with where Python lacks a module.
constexpr int missingModule = 10;

Result<Json> describeInput(const std::string &name, const Tensor &tensor, const fs::path &file) {
  Json::Array dims;
  for (int64_t dim : tensor.dims)
    dims.push_back(dim);
  Json::Object object{{"name", name}, {"type", tensor.dtype}, {"dims", std::move(dims)}};
  if (tensor.dtype == DOUGONG_STRING) {
    Json::Array strings;
    for (const std::string &text : tensor.strings) {
      if (!isUtf8(text))
        return Error{"input '" + name + "': a string is not UTF-8, as onnxruntime needs it"};
      strings.push_back(text);
    }
    object["strings"] = std::move(strings);
    return Json(std::move(object));
  }
  std::string_view bytes(reinterpret_cast<const char *>(tensor.data.data()), tensor.bytes());
  if (Result<void> written = writeFileAtomically(file, bytes); !written)
    return written.takeError();
  object["file"] = file.string();
  return Json(std::move(object));
}

Result<Json> describeRequest(const OnnxRuntimeRequest &request, const fs::path &folder) {
  Json::Array values, states, steps;
  for (const std::string &value : request.values)
    values.push_back(value);
  for (const auto &[input, output] : request.states)
    states.push_back(Json::Array{input, output});
  for (size_t step = 0; step < request.steps.size(); ++step) {
    Json::Array tensors;
    for (const auto &[name, tensor] : request.steps[step]) {
      std::string file = "input-" + std::to_string(step) + "-" + std::to_string(tensors.size());
      Result<Json> described = describeInput(name, tensor, folder / file);
      if (!described)
        return described;
      tensors.push_back(std::move(*described));
    }
    steps.push_back(std::move(tensors));
  }
  return Json(Json::Object{{"model", request.model},
                           {"folder", folder.string()},
                           {"values", std::move(values)},
                           {"states", std::move(states)},
                           {"steps", std::move(steps)}});
}

int64_t getInteger(const Json *json) {
  const Json::Number *number = json ? json->asNumber() : nullptr;
  return number ? std::stoll(number->text) : 0;
}

Result<Tensor> readTensor(const Json &json) {
  std::vector<int64_t> dims;
  if (const Json *list = json.find("dims"); list && list->asArray())
    for (const Json &dim : *list->asArray())
      dims.push_back(getInteger(&dim));
  Result<Tensor> tensor = Tensor::create(static_cast<int32_t>(getInteger(json.find("type"))), dims);
  if (!tensor)
    return tensor;
  if (const Json *strings = json.find("strings"); strings && strings->asArray()) {
    tensor->strings.clear();
    for (const Json &text : *strings->asArray())
      tensor->strings.push_back(*text.asString());
    return tensor;
  }
  Result<std::string> bytes = readFile(*json.find("file")->asString());
  if (!bytes)
    return bytes.takeError();
  if (bytes->size() != tensor->bytes())
    return Error{"onnxruntime's " + tensor->describe() + " has " + std::to_string(bytes->size()) +
                 " bytes, expected " + std::to_string(tensor->bytes())};
  std::memcpy(tensor->data.data(), bytes->data(), bytes->size());
  return tensor;
}

Result<StepValues> readResult(const fs::path &file) {
  Result<std::string> text = readFile(file);
  if (!text)
    return text.takeError();
  Result<Json> json = Json::parse(*text);
  if (!json)
    return json.takeError();
  StepValues values;
  for (const Json &step : *json->asArray()) {
    std::map<std::string, Tensor> &named = values.emplace_back();
    for (const Json &entry : *step.asArray()) {
      Result<Tensor> tensor = readTensor(entry);
      if (!tensor)
        return tensor.takeError();
      named.emplace(*entry.find("name")->asString(), std::move(*tensor));
    }
  }
  return values;
}

} // namespace

ExitCode dougong::runOnnxRuntime(const OnnxRuntimeRequest &request, const fs::path &folder,
                                 StepValues &values) {
  std::string wanted = request.python.empty() ? "python3" : request.python;
  llvm::ErrorOr<std::string> python = llvm::sys::findProgramByName(wanted);
  if (!python)
    return refuse("there is no Python '" + wanted +
                      "': name one that has onnxruntime with --python",
                  exitUsage);
  fs::path script = folder / "run.py", description = folder / "request.json";
  fs::path messages = folder / "messages";
  std::error_code code;
  fs::create_directories(folder, code);
  Result<Json> json = describeRequest(request, folder);
  if (!json)
    return refuse(json.message());
  for (const auto &[file, text] :
       {std::pair<fs::path, std::string>(script, onnxRuntimeScript), {description, json->print()}})
    if (Result<void> written = writeFileAtomically(file, text); !written)
      return refuse(written.message(), exitInternal);

  std::string scriptName = script.string(), requestName = description.string();
  std::string messagesName = messages.string(), problem;
  std::optional<llvm::StringRef> redirects[] = {std::nullopt, std::nullopt, messagesName};
  int exit = llvm::sys::ExecuteAndWait(*python, {*python, scriptName, requestName}, std::nullopt,
                                       redirects, 0, 0, &problem);
  Result<std::string> text = readFile(messages);
  std::string message = text ? *text : problem;
  message = message.substr(0, message.find_last_not_of('\n') + 1);
  if (exit == missingModule)
    return refuse("'" + *python + "' has no Python package " + message + ": install it ('" +
                      *python +
                      " -m pip install onnxruntime'), or name another Python with --python",
                  exitUsage);
  if (exit == exitInputRefused)
    return refuse(request.model + ": onnxruntime: " + message);
  if (exit != 0)
    return refuse("'" + *python + "' failed with exit code " + std::to_string(exit) + ": " +
                      (message.empty() ? problem : message),
                  exitStepFailed);
  Result<StepValues> read = readResult(folder / "result.json");
  if (!read)
    return refuse(read.message(), exitInternal);
  values = std::move(*read);
  return exitOk;
}
