//===- Options.cpp - options that commands share --------------------------===//
#include "Options.h"

#include <CLI/CLI.hpp>

#include <set>

using namespace dougong;

CLI::Option *dougong::addListOption(CLI::App &app, const char *name,
                                    std::vector<std::string> &values, const char *text) {
  return app.add_option(name, values, text)->expected(1)->take_all()->allow_extra_args(false);
}

void dougong::addCommaOption(CLI::App &app, const char *name, std::vector<std::string> &values,
                             const char *text) {
  // Not CLI11's delimiter: it drops empty parts, and takes the next argument where no
  // part is left.
  app.add_option_function<std::vector<std::string>>(
         name,
         [&values](const std::vector<std::string> &given) {
           for (llvm::StringRef list : given) {
             llvm::SmallVector<llvm::StringRef> parts;
             list.split(parts, ',');
             values.insert(values.end(), parts.begin(), parts.end());
           }
         },
         text)
      ->expected(1)
      ->take_all()
      ->allow_extra_args(false);
}

void dougong::addRanksOption(CLI::App &app, std::string &ranks) {
  app.add_option("--ranks", ranks, "threads: all ranks in one process; mpi: a process each")
      ->check(CLI::IsMember(std::set<std::string>{"threads", "mpi"}))
      ->capture_default_str();
}

void dougong::addPartitionOptions(CLI::App &app, CompileOptions &options) {
  app.add_option("--fleet", options.fleet, "fleet file, or a name of the catalogue")
      ->capture_default_str();
  app.add_option("--strategy", options.strategy, "strategy.yaml");
  app.add_option("--parallel", options.parallel, "short strategy, e.g. tp=2,pp=2");
  app.add_option("--configuration", options.configuration,
                 "device configuration of the model (IR version 11) that is the strategy");
  addCommaOption(app, "--dim", options.dims,
                 "extent of a dim: NAME=8, NAME=0..4096, INPUT[AXIS]=8; several with commas");
  addListOption(app, "--state", options.states,
                "model input that takes an output of the step before: PAST.*=PRESENT.*");
  app.add_option("--dump-phases", options.dumpPhases, "folder for the IR after each phase");
  app.add_option("--reproducer", options.reproducer,
                 "file in which a pass that fails leaves what dougong-opt needs to repeat it");
  app.add_flag("--timing", options.timing, "seconds and peak memory of each phase");
  app.add_flag("--quiet", options.quiet, "no report and no progress");
}

void dougong::addCompileOptions(CLI::App &app, CompileOptions &options) {
  addPartitionOptions(app, options);
  app.add_option("--target", options.target, "code generator")->capture_default_str();
}
