//===- CompileCommand.cpp - dougong compile -------------------------------===//
#include "Commands.h"

#include "dougong/Package/Describe.h"
#include "dougong/Package/Memory.h"
#include "dougong/Package/Plan.h"

#include <CLI/CLI.hpp>

#include "llvm/Support/raw_ostream.h"

#include <set>

using namespace dougong;

/// Says which dims were taken at their least, because nobody said their greatest.
static void warnOfAssumed(const plan::v1::Model &model) {
  ModelRanges ranges = ModelRanges::of(model);
  if (ranges.assumed.empty())
    return;
  llvm::errs() << "warning: dims without an upper bound count as little in choice, prediction and "
                  "memory proof: ";
  const char *separator = "";
  for (const std::string &symbol : ranges.assumed) {
    llvm::errs() << separator << symbol << " = " << ranges.ranges.at(symbol).max;
    separator = ", ";
  }
  llvm::errs() << "; give each a range (--dim " << *ranges.assumed.begin()
               << "=LOW..HIGH) or a value\n";
}

CLI::Option *dougong::addListOption(CLI::App &app, const char *name,
                                    std::vector<std::string> &values, const char *text) {
  return app.add_option(name, values, text)->expected(1)->take_all()->allow_extra_args(false);
}

void dougong::addRanksOption(CLI::App &app, std::string &ranks) {
  app.add_option("--ranks", ranks, "threads: all ranks in one process; mpi: a process each")
      ->check(CLI::IsMember(std::set<std::string>{"threads", "mpi"}))
      ->capture_default_str();
}

void dougong::addCompileOptions(CLI::App &app, CompileOptions &options) {
  app.add_option("--fleet", options.fleet, "fleet file, or a name of the catalogue")
      ->capture_default_str();
  app.add_option("--strategy", options.strategy, "strategy.yaml");
  app.add_option("--parallel", options.parallel, "short strategy, e.g. tp=2,pp=2");
  addListOption(app, "--dim", options.dims,
                "extent of a dim: NAME=8, NAME=0..4096, INPUT[AXIS]=8; several with commas")
      ->delimiter(',');
  addListOption(app, "--state", options.states,
                "model input that takes an output of the step before: PAST.*=PRESENT.*");
  app.add_option("--target", options.target, "code generator")->capture_default_str();
  app.add_option("--dump-phases", options.dumpPhases, "folder for the IR after each phase");
  app.add_option("--reproducer", options.reproducer,
                 "file in which a pass that fails leaves what dougong-opt needs to repeat it");
  app.add_flag("--timing", options.timing, "seconds and peak memory of each phase");
  app.add_flag("--quiet", options.quiet, "no report and no progress");
}

Command dougong::addCompileCommand(CLI::App &app) {
  auto options = std::make_shared<CompileOptions>();
  auto json = std::make_shared<bool>(false);
  app.add_option("model", options->model, "ONNX model, or IR that --stop-after wrote (.mlir)")
      ->required();
  app.add_option("-o,--output", options->output, "folder of the package")->required();
  addCompileOptions(app, *options);
  std::vector<std::string> phases;
  for (llvm::StringRef phase : getPhaseNames().drop_back())
    phases.push_back(phase.str());
  app.add_option("--stop-after", options->stopAfter, "write the IR after this phase to --output")
      ->check(CLI::IsMember(phases));
  app.add_flag("--json", *json, "the report as JSON");
  app.footer("Example: dougong compile model.onnx --fleet lab-2x2 --parallel tp=2,pp=2 -o package");
  return [options, json] {
    ExitCode code = compileModel(*options, llvm::errs());
    if (code != exitOk || !options->stopAfter.empty() || options->quiet)
      return code;
    Result<plan::v1::Plan> plan = readPlan(options->output);
    if (!plan)
      return refuse(plan.message(), exitInternal);
    warnOfAssumed(plan->model());
    llvm::outs() << (*json ? planToJson(*plan).print() + "\n" : describePlan(*plan));
    return exitOk;
  };
}
