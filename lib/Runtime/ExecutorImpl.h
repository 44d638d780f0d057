//===- ExecutorImpl.h - the state of a rank ---------------------*- C++ -*-===//
#ifndef DOUGONG_LIB_RUNTIME_EXECUTORIMPL_H
#define DOUGONG_LIB_RUNTIME_EXECUTORIMPL_H

#include "dougong/Runtime/Executor.h"
#include "dougong/Runtime/Library.h"
#include "dougong/Runtime/TensorViews.h"
#include "dougong/Runtime/ThreadPool.h"

#include "Host.h"
#include "Mover.h"
#include "Shapes.h"
#include "Wiring.h"

#include <optional>

namespace dougong {

/// A buffer that holds this rank's part of a value.
using Part = std::shared_ptr<Buffer>;

/// Time of a stage on this rank, summed over steps.
struct StageCost {
  double receiveSeconds = 0, runSeconds = 0, sendSeconds = 0;
  std::int64_t steps = 0;
  std::size_t arenaBytes = 0; ///< the largest so far
};

/// What this rank holds of a stage that it runs.
struct RankStage {
  std::shared_ptr<LoadedProgram> loaded;
  RankWeights weights;
  std::vector<std::int64_t> coordinates;
  std::unique_ptr<ProgramHost> host;
  Part arena;
  std::vector<Part> outputs; ///< of the step in hand, or the last one
  StageCost cost;
};

/// The layouts of all ports for one set of symbol values.
struct StageLayouts {
  std::vector<ShardLayout> inputs, outputs;
};

/// An output whose extents depend on data.
struct LateOutput {
  Origin origin;
  int tag = 0;        ///< of the messages that tell its extents
  bool known = false; ///< in the step in hand: its layout is set
};
/// Whether an extent holds a symbol that the inputs' dims do not tell.
bool dependOnData(const DimExprs &dims, const SymbolValues &symbols);
/// Fails if the value is cut along an extent that depends on data.
Result<void> checkCutOfData(const plan::v1::Value &value, const DimExprs &dims,
                            const SymbolValues &symbols);

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

  /// Symbol values of `layouts`: of the step in hand, or the last one.
  std::optional<SymbolValues> symbols;
  std::vector<StageLayouts> layouts;
  /// Those whose layouts are set anew in every step; in the same order on all ranks.
  std::vector<LateOutput> late;
  /// The movers of `layouts`, made when first needed, one for each link.
  std::vector<std::optional<Mover>> movers;

  /// Carried from the last step; empty before the first one.
  struct Carried {
    std::vector<std::int64_t> dims; ///< global
    std::optional<ShardLayout> layout;
    Part part; ///< of this rank, or null
  };
  std::vector<Carried> carried;
  std::vector<std::optional<Mover>> carriedMovers; ///< by link, of this step
  bool carrying = false;
  bool ran = false;

  /// Model inputs that are model outputs too, kept by rank 0 for fetch.
  std::map<int, Tensor> passedThrough;

  Impl(std::shared_ptr<Package> package, Collectives &collectives, const ExecutorOptions &options)
      : package(std::move(package)), collectives(collectives), options(options),
        pool(options.threads, options.spin) {}

  const plan::v1::Model &model() const { return package->plan().model(); }
  int rank() const { return collectives.rank(); }

  // Executor.cpp: setting up.
  Result<void> setUp();
  Result<void> setUpStage(int index);
  Result<void> compareRanks();
  Result<void> compareGroup(int group, const std::string &text, const std::string &what);

  // ExecutorStep.cpp: one step.
  Result<std::vector<GivenInput>> givenInputs(const InputTensors &inputs) const;
  Result<void> setLayouts(const std::vector<GivenInput> &given);
  Result<void> sendCarried(std::vector<Mover::Outgoing> &outgoing);
  Result<void> runStage(int index, const InputTensors &inputs,
                        std::vector<Mover::Outgoing> &outgoing);
  Result<Part> inputPart(int stage, int index, const InputTensors &inputs);
  Result<Part> cutInput(const ShardLayout &layout, const Tensor &tensor, std::int32_t dtype);
  Result<Part> receivePart(int link, const ShardLayout &layout, std::size_t elementSize);
  Result<std::vector<Part>> allocateOutputs(int stage, const std::vector<std::int64_t> &inputDims);
  Result<void> takeGivenOutputs(int stage);
  Result<Mover *> moverOf(int link);
  Result<void> keepStates(const InputTensors &inputs);
  Result<void> step(const InputTensors &inputs);

  // ExecutorExtents.cpp: extents that depend on data.
  LateOutput *findLate(const Origin &origin);
  Result<void> setLate(LateOutput &output, std::span<const std::int64_t> extents);
  Result<void> takeExtents(int stage, int index, std::span<const std::int64_t> own);
  Result<void> tellExtents(int stage, std::vector<Mover::Outgoing> &outgoing);
  Result<void> learnExtents(LateOutput &output);

  // ExecutorFetch.cpp: outputs.
  Result<Tensor> fetch(int index);
  Json profile() const;
};

} // namespace dougong

#endif // DOUGONG_LIB_RUNTIME_EXECUTORIMPL_H
