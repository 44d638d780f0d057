//===- Reshard.h - the cheapest way between two layouts ---------*- C++ -*-===//
#ifndef DOUGONG_DIST_RESHARD_H
#define DOUGONG_DIST_RESHARD_H

#include "Dist/IR/Dist.h"

#include "dougong/Support/DimExpr.h"

namespace dougong::dist {

/// How one dim is held: see `#dist.cut`. Axes are numbers in the mesh.
struct DimLayout {
  llvm::SmallVector<unsigned, 2> axes; ///< major first; empty: whole
  int64_t unit = 1;
};

/// How a value is held by the ranks of a mesh: see `#dist.sharding`.
struct Layout {
  llvm::SmallVector<DimLayout, 4> dims;
  /// Axes along which it is still to be reduced.
  llvm::SmallVector<std::pair<unsigned, Reduction>, 2> partial;
};

enum class MoveKind { Slice, AllGather, AllToAll, ReduceScatter, AllReduce, Permute };

/// One step: an op of the dist dialect.
struct Move {
  MoveKind kind;
  llvm::SmallVector<unsigned, 2> axes; ///< of the group, in its order
  llvm::SmallVector<unsigned, 2> from; ///< Permute: the order that gives the senders
  unsigned dim = 0;                    ///< that is cut or joined; AllToAll: cut
  unsigned concat = 0;                 ///< AllToAll: the dim that is joined
  Reduction reduction = Reduction::Sum;
  Layout after;
};

/// What a way costs; compared in this order.
struct MoveCost {
  int64_t bytes = 0; ///< that a rank sends, by ring algorithms
  int64_t steps = 0; ///< all ops
  int64_t calls = 0; ///< ops that communicate

  auto operator<=>(const MoveCost &) const = default;
  MoveCost operator+(const MoveCost &other) const {
    return {bytes + other.bytes, steps + other.steps, calls + other.calls};
  }
};

struct Route {
  llvm::SmallVector<Move> moves;
  MoveCost cost;
};

/// Finds cheapest ways between layouts of one value: Dijkstra's algorithm over
/// layouts, by the ops of the dist dialect.
///
/// A group of n ranks sends, each rank, with L bytes held before and R after:
/// all-reduce 2 (n - 1) / n L, all-gather (n - 1) L, reduce-scatter (n - 1) R,
/// all-to-all (n - 1) times the part for one peer, permute L, slice nothing.
///
/// That whole axes of a mesh can be without any data (a dim of fewer blocks than
/// ranks, cut along several axes) is not made use of.
class RouteFinder {
public:
  /// A value of these extents on a mesh of these axis sizes. Symbols of extents
  /// count as their value in `nominal` (1024 where there is none): they decide
  /// what is cheap, not what is legal.
  RouteFinder(llvm::ArrayRef<int64_t> axisSizes, llvm::ArrayRef<DimExpr> extents,
              int64_t elementBytes, SymbolValues nominal = {});

  /// The cheapest way. There always is one, for a target that is not partial
  /// along an axis of which the source has no contributions.
  Route find(const Layout &from, const Layout &to);

  /// Bytes of a rank's part.
  int64_t getBytes(const Layout &layout);
  /// The local extent of a dim under a layout.
  DimExpr getExtent(unsigned dim, const DimLayout &layout) const;

private:
  friend class RouteSearch;
  int64_t getCount(llvm::ArrayRef<unsigned> axes) const;
  int64_t evaluate(const DimExpr &extent);

  llvm::SmallVector<int64_t> axisSizes;
  llvm::SmallVector<DimExpr> extents;
  int64_t elementBytes;
  SymbolValues nominal;
};

/// A choice of ways from one layout to several others, of which each may start
/// at the source or at another one.
struct RouteTree {
  /// The target that each one is made from; none: from the source.
  llvm::SmallVector<std::optional<unsigned>> parents;
  /// Whether a target is made: an optional one need not be.
  llvm::SmallVector<bool> made;
  MoveCost cost;
};

/// The cheapest tree over `targets`, exact for up to five of them; the last one
/// need not be made if `lastIsOptional`.
RouteTree findRouteTree(RouteFinder &finder, const Layout &source, llvm::ArrayRef<Layout> targets,
                        bool lastIsOptional);

} // namespace dougong::dist

#endif // DOUGONG_DIST_RESHARD_H
