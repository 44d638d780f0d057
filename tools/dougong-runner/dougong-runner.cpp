//===- dougong-runner.cpp - run a package, or one rank of it --------------===//
//
// The only code of Dougong on a node. It schedules nothing and restarts nothing:
// that is mpirun's, Slurm's or Kubernetes's part.
//
//===----------------------------------------------------------------------===//
#include "dougong/Runtime/Session.h"
#include "dougong/Runtime/TensorIO.h"
#include "dougong/Support/Text.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <set>
#include <span>
#include <unistd.h>

using namespace dougong;
using Clock = std::chrono::steady_clock;

namespace {
enum ExitCode {
  exitUsage = 2,
  exitInput = 3,
  exitPlan = 4,
  exitStep = 5,
  exitInternal = 6,
};

struct Options {
  std::string package;
  std::string ranks = "threads";
  int threads = 0;
  std::vector<std::string> inputFolders;
  std::vector<std::string> inputFiles; // NAME=FILE
  std::string outputs;
  std::vector<std::string> fetch;
  std::vector<std::string> states;
  double timeout = 600;
  int repeat = 1;
  bool json = false;
  bool quiet = false;
  bool profile = false;
  bool trustWeights = false;
};

/// A failure and what the process ends with.
struct Failure {
  ExitCode code;
  std::string message;
};

/// Refuses, before anything runs, a folder that cannot be made or written.
static void checkOutputFolder(const std::string &outputs) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::path place = fs::absolute(outputs, error);
  while (!fs::exists(fs::symlink_status(place, error)) && place.has_relative_path())
    place = place.parent_path();
  if (!fs::is_directory(place, error))
    throw Failure{exitUsage, "--outputs '" + outputs + "': '" + place.string() + "' is no folder"};
  if (::access(place.c_str(), W_OK | X_OK) != 0)
    throw Failure{exitUsage, "--outputs '" + outputs + "': '" + place.string() +
                                 "' cannot be written: " + std::strerror(errno)};
}

/// What steps that ran without a stop between them took, and what the last one made.
struct StepRecord {
  std::size_t first, count;
  std::vector<double> seconds; // of each repetition
  Json::Array outputs;
};

class Runner {
public:
  explicit Runner(const Options &options) : options(options) {}
  void run(); // throws Failure

  std::unique_ptr<Session> session; // what a failure must end

private:
  void open();
  void readInputs();
  void runSteps();
  void writeOutputs(StepRecord &record);
  void report() const;
  const plan::v1::Model &model() const { return package->plan().model(); }
  /// Which outputs are wanted.
  std::vector<int> wantedOutputs() const;

  const Options &options;
  std::shared_ptr<Package> package;
  std::vector<InputTensors> steps;
  std::vector<StepRecord> records;
};
} // namespace

template <typename T> static T orThrow(Result<T> result, ExitCode code) {
  if (!result)
    throw Failure{code, result.message()};
  if constexpr (!std::is_void_v<T>)
    return std::move(*result);
}

void Runner::open() {
  package = orThrow(Package::open(options.package, options.trustWeights), exitPlan);
  SessionOptions sessionOptions;
  sessionOptions.backend = options.ranks;
  sessionOptions.threads = options.threads;
  sessionOptions.profile = options.profile;
  sessionOptions.timeout =
      std::chrono::milliseconds(static_cast<std::int64_t>(options.timeout * 1000));
  sessionOptions.states = orThrow(expandStates(model(), options.states), exitUsage);
  session = orThrow(Session::open(package, sessionOptions), exitPlan);
}

/// "'x', 'y'".
static std::string listNames(const std::vector<std::string> &names) {
  std::string text;
  for (const std::string &name : names)
    text += (text.empty() ? "'" : ", '") + name + "'";
  return text.empty() ? "none" : text;
}

