//===- RunCommand.cpp - dougong run ---------------------------------------===//
#include "dougong/Driver/Commands.h"

#include "Options.h"
#include "Packages.h"

#include <CLI/CLI.hpp>

using namespace dougong;
namespace fs = std::filesystem;

Command dougong::addRunCommand(CLI::App &app) {
  struct Options {
    CompileOptions compile;
    std::string ranks = "threads";
    int threads = 0;
    std::vector<std::string> inputs, inputFolders;
    std::string outputs;
    bool json = false, profile = false;
    int repeat = 1;
  };
  auto options = std::make_shared<Options>();
  app.add_option("package", options->compile.model, "package folder, or ONNX model")->required();
  addListOption(app, "--input", options->inputs, "NAME=FILE (.npy or .pb), for every step");
  addListOption(app, "--inputs", options->inputFolders,
                "folder with input_0.pb, ...; may repeat: one step each, state kept between");
  app.add_option("--outputs", options->outputs, "folder for output_0.pb, ...");
  addRanksOption(app, options->ranks);
  app.add_option("--threads", options->threads, "threads of each rank; 0: cores / ranks")
      ->check(CLI::Range(0, 4096));
  app.add_option("--repeat", options->repeat, "repetitions of each step, timed")
      ->check(CLI::Range(1, 1000000));
  app.add_flag("--json", options->json, "timings as JSON");
  app.add_flag("--profile", options->profile, "where the time of each rank went");
  addCompileOptions(app, options->compile);
  app.footer(
      "Example: dougong run package --ranks mpi --inputs step0 --inputs step1 --outputs out");
  return [options] {
    TemporaryFolder folder;
    fs::path package;
    if (ExitCode code =
            preparePackage(options->compile, folder, package, /*compilesReference=*/false);
        code != exitOk)
      return code;
    unsigned mpiRanks = 0;
    if (options->ranks == "mpi" && !(mpiRanks = countRanks(package)))
      return exitInputRefused;
    std::vector<std::string> arguments = {"--ranks", options->ranks};
    auto add = [&](const char *name, const std::string &value) {
      arguments.push_back(name);
      arguments.push_back(value);
    };
    if (options->threads)
      add("--threads", std::to_string(options->threads));
    for (const std::string &input : options->inputs)
      add("--input", input);
    for (const std::string &input : options->inputFolders)
      add("--inputs", input);
    if (!options->outputs.empty())
      add("--outputs", options->outputs);
    for (const std::string &state : options->compile.states)
      add("--state", state);
    if (options->repeat > 1)
      add("--repeat", std::to_string(options->repeat));
    if (options->json)
      arguments.push_back("--json");
    if (options->compile.quiet)
      arguments.push_back("--quiet");
    if (options->profile)
      arguments.push_back("--profile");
    return ExitCode(startRunner(package, arguments, mpiRanks));
  };
}
