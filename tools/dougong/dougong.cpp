//===- dougong.cpp - the driver -------------------------------------------===//
#include "dougong/Driver/Commands.h"
#include "dougong/Support/Cleanup.h"
#include "dougong/Support/Text.h"
#include "dougong/Version.h"

#include <CLI/CLI.hpp>

#include "llvm/Config/llvm-config.h"
#include "llvm/Support/raw_ostream.h"

#include <iostream>

using namespace dougong;

static const char exitCodes[] =
    "Exit codes: 0 done; 2 command line, or a place that cannot be written; 3 model, fleet,\n"
    "strategy or input refused; 4 nothing fits, or a package is refused; 5 a program failed,\n"
    "or verify found a difference; 6 a defect of Dougong";

/// One line in the style of all other errors, and where to look.
static int fail(const CLI::App &app, const CLI::ParseError &error) {
  std::string what = error.what();
  if (app.get_subcommands().empty() && !app.remaining().empty())
    what = "there is no command '" + app.remaining().front() + "'";
  std::string line = escapeControl(llvm::StringRef(what).trim());
  llvm::StringRef text = line;
  const CLI::App *command = &app;
  while (!command->get_subcommands().empty())
    command = command->get_subcommands().front();
  std::string name = command->get_name();
  for (const CLI::App *parent = command->get_parent(); parent; parent = parent->get_parent())
    name = parent->get_name() + " " + name;
  // CLI11's sentences begin with a capital letter; names of options do not.
  llvm::errs() << "error: " << char(std::tolower(text.front())) << text.drop_front() << "\nnote: '"
               << name << " --help' lists what it takes\n";
  return exitUsage;
}

/// No option and no argument means anything by an empty text.
static void refuseEmptyValues(CLI::App &command) {
  for (CLI::Option *option : command.get_options())
    if (option->get_items_expected_max() > 0)
      option->check([](const std::string &text) {
        return std::string(text.empty() ? "expected a value, got ''" : "");
      });
  for (CLI::App *inner : command.get_subcommands([](CLI::App *) { return true; }))
    refuseEmptyValues(*inner);
}

/// What was printed must have arrived: LLVM would end the process otherwise.
static int finishOutput(int code) {
  llvm::outs().flush();
  if (!llvm::outs().has_error())
    return code;
  llvm::errs() << "error: standard output cannot be written: " << llvm::outs().error().message()
               << "\n";
  llvm::outs().clear_error();
  return code == exitOk ? exitUsage : code;
}

int main(int argc, char **argv) {
  installInterruptCleanup();
  CLI::App app("Dougong: compiles an ONNX model for a fleet of chips", "dougong");
  app.require_subcommand(1);
  app.set_version_flag("--version", "dougong " DOUGONG_VERSION " (LLVM " LLVM_VERSION_STRING ")");
  app.footer(std::string("Example: dougong run model.onnx --inputs data --outputs out\n\n") +
             exitCodes);
  struct Entry {
    CLI::App *app;
    Command run;
  };
  std::vector<Entry> commands;
  auto add = [&](const char *name, const char *text, Command (*make)(CLI::App &)) {
    CLI::App *command = app.add_subcommand(name, text);
    commands.push_back({command, make(*command)});
    refuseEmptyValues(*command);
    command->footer(command->get_footer() + "\n\n" + exitCodes);
  };
  add("compile", "model and fleet to a package", addCompileCommand);
  add("run", "run a package or a model on this machine", addRunCommand);
  add("verify", "compare a package or a model with a reference", addVerifyCommand);
  add("check", "prove a package: hashes, memory, ranks, communication", addCheckCommand);
  add("explain", "what goes where, and why", addExplainCommand);
  add("export", "a partitioned model as standard files", addExportCommand);
  add("fleet", "the catalogue of chips and sites", addFleetCommand);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success &request) { // --help, --version
    return app.exit(request, std::cout, std::cerr);
  } catch (const CLI::ParseError &error) {
    return fail(app, error);
  }
  for (Entry &entry : commands)
    if (entry.app->parsed())
      return finishOutput(entry.run());
  return exitUsage;
}
