//===- Host.h - what a program sees of its host -----------------*- C++ -*-===//
//
// The dougong_host functions do not return after a failure. They record the
// message and leave the program with longjmp to where its host entered it: a
// program is plain C code without destructors.
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_LIB_RUNTIME_HOST_H
#define DOUGONG_LIB_RUNTIME_HOST_H

#include "dougong/Package/Plan.h"
#include "dougong/Runtime/Collectives.h"
#include "dougong/Runtime/Library.h"
#include "dougong/Runtime/Loader.h"
#include "dougong/Runtime/ThreadPool.h"

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace dougong {

/// What one call of a program's list cost so far.
struct CallCost {
  std::int64_t times = 0;
  double seconds = 0;      ///< waiting for other ranks included
  std::uint64_t bytes = 0; ///< that this rank gave
};

/// One stage of one rank, as its program sees it.
class ProgramHost {
public:
  /// `groups` are this rank's group numbers for the program's groups. All
  /// arguments are kept by reference.
  ProgramHost(const plan::v1::Program &program, Collectives &collectives, ThreadPool &pool,
              StringStore &strings, std::vector<int> groups);

  /// Runs the program. `arena` and the rest are as in dougong-c/program.h. Fails
  /// with the program's check that failed, or what a host function reported.
  Result<void> run(const LoadedProgram &loaded, void *arena, void *const *weights,
                   const std::int64_t *coordinates, void *const *inputs, void *const *outputs,
                   const std::int64_t *inputDims);

  /// One for each call of the program; filled when `profile` is set.
  std::vector<CallCost> costs;
  bool profile = false;

  // For the host functions.
  const plan::v1::Program &program;
  Collectives &collectives;
  ThreadPool &pool;
  StringStore &strings;
  std::vector<int> groups;
  /// Memory until the next run.
  Result<void *> allocate(std::size_t bytes);
  /// An output whose extents depend on data, as the program gave it.
  struct GivenOutput {
    const void *data = nullptr;
    std::vector<std::int64_t> dims;
  };
  std::map<std::int64_t, GivenOutput> givenOutputs; ///< by number
  /// Records the first failure of a step.
  void fail(std::string message);
  /// What was recorded.
  const std::string &failureText() const { return failure; }

private:
  std::vector<Buffer> heap;
  std::mutex mutex;
  bool failed = false;
  std::string failure;
};

/// The text of a positive code that a program returned.
std::string checkText(const plan::v1::Program &program, std::int32_t code);

} // namespace dougong

#endif // DOUGONG_LIB_RUNTIME_HOST_H
