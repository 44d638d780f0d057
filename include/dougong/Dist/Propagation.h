//===- Propagation.h - from few cuts to all values --------------*- C++ -*-===//
#ifndef DOUGONG_DIST_PROPAGATION_H
#define DOUGONG_DIST_PROPAGATION_H

#include "Dist/IR/Dist.h"

#include "dougong/Support/DimExpr.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

#include <deque>

namespace dougong::dist {

/// How one dim, or one factor of a rule, is cut. See `#dist.cut`.
struct Cut {
  llvm::SmallVector<mlir::StringAttr, 2> axes; ///< major first; empty: whole
  int64_t unit = 1;                            ///< elements of a block

  bool operator==(const Cut &) const = default;
};

/// One cut for each dim of a value.
using Cuts = llvm::SmallVector<Cut, 4>;

/// Whether an op makes its value of nothing but constants: weights, constants,
/// absent operands, extents. Such values are made anew wherever they are used,
/// cut as the user wants, and belong to no stage.
bool isSource(mlir::Operation *op);

/// The number of the stage of an op (attribute `dist.stage`, 0 without it).
int64_t getStage(mlir::Operation *op);

/// The meshes of the stages of a module, in the order of the `dist.stage` ops.
/// Emits an error if there is none.
llvm::FailureOr<llvm::SmallVector<MeshOp>> getStageMeshes(mlir::ModuleOp module);

/// The function of a model: the only public one, or `@main`. Emits an error if
/// it is missing or has several blocks.
llvm::FailureOr<mlir::func::FuncOp> getMainFunction(mlir::ModuleOp module);

ShardingAttr makeSharding(MeshOp mesh, const Cuts &cuts, llvm::ArrayRef<PartialAttr> partial = {});
Cuts getCuts(ShardingAttr sharding);

/// Completes the shardings of a function. Cuts start from directives and spread
/// over the sharding rules of the ops, forward and backward, until nothing
/// changes. They only grow: axes are added to dims that have none (or a prefix
/// of them), and the blocks of a dim become common multiples. The first cut that
/// reaches a factor stays; a later one that contradicts it ends there, and the
/// partitioner moves the data.
///
/// A value has one sharding in each stage that uses it; between stages nothing
/// spreads.
class Propagation {
public:
  /// `meshes` are those of the stages, by number. The function must be of one
  /// block, without calls.
  Propagation(mlir::func::FuncOp main, llvm::ArrayRef<MeshOp> meshes);

  /// Cuts a factor of an op's rule along `axes`. Returns why not, if it cannot
  /// be: the reason goes behind "cannot cut ...: ".
  std::optional<std::string> cutFactor(mlir::Operation *op, unsigned factor,
                                       llvm::ArrayRef<mlir::StringAttr> axes, int64_t unit = 1);
  /// Cuts a dim of an operand or a result by the factor that it belongs to.
  std::optional<std::string> cutOperand(mlir::Operation *op, unsigned operand, unsigned dim,
                                        const Cut &cut);
  std::optional<std::string> cutResult(mlir::Operation *op, unsigned result, unsigned dim,
                                       const Cut &cut);
  /// Cuts a dim of a function argument, in every stage whose mesh has the axes.
  std::optional<std::string> cutArgument(mlir::BlockArgument argument, unsigned dim,
                                         const Cut &cut);
  /// Takes over the shardings that ops and arguments carry as attributes. Emits
  /// an error for one that an op's rule does not allow.
  llvm::LogicalResult readDirectives();
  /// Keeps the cuts of two values of one stage equal (state between steps).
  void tie(mlir::Value a, mlir::Value b) { ties.emplace_back(a, b); }

  /// Spreads all cuts until nothing changes.
  void run();

  /// Nothing spreads over a result any more: users hold it as they like, and the
  /// partitioner moves the data.
  void close(mlir::Value result);

  /// Changes from here on can be taken back.
  void beginTrial();
  /// Ops whose cuts changed since beginTrial.
  llvm::SetVector<mlir::Operation *> getTouched() const;
  /// Values of `touched` ops that a user must gather.
  unsigned countGathers(const llvm::SetVector<mlir::Operation *> &touched) const;
  void endTrial(bool keep);

  /// What an op wants of an operand, and how it leaves a result.
  Cuts getOperandCuts(mlir::Operation *op, unsigned operand) const;
  Cuts getResultCuts(mlir::Operation *op, unsigned result) const;
  /// How a value is held in a stage (arguments: how it is best delivered).
  Cuts getValueCuts(mlir::Value value, int64_t stage) const;
  const Cut &getFactorCut(mlir::Operation *op, unsigned factor) const;
  const onnx::ShardingRule &getRule(mlir::Operation *op) const;
  MeshOp getMesh(mlir::Operation *op) const { return meshes[getStage(op)]; }

  /// Writes `dist.in` and `dist.out` to all ops, `dist.sharding` to arguments
  /// and results, and `dist.replicated` where a rule allows no cut.
  void writeAttributes();

private:
  struct OpState {
    onnx::ShardingRule rule;
    llvm::SmallVector<Cut> factors;
  };
  using ValueKey = std::pair<mlir::Value, int64_t>;

  bool visit(mlir::Operation *op);
  bool mergeIntoFactor(mlir::Operation *op, OpState &state, unsigned factor, const Cut &cut,
                       int64_t unit);
  bool mergeIntoDim(ValueKey key, unsigned dim, const Cut &factor, int64_t unit);
  bool exchange(mlir::Operation *op, OpState &state, ValueKey key,
                llvm::ArrayRef<onnx::DimFactors> dims);
  std::optional<std::string> checkFactor(mlir::Operation *op, const OpState &state, unsigned factor,
                                         const Cut &cut) const;
  std::optional<std::string> cutDim(mlir::Operation *op, llvm::ArrayRef<onnx::DimFactors> dims,
                                    unsigned dim, const Cut &cut);
  Cuts getDimCuts(const OpState &state, llvm::ArrayRef<onnx::DimFactors> dims) const;
  void enqueue(mlir::Operation *op);
  void enqueueUsers(ValueKey key);
  bool mergeTies();

  mlir::func::FuncOp main;
  llvm::SmallVector<MeshOp> meshes;
  llvm::MapVector<mlir::Operation *, OpState> ops;
  llvm::DenseMap<ValueKey, Cuts> values;
  std::deque<mlir::Operation *> worklist;
  llvm::DenseSet<mlir::Operation *> queued;
  llvm::DenseSet<mlir::Value> closed;
  bool started = false;

  /// An old cut: of a factor of an op, or of a dim of a value.
  struct Change {
    mlir::Operation *op;
    ValueKey key;
    unsigned index;
    Cut old;
  };
  bool inTrial = false;
  llvm::SmallVector<Change> changes;
  llvm::SmallVector<std::pair<mlir::Value, mlir::Value>> ties;
};

} // namespace dougong::dist

#endif // DOUGONG_DIST_PROPAGATION_H
