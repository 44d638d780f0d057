//===- VerifyCommand.cpp - dougong verify ---------------------------------===//
#include "Commands.h"
#include "Comparison.h"
#include "OnnxRuntime.h"
#include "ValueGraph.h"

#include "dougong/Package/Plan.h"
#include "dougong/Runtime/Session.h"
#include "dougong/Runtime/TensorIO.h"

#include <CLI/CLI.hpp>

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

#include <set>

using namespace dougong;
namespace fs = std::filesystem;

namespace {

struct VerifyOptions {
  CompileOptions compile;
  std::string against = "unpartitioned", ranks = "threads", model, python;
  std::vector<std::string> folders;
  bool values = false, json = false;
  Tolerance tolerance;
};

/// One verification: run, run the reference, compare.
class Verification {
public:
  explicit Verification(const VerifyOptions &options) : options(options) {}
  ExitCode run();

private:
  ExitCode prepare();
  ExitCode makeReference();
  ExitCode compileReference();
  ExitCode askOnnxRuntime();
  ExitCode runPackage(const fs::path &package, const fs::path &outputs, unsigned mpiRanks);
  /// The file of output `index` after a step; several steps have folders each.
  fs::path outputFile(const fs::path &folder, size_t step, int index) const;
  /// The reference's tensor, for output `index` of the plan; none where the
  /// reference does not have it.
  Result<std::optional<Tensor>> getReference(size_t step, int index);
  /// Whether the model itself has the output.
  bool isOutput(const std::string &name) const {
    return !options.values || llvm::is_contained(graph.outputs, name);
  }
  /// Compares what a step made and reports it. Fails where a file cannot be read.
  Result<void> compareStep(size_t step);
  /// Where --against data looks for an output.
  fs::path recordedFile(size_t step, int index) const {
    return fs::path(options.folders[step]) / ("output_" + std::to_string(index) + ".pb");
  }
  void report(size_t step, const std::map<std::string, Difference> &differences);
  const auto &outputs() const { return plan.model().outputs(); }
  const plan::v1::Value &outputs(int index) const { return plan.model().outputs(index); }
  /// The ONNX file of the reference.
  std::string referenceModel() const {
    return options.model.empty() ? options.compile.model : options.model;
  }

  const VerifyOptions &options;
  TemporaryFolder folder;
  fs::path package;
  plan::v1::Plan plan;
  ValueGraph graph;
  fs::path got, reference;      ///< folders of outputs
  plan::v1::Plan referencePlan; ///< which outputs those of the reference are
  StepValues stepValues;        ///< what onnxruntime gave, instead
  Json::Array steps;
  bool agree = true;
};

} // namespace

ExitCode Verification::prepare() {
  CompileOptions compile = options.compile;
  bool given = isPackage(compile.model);
  if (options.values && given)
    return refuse("--values needs a model: a package gives only its outputs", exitUsage);
  if (options.values && options.against == "data")
    return refuse("--values needs --against unpartitioned or onnxruntime: recorded data have "
                  "outputs only",
                  exitUsage);
  if (given && options.against != "data" && options.model.empty())
    return refuse("give --model to compare a package with " + options.against, exitUsage);
  compile.exposeValues = options.values;
  if (ExitCode code = preparePackage(compile, folder, package); code != exitOk)
    return code;
  Result<plan::v1::Plan> read = readPlan(package);
  if (!read)
    return refuse(read.message());
  plan = std::move(*read);
  if (!options.values)
    return exitOk;
  return readValueGraph(options.compile, graph);
}

ExitCode Verification::runPackage(const fs::path &what, const fs::path &outputs,
                                  unsigned mpiRanks) {
  // Several folders are several steps of one run.
  std::vector<std::string> arguments = {"--ranks", mpiRanks ? "mpi" : "threads", "--quiet",
                                        "--outputs", outputs.string()};
  for (const std::string &inputs : options.folders)
    arguments.insert(arguments.end(), {"--inputs", inputs});
  for (const std::string &state : options.compile.states)
    arguments.insert(arguments.end(), {"--state", state});
  return ExitCode(startRunner(what, arguments, mpiRanks));
}

