//===- Verification.cpp - a model compared with its reference -------------===//
#include "Verification.h"

#include "Divergence.h"
#include "Packages.h"
#include "Reference.h"

#include "dougong/Package/Plan.h"
#include "dougong/Runtime/TensorIO.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using namespace dougong;
namespace fs = std::filesystem;

namespace {

/// One verification: run, run the reference, compare.
class Verification {
public:
  explicit Verification(const VerifyOptions &options) : options(options) {}
  ExitCode run();

private:
  using Differences = std::map<std::string, Difference>;

  ExitCode checkOptions(bool isGiven) const;
  ExitCode prepare();
  /// Whether the model itself has the output.
  bool isOutput(const std::string &name) const {
    return !options.values || llvm::is_contained(graph.outputs, name);
  }
  std::vector<std::string> getInnerValues() const;
  /// Compares what a step made and reports it. Fails where a file cannot be read.
  Result<void> compareStep(size_t step);
  void report(size_t step, const Differences &differences);
  void reportValues(const Differences &differences, Json::Object &object, std::string &text) const;
  const auto &outputs() const { return plan.model().outputs(); }

  const VerifyOptions &options;
  TemporaryFolder folder;
  fs::path package;
  plan::v1::Plan plan;
  ValueGraph graph;
  fs::path got; ///< folder of outputs
  std::unique_ptr<Reference> reference;
  Json::Array steps;
  bool agree = true;
};

} // namespace

ExitCode Verification::checkOptions(bool isGiven) const {
  bool recorded = options.against == "data";
  if (options.values && isGiven)
    return refuse("--values needs a model: a package gives only its outputs", exitUsage);
  if (options.values && recorded)
    return refuse("--values needs --against unpartitioned or onnxruntime: recorded data have "
                  "outputs only",
                  exitUsage);
  if (recorded && !options.model.empty())
    return refuse("--model is for --against unpartitioned or onnxruntime: recorded data are the "
                  "reference",
                  exitUsage);
  if (options.against != "onnxruntime" && !options.python.empty())
    return refuse("--python is for --against onnxruntime", exitUsage);
  if (isGiven && !recorded && options.model.empty())
    return refuse("give --model to compare a package with " + options.against, exitUsage);
  return exitOk;
}

ExitCode Verification::prepare() {
  CompileOptions compile = options.compile;
  if (ExitCode code = checkOptions(isPackage(compile.model)); code != exitOk)
    return code;
  compile.exposeValues = options.values;
  bool compilesReference = options.against == "unpartitioned";
  if (ExitCode code = preparePackage(compile, folder, package, compilesReference); code != exitOk)
    return code;
  Result<plan::v1::Plan> read = readPlan(package);
  if (!read)
    return refuse(read.message(), exitInfeasible);
  plan = std::move(*read);
  return options.values ? readValueGraph(options.compile, graph, llvm::errs()) : exitOk;
}

std::vector<std::string> Verification::getInnerValues() const {
  std::vector<std::string> values;
  for (const plan::v1::Value &output : outputs())
    if (!isOutput(output.name()))
      values.push_back(output.name());
  return values;
}

Result<void> Verification::compareStep(size_t step) {
  Differences differences;
  for (int index = 0; index < outputs().size(); ++index) {
    const std::string &name = outputs()[index].name();
    Result<std::optional<Tensor>> expected = reference->get(step, index, name);
    if (!expected)
      return expected.takeError();
    if (!*expected) {
      if (isOutput(name) && options.against != "data")
        return Error{"the reference has no output '" + name + "'"};
      continue;
    }
    Result<Tensor> tensor = readTensor(getOutputFile(options, got, step, index));
    if (!tensor)
      return tensor.takeError();
    differences.emplace(name, compareTensors(name, *tensor, **expected, options.tolerance));
  }
  if (differences.empty())
    return Error{"'" + options.folders[step] + "' has no output_*.pb to compare with"};
  report(step, differences);
  return {};
}

void Verification::reportValues(const Differences &differences, Json::Object &object,
                                std::string &text) const {
  Json::Array inner;
  size_t differing = 0;
  for (const plan::v1::Value &output : outputs()) {
    auto found = differences.find(output.name());
    if (isOutput(output.name()) || found == differences.end())
      continue;
    inner.push_back(found->second.toJson());
    differing += !found->second.agrees();
  }
  std::optional<Divergence> first = findFirstDivergence(graph, differences);
  text += llvm::formatv("inner values: {0} of {1} differ\n", differing, inner.size());
  text += first ? describeDivergence(*first) : "no node diverges\n";
  object["values"] = std::move(inner);
  object["first_diverging_node"] = first ? divergenceToJson(*first) : Json();
}

void Verification::report(size_t step, const Differences &differences) {
  std::string text;
  Json::Array compared, missing;
  for (int index = 0; index < outputs().size(); ++index) {
    const std::string &name = outputs()[index].name();
    auto found = differences.find(name);
    if (found != differences.end() && isOutput(name)) {
      agree &= found->second.agrees();
      compared.push_back(found->second.toJson());
      text += name + ": " + found->second.describe() + "\n";
    } else if (found == differences.end() && options.against == "data") {
      std::string file = getRecordedFile(options, step, index).string();
      missing.push_back(Json::Object{{"value", name}, {"missing", file}});
      text += name + ": not compared: " + file + " is missing\n";
    }
  }
  Json::Object object{
      {"step", step}, {"outputs", std::move(compared)}, {"not_compared", std::move(missing)}};
  if (options.values)
    reportValues(differences, object, text);
  if (options.json) {
    steps.push_back(std::move(object));
    return;
  }
  if (options.compile.quiet)
    return;
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
  if (ExitCode code = runPackage(options, package, got, mpiRanks); code != exitOk)
    return code;
  if (ExitCode code = makeReference(options, plan, getInnerValues(), folder.getPath(), reference);
      code != exitOk)
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
  else if (!options.compile.quiet)
    llvm::outs() << (agree ? "agrees\n" : "differs\n");
  return agree ? exitOk : exitStepFailed;
}

ExitCode dougong::verify(const VerifyOptions &options) { return Verification(options).run(); }
