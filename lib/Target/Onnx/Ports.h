//===- Ports.h - which rank holds what of a value ---------------*- C++ -*-===//
#ifndef DOUGONG_LIB_TARGET_ONNX_PORTS_H
#define DOUGONG_LIB_TARGET_ONNX_PORTS_H

#include "dougong/Dist/PartitionResult.h"
#include "dougong/Support/Json.h"

#include <optional>
#include <vector>

namespace dougong::exporter {

/// What a rank holds of one dim: elements [begin, end) of the whole; what its tensor
/// has more is padding.
struct DimPart {
  int64_t index, count, unit; ///< which run of how many, in blocks of `unit`
  DimExpr begin, end;
};

/// What a rank holds of each dim; nothing where that is all of it.
using RankBox = std::vector<std::optional<DimPart>>;

/// The box of a port on each rank of the mesh, in the order of ranks.
std::vector<RankBox> getBoxes(const dist::PortInfo &port, const dist::MeshInfo &mesh);

/// Ranks that differ only along `axes`, in group order, for each place on the others.
std::vector<std::vector<int64_t>> getGroups(const dist::MeshInfo &mesh,
                                            const std::vector<std::string> &axes);

int64_t countRanks(const dist::MeshInfo &mesh);

/// The number of a rank of the mesh (from 0) along `axes`, major first, and how many
/// there are.
std::pair<int64_t, int64_t> getPlace(const dist::MeshInfo &mesh, int64_t rank,
                                     const std::vector<std::string> &axes);

/// An extent in the manifest: a number, the name of a symbol, or a list of the
/// operator and its operands.
Json toJson(const DimExpr &expr);

/// null, or [begin, end].
Json toJson(const std::optional<DimPart> &part);

/// How each symbol follows from the extents of inputs, as a list of {name, input,
/// dim, plus}: that extent, and an expression over symbols before it.
Json::Array describeSymbols(const std::vector<dist::ModelPortInfo> &inputs);

/// Who holds which box of a value.
struct Holders {
  std::vector<RankBox> boxes;
  std::optional<int64_t> firstRank; ///< nothing: the model, outside all ranks
};

/// Which part of a value each source sends to each target: a list of {source,
/// target, box}; boxes are of the whole value. Of equal copies a target takes one,
/// in turn.
Json::Array describeMoves(const Holders &sources, const Holders &targets);

} // namespace dougong::exporter

#endif // DOUGONG_LIB_TARGET_ONNX_PORTS_H