ExitCode Verification::compileReference() {
  CompileOptions whole = options.compile;
  whole.parallel = whole.strategy = whole.dumpPhases = "";
  whole.fleet = "localhost";
  whole.model = referenceModel();
  whole.exposeValues = options.values;
  whole.output = (folder.getPath() / "whole").string();
  if (ExitCode code = compileModel(whole, llvm::errs()); code != exitOk)
    return code;
  Result<plan::v1::Plan> read = readPlan(whole.output);
  if (!read)
    return refuse(read.message());
  referencePlan = std::move(*read);
  reference = folder.getPath() / "reference";
  return runPackage(whole.output, reference, 0);
}

ExitCode Verification::askOnnxRuntime() {
  OnnxRuntimeRequest request;
  request.python = options.python;
  request.model = referenceModel();
  for (const plan::v1::Value &output : outputs())
    if (!isOutput(output.name()))
      request.values.push_back(output.name());
  for (const plan::v1::State &state : plan.model().states())
    request.states.emplace_back(state.input(), state.output());
  Result<std::vector<std::pair<std::string, std::string>>> states =
      expandStates(plan.model(), options.compile.states);
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
  return runOnnxRuntime(request, folder.getPath() / "onnxruntime", stepValues);
}

ExitCode Verification::makeReference() {
  if (options.against == "unpartitioned")
    return compileReference();
  return options.against == "onnxruntime" ? askOnnxRuntime() : exitOk;
}

fs::path Verification::outputFile(const fs::path &base, size_t step, int index) const {
  fs::path where = base;
  if (options.folders.size() > 1)
    where /= "step_" + std::to_string(step);
  return where / ("output_" + std::to_string(index) + ".pb");
}

Result<std::optional<Tensor>> Verification::getReference(size_t step, int index) {
  const std::string &name = outputs(index).name();
  fs::path file;
  if (options.against == "data") {
    // Recorded files may hold fewer outputs than the model has.
    file = recordedFile(step, index);
    if (!fs::exists(file))
      return std::optional<Tensor>();
  } else if (options.against == "onnxruntime") {
    auto found = stepValues[step].find(name);
    if (found == stepValues[step].end())
      return std::optional<Tensor>();
    return std::optional<Tensor>(std::move(found->second));
  } else {
    int other = 0;
    while (other < referencePlan.model().outputs_size() &&
           referencePlan.model().outputs(other).name() != name)
      ++other;
    if (other == referencePlan.model().outputs_size())
      return std::optional<Tensor>();
    file = outputFile(reference, step, other);
  }
  Result<Tensor> tensor = readTensor(file);
  if (!tensor)
    return tensor.takeError();
  return std::optional<Tensor>(std::move(*tensor));
}

Result<void> Verification::compareStep(size_t step) {
  std::map<std::string, Difference> differences;
  for (int index = 0; index < outputs().size(); ++index) {
    const std::string &name = outputs(index).name();
    Result<std::optional<Tensor>> expected = getReference(step, index);
    if (!expected)
      return expected.takeError();
    if (!*expected) {
      if (isOutput(name) && options.against != "data")
        return Error{"the reference has no output '" + name + "'"};
      continue;
    }
    Result<Tensor> tensor = readTensor(outputFile(got, step, index));
    if (!tensor)
      return tensor.takeError();
    differences.emplace(name, compareTensors(name, *tensor, **expected, options.tolerance));
  }
  if (differences.empty())
    return Error{"'" + options.folders[step] + "' has no output_*.pb to compare with"};
  report(step, differences);
  return {};
}

