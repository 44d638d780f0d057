//===- dougong.cpp - the driver -------------------------------------------===//
#include "Commands.h"

#include "dougong/Fleet/Commands.h"
#include "dougong/Package/Check.h"
#include "dougong/Package/Describe.h"
#include "dougong/Package/Plan.h"

#include <CLI/CLI.hpp>

#include "llvm/Support/raw_ostream.h"

using namespace dougong;

void dougong::addCompileOptions(CLI::App &app, CompileOptions &options) {
  app.add_option("--fleet", options.fleet, "fleet file, or a name of the catalogue")
      ->capture_default_str();
  app.add_option("--strategy", options.strategy, "strategy.yaml")->check(CLI::ExistingFile);
  app.add_option("--parallel", options.parallel, "short strategy, e.g. tp=2,pp=2");
  app.add_option("--dim", options.dims, "extent of a dim: NAME=8, NAME=0..4096, INPUT[AXIS]=8")
      ->delimiter(',');
  app.add_option("--state", options.states,
                 "model input that takes an output of the step before: PAST.*=PRESENT.*");
  app.add_option("--target", options.target, "code generator")->capture_default_str();
  app.add_option("--dump-phases", options.dumpPhases, "folder for the IR after each phase");
}

Command dougong::addCompileCommand(CLI::App &app) {
  auto options = std::make_shared<CompileOptions>();
  app.add_option("model", options->model, "ONNX model")->required();
  app.add_option("-o,--output", options->output, "folder of the package")->required();
  addCompileOptions(app, *options);
  std::vector<std::string> phases;
  for (llvm::StringRef phase : getPhaseNames())
    phases.push_back(phase.str());
  app.add_option("--stop-after", options->stopAfter, "write the IR after this phase to --output")
      ->check(CLI::IsMember(phases));
  auto quiet = std::make_shared<bool>(false);
  app.add_flag("--quiet", *quiet, "no report at the end");
  return [options, quiet] {
    ExitCode code = compileModel(*options, llvm::errs());
    if (code != exitOk || !options->stopAfter.empty() || *quiet)
      return code;
    Result<plan::v1::Plan> plan = readPlan(options->output);
    if (!plan) {
      llvm::errs() << "error: " << plan.message() << "\n";
      return exitInternal;
    }
    llvm::outs() << describePlan(*plan);
    return exitOk;
  };
}

Command dougong::addCheckCommand(CLI::App &app) {
  auto package = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  app.add_option("package", *package, "package folder")->required();
  app.add_flag("--json", *json, "findings and work of each rank as JSON");
  return [=] {
    Result<plan::v1::Plan> plan = readPlan(*package);
    if (!plan) {
      llvm::errs() << "error: " << plan.message() << "\n";
      return exitInputRefused;
    }
    std::vector<Finding> findings = checkPackage(*package);
    if (*json) {
      Json::Object object = planFactsToJson(*plan);
      object["findings"] = findingsToJson(findings);
      if (Result<std::vector<RankWork>> work = rankWork(*plan, {}))
        object["ranks"] = rankWorkToJson(*work);
      llvm::outs() << Json(object).print() << "\n";
    } else {
      llvm::outs() << findingsToText(findings);
    }
    return hasErrors(findings) ? exitInfeasible : exitOk;
  };
}

Command dougong::addExplainCommand(CLI::App &app) {
  auto package = std::make_shared<std::string>();
  app.add_option("package", *package, "package folder")->required();
  return [=] {
    Result<plan::v1::Plan> plan = readPlan(*package);
    if (!plan) {
      llvm::errs() << "error: " << plan.message() << "\n";
      return exitInputRefused;
    }
    llvm::outs() << describePlan(*plan);
    return exitOk;
  };
}

Command dougong::addFleetCommand(CLI::App &app) {
  app.require_subcommand(1);
  auto name = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  CLI::App *list = app.add_subcommand("list", "chips and sites of the catalogue");
  CLI::App *show = app.add_subcommand("show", "one chip or site, every figure with its provenance");
  CLI::App *check = app.add_subcommand("check", "whether a fleet file is right and plausible");
  for (CLI::App *command : {list, show, check})
    command->add_flag("--json", *json, "as JSON");
  for (CLI::App *command : {show, check})
    command->add_option("fleet", *name, "file, or a name of the catalogue")->required();
  return [=] {
    if (list->parsed())
      return ExitCode(fleet::listCommand(*json, llvm::outs(), llvm::errs()));
    if (show->parsed())
      return ExitCode(fleet::showCommand(*name, *json, llvm::outs(), llvm::errs()));
    return ExitCode(
        fleet::checkCommand(*name, *json, /*enforce=*/false, llvm::outs(), llvm::errs()));
  };
}

int main(int argc, char **argv) {
  CLI::App app("Dougong: compiles an ONNX model for a fleet of chips");
  app.require_subcommand(1);
  struct Entry {
    CLI::App *app;
    Command run;
  };
  std::vector<Entry> commands;
  auto add = [&](const char *name, const char *text, Command (*make)(CLI::App &)) {
    CLI::App *command = app.add_subcommand(name, text);
    commands.push_back({command, make(*command)});
  };
  add("compile", "model and fleet to a package", addCompileCommand);
  add("run", "run a package or a model on this machine", addRunCommand);
  add("verify", "compare a package or a model with a reference", addVerifyCommand);
  add("check", "prove a package: hashes, memory, ranks, communication", addCheckCommand);
  add("explain", "what goes where, and why", addExplainCommand);
  add("fleet", "the catalogue of chips and sites", addFleetCommand);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? exitOk : exitUsage;
  }
  for (Entry &entry : commands)
    if (entry.app->parsed())
      return entry.run();
  return exitUsage;
}