void Runner::readInputs() {
  std::vector<std::string> names;
  std::vector<std::int32_t> dtypes;
  for (const plan::v1::Value &input : model().inputs()) {
    names.push_back(input.name());
    dtypes.push_back(input.dtype());
  }
  for (const std::string &folder : options.inputFolders)
    steps.push_back(orThrow(readInputFolder(folder, names, dtypes), exitInput));
  if (steps.empty())
    steps.emplace_back();
  std::set<std::string> given;
  for (const std::string &option : options.inputFiles) {
    std::size_t equals = option.find('=');
    if (equals == std::string::npos)
      throw Failure{exitUsage, "--input '" + option + "' must be NAME=FILE"};
    std::string name = option.substr(0, equals), file = option.substr(equals + 1);
    if (std::find(names.begin(), names.end(), name) == names.end())
      throw Failure{exitUsage, "--input '" + option + "': the model has no input '" + name +
                                   "'; its inputs: " + listNames(names)};
    if (!given.insert(name).second)
      throw Failure{exitUsage, "--input '" + option + "': input '" + name + "' is given twice"};
    if (file.empty())
      throw Failure{exitUsage, "--input '" + option + "' must be NAME=FILE"};
    // Given to every step: tensors do not copy, so the file is read for each.
    for (InputTensors &step : steps)
      step[name] = orThrow(readTensor(file), exitInput);
  }
}

std::vector<int> Runner::wantedOutputs() const {
  std::vector<int> wanted;
  std::set<std::string> found;
  for (int i = 0; i < model().outputs_size(); ++i) {
    const std::string &name = model().outputs(i).name();
    bool named = std::find(options.fetch.begin(), options.fetch.end(), name) != options.fetch.end();
    if (named)
      found.insert(name);
    if (!options.outputs.empty() && (named || options.fetch.empty()))
      wanted.push_back(i);
  }
  for (const std::string &name : options.fetch)
    if (!found.contains(name))
      throw Failure{exitUsage, "--fetch '" + name + "': the model has no such output"};
  return wanted;
}

void Runner::writeOutputs(StepRecord &record) {
  std::filesystem::path folder = options.outputs;
  if (steps.size() > 1)
    folder /= "step_" + std::to_string(record.first);
  std::error_code error;
  if (session->rank() == 0 && !options.outputs.empty() &&
      !std::filesystem::create_directories(folder, error) && error)
    throw Failure{exitUsage,
                  "--outputs: cannot make '" + folder.string() + "': " + error.message()};
  for (int index : wantedOutputs()) {
    Tensor tensor = orThrow(session->fetch(index), exitStep);
    if (session->rank() != 0)
      continue;
    std::filesystem::path file = folder / ("output_" + std::to_string(index) + ".pb");
    orThrow(writeTensor(tensor, file), exitUsage);
    Json::Array dims;
    for (std::int64_t dim : tensor.dims)
      dims.push_back(dim);
    record.outputs.push_back(Json::Object{{"name", tensor.name},
                                          {"type", elementTypeName(tensor.dtype)},
                                          {"dims", std::move(dims)},
                                          {"file", file.string()}});
  }
}

/// Where outputs are wanted they are brought together behind each step; else nothing
/// stops the ranks between steps.
void Runner::runSteps() {
  bool stops = !wantedOutputs().empty();
  for (std::size_t step = 0; step < steps.size(); step += records.back().count)
    records.push_back({step, stops ? 1 : steps.size(), {}, {}});
  for (int repetition = 0; repetition < options.repeat; ++repetition) {
    session->reset();
    for (StepRecord &record : records) {
      std::string where =
          record.count < steps.size() ? "step " + std::to_string(record.first) + ": " : "";
      if (Result<void> valid = session->checkInputs(steps[record.first]); !valid)
        throw Failure{exitInput, where + valid.message()};
      orThrow(session->barrier(), exitStep);
      Clock::time_point begin = Clock::now();
      if (Result<void> done = session->steps(std::span(steps).subspan(record.first, record.count));
          !done)
        throw Failure{exitStep, where + done.message()};
      orThrow(session->barrier(), exitStep);
      record.seconds.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
      if (repetition + 1 == options.repeat)
        writeOutputs(record);
    }
  }
}

static double medianOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  std::size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

