//===- Command.h - run a command and look at what it says -------*- C++ -*-===//
#ifndef DOUGONG_TEST_UNIT_RUNTIME_COMMAND_H
#define DOUGONG_TEST_UNIT_RUNTIME_COMMAND_H

#include <cstdio>
#include <string>

#include <sys/wait.h>

namespace dougong {

struct CommandResult {
  int code = -1;
  std::string output; ///< stdout and stderr
};

/// Runs a shell command.
inline CommandResult runCommand(const std::string &command) {
  CommandResult result;
  std::FILE *pipe = popen((command + " 2>&1").c_str(), "r");
  if (!pipe)
    return result;
  char buffer[4096];
  while (std::size_t size = std::fread(buffer, 1, sizeof(buffer), pipe))
    result.output.append(buffer, size);
  int status = pclose(pipe);
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return result;
}

/// The start of an mpirun command for `ranks` ranks on this host.
inline std::string mpirun(int ranks) {
  return "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 mpirun --oversubscribe "
         "--bind-to none --mca btl self,vader --mca btl_vader_single_copy_mechanism none "
         "--mca plm isolated --timeout 120 -n " +
         std::to_string(ranks) + " ";
}

} // namespace dougong

#endif // DOUGONG_TEST_UNIT_RUNTIME_COMMAND_H
