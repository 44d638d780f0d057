//===- MicroBatch.h - the rows that go through the stages together -*- C++ -*-===//
#ifndef DOUGONG_LIB_RUNTIME_MICROBATCH_H
#define DOUGONG_LIB_RUNTIME_MICROBATCH_H

#include "dougong/Runtime/Executor.h"

#include "Mover.h"
#include "Schedule.h"
#include "Shapes.h"
#include "Wiring.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace dougong {

/// A buffer that holds this rank's part of a value.
using Part = std::shared_ptr<Buffer>;

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

/// What one rank has of a micro-batch: its extents, its values, what is under way. A
/// step without micro-batches is one of all rows.
class MicroBatch {
public:
  /// What a state is, kept from the last step; empty before the first one.
  struct Carried {
    std::optional<ShardLayout> layout;
    Part part; ///< of this rank, or null
  };

  /// The `number`-th one of a rank, which is kept by reference.
  MicroBatch(Executor::Impl &owner, int number);

  /// Begins a step with `rows` of the batch, once the other ranks have what this one
  /// sent in the last step. `given` are the model inputs of these rows, `solved` their
  /// symbols. Starts to send the carried states that other ranks or cuts need.
  Result<void> begin(const RowRange &rows, const std::vector<GivenInput> &given,
                     const SymbolValues &solved);
  /// Runs a stage of this rank. `inputs` are those of the step, with all rows.
  Result<void> runStage(int index, const InputTensors &inputs);
  /// Learns the extents that other ranks have found out, and keeps what the next step
  /// takes from this one.
  Result<void> end();
  /// Waits until the other ranks have what this one sent.
  Result<void> finishSends();
  /// Forgets the values, for a step that has no rows left for it.
  Result<void> clear();
  /// Forgets the carried states.
  void reset();

  const RowRange &rows() const { return range; }
  const ShardLayout &outputLayout(const Origin &origin) const {
    return layouts[origin.stage].outputs[origin.index];
  }
  /// This rank's part of a stage's output; null if it has none.
  Part output(const Origin &origin) const { return outputs[origin.stage][origin.index]; }
  /// By number of the state.
  const Carried &state(std::size_t index) const { return carried[index]; }
  /// The tag of its messages for one of the wiring's.
  int tagOf(int tag) const;

private:
  // MicroBatch.cpp: extents and moves.
  Result<void> setLayouts(const std::vector<GivenInput> &given, const SymbolValues &solved);
  Result<Mover *> moverOf(int link);
  Result<void> sendCarried();

  // MicroBatchStage.cpp: a stage.
  Result<Part> inputPart(int stage, int index, const InputTensors &inputs);
  Result<Part> cutInput(const ShardLayout &layout, const Tensor &tensor, int input);
  Result<Part> receivePart(int link, const ShardLayout &layout, std::size_t elementSize);
  Result<std::vector<Part>> allocateOutputs(int stage, const std::vector<std::int64_t> &inputDims);
  Result<void> takeGivenOutputs(int stage);
  Result<void> runProgram(int stage, const std::vector<Part> &inputs,
                          const std::vector<std::int64_t> &inputDims);
  Result<void> sendOutputs(int stage);

  // MicroBatchExtents.cpp: extents that depend on data.
  LateOutput *findLate(const Origin &origin);
  Result<void> setLate(LateOutput &output, std::span<const std::int64_t> extents);
  Result<void> takeExtents(int stage, int index, std::span<const std::int64_t> own);
  Result<void> tellExtents(int stage);
  Result<void> learnExtents(LateOutput &output);

  Executor::Impl &owner;
  int number;
  RowRange range;

  /// Symbol values of `layouts`: of the step in hand, or the last one.
  std::optional<SymbolValues> symbols;
  std::vector<StageLayouts> layouts;
  /// Those whose layouts are set anew in every step; in the same order on all ranks.
  std::vector<LateOutput> late;
  /// The movers of `layouts`, made when first needed, one for each link.
  std::vector<std::optional<Mover>> movers;
  std::vector<std::optional<Mover>> carriedMovers; ///< by link, of this step

  std::vector<Carried> carried;
  bool carrying = false;
  /// By stage and number, of the step in hand or the last one; null where this rank
  /// has none.
  std::vector<std::vector<Part>> outputs;
  /// What is sent stays here until the receivers have it. It is waited for only when
  /// the micro-batch comes again, so that no stage waits for those behind it, and
  /// stages that share ranks not for each other.
  std::vector<Mover::Outgoing> outgoing;
};

} // namespace dougong

#endif // DOUGONG_LIB_RUNTIME_MICROBATCH_H
