//===- Partitioner.h - from whole values to parts ---------------*- C++ -*-===//
#ifndef DOUGONG_LIB_DIST_PARTITION_PARTITIONER_H
#define DOUGONG_LIB_DIST_PARTITION_PARTITIONER_H

#include "Dist/IR/Layout.h"
#include "dougong/Dist/Propagation.h"
#include "dougong/Dist/Reshard.h"
#include "dougong/Dist/States.h"

#include "mlir/IR/IRMapping.h"

#include <limits>
#include <map>

namespace dougong::dist {

/// The greatest magnitude in the padding of a dim that is cut unevenly: 0 where it
/// holds zeros or there is none, infinity where it may hold anything, also NaN.
using Padding = double;
constexpr Padding zeroPadding = 0;
constexpr Padding unknownPadding = std::numeric_limits<double>::infinity();

/// A magnitude that elements of type `element` can have: numbers beyond its
/// greatest are unknown (infinite) for floats, and wrap for integers.
Padding limitPadding(Padding padding, mlir::Type element);

/// Builds the local form of a function behind the given one, which it replaces.
class Partitioner {
public:
  Partitioner(mlir::ModuleOp module, mlir::func::FuncOp main, llvm::SmallVector<MeshOp> meshes,
              llvm::SmallVector<StatePair> states);

  llvm::LogicalResult run();

  // Masks.cpp: numbers of type `type`, index vectors and extents as constants.
  mlir::Value makeScalar(mlir::Type type, double value, mlir::Location loc);
  mlir::Value makeIndexVector(llvm::ArrayRef<int64_t> values, mlir::Location loc);
  mlir::Value makeExtent(const DimExpr &extent, mlir::Location loc);

private:
  /// A value's sharding in a stage, as an attribute: unique, so it is a key too.
  using ValueKey = std::tuple<void *, int64_t, const void *>;

  // Partitioner.cpp
  llvm::LogicalResult createArguments();
  llvm::LogicalResult createStateArgument(mlir::BlockArgument argument, mlir::Value next);
  /// The stage of `made[value]`; none for an argument that has no entry.
  std::optional<int64_t> getMadeStage(mlir::Value value);
  llvm::LogicalResult partition(mlir::Operation *op);
  llvm::FailureOr<llvm::SmallVector<mlir::Value>>
  createLocal(mlir::Operation *op, const onnx::ShardingRule &rule, llvm::ArrayRef<Cut> factors,
              llvm::SmallVectorImpl<mlir::Value> &operands, llvm::ArrayRef<mlir::Type> types);
  llvm::LogicalResult partitionWithRegions(mlir::Operation *op);
  llvm::LogicalResult createReturn(mlir::Operation *op);
  void recordModelPorts();
  mlir::Value addArgument(mlir::BlockArgument argument, int64_t stage, ShardingAttr sharding);
  llvm::FailureOr<mlir::Value> materialize(mlir::Value value, int64_t stage, ShardingAttr wanted,
                                           mlir::Location loc);
  llvm::FailureOr<mlir::Value> transfer(mlir::Value value, ShardingAttr wanted, mlir::Location loc);
  llvm::FailureOr<mlir::Type> getLocal(mlir::Type global, ShardingAttr sharding,
                                       mlir::Location loc);
  MeshOp getMesh(ShardingAttr sharding) {
    return symbols.lookup<MeshOp>(sharding.getMesh().getAttr());
  }
  int64_t getCount(MeshOp mesh, llvm::ArrayRef<mlir::StringAttr> axes) {
    return mesh.getNumShards(axes).value_or(1);
  }

  // Reductions.cpp
  bool isExactScale(mlir::Operation *op);
  llvm::SmallDenseSet<unsigned> getUnreduced(mlir::Operation *op,
                                             llvm::SmallVectorImpl<PartialAttr> &pending);

  // Sources.cpp
  llvm::FailureOr<mlir::Value> makeSource(mlir::Operation *source, ShardingAttr wanted,
                                          mlir::Location loc);
  mlir::FlatSymbolRefAttr sliceWeight(onnx::WeightOp weight, ShardingAttr wanted);

  // Reshard.cpp
  llvm::FailureOr<mlir::Value> reshard(mlir::Value value, mlir::RankedTensorType global,
                                       ShardingAttr from, ShardingAttr to, mlir::Location loc);
  llvm::FailureOr<RouteFinder> getRouteFinder(mlir::RankedTensorType global, MeshOp mesh);
  llvm::SmallVector<Padding> getMovedPadding(const Move &move, const Layout &before,
                                             mlir::Value value, int64_t count);
  ShardingAttr getReduced(ShardingAttr sharding);
  llvm::SetVector<ShardingAttr> getWanted(mlir::Value value, ShardingAttr held, int64_t stage);
  llvm::FailureOr<mlir::Value> makeCopy(mlir::Value value,
                                        std::pair<mlir::Value, ShardingAttr> made, int64_t stage,
                                        ShardingAttr wanted, mlir::Location loc);
  ShardingAttr chooseArrival(mlir::Value value, ShardingAttr held, int64_t stage,
                             ShardingAttr wanted);
  llvm::FailureOr<std::pair<mlir::Value, ShardingAttr>>
  transfer(mlir::Value value, int64_t stage, ShardingAttr wanted, mlir::Location loc);

