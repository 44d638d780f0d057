//===- Commands.h - the commands of the dougong tool ------------*- C++ -*-===//
#ifndef DOUGONG_DRIVER_COMMANDS_H
#define DOUGONG_DRIVER_COMMANDS_H

#include "dougong/Pipelines/Compile.h"

#include <functional>

namespace CLI {
class App;
} // namespace CLI

namespace dougong {

/// A command registers its options with `app` and returns what runs it.
using Command = std::function<ExitCode()>;

Command addCompileCommand(CLI::App &app);
Command addRunCommand(CLI::App &app);
Command addVerifyCommand(CLI::App &app);
Command addCheckCommand(CLI::App &app);
Command addExplainCommand(CLI::App &app);
Command addExportCommand(CLI::App &app);
Command addFleetCommand(CLI::App &app);

} // namespace dougong

#endif // DOUGONG_DRIVER_COMMANDS_H
