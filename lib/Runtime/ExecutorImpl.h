//===- ExecutorImpl.h - the state of a rank ---------------------*- C++ -*-===//
#ifndef DOUGONG_LIB_RUNTIME_EXECUTORIMPL_H
#define DOUGONG_LIB_RUNTIME_EXECUTORIMPL_H

#include "dougong/Runtime/Executor.h"
#include "dougong/Runtime/Library.h"
#include "dougong/Runtime/TensorViews.h"
#include "dougong/Runtime/ThreadPool.h"

#include "Host.h"
#include "MicroBatch.h"
#include "Schedule.h"
#include "Shapes.h"
#include "Wiring.h"

#include <optional>

namespace dougong {

/// When a stage ran with a micro-batch, in seconds of a clock that all processes of the
/// host have in common.
struct StageRun {
  std::int64_t step;
  int microBatch;
  double begin, end;
};

/// Time of a stage on this rank, summed over steps.
struct StageCost {
  double receiveSeconds = 0, runSeconds = 0, sendSeconds = 0;
  std::int64_t runs = 0;          ///< of the program
  std::size_t arenaBytes = 0;     ///< the largest so far
  std::vector<StageRun> timeline; ///< in order; only with ExecutorOptions::profile
};

/// What this rank holds of a stage that it runs.
struct RankStage {
  std::shared_ptr<LoadedProgram> loaded;
  RankWeights weights;
  std::vector<std::int64_t> coordinates;
  std::unique_ptr<ProgramHost> host;
  Part arena;
  StageCost cost;
};

struct Executor::Impl {
  std::shared_ptr<Package> package;
  Collectives &collectives;
  ExecutorOptions options;
  ThreadPool pool;
  StringStore strings;
  TensorViews views; ///< of the step's inputs
  BufferPool buffers;
  Wiring wiring;
  std::vector<DimExprs> modelInputDims;
  /// For each stage the dims of its program's inputs and outputs.
  struct StageDims {
    std::vector<DimExprs> inputs, outputs;
  };
  std::vector<StageDims> stageDims;
  /// For each stage; set where this rank is in its mesh.
  std::vector<std::unique_ptr<RankStage>> stages;

  /// The symbol of the batch; empty without micro-batches.
  std::string batch;
  /// The dims of the model's inputs and outputs that are the batch.
  std::vector<std::optional<int>> inputBatchDims, outputBatchDims;
  /// As many as a step has at most, and how many of them the last one had.
  std::vector<std::unique_ptr<MicroBatch>> microBatches;
  std::size_t activeCount = 0;
  /// Whether elements point to memory of their rank.
  bool movesPointers = false;

  /// The dims of the states that the last step left, with all rows.
  std::vector<std::vector<std::int64_t>> carriedDims;
  bool carrying = false;
  bool ran = false;
  std::int64_t stepNumber = 0;

  /// Model inputs that are model outputs too, kept by rank 0 for fetch.
  std::map<int, Tensor> passedThrough;

  Impl(std::shared_ptr<Package> package, Collectives &collectives, const ExecutorOptions &options)
      : package(std::move(package)), collectives(collectives), options(options),
        pool(options.threads, options.spin) {}

  const plan::v1::Model &model() const { return package->plan().model(); }
  int rank() const { return collectives.rank(); }

  // Executor.cpp: setting up.
  Result<void> setUp();
  Result<void> setUpMicroBatches();
  Result<void> setUpStage(int index);
  Result<void> compareRanks();
  Result<void> compareGroup(int group, const std::string &text, const std::string &what);

  // ExecutorStep.cpp: steps.
  Result<std::vector<GivenInput>> givenInputs(const InputTensors &inputs) const;
  /// A part of a step: some rows, the model's inputs of these, and their symbols.
  struct StepPart {
    RowRange rows;
    std::vector<GivenInput> given;
    SymbolValues symbols;
  };
  /// The parts of a step, one for each micro-batch. Fails where the inputs are not what
  /// the model expects.
  Result<std::vector<StepPart>> cutStep(const InputTensors &inputs) const;
  Result<void> keepStates(const InputTensors &inputs, const std::vector<StepPart> &parts);
  Result<void> runTasks(const InputTensors &inputs, const std::vector<StepPart> &parts);
  Result<void> step(const InputTensors &inputs);
  Result<void> steps(std::span<const InputTensors> all);
  /// "stage 'back', rank 3, micro-batch 1 (rows 4 to 7)".
  std::string describeTask(const Task &task) const;

  // ExecutorFetch.cpp: outputs.
  Result<Tensor> fetch(int index);
  Result<std::vector<std::int64_t>> outputDims(int index) const;
  Result<Tensor> gather(int index);
  Result<void> gatherRows(int index, MicroBatch &microBatch, const std::vector<std::int64_t> &dims,
                          std::byte *to, std::vector<Mover::Outgoing> &outgoing);
  Json profile() const;
};

} // namespace dougong

#endif // DOUGONG_LIB_RUNTIME_EXECUTORIMPL_H