  // Attributes.cpp
  llvm::LogicalResult adjustAttributes(mlir::Operation *op, mlir::Operation *local,
                                       const onnx::ShardingRule &rule, llvm::ArrayRef<Cut> factors,
                                       MeshOp mesh);
  llvm::LogicalResult adjustShapeOperand(mlir::Operation *op,
                                         llvm::SmallVectorImpl<mlir::Value> &operands,
                                         llvm::ArrayRef<mlir::Type> resultTypes);

  // Masks.cpp
  llvm::LogicalResult maskReductions(mlir::Operation *op, const onnx::ShardingRule &rule,
                                     llvm::ArrayRef<Cut> factors, MeshOp mesh,
                                     llvm::SmallVectorImpl<mlir::Value> &operands);
  void keepOnFirstRank(mlir::Operation *op, const onnx::ShardingRule &rule,
                       llvm::ArrayRef<Cut> factors, MeshOp mesh,
                       llvm::SmallVectorImpl<mlir::Value> &operands);
  llvm::FailureOr<mlir::Value> gatherByParts(mlir::Operation *op, mlir::Value data,
                                             mlir::Value indices, mlir::Type resultType,
                                             const Cut &cut, MeshOp mesh);

  // Dispatch.cpp
  llvm::FailureOr<mlir::Value> dispatchExperts(mlir::Operation *op,
                                               llvm::ArrayRef<mlir::Value> operands,
                                               mlir::Type resultType, const Cut &cut, MeshOp mesh);

  mlir::Value maskTail(mlir::Value value, unsigned dim, const DimExpr &extent, const Cut &cut,
                       MeshOp mesh, double fill, mlir::Location loc);
  mlir::Value makeAxisIndex(llvm::ArrayRef<mlir::StringAttr> axes, MeshOp mesh, mlir::Location loc);

  // Padding.cpp
  void derivePadding(mlir::Operation *op, mlir::Operation *local, const onnx::ShardingRule &rule,
                     llvm::ArrayRef<Cut> factors, MeshOp mesh);
  Padding getPadding(mlir::Value value, unsigned dim) const;
  void setPadding(mlir::Value value, Padding padding);
  std::optional<std::pair<double, double>> getConstantRange(mlir::Value value);

  // Extents.cpp
  llvm::LogicalResult bindExtents();

  mlir::ModuleOp module;
  mlir::func::FuncOp main;
  llvm::SmallVector<MeshOp> meshes;
  llvm::SmallVector<StatePair> states;
  mlir::func::FuncOp local;
  mlir::OpBuilder builder;
  mlir::SymbolTable symbols;
  int64_t currentStage = 0;

  /// Results of local ops, and how they are held, in the stage that makes them.
  llvm::DenseMap<mlir::Value, std::pair<mlir::Value, ShardingAttr>> made;
  std::map<ValueKey, mlir::Value> cache;
  std::map<std::pair<void *, const void *>, mlir::FlatSymbolRefAttr> slicedWeights;
  llvm::DenseMap<mlir::Value, llvm::SmallVector<Padding>> paddings;
  /// How the copies of a value that a stage wants are made from each other.
  struct CopyPlan {
    llvm::SmallVector<ShardingAttr> targets;
    RouteTree tree;
  };
  llvm::DenseMap<std::pair<mlir::Value, int64_t>, CopyPlan> copies;
  /// What came to a stage from another one, and how it is held there.
  llvm::DenseMap<std::pair<mlir::Value, int64_t>, std::pair<mlir::Value, ShardingAttr>> arrivals;
  SymbolRanges ranges;
};

/// The cut of each factor of an op, from the shardings it carries.
llvm::SmallVector<Cut> recoverFactors(mlir::Operation *op, const onnx::ShardingRule &rule);

/// The sharding in list `name` of an op, or null for absent and untyped values.
ShardingAttr getListed(mlir::Operation *op, llvm::StringRef name, unsigned index);

/// The factor of a dim, if it has one.
std::optional<unsigned> getFactor(llvm::ArrayRef<llvm::SmallVector<onnx::DimFactors>> values,
                                  unsigned index, int64_t dim);

/// The sharding with all dims whole.
ShardingAttr makeWhole(MeshOp mesh, mlir::Type type);

/// The attributes of an op without those of its partition.
llvm::SmallVector<mlir::NamedAttribute> getOwnAttributes(mlir::Operation *op);

/// An operator with one result.
mlir::Value makeOp(mlir::OpBuilder &builder, mlir::Location loc, llvm::StringRef name,
                   mlir::Type type, mlir::ValueRange operands,
                   llvm::ArrayRef<mlir::NamedAttribute> attributes = {});

/// Every listed op is of these classes.
template <typename... OpTys> bool isAnyOf(mlir::Operation *op) { return llvm::isa<OpTys...>(op); }

} // namespace dougong::dist

#endif // DOUGONG_LIB_DIST_PARTITION_PARTITIONER_H
