//===- Executor.h - run the steps of one rank -------------------*- C++ -*-===//
#ifndef DOUGONG_RUNTIME_EXECUTOR_H
#define DOUGONG_RUNTIME_EXECUTOR_H

#include "dougong/Runtime/Collectives.h"
#include "dougong/Runtime/Loader.h"
#include "dougong/Runtime/Tensor.h"
#include "dougong/Support/Json.h"

#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace dougong {

/// Whole tensors by the name of the model input.
using InputTensors = std::map<std::string, Tensor>;

struct ExecutorOptions {
  int threads = 1;   ///< of this rank's loops, the caller included
  bool spin = false; ///< see ThreadPool
  bool profile = false;
  /// Model output -> model input pairs (input first) that stay on their ranks
  /// between steps.
  std::vector<std::pair<std::string, std::string>> states;
};

/// Runs the stages of one rank. All ranks of the world create one, and then call
/// steps, fetch and reset the same number of times in the same order.
class Executor {
public:
  /// Loads this rank's programs and weights and makes its groups. Collective;
  /// fails where the plan cannot run, and where ranks were started with different
  /// plans or call sequences.
  static Result<std::unique_ptr<Executor>> create(std::shared_ptr<Package> package,
                                                  Collectives &collectives,
                                                  const ExecutorOptions &options);
  ~Executor();

  /// The number of ranks that a plan needs.
  static Result<int> worldSize(const plan::v1::Plan &plan);

  /// Checks types and shapes of a step's inputs without running anything. Inputs
  /// that are carried from the step before need not be given, and are ignored.
  Result<void> checkInputs(const InputTensors &inputs) const;

  /// Runs steps, one after the other. Every rank gets all inputs, whole, and takes its
  /// part. The outputs of the last step stay where they are made. A rank begins a step
  /// when it has done its own part of the one before, and ends when the others have
  /// what it sent: until then the inputs must live.
  Result<void> steps(std::span<const InputTensors> inputs);

  /// Brings model output `index` of the last step together on rank 0; other ranks
  /// get an empty tensor. Collective.
  Result<Tensor> fetch(int index);

  /// Forgets the carried states: the next step is given all inputs.
  void reset();

  /// Seconds and counts of this rank so far: stages (receive, run, send), their calls,
  /// and when each ran (timeline: step, micro-batch, begin and end). The last two are
  /// there only with ExecutorOptions::profile.
  Json profile() const;

  struct Impl;

private:
  explicit Executor(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl;
};

} // namespace dougong

#endif // DOUGONG_RUNTIME_EXECUTOR_H
