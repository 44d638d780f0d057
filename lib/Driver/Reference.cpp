//===- Reference.cpp - what verify compares a model with ------------------===//
#include "Reference.h"

#include "OnnxRuntime.h"
#include "Packages.h"

#include "dougong/Package/Plan.h"
#include "dougong/Runtime/Session.h"
#include "dougong/Runtime/TensorIO.h"

#include "llvm/ADT/STLExtras.h"

using namespace dougong;
namespace fs = std::filesystem;

ExitCode dougong::runPackage(const VerifyOptions &options, const fs::path &package,
                             const fs::path &outputs, unsigned mpiRanks) {
  // Several folders are several steps of one run.
  std::vector<std::string> arguments = {"--ranks", mpiRanks ? "mpi" : "threads", "--quiet",
                                        "--outputs", outputs.string()};
  for (const std::string &inputs : options.folders)
    arguments.insert(arguments.end(), {"--inputs", inputs});
  for (const std::string &state : options.compile.states)
    arguments.insert(arguments.end(), {"--state", state});
  return ExitCode(startRunner(package, arguments, mpiRanks));
}

fs::path dougong::getOutputFile(const VerifyOptions &options, const fs::path &outputs, size_t step,
                                int index) {
  fs::path where = outputs;
  if (options.folders.size() > 1)
    where /= "step_" + std::to_string(step);
  return where / ("output_" + std::to_string(index) + ".pb");
}

fs::path dougong::getRecordedFile(const VerifyOptions &options, size_t step, int index) {
  return fs::path(options.folders[step]) / ("output_" + std::to_string(index) + ".pb");
}

namespace {

Result<std::optional<Tensor>> readValue(const fs::path &file) {
  Result<Tensor> tensor = readTensor(file);
  if (!tensor)
    return tensor.takeError();
  return std::optional<Tensor>(std::move(*tensor));
}

/// Files beside the inputs, which may hold fewer outputs than the model has.
class RecordedReference final : public Reference {
public:
  explicit RecordedReference(const VerifyOptions &options) : options(options) {}

  Result<std::optional<Tensor>> get(size_t step, int index, const std::string &) override {
    fs::path file = getRecordedFile(options, step, index);
    if (!fs::exists(file))
      return std::optional<Tensor>();
    return readValue(file);
  }

private:
  const VerifyOptions &options;
};

/// The model compiled for one rank.
class UnpartitionedReference final : public Reference {
public:
  explicit UnpartitionedReference(const VerifyOptions &options) : options(options) {}

  ExitCode run(const fs::path &folder) {
    CompileOptions whole = options.compile;
    whole.parallel = whole.strategy = whole.configuration = whole.dumpPhases = "";
    whole.fleet = "localhost";
    whole.model = options.referenceModel();
    whole.exposeValues = options.values;
    whole.advice = false;
    whole.output = (folder / "whole").string();
    if (ExitCode code = compileModel(whole, llvm::errs()); code != exitOk)
      return code;
    Result<plan::v1::Plan> plan = readPlan(whole.output);
    if (!plan)
      return refuse(plan.message());
    for (const plan::v1::Value &output : plan->model().outputs())
      names.push_back(output.name());
    outputs = folder / "reference";
    return runPackage(options, whole.output, outputs, 0);
  }

  Result<std::optional<Tensor>> get(size_t step, int, const std::string &name) override {
    auto found = llvm::find(names, name);
    if (found == names.end())
      return std::optional<Tensor>();
    return readValue(getOutputFile(options, outputs, step, found - names.begin()));
  }

private:
  const VerifyOptions &options;
  std::vector<std::string> names; ///< of its outputs
  fs::path outputs;
};

/// The model in onnxruntime.
class OnnxRuntimeReference final : public Reference {
public:
  ExitCode run(const VerifyOptions &options, const plan::v1::Plan &plan,
               const std::vector<std::string> &innerValues, const fs::path &folder) {
    OnnxRuntimeRequest request;
    request.python = options.python;
    request.model = options.referenceModel();
    request.values = innerValues;
    for (const plan::v1::State &state : plan.model().states())
      request.states.emplace_back(state.input(), state.output());
    auto states = expandStates(plan.model(), options.compile.states);
    if (!states)
      return refuse(states.message(), exitUsage);
    request.states.insert(request.states.end(), states->begin(), states->end());
    std::vector<std::string> names;
    std::vector<std::int32_t> dtypes;
    for (const plan::v1::Value &input : plan.model().inputs()) {
      names.push_back(input.name());
      dtypes.push_back(input.dtype());
    }
    for (const std::string &inputs : options.folders) {
      auto tensors = readInputFolder(inputs, names, dtypes);
      if (!tensors)
        return refuse(tensors.message());
      request.steps.push_back(std::move(*tensors));
    }
    return runOnnxRuntime(request, folder / "onnxruntime", steps);
  }

  Result<std::optional<Tensor>> get(size_t step, int, const std::string &name) override {
    auto found = steps[step].find(name);
    if (found == steps[step].end())
      return std::optional<Tensor>();
    return std::optional<Tensor>(std::move(found->second));
  }

private:
  StepValues steps;
};

} // namespace

ExitCode dougong::makeReference(const VerifyOptions &options, const plan::v1::Plan &plan,
                                const std::vector<std::string> &innerValues, const fs::path &folder,
                                std::unique_ptr<Reference> &reference) {
  if (options.against == "unpartitioned") {
    auto whole = std::make_unique<UnpartitionedReference>(options);
    ExitCode code = whole->run(folder);
    reference = std::move(whole);
    return code;
  }
  if (options.against == "onnxruntime") {
    auto asked = std::make_unique<OnnxRuntimeReference>();
    ExitCode code = asked->run(options, plan, innerValues, folder);
    reference = std::move(asked);
    return code;
  }
  reference = std::make_unique<RecordedReference>(options);
  return exitOk;
}
