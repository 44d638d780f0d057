//===- KernelRunner.h - compiles kernels from text and calls them *- C++ -*-===//
#ifndef DOUGONG_TEST_UNIT_TARGET_KERNELRUNNER_H
#define DOUGONG_TEST_UNIT_TARGET_KERNELRUNNER_H

#include "dougong-c/program.h"
#include "dougong/Target/Cpu/CpuTarget.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace dougong::test {

/// An argument of a kernel: a buffer with its extents, or an index.
struct KernelArgument {
  void *data = nullptr;
  std::vector<int64_t> dims;
  bool isIndex = false;
  int64_t index = 0;
};

/// A kernel `@kernel_0`, compiled to a shared library and loaded. The library
/// has an entry point that takes the kernel's arguments as arrays.
class KernelRunner {
public:
  /// Compiles the module `text`. Exits the process with the message on an
  /// error when `error` is null; otherwise gives the message there.
  static std::unique_ptr<KernelRunner>
  compile(const std::string &text, const cpu::CpuOptions &options, std::string *error = nullptr);
  ~KernelRunner();

  /// Calls the kernel. Parallel loops go through `parallelFor` if it is set,
  /// else they run in chunks of `grain` on the caller.
  void run(const std::vector<KernelArgument> &arguments);

  /// Runs `body(argument, begin, end)` over [0, count) somehow.
  std::function<void(dougong_loop_body body, void *argument, int64_t count, int64_t grain)>
      parallelFor;

  /// Bytes of the library file.
  std::string bytes;
  /// Bytes of workspace that the last call needed.
  int64_t workspaceBytes = 0;

private:
  KernelRunner() = default;
  void *library = nullptr;
  std::string path;
  std::vector<char> workspace;
};

/// The assembly of the kernels in `text`.
std::string compileToAssembly(const std::string &text, const cpu::CpuOptions &options);

} // namespace dougong::test

#endif // DOUGONG_TEST_UNIT_TARGET_KERNELRUNNER_H