void Runner::report() const {
  Json profile = options.profile ? session->profile() : Json();
  if (session->rank() != 0)
    return;
  Json::Array all;
  for (const StepRecord &record : records) {
    double best = *std::min_element(record.seconds.begin(), record.seconds.end());
    double median = medianOf(record.seconds);
    all.push_back(Json::Object{{"step", record.first},
                               {"count", record.count},
                               {"best_seconds", best},
                               {"median_seconds", median},
                               {"outputs", record.outputs}});
    if (options.json || options.quiet)
      continue;
    std::string what = record.count == 1 ? "step " + std::to_string(record.first)
                                         : "steps " + std::to_string(record.first) + " to " +
                                               std::to_string(record.first + record.count - 1);
    if (options.repeat > 1)
      std::printf("%s: best %.3f ms, median %.3f ms of %d\n", what.c_str(), best * 1e3,
                  median * 1e3, options.repeat);
    else
      std::printf("%s: %.3f ms\n", what.c_str(), best * 1e3);
  }
  if (!options.json) {
    if (options.profile)
      std::printf("%s\n", profile.print().c_str());
    return;
  }
  Json::Object object{{"plan_id", package->plan().plan_id()},
                      {"backend", options.ranks},
                      {"ranks", session->worldSize()},
                      {"threads_per_rank", session->threadsPerRank()},
                      {"repeat", options.repeat},
                      {"steps", std::move(all)}};
  if (options.profile)
    object.emplace("profile", std::move(profile));
  std::printf("%s\n", Json(std::move(object)).print().c_str());
}

void Runner::run() {
  open();
  if (!options.outputs.empty() && session->rank() == 0)
    checkOutputFolder(options.outputs);
  (void)wantedOutputs(); // refuses unknown names before anything runs
  readInputs();
  runSteps();
  report();
}

static void addOptions(CLI::App &app, Options &options) {
  app.add_option("package", options.package, "Package folder, or its plan.json")->required();
  app.add_option("--ranks", options.ranks,
                 "threads: all ranks in this process; mpi: this process is one rank")
      ->check(CLI::IsMember({"threads", "mpi"}))
      ->capture_default_str();
  app.add_option("--threads", options.threads,
                 "Threads of each rank (default: cores / ranks of the host, at least 1)")
      ->check(CLI::Range(1, 4096));
  // One value for each flag: what follows may be the package.
  app.add_option("--inputs", options.inputFolders,
                 "Folder with input_<i>.pb or .npy; each one is a step")
      ->expected(1)
      ->take_all()
      ->allow_extra_args(false);
  app.add_option("--input", options.inputFiles, "NAME=FILE.npy or NAME=FILE.pb, for every step")
      ->expected(1)
      ->take_all()
      ->allow_extra_args(false);
  app.add_option("--outputs", options.outputs,
                 "Folder for output_<i>.pb (in step_<n>/ when there are several steps)");
  app.add_option("--fetch", options.fetch, "Write only this output (may repeat)")
      ->expected(1)
      ->take_all()
      ->allow_extra_args(false);
  app.add_option("--state", options.states,
                 "INPUT=OUTPUT: the output stays on its ranks as the next step's input; one * "
                 "on either side stands for any text")
      ->expected(1)
      ->take_all()
      ->allow_extra_args(false);
  app.add_option("--timeout", options.timeout, "Seconds to wait for other ranks in one call")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--repeat", options.repeat, "Run all steps so many times, for timing")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  app.add_flag("--trust-weights", options.trustWeights,
               "Do not compare weights with their hashes at the start, which takes about a "
               "second for each GB and thread");
  app.add_flag("--json", options.json, "Print one JSON object");
  app.add_flag("--quiet", options.quiet, "Print no times");
  app.add_flag("--profile", options.profile, "Measure stages and calls of each rank");
  app.footer("Exit codes: 0 done, 2 usage or a place that cannot be written, 3 input refused, 4 "
             "plan or package refused, 5 step "
             "failed, 6 internal");
}

int main(int argc, char **argv) {
  Options options;
  CLI::App app("Runs a Dougong package: all its ranks, or one of them under mpirun");
  addOptions(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : exitUsage;
  }
  Runner runner(options);
  Failure failure{exitInternal, ""};
  try {
    runner.run();
    if (std::fflush(stdout) != 0)
      throw Failure{exitUsage,
                    std::string("standard output cannot be written: ") + std::strerror(errno)};
    runner.session.reset(); // ends MPI before the report of success
    return 0;
  } catch (Failure &thrown) {
    failure = std::move(thrown);
  } catch (const std::exception &thrown) {
    failure.message = thrown.what();
  }
  if (runner.session)
    runner.session->abort(failure.message, failure.code); // with MPI: ends the job
  std::fprintf(stderr, "error: %s\n", escapeControl(failure.message).c_str());
  return failure.code;
}
