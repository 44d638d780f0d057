//===- Wiring.h - a plan's stages, and what feeds what ----------*- C++ -*-===//
#ifndef DOUGONG_LIB_RUNTIME_WIRING_H
#define DOUGONG_LIB_RUNTIME_WIRING_H

#include "dougong/Package/Boxes.h"
#include "dougong/Package/Plan.h"

#include <string>
#include <utility>
#include <vector>

namespace dougong {

/// Where a value comes from: an output of a stage, or an input of the model.
struct Origin {
  int stage = -1; ///< index into Wiring::stages, or -1: the model
  int index = -1; ///< of the stage's output, or of the model's input
  bool isModel() const { return stage < 0; }
  bool isSet() const { return index >= 0; }
};

/// A move of a value from a stage's output to a stage's input.
struct Link {
  Origin from;   ///< never the model
  int stage = 0; ///< the destination
  int index = 0;
  int tag = 0;          ///< of its messages; no two links share one
  bool aligned = false; ///< the same mesh and the same cut: nothing moves
  bool carried = false; ///< from the step before (a state)
};

struct WiredStage {
  const plan::v1::Stage *stage = nullptr;
  const plan::v1::Program *program = nullptr;
  const plan::v1::Mesh *mesh = nullptr;
  int firstRank = 0, ranks = 0;
  std::vector<Origin> inputs;
  /// For each input that a stage feeds, its link; -1 for the model's.
  std::vector<int> inputLinks;
  /// For each output, the links that leave it, also those of carried states.
  std::vector<std::vector<int>> outputLinks;

  bool contains(int rank) const { return rank >= firstRank && rank - firstRank < ranks; }
};

/// A value that stays on its ranks from one step to the next.
struct CarriedState {
  int input = 0;  ///< of the model
  int output = 0; ///< of the model
  /// From the output's stage to each place that takes the input.
  std::vector<int> links;
};

/// A plan with all names resolved. Refers to the plan.
struct Wiring {
  int world = 1;
  std::vector<WiredStage> stages;
  std::vector<int> order; ///< in which every rank runs its stages
  std::vector<Link> links;
  std::vector<Origin> modelOutputs;
  std::vector<CarriedState> states;
  /// For each model input, the index in `states`, or -1.
  std::vector<int> stateOfInput;
  int firstGatherTag = 0;  ///< of the messages that gather model output 0, 1, ...
  int firstExtentsTag = 0; ///< of the messages that tell extents that depend on data
  int tags = 0;            ///< how many there are
};

/// Resolves a plan; `states` are pairs of model input and output names to carry.
/// Fails, naming the place, where something is missing, is fed twice or by none,
/// disagrees in type, or waits in a circle.
Result<Wiring> wirePlan(const plan::v1::Plan &plan,
                        const std::vector<std::pair<std::string, std::string>> &states);

/// The ranks of group `axes` of the rank at `coordinates`: those that differ only
/// along `axes`, row-major with the first axis slowest.
Result<std::vector<int>> groupRanks(const plan::v1::Mesh &mesh,
                                    const std::vector<std::int64_t> &coordinates,
                                    const plan::v1::Group &group);

} // namespace dougong

#endif // DOUGONG_LIB_RUNTIME_WIRING_H
