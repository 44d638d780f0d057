//===- Session.h - run a package --------------------------------*- C++ -*-===//
#ifndef DOUGONG_RUNTIME_SESSION_H
#define DOUGONG_RUNTIME_SESSION_H

#include "dougong/Runtime/Executor.h"

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace dougong {

struct SessionOptions {
  /// "threads": all ranks are threads of this process. "mpi": this process is one
  /// rank, started by mpirun or srun.
  std::string backend = "threads";
  /// Threads of each rank; 0: the cores of the host / the ranks on it, at least 1.
  int threads = 0;
  std::chrono::milliseconds timeout = std::chrono::minutes(10);
  bool profile = false;
  /// States to carry beside the plan's own: pairs of model input and output.
  std::vector<std::pair<std::string, std::string>> states;
};

/// Expands "past.*=present.*" against the model's inputs and outputs: the "*" on
/// the left stands for any text, which replaces that on the right. Fails if no
/// input fits or an output is missing.
Result<std::vector<std::pair<std::string, std::string>>>
expandStates(const plan::v1::Model &model, const std::vector<std::string> &patterns);

/// A package made ready to run, with the ranks that this process has: all of them,
/// or one. Under MPI every process makes the same calls.
class Session {
public:
  virtual ~Session();
  static Result<std::unique_ptr<Session>> open(std::shared_ptr<Package> package,
                                               const SessionOptions &options);

  virtual int rank() const = 0; ///< of this process; 0 with threads
  virtual int worldSize() const = 0;
  virtual int threadsPerRank() const = 0;

  /// See Executor. An error of one rank is the session's; the session cannot be
  /// used after it (checkInputs aside).
  virtual Result<void> checkInputs(const InputTensors &inputs) = 0;
  virtual Result<void> steps(std::span<const InputTensors> inputs) = 0;
  Result<void> step(const InputTensors &inputs) { return steps({&inputs, 1}); }
  /// On rank 0's process the whole output, elsewhere an empty tensor.
  virtual Result<Tensor> fetch(int output) = 0;
  virtual void reset() = 0;
  /// Waits until every rank comes here.
  virtual Result<void> barrier() = 0;
  /// What Executor::profile says, for each rank. All processes call it.
  virtual Json profile() const = 0;
  /// Tells the other ranks that this one fails; with MPI it does not return.
  virtual void abort(const std::string &message, int exitCode) = 0;
};

} // namespace dougong

#endif // DOUGONG_RUNTIME_SESSION_H
