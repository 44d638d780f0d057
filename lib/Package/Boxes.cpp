//===- Boxes.cpp - who holds which part of a sharded value ----------------===//

#include "dougong/Package/Boxes.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <set>
#include <tuple>

namespace dougong {

using Index = std::int64_t;
using Indices = std::vector<Index>;

static std::string quoted(const std::string &text) { return "'" + text + "'"; }

//===----------------------------------------------------------------------===//
// Box
//===----------------------------------------------------------------------===//

bool Box::empty() const {
  for (std::size_t d = 0; d != begin.size(); ++d)
    if (begin[d] >= end[d])
      return true;
  return false;
}

std::int64_t Box::elements() const {
  if (empty())
    return 0;
  Index count = 1;
  for (std::size_t d = 0; d != begin.size(); ++d)
    count *= end[d] - begin[d];
  return count;
}

std::vector<std::int64_t> Box::extents() const {
  Indices result(begin.size());
  for (std::size_t d = 0; d != begin.size(); ++d)
    result[d] = end[d] - begin[d];
  return result;
}

Box intersect(const Box &a, const Box &b) {
  Box result = a;
  for (std::size_t d = 0; d != a.begin.size(); ++d) {
    result.begin[d] = std::max(a.begin[d], b.begin[d]);
    result.end[d] = std::max(result.begin[d], std::min(a.end[d], b.end[d]));
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Meshes
//===----------------------------------------------------------------------===//

Result<std::int64_t> meshSize(const plan::v1::Mesh &mesh) {
  Index size = 1;
  std::set<std::string> names;
  for (const plan::v1::Axis &axis : mesh.axes()) {
    if (!names.insert(axis.name()).second)
      return Error{"axis " + quoted(axis.name()) + " of mesh " + quoted(mesh.id()) +
                   " is named twice"};
    if (axis.size() < 1)
      return Error{"axis " + quoted(axis.name()) + " of mesh " + quoted(mesh.id()) +
                   " must have a size of at least 1, got " + std::to_string(axis.size())};
    if (__builtin_mul_overflow(size, axis.size(), &size) ||
        size > std::numeric_limits<std::int32_t>::max())
      return Error{"mesh " + quoted(mesh.id()) + " has more than 2^31 - 1 ranks"};
  }
  return size;
}

/// The row-major coordinates of `index` in a box of `sizes`.
static Indices coordinatesOf(Index index, std::span<const Index> sizes) {
  Indices coordinates(sizes.size());
  for (std::size_t d = sizes.size(); d-- != 0;) {
    coordinates[d] = index % sizes[d];
    index /= sizes[d];
  }
  return coordinates;
}

std::vector<std::int64_t> meshCoordinates(const plan::v1::Mesh &mesh, std::int64_t index) {
  Indices sizes;
  for (const plan::v1::Axis &axis : mesh.axes())
    sizes.push_back(axis.size());
  return coordinatesOf(index, sizes);
}

DimExpr localExtent(const DimExpr &global, std::int64_t unit, std::int64_t parts) {
  return unit * ceilDiv(ceilDiv(global, unit), parts);
}

//===----------------------------------------------------------------------===//
// ShardLayout
//===----------------------------------------------------------------------===//

Result<ShardLayout> ShardLayout::create(const plan::v1::Mesh &mesh, const Sharding &sharding,
                                        std::span<const std::int64_t> extents) {
  auto size = meshSize(mesh);
  if (!size)
    return size.takeError();
  if (!sharding.empty() && sharding.size() != static_cast<int>(extents.size()))
    return Error{"sharding has " + std::to_string(sharding.size()) + " dims, the value has " +
                 std::to_string(extents.size())};

  ShardLayout layout;
  layout.first = mesh.first_rank();
  layout.count = *size;
  for (const plan::v1::Axis &axis : mesh.axes())
    layout.sizes.push_back(axis.size());
  layout.extents.assign(extents.begin(), extents.end());
  layout.cuts.resize(extents.size());
  layout.local = layout.extents;

  std::set<std::size_t> used;
  for (std::size_t d = 0; d != extents.size(); ++d) {
    Cut &cut = layout.cuts[d];
    cut.run = extents[d];
    if (extents[d] < 0)
      return Error{"extent of dim " + std::to_string(d) +
                   " is negative: " + std::to_string(extents[d])};
    if (sharding.empty() || sharding[d].axes().empty())
      continue;

    for (const std::string &name : sharding[d].axes()) {
      auto axis = std::find_if(mesh.axes().begin(), mesh.axes().end(),
                               [&](const plan::v1::Axis &a) { return a.name() == name; });
      if (axis == mesh.axes().end())
        return Error{"mesh " + quoted(mesh.id()) + " has no axis " + quoted(name)};
      std::size_t position = axis - mesh.axes().begin();
      if (!used.insert(position).second)
        return Error{"axis " + quoted(name) + " cuts the value twice"};
      cut.axes.push_back(position);
      cut.parts *= axis->size();
    }
    Index unit = sharding[d].unit();
    if (unit < 1)
      return Error{"unit of dim " + std::to_string(d) + " must be at least 1, got " +
                   std::to_string(unit)};
    auto run = localExtent(extents[d], unit, cut.parts).evaluate({});
    if (!run)
      return run.takeError();
    layout.local[d] = cut.run = *run;
  }
  return layout;
}

ShardLayout ShardLayout::whole(std::uint32_t rank, std::span<const std::int64_t> extents) {
  ShardLayout layout;
  layout.first = rank;
  layout.extents.assign(extents.begin(), extents.end());
  layout.local = layout.extents;
  layout.cuts.resize(extents.size());
  for (std::size_t d = 0; d != extents.size(); ++d)
    layout.cuts[d].run = extents[d];
  return layout;
}

std::vector<std::int64_t> ShardLayout::shardOf(std::uint32_t rank) const {
  Indices coordinates = coordinatesOf(rank - first, sizes);
  Indices shard(cuts.size());
  for (std::size_t d = 0; d != cuts.size(); ++d)
    for (std::size_t axis : cuts[d].axes)
      shard[d] = shard[d] * sizes[axis] + coordinates[axis];
  return shard;
}

/// The elements of part `index` of a dim that is cut into runs of `run`.
static std::pair<Index, Index> partBounds(Index index, Index run, Index extent) {
  Index begin = extent, end = extent;
  // Parts past the end are empty; index * run may not even fit an Index there.
  if (run != 0 && index <= extent / run) {
    begin = index * run;
    end = run > extent - begin ? extent : begin + run;
  }
  return {begin, end};
}

Box ShardLayout::box(std::uint32_t rank) const {
  Indices shard = shardOf(rank);
  Box box{Indices(cuts.size()), Indices(cuts.size())};
  for (std::size_t d = 0; d != cuts.size(); ++d)
    std::tie(box.begin[d], box.end[d]) = partBounds(shard[d], cuts[d].run, extents[d]);
  return box;
}

std::vector<std::uint32_t> ShardLayout::holders(std::span<const std::int64_t> shard) const {
  // Coordinates on the axes that cut are given by the shard index ...
  Indices fixed(sizes.size(), 0);
  std::vector<bool> cutting(sizes.size(), false);
  for (std::size_t d = 0; d != cuts.size(); ++d) {
    Index index = shard[d];
    for (std::size_t i = cuts[d].axes.size(); i-- != 0;) {
      std::size_t axis = cuts[d].axes[i];
      fixed[axis] = index % sizes[axis];
      index /= sizes[axis];
      cutting[axis] = true;
    }
  }
  // ... and every combination on the other axes holds a copy.
  std::vector<std::uint32_t> ranks = {0};
  for (std::size_t axis = 0; axis != sizes.size(); ++axis) {
    std::vector<std::uint32_t> extended;
    for (std::uint32_t rank : ranks)
      for (Index i = cutting[axis] ? fixed[axis] : 0,
                 end = cutting[axis] ? fixed[axis] + 1 : sizes[axis];
           i != end; ++i)
        extended.push_back(static_cast<std::uint32_t>(rank * sizes[axis] + i));
    ranks = std::move(extended);
  }
  for (std::uint32_t &rank : ranks)
    rank += first;
  return ranks;
}

//===----------------------------------------------------------------------===//
// Transfers
//===----------------------------------------------------------------------===//

bool equalSharding(const plan::v1::Value &a, const plan::v1::Value &b) {
  auto cut = [](const plan::v1::Value &value, int d) {
    return d < value.sharding_size() && !value.sharding(d).axes().empty() ? &value.sharding(d)
                                                                          : nullptr;
  };
  for (int d = 0; d != a.dims_size(); ++d) {
    const plan::v1::DimSharding *x = cut(a, d), *y = cut(b, d);
    if (!x != !y)
      return false;
    if (x && (x->unit() != y->unit() ||
              !std::equal(x->axes().begin(), x->axes().end(), y->axes().begin(), y->axes().end())))
      return false;
  }
  return true;
}

Result<std::vector<Piece>> planPieces(const ShardLayout &source, const ShardLayout &destination) {
  const Indices &extents = source.globalExtents();
  if (extents != destination.globalExtents())
    return Error{"the two ends of a transfer have different extents"};
  const std::size_t dims = extents.size();

  std::vector<Piece> pieces;
  std::vector<Index> load(static_cast<std::size_t>(source.ranks()), 0); // elements sent so far
  for (Index i = 0; i != destination.ranks(); ++i) {
    auto receiver = static_cast<std::uint32_t>(destination.firstRank() + i);
    const Box wanted = destination.box(receiver);
    if (wanted.empty())
      continue;

    // Shard indices of the source that meet the wanted box, in each dim.
    Indices firstShard(dims, 0), counts(dims, 1);
    for (std::size_t d = 0; d != dims; ++d) {
      if (source.parts(d) == 1)
        continue;
      Index run = source.localExtents()[d];
      firstShard[d] = wanted.begin[d] / run;
      counts[d] = (wanted.end[d] - 1) / run - firstShard[d] + 1;
    }
    const Index total =
        std::accumulate(counts.begin(), counts.end(), Index{1}, std::multiplies<>());
    for (Index n = 0; n != total; ++n) {
      Indices shard = coordinatesOf(n, counts);
      for (std::size_t d = 0; d != dims; ++d)
        shard[d] += firstShard[d];
      std::vector<std::uint32_t> holders = source.holders(shard);
      std::uint32_t sender = holders[0];
      if (source.contains(receiver) && source.shardOf(receiver) == shard) {
        sender = receiver;
      } else {
        for (std::uint32_t holder : holders)
          if (load[holder - source.firstRank()] < load[sender - source.firstRank()])
            sender = holder;
      }
      Piece piece{sender, receiver, intersect(wanted, source.box(sender))};
      if (sender != receiver)
        load[sender - source.firstRank()] += piece.box.elements();
      pieces.push_back(std::move(piece));
    }
  }
  return pieces;
}

void copyBox(const Box &box, std::size_t elementSize, const BoxBuffer &sourceLayout,
             const void *source, const BoxBuffer &destinationLayout, void *destination) {
  if (box.empty())
    return;
  const std::size_t dims = box.begin.size();
  if (dims == 0) {
    std::memcpy(destination, source, elementSize);
    return;
  }
  Indices sourceStride(dims, 1), destinationStride(dims, 1);
  for (std::size_t d = dims - 1; d-- != 0;) {
    sourceStride[d] = sourceStride[d + 1] * sourceLayout.extents[d + 1];
    destinationStride[d] = destinationStride[d + 1] * destinationLayout.extents[d + 1];
  }

  // Trailing dims that are contiguous on both sides are one run of elements.
  std::size_t runDim = dims - 1;
  Index run = box.end[runDim] - box.begin[runDim];
  while (runDim != 0 && run == sourceStride[runDim - 1] && run == destinationStride[runDim - 1]) {
    --runDim;
    run *= box.end[runDim] - box.begin[runDim];
  }

  Index sourceOffset = 0, destinationOffset = 0;
  for (std::size_t d = 0; d != dims; ++d) {
    sourceOffset += (box.begin[d] - sourceLayout.origin[d]) * sourceStride[d];
    destinationOffset += (box.begin[d] - destinationLayout.origin[d]) * destinationStride[d];
  }
  const char *from = static_cast<const char *>(source);
  char *to = static_cast<char *>(destination);
  Indices index(runDim, 0); // relative to box.begin
  while (true) {
    std::memcpy(to + destinationOffset * elementSize, from + sourceOffset * elementSize,
                static_cast<std::size_t>(run) * elementSize);
    // Next row: an odometer over the outer dims.
    std::size_t d = runDim;
    while (d != 0) {
      --d;
      sourceOffset += sourceStride[d];
      destinationOffset += destinationStride[d];
      Index extent = box.end[d] - box.begin[d];
      if (++index[d] < extent)
        break;
      index[d] = 0;
      sourceOffset -= extent * sourceStride[d];
      destinationOffset -= extent * destinationStride[d];
      if (d == 0)
        return;
    }
    if (runDim == 0)
      return;
  }
}

} // namespace dougong
