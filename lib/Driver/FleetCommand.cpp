//===- FleetCommand.cpp - dougong fleet -----------------------------------===//
#include "dougong/Driver/Commands.h"

#include "dougong/Fleet/Commands.h"

#include <CLI/CLI.hpp>

using namespace dougong;

Command dougong::addFleetCommand(CLI::App &app) {
  struct Options {
    std::string name;
    bool json = false, enforce = false;
  };
  auto options = std::make_shared<Options>();
  app.require_subcommand(1);
  CLI::App *list = app.add_subcommand("list", "chips and sites of the catalogue");
  CLI::App *show = app.add_subcommand("show", "one chip or site, every figure with its provenance");
  CLI::App *check = app.add_subcommand("check", "whether a fleet file is right and plausible");
  for (CLI::App *command : {list, show, check})
    command->add_flag("--json", options->json, "as JSON");
  for (CLI::App *command : {show, check})
    command->add_option("fleet", options->name, "file, or a name of the catalogue")->required();
  check->add_flag("--enforce", options->enforce,
                  "exit with 3 where a policy of the fleet is not met");
  list->footer("Example: dougong fleet list --json");
  show->footer("Example: dougong fleet show ascend-910b3");
  check->footer("Example: dougong fleet check site.yaml --enforce");
  app.footer("Example: dougong fleet check shaoguan-10k");
  return [=] {
    if (list->parsed())
      return ExitCode(fleet::listCommand(options->json, llvm::outs(), llvm::errs()));
    if (show->parsed())
      return ExitCode(fleet::showCommand(options->name, options->json, llvm::outs(), llvm::errs()));
    return ExitCode(fleet::checkCommand(options->name, options->json, options->enforce,
                                        llvm::outs(), llvm::errs()));
  };
}
