//===- Boxes.h - who holds which part of a sharded value --------*- C++ -*-===//
//
// Geometry of shardings with concrete extents: the part of a value that each
// rank of a mesh holds, and the pieces that move when it is cut anew.
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_PACKAGE_BOXES_H
#define DOUGONG_PACKAGE_BOXES_H

#include "dougong/Package/plan.pb.h"
#include "dougong/Support/DimExpr.h"
#include "dougong/Support/Result.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace dougong {

/// The elements with begin[d] <= index[d] < end[d] for every dim d. A box
/// without dims holds one element.
struct Box {
  std::vector<std::int64_t> begin;
  std::vector<std::int64_t> end;

  bool empty() const;
  std::int64_t elements() const;
  /// end - begin.
  std::vector<std::int64_t> extents() const;
  bool operator==(const Box &) const = default;
};

/// The common part; empty boxes come back with end == begin.
Box intersect(const Box &a, const Box &b);

/// How a mesh's ranks are laid out: the product of its axes.
/// Fails if an axis is named twice, a size is less than 1, or the product
/// exceeds 2^31 - 1.
Result<std::int64_t> meshSize(const plan::v1::Mesh &mesh);

/// Row-major coordinates of the mesh's `index`-th rank, one for each axis.
/// `index` is the global rank minus `mesh.first_rank`, below meshSize.
std::vector<std::int64_t> meshCoordinates(const plan::v1::Mesh &mesh, std::int64_t index);

/// The common (padded) local extent of a dim of global extent `global` that is
/// cut into blocks of `unit` over `parts` ranks:
/// unit * ceildiv(ceildiv(global, unit), parts). A dim whose DimSharding names
/// no axes is not padded: its local extent is `global`.
DimExpr localExtent(const DimExpr &global, std::int64_t unit, std::int64_t parts);

/// The shape in which `Value`s name their cut.
using Sharding = google::protobuf::RepeatedPtrField<plan::v1::DimSharding>;

/// A value of concrete extents, cut by a sharding over a mesh. Owns copies.
class ShardLayout {
public:
  /// `sharding` is empty (replicated) or has one entry for each of `extents`.
  /// Fails if it names an unknown axis or uses an axis twice, or if a unit is
  /// less than 1 where axes are given, or an extent is negative.
  static Result<ShardLayout> create(const plan::v1::Mesh &mesh, const Sharding &sharding,
                                    std::span<const std::int64_t> extents);
  /// The whole value on one rank, e.g. the one that gathers a model output.
  static ShardLayout whole(std::uint32_t rank, std::span<const std::int64_t> extents);

  const std::vector<std::int64_t> &globalExtents() const { return extents; }
  /// The extents of every rank's buffer, padding included.
  const std::vector<std::int64_t> &localExtents() const { return local; }
  /// First global rank, and number of ranks, of the mesh.
  std::uint32_t firstRank() const { return first; }
  std::int64_t ranks() const { return count; }
  bool contains(std::uint32_t rank) const {
    return rank >= first && rank - first < static_cast<std::uint64_t>(count);
  }

  /// The valid elements that global rank `rank` (of this mesh) holds, in global
  /// indices. They lie at the start of its buffer: element i of the box at
  /// i - box.begin. Empty boxes have begin == end == the global extent.
  Box box(std::uint32_t rank) const;

  /// How many ways dim `d` is cut.
  std::int64_t parts(std::size_t d) const { return cuts[d].parts; }
  /// The global ranks whose shard index in each dim is `shard`, ascending: the
  /// holders of the same box.
  std::vector<std::uint32_t> holders(std::span<const std::int64_t> shard) const;
  /// The shard index in each dim of a global rank.
  std::vector<std::int64_t> shardOf(std::uint32_t rank) const;

private:
  struct Cut {
    std::vector<std::size_t> axes; // positions in `sizes`, major first
    std::int64_t parts = 1;
    std::int64_t run = 0; // elements of one part, padding included
  };

  std::vector<std::int64_t> extents, local;
  std::vector<std::int64_t> sizes; // of the mesh's axes
  std::vector<Cut> cuts;           // one for each dim
  std::uint32_t first = 0;
  std::int64_t count = 1;
};

/// Whether two values of as many dims, on one mesh, are cut in the same way. Empty
/// and axis-less shardings are the same: replicated.
bool equalSharding(const plan::v1::Value &a, const plan::v1::Value &b);

/// One move of a transfer: the elements `box` (global indices) from the buffer
/// of global rank `source` to that of `destination`. Equal ranks mean a copy
/// inside one process.
struct Piece {
  std::uint32_t source;
  std::uint32_t destination;
  Box box;
  bool operator==(const Piece &) const = default;
};

/// The pieces that fill the valid box of every destination rank, each element
/// exactly once, with the fewest elements between ranks: what a destination rank
/// holds as a source is copied there, and of several holders the one sends
/// that has the least to send so far. Ordered by destination, then by position.
/// The same on every rank that asks. Fails if the extents differ.
Result<std::vector<Piece>> planPieces(const ShardLayout &source, const ShardLayout &destination);

/// A row-major buffer that holds the elements from `origin` on (global indices).
struct BoxBuffer {
  std::span<const std::int64_t> origin;
  std::span<const std::int64_t> extents;
};

/// Copies the elements of `box` between two row-major buffers of elements of
/// `elementSize` bytes. A contiguous message is the buffer
/// {box.begin, box.extents()}; a rank's own is {layout.box(rank).begin,
/// layout.localExtents()}. The box must lie in both; the buffers not overlap.
void copyBox(const Box &box, std::size_t elementSize, const BoxBuffer &sourceLayout,
             const void *source, const BoxBuffer &destinationLayout, void *destination);

} // namespace dougong

#endif // DOUGONG_PACKAGE_BOXES_H
