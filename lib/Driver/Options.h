//===- Options.h - options that commands share ------------------*- C++ -*-===//
#ifndef DOUGONG_LIB_DRIVER_OPTIONS_H
#define DOUGONG_LIB_DRIVER_OPTIONS_H

#include "dougong/Pipelines/Compile.h"

#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
} // namespace CLI

namespace dougong {

/// Options that say how a model is partitioned, and what is told on the way.
void addPartitionOptions(CLI::App &app, CompileOptions &options);

/// Options of `compile` that `run` and `verify` share: the same, and the target.
void addCompileOptions(CLI::App &app, CompileOptions &options);

/// An option that may repeat and takes one value each time, so that what follows
/// may be an argument.
CLI::Option *addListOption(CLI::App &app, const char *name, std::vector<std::string> &values,
                           const char *text);

/// The same for values that may also come several at once, with commas between.
void addCommaOption(CLI::App &app, const char *name, std::vector<std::string> &values,
                    const char *text);

/// --ranks threads|mpi.
void addRanksOption(CLI::App &app, std::string &ranks);

} // namespace dougong

#endif // DOUGONG_LIB_DRIVER_OPTIONS_H
