//===- PartitionResult.h - what packaging needs of a partition --*- C++ -*-===//
//
// The staged module (after dist-stage) as plain data, in the terms of the plan
// schema (lib/Package/plan.proto).
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_DIST_PARTITIONRESULT_H
#define DOUGONG_DIST_PARTITIONRESULT_H

#include "dougong/Support/DimExpr.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dougong::dist {

/// Ranks along named axes, row-major: rank = firstRank + index of coordinates.
struct MeshInfo {
  std::string id;
  std::vector<std::pair<std::string, int64_t>> axes;
  std::string on; ///< pool or chip type, e.g. "site::ascend"; may be empty
  int64_t firstRank = 0;
};

/// How one dim is cut (plan: DimSharding).
struct CutInfo {
  std::vector<std::string> axes;
  int64_t unit = 1;
};

/// An input or output of a program.
struct PortInfo {
  std::string name;
  mlir::RankedTensorType global, local;
  std::vector<std::string> globalDims, localDims; ///< extents, as expressions
  std::vector<CutInfo> sharding;                  ///< one for each dim
};

/// A communication, in call order (plan: Call).
struct CallInfo {
  std::string kind; ///< all_reduce, all_gather, reduce_scatter, all_to_all, ragged_all_to_all,
                    ///< permute
  std::vector<std::string> axes;
  mlir::Type elementType;
  std::string elements;  ///< per rank, as dougong_host counts them
  std::string reduction; ///< sum, max, min, prod; empty for moves
  std::string node;      ///< the ONNX node that it serves
};

/// An op that every rank computes whole although its mesh has several.
struct ReplicatedInfo {
  std::string node, reason, flops;
};

/// A node of the model, as one rank runs it (plan: Node).
struct NodeInfo {
  std::string name, op, flops;
  std::vector<std::string> outputs, weights;
};

/// What one rank does in one step, counted in the emitted program. Bytes sent
/// are those of ring algorithms.
struct WorkInfo {
  uint64_t matrixWeightBytes = 0;
  std::string matmulFlops, flops, sentBytes;
  std::vector<ReplicatedInfo> replicated;
  std::vector<NodeInfo> nodes; ///< in the order of their first op
};

/// A distinct program.
struct ProgramInfo {
  std::string name;      ///< of its module
  mlir::ModuleOp module; ///< with `@main` over local types
  std::vector<PortInfo> inputs, outputs;
  std::vector<CallInfo> calls;
  WorkInfo work;
  /// Programs of one class are the same code over other weights: they compile to
  /// one artefact.
  unsigned codeClass = 0;
};

struct StageInfo {
  std::string name;
  unsigned program = 0, mesh = 0; ///< indices
  std::vector<std::string> nodes; ///< first and last ONNX node
  mlir::Location loc;             ///< where the strategy asks for it
};

/// A port of a stage, or an input or output of the model.
struct EndInfo {
  std::optional<unsigned> stage;
  unsigned port = 0;
  std::string model;
};

/// What goes where (plan: Transfer).
struct LinkInfo {
  EndInfo from, to;
  std::string value;
};

/// An input or output of the model, whole.
struct ModelPortInfo {
  std::string name;
  mlir::RankedTensorType type;
  std::vector<std::string> dims;
};

struct PartitionResult {
  std::vector<MeshInfo> meshes;
  std::vector<ProgramInfo> programs;
  std::vector<StageInfo> stages;
  std::vector<LinkInfo> links;
  std::vector<ModelPortInfo> inputs, outputs;              ///< in graph order
  std::vector<std::pair<std::string, std::string>> states; ///< [input, output]
  int64_t microBatches = 1; ///< parts of the batch that go through the stages one by one
  std::string batch;        ///< the symbol of the batch; empty without micro-batches
  SymbolRanges ranges;      ///< of symbols; `max` may be onnx::unboundedDim
  int64_t numRanks = 0;
};

/// Reads a staged module. Emits an error if it is not one.
llvm::FailureOr<PartitionResult> getPartitionResult(mlir::ModuleOp module);

} // namespace dougong::dist

#endif // DOUGONG_DIST_PARTITIONRESULT_H
