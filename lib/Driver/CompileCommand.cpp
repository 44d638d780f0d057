//===- CompileCommand.cpp - dougong compile -------------------------------===//
#include "dougong/Driver/Commands.h"

#include "Options.h"
#include "Packages.h"
#include "dougong/Package/Describe.h"
#include "dougong/Package/Plan.h"

#include <CLI/CLI.hpp>

#include "llvm/Support/raw_ostream.h"

using namespace dougong;

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
  CLI::Option *stop = app.add_option("--stop-after", options->stopAfter,
                                     "write the IR after this phase to --output")
                          ->check(CLI::IsMember(phases));
  app.add_flag("--json", *json, "the report as JSON, also with --quiet")->excludes(stop);
  app.footer("Example: dougong compile model.onnx --fleet lab-2x2 --parallel tp=2,pp=2 -o package");
  return [options, json] {
    ExitCode code = compileModel(*options, llvm::errs());
    if (code != exitOk || !options->stopAfter.empty() || (options->quiet && !*json))
      return code;
    Result<plan::v1::Plan> plan = readPlan(options->output);
    if (!plan)
      return refuse(plan.message(), exitInternal);
    llvm::outs() << (*json ? planToJson(*plan).print() + "\n" : describePlan(*plan));
    return exitOk;
  };
}