void Verification::report(size_t step, const std::map<std::string, Difference> &differences) {
  std::string text;
  Json::Array compared, missing, inner;
  size_t innerDiffering = 0;
  for (int index = 0; index < outputs().size(); ++index) {
    const plan::v1::Value &output = outputs(index);
    auto found = differences.find(output.name());
    if (found == differences.end()) {
      if (options.against != "data")
        continue;
      std::string file = recordedFile(step, index).string();
      missing.push_back(Json::Object{{"value", output.name()}, {"missing", file}});
      text += output.name() + ": not compared: " + file + " is missing\n";
      continue;
    }
    const Difference &difference = found->second;
    if (!isOutput(output.name())) {
      inner.push_back(difference.toJson());
      innerDiffering += !difference.agrees();
      continue;
    }
    agree &= difference.agrees();
    compared.push_back(difference.toJson());
    text += output.name() + ": " + difference.describe() + "\n";
  }
  Json::Object object{
      {"step", step}, {"outputs", std::move(compared)}, {"not_compared", std::move(missing)}};
  if (options.values) {
    std::optional<Divergence> first = findFirstDivergence(graph, differences);
    text += llvm::formatv("inner values: {0} of {1} differ\n", innerDiffering, inner.size());
    text += first ? describeDivergence(*first) : "no node diverges\n";
    object["values"] = std::move(inner);
    object["first_diverging_node"] = first ? divergenceToJson(*first) : Json();
  }
  if (options.json) {
    steps.push_back(std::move(object));
    return;
  }
  if (options.folders.size() > 1)
    llvm::outs() << "step " << step << "\n";
  llvm::outs() << text;
}

ExitCode Verification::run() {
  if (ExitCode code = prepare(); code != exitOk)
    return code;
  unsigned mpiRanks = 0;
  if (options.ranks == "mpi" && !(mpiRanks = countRanks(package)))
    return exitInputRefused;
  got = folder.getPath() / "got";
  if (ExitCode code = runPackage(package, got, mpiRanks); code != exitOk)
    return code;
  if (ExitCode code = makeReference(); code != exitOk)
    return code;
  for (size_t step = 0; step < options.folders.size(); ++step)
    if (Result<void> compared = compareStep(step); !compared)
      return refuse(compared.message());
  if (options.json)
    llvm::outs() << Json(Json::Object{{"agrees", agree},
                                      {"against", options.against},
                                      {"rtol", options.tolerance.relative},
                                      {"atol", options.tolerance.absolute},
                                      {"steps", std::move(steps)}})
                        .print()
                 << "\n";
  else
    llvm::outs() << (agree ? "agrees\n" : "differs\n");
  return agree ? exitOk : exitStepFailed;
}

Command dougong::addVerifyCommand(CLI::App &app) {
  auto options = std::make_shared<VerifyOptions>();
  app.add_option("package", options->compile.model, "package folder, or ONNX model")->required();
  addListOption(app, "--inputs", options->folders,
                "folder with input_0.pb, ...; may repeat: one step each, state kept between")
      ->required();
  app.add_option("--against", options->against,
                 "data: output_*.pb beside the inputs; unpartitioned: the model compiled for one "
                 "rank; onnxruntime: the model in onnxruntime")
      ->check(CLI::IsMember(std::set<std::string>{"data", "unpartitioned", "onnxruntime"}))
      ->capture_default_str();
  app.add_option("--model", options->model,
                 "ONNX model of the reference; needed where the first argument is a package");
  app.add_flag("--values", options->values,
               "compare inner values too, and name the first node that diverges");
  app.add_option("--python", options->python,
                 "Python that has onnxruntime (default: python3 on the PATH)");
  app.add_option("--rtol", options->tolerance.relative, "relative tolerance of floats")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--atol", options->tolerance.absolute,
                 "absolute tolerance; below 1, integers must be equal")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  addRanksOption(app, options->ranks);
  app.add_flag("--json", options->json, "differences as JSON");
  addCompileOptions(app, options->compile);
  app.footer("Example: dougong verify model.onnx --inputs data --parallel tp=2 --against "
             "onnxruntime --values");
  return [options] { return Verification(*options).run(); };
}
