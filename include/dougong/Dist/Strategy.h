//===- Strategy.h - what a person asks of the partition ---------*- C++ -*-===//
#ifndef DOUGONG_DIST_STRATEGY_H
#define DOUGONG_DIST_STRATEGY_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dougong::dist {

/// A stage: which nodes, on what mesh, from which pool of chips.
struct StageSpec {
  /// Patterns of node names (see NodePattern.h), or the one word "rest".
  std::vector<std::string> nodes;
  std::vector<std::pair<std::string, int64_t>> mesh; ///< axes, major first
  std::string on;                                    ///< pool or chip type; may be empty
  std::string where;                                 ///< "file:line", for messages
  std::vector<mlir::Operation *> ops;                ///< further nodes, whatever their names
};

/// A sharding that the user asks for. It holds, or there is an error.
struct ShardSpec {
  std::string node;                       ///< pattern of node names; empty if `role` is given
  std::string role;                       ///< e.g. "attention.output"
  mlir::Operation *op = nullptr;          ///< this node, in place of a pattern or role
  std::optional<int64_t> operand, result; ///< which value of the node; default: operand 1
  /// One entry for each dim: "_" (whole) or axes joined by "+", e.g. "dp+tp".
  std::vector<std::string> dims;
  std::string where;
};

/// How to partition a model.
struct Strategy {
  std::vector<StageSpec> stages; ///< empty: one stage, or `pipeline` of them
  int64_t pipeline = 1;          ///< equal stages to cut the model into, if `stages` is empty
  std::vector<std::pair<std::string, int64_t>> mesh; ///< of each of these
  std::vector<ShardSpec> shards;
  /// Parts of the batch that go through the stages one behind the other; 1: all rows at
  /// once.
  int64_t microBatches = 1;
  /// The device configuration of the model that says stages, meshes and further shards; empty:
  /// none.
  std::string configuration;
  /// Pools of the `pipeline` stages, one for each; empty: any.
  std::vector<std::string> pools;
  /// Axis along which the sequence is cut where weights are whole; empty: none.
  std::string sequence;
  /// Axis along which whole experts are shared out; empty: "ep". Along "dp" or "cp", which cut
  /// the rows too, each row is sent to the ranks of its experts and back.
  std::string experts;
  /// Input pattern -> output pattern of states; `*` stands for the same text.
  std::vector<std::pair<std::string, std::string>> states;

  /// Whether it leaves stages and meshes to the planner.
  bool isSilent() const {
    return stages.empty() && mesh.empty() && pipeline == 1 && configuration.empty();
  }
};

/// The most micro-batches that a strategy may ask for.
inline constexpr int64_t maxMicroBatches = 4096;

/// Reads the short form: "tp=2,pp=2,dp=2,cp=2,ep=2,sp=2,mb=4" in any order; "none" is one
/// rank. sp is sequence parallelism over the ranks of tp: their counts are equal. ep is
/// expert parallelism: over the ranks of dp or cp, of which one must have its count, if
/// either is given, else over ranks of its own. mb are the micro-batches.
llvm::Expected<Strategy> parseShortStrategy(llvm::StringRef text);
/// Reads "INPUT=OUTPUT" of the option --state into `strategy`.
llvm::Error addState(Strategy &strategy, llvm::StringRef text);
/// Reads a strategy file. Messages begin with "file:line: ".
llvm::Expected<Strategy> readStrategyFile(llvm::StringRef path);
llvm::Expected<Strategy> parseStrategy(llvm::StringRef text, llvm::StringRef fileName);

/// Declares meshes and stages in `module` and writes directives, as the pass
/// dist-plan describes. Emits errors at the nodes.
llvm::LogicalResult applyStrategy(mlir::ModuleOp module, const Strategy &strategy);

/// The extent that is the batch: what most inputs have in dim 0; a symbol beats a
/// number. Empty if no input has such a dim.
std::string getBatch(mlir::func::FuncOp main);

/// Where `pipeline` equal stages begin: numbers of the ops of `main`, constants
/// not counted.
std::vector<size_t> getStageBorders(mlir::func::FuncOp main, int64_t count);

/// A pattern of node names: `*` is any text without "/", `**` any text, `?` one
/// character, `[0-15]` a number of that range; all else stands for itself.
bool matchesNode(llvm::StringRef pattern, llvm::StringRef name);

} // namespace dougong::dist

#endif // DOUGONG_DIST_STRATEGY_H
