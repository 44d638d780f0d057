//===- BoxesTest.cpp - sharding geometry ----------------------------------===//
//
// The oracle works element by element: `ownerPart` says which part of a dim
// holds one element, straight from the definition in plan.proto.
//
//===----------------------------------------------------------------------===//

#include "dougong/Package/Boxes.h"

#include <gtest/gtest.h>
#include <map>
#include <numeric>

using namespace dougong;
using plan::v1::Mesh;

namespace {

using Indices = std::vector<std::int64_t>;

Mesh makeMesh(std::vector<std::pair<std::string, std::int64_t>> axes, std::uint32_t first = 0) {
  Mesh mesh;
  mesh.set_id("m");
  mesh.set_first_rank(first);
  for (auto &[name, size] : axes) {
    auto *axis = mesh.add_axes();
    axis->set_name(name);
    axis->set_size(size);
  }
  return mesh;
}

struct DimCut {
  std::vector<std::string> axes;
  std::int64_t unit = 1;
};

Sharding makeSharding(const std::vector<DimCut> &cuts) {
  Sharding sharding;
  for (const DimCut &cut : cuts) {
    auto *dim = sharding.Add();
    for (const std::string &axis : cut.axes)
      dim->add_axes(axis);
    dim->set_unit(cut.unit);
  }
  return sharding;
}

ShardLayout layoutOf(const Mesh &mesh, const std::vector<DimCut> &cuts, const Indices &extents) {
  auto layout = ShardLayout::create(mesh, makeSharding(cuts), extents);
  EXPECT_TRUE(layout) << layout.message();
  return *layout;
}

//===----------------------------------------------------------------------===//
// Hand-computed cases
//===----------------------------------------------------------------------===//

TEST(Boxes, MeshCoordinatesAreRowMajor) {
  Mesh mesh = makeMesh({{"dp", 2}, {"tp", 3}});
  EXPECT_EQ(*meshSize(mesh), 6);
  EXPECT_EQ(meshCoordinates(mesh, 0), (Indices{0, 0}));
  EXPECT_EQ(meshCoordinates(mesh, 2), (Indices{0, 2}));
  EXPECT_EQ(meshCoordinates(mesh, 4), (Indices{1, 1}));
  EXPECT_EQ(*meshSize(makeMesh({})), 1);
}

TEST(Boxes, UnevenCutLeavesTheLastRankLess) {
  // 10 elements in blocks of 4 over 2: 3 blocks, 2 each; 8 and 2 elements.
  ShardLayout layout = layoutOf(makeMesh({{"tp", 2}}, 5), {{{"tp"}, 4}}, {10});
  EXPECT_EQ(layout.localExtents(), (Indices{8}));
  EXPECT_EQ(layout.box(5), (Box{{0}, {8}}));
  EXPECT_EQ(layout.box(6), (Box{{8}, {10}}));
  EXPECT_EQ(localExtent(DimExpr::symbol("d"), 4, 2).print(), "4 * ((d ceildiv 4) ceildiv 2)");
}

TEST(Boxes, RanksPastTheEndHoldNothing) {
  // 2 elements over 4 ranks: runs of 1, two ranks empty.
  ShardLayout layout = layoutOf(makeMesh({{"tp", 4}}), {{{"tp"}, 1}}, {2});
  EXPECT_EQ(layout.localExtents(), (Indices{1}));
  EXPECT_EQ(layout.box(1), (Box{{1}, {2}}));
  EXPECT_TRUE(layout.box(2).empty());
  EXPECT_EQ(layout.box(3), (Box{{2}, {2}}));
}

TEST(Boxes, FirstAxisOfADimIsTheMajorOne) {
  Mesh mesh = makeMesh({{"x", 2}, {"y", 3}});
  ShardLayout xy = layoutOf(mesh, {{{"x", "y"}, 1}}, {6});
  ShardLayout yx = layoutOf(mesh, {{{"y", "x"}, 1}}, {6});
  // Rank 1 is (x 0, y 1): part 0 * 3 + 1 and part 1 * 2 + 0.
  EXPECT_EQ(xy.box(1), (Box{{1}, {2}}));
  EXPECT_EQ(yx.box(1), (Box{{2}, {3}}));
  EXPECT_EQ(yx.holders(Indices{2}), (std::vector<std::uint32_t>{1}));
}

TEST(Boxes, HoldersAreTheRanksOfEqualShards) {
  Mesh mesh = makeMesh({{"dp", 2}, {"tp", 2}}, 8);
  ShardLayout layout = layoutOf(mesh, {{{}, 0}, {{"tp"}, 1}}, {3, 4});
  EXPECT_EQ(layout.holders(Indices{0, 1}), (std::vector<std::uint32_t>{9, 11}));
  EXPECT_EQ(layout.shardOf(11), (Indices{0, 1}));
}

TEST(Boxes, LocalCopiesArePreferredAndSendersShareTheLoad) {
  // The source is whole on ranks 0 and 1; ranks 1 to 4 each want a quarter of 8.
  ShardLayout source = layoutOf(makeMesh({{"a", 2}}, 0), {}, {8});
  ShardLayout destination = layoutOf(makeMesh({{"b", 4}}, 1), {{{"b"}, 1}}, {8});
  auto pieces = planPieces(source, destination);
  ASSERT_TRUE(pieces);
  // Rank 1 has its own part. The others take turns: 0, then 1, then 0.
  EXPECT_EQ(*pieces,
            (std::vector<Piece>{
                {1, 1, {{0}, {2}}}, {0, 2, {{2}, {4}}}, {1, 3, {{4}, {6}}}, {0, 4, {{6}, {8}}}}));
}

TEST(Boxes, ErrorsNameWhatIsWrong) {
  auto message = [](const Mesh &mesh, const std::vector<DimCut> &cuts, const Indices &extents) {
    auto layout = ShardLayout::create(mesh, makeSharding(cuts), extents);
    return layout ? std::string("no error") : layout.message();
  };
  Mesh mesh = makeMesh({{"tp", 2}});
  EXPECT_EQ(message(mesh, {{{"dp"}, 1}}, {4}), "mesh 'm' has no axis 'dp'");
  EXPECT_EQ(message(mesh, {{{"tp"}, 1}, {{"tp"}, 1}}, {4, 4}), "axis 'tp' cuts the value twice");
  EXPECT_EQ(message(mesh, {{{"tp"}, 1}}, {4, 4}), "sharding has 1 dims, the value has 2");
  EXPECT_EQ(message(mesh, {{{"tp"}, 0}}, {4}), "unit of dim 0 must be at least 1, got 0");
  EXPECT_EQ(message(mesh, {{{"tp"}, 1}}, {-4}), "extent of dim 0 is negative: -4");
  EXPECT_EQ(message(makeMesh({{"tp", 0}}), {}, {4}),
            "axis 'tp' of mesh 'm' must have a size of at least 1, got 0");
  EXPECT_EQ(message(makeMesh({{"tp", 2}, {"tp", 2}}), {}, {4}),
            "axis 'tp' of mesh 'm' is named twice");
  EXPECT_EQ(message(makeMesh({{"a", 65536}, {"b", 65536}}), {}, {4}),
            "mesh 'm' has more than 2^31 - 1 ranks");
  EXPECT_EQ(message(mesh, {{{"tp"}, INT64_MAX}}, {INT64_MAX}), "no error");
  EXPECT_FALSE(planPieces(ShardLayout::whole(0, Indices{4}), ShardLayout::whole(0, Indices{5})));
}

//===----------------------------------------------------------------------===//
// Exhaustive cases
//===----------------------------------------------------------------------===//

/// The part of a dim of `extent` that element `i` belongs to.
std::int64_t ownerPart(std::int64_t i, std::int64_t extent, std::int64_t unit, std::int64_t parts) {
  std::int64_t blocks = 0, blockOfElement = 0;
  for (std::int64_t e = 0; e < extent; e += unit) {
    if (i >= e)
      blockOfElement = blocks;
    ++blocks;
  }
  std::int64_t run = 0; // the least number of blocks for each part that is enough
  while (run * parts < blocks)
    ++run;
  return blockOfElement / run;
}

struct Case {
  Mesh mesh;
  std::vector<DimCut> cuts; // one for each of the two dims
};

/// All ways to give the axes of a mesh to two dims, with units 1 and 2.
std::vector<Case> casesOf(const Mesh &mesh) {
  std::vector<std::vector<DimCut>> ways = {{{{}, 1}, {{}, 1}}};
  for (const auto &axis : mesh.axes()) {
    auto before = ways;
    for (const auto &way : before)
      for (int d : {0, 1}) {
        auto appended = way, prepended = way;
        appended[d].axes.push_back(axis.name());
        prepended[d].axes.insert(prepended[d].axes.begin(), axis.name());
        ways.push_back(appended);
        if (prepended[d].axes != appended[d].axes)
          ways.push_back(prepended);
      }
  }
  std::vector<Case> cases;
  for (const auto &way : ways)
    for (int units = 0; units != 4; ++units) {
      Case c{mesh, way};
      c.cuts[0].unit = 1 + (units & 1);
      c.cuts[1].unit = 1 + (units >> 1) * 2;
      cases.push_back(c);
    }
  return cases;
}

/// Does rank `rank` hold element (i, j), by the definition?
bool holds(const Case &c, const Indices &extents, std::uint32_t rank, const Indices &element) {
  std::int64_t index = rank - c.mesh.first_rank();
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> axes; // coordinate, size
  for (int a = c.mesh.axes_size(); a-- != 0;) {
    std::int64_t size = c.mesh.axes(a).size();
    axes[c.mesh.axes(a).name()] = {index % size, size};
    index /= size;
  }
  for (std::size_t d = 0; d != extents.size(); ++d) {
    std::int64_t part = 0, parts = 1;
    for (const std::string &name : c.cuts[d].axes) {
      part = part * axes[name].second + axes[name].first;
      parts *= axes[name].second;
    }
    if (parts > 1 && ownerPart(element[d], extents[d], c.cuts[d].unit, parts) != part)
      return false;
  }
  return true;
}

/// A rank's buffer: padding is -1, the element (i, j) is i * columns + j.
using Buffers = std::map<std::uint32_t, std::vector<std::int32_t>>;

Buffers fill(const Case &c, const ShardLayout &layout, const Indices &extents) {
  Buffers buffers;
  for (std::int64_t r = 0; r != layout.ranks(); ++r) {
    std::uint32_t rank = layout.firstRank() + static_cast<std::uint32_t>(r);
    const Indices &local = layout.localExtents();
    auto &buffer = buffers[rank];
    buffer.assign(static_cast<std::size_t>(local[0] * local[1]), -1);
    Indices lowest = extents;
    for (std::int64_t i = 0; i != extents[0]; ++i)
      for (std::int64_t j = 0; j != extents[1]; ++j)
        if (holds(c, extents, rank, {i, j})) {
          lowest[0] = std::min(lowest[0], i);
          lowest[1] = std::min(lowest[1], j);
          std::int64_t at = (i - lowest[0]) * local[1] + (j - lowest[1]);
          EXPECT_LT(at, std::ssize(buffer));
          buffer[static_cast<std::size_t>(at)] = static_cast<std::int32_t>(i * extents[1] + j);
        }
  }
  return buffers;
}

TEST(Boxes, BoxesHoldExactlyTheElementsOfTheDefinition) {
  for (const Mesh &mesh : {makeMesh({{"x", 3}}, 2), makeMesh({{"x", 2}, {"y", 3}}),
                           makeMesh({{"x", 2}, {"y", 2}, {"z", 2}}, 1)})
    for (const Case &c : casesOf(mesh))
      for (const Indices &extents :
           {Indices{0, 3}, Indices{1, 1}, Indices{4, 6}, Indices{5, 7}, Indices{2, 9}}) {
        ShardLayout layout = layoutOf(mesh, c.cuts, extents);
        for (std::int64_t r = 0; r != layout.ranks(); ++r) {
          std::uint32_t rank = layout.firstRank() + static_cast<std::uint32_t>(r);
          Box box = layout.box(rank);
          for (std::int64_t i = 0; i != extents[0]; ++i)
            for (std::int64_t j = 0; j != extents[1]; ++j) {
              bool inside =
                  i >= box.begin[0] && i < box.end[0] && j >= box.begin[1] && j < box.end[1];
              ASSERT_EQ(inside, holds(c, extents, rank, {i, j}))
                  << "rank " << rank << " element " << i << "," << j;
            }
          for (int d : {0, 1})
            ASSERT_LE(box.end[d] - box.begin[d], layout.localExtents()[d]);
          auto holders = layout.holders(layout.shardOf(rank));
          ASSERT_NE(std::find(holders.begin(), holders.end(), rank), holders.end());
          for (std::uint32_t other : holders)
            ASSERT_EQ(layout.box(other), box);
        }
      }
}

/// Moves the pieces between numbered buffers and compares with `fill`, which
/// goes by the definition. Also checks that no more is sent than must be.
void checkTransfer(const Case &from, const Case &to, const Indices &extents) {
  ShardLayout source = layoutOf(from.mesh, from.cuts, extents);
  ShardLayout destination = layoutOf(to.mesh, to.cuts, extents);
  auto pieces = planPieces(source, destination);
  ASSERT_TRUE(pieces);

  Buffers have = fill(from, source, extents);
  Buffers want = fill(to, destination, extents);
  Buffers got;
  for (auto &[rank, buffer] : want)
    got[rank].assign(buffer.size(), -1);
  std::int64_t sent = 0;
  for (const Piece &piece : *pieces) {
    ASSERT_FALSE(piece.box.empty());
    Indices sourceOrigin = source.box(piece.source).begin;
    Indices destinationOrigin = destination.box(piece.destination).begin;
    // By way of a contiguous message, as between processes.
    Indices shape = piece.box.extents();
    std::vector<std::int32_t> message(static_cast<std::size_t>(piece.box.elements()), -2);
    copyBox(piece.box, 4, {sourceOrigin, source.localExtents()}, have.at(piece.source).data(),
            {piece.box.begin, shape}, message.data());
    // Each element arrives exactly once.
    for (std::int64_t i = piece.box.begin[0]; i != piece.box.end[0]; ++i)
      for (std::int64_t j = piece.box.begin[1]; j != piece.box.end[1]; ++j)
        ASSERT_EQ(got.at(piece.destination)[static_cast<std::size_t>(
                      (i - destinationOrigin[0]) * destination.localExtents()[1] + j -
                      destinationOrigin[1])],
                  -1);
    copyBox(piece.box, 4, {piece.box.begin, shape}, message.data(),
            {destinationOrigin, destination.localExtents()}, got.at(piece.destination).data());
    if (piece.source != piece.destination)
      sent += piece.box.elements();
  }
  ASSERT_EQ(got, want);

  std::int64_t needed = 0;
  for (auto &[rank, buffer] : want)
    for (std::int32_t number : buffer)
      if (number >= 0 && (!source.contains(rank) ||
                          !holds(from, extents, rank, {number / extents[1], number % extents[1]})))
        ++needed;
  ASSERT_EQ(sent, needed);

  // Ranks that hold the same part share in sending it, to within one piece.
  std::map<std::uint32_t, std::int64_t> load, largest;
  for (const Piece &piece : *pieces)
    if (piece.source != piece.destination) {
      load[piece.source] += piece.box.elements();
      for (std::uint32_t holder : source.holders(source.shardOf(piece.source)))
        largest[holder] = std::max(largest[holder], piece.box.elements());
    }
  for (std::int64_t i = 0; i != source.ranks(); ++i) {
    auto rank = static_cast<std::uint32_t>(source.firstRank() + i);
    for (std::uint32_t other : source.holders(source.shardOf(rank)))
      ASSERT_LE(load[rank] - load[other], largest[rank]);
  }
}

TEST(Boxes, TransfersReassembleANumberedArray) {
  // The meshes are the same, overlap, or are disjoint.
  std::vector<Mesh> sources = {makeMesh({{"x", 3}}), makeMesh({{"x", 2}, {"y", 2}}, 1)};
  std::vector<Mesh> destinations = {makeMesh({{"x", 3}}), makeMesh({{"u", 2}, {"v", 3}}, 3),
                                    makeMesh({{"u", 1}}, 9)};
  for (const Mesh &sourceMesh : sources)
    for (const Mesh &destinationMesh : destinations)
      for (const Case &from : casesOf(sourceMesh))
        for (const Case &to : casesOf(destinationMesh))
          for (const Indices &extents : {Indices{5, 7}, Indices{1, 4}})
            checkTransfer(from, to, extents);
}

TEST(Boxes, ScalarsAndEmptyValuesMove) {
  ShardLayout one = ShardLayout::whole(3, Indices{});
  ShardLayout two = layoutOf(makeMesh({{"x", 2}}), {}, {});
  auto pieces = planPieces(one, two);
  ASSERT_TRUE(pieces);
  EXPECT_EQ(*pieces, (std::vector<Piece>{{3, 0, {}}, {3, 1, {}}}));
  double from = 2.5, to = 0;
  copyBox({}, sizeof from, {{}, {}}, &from, {{}, {}}, &to);
  EXPECT_EQ(to, 2.5);

  auto none = planPieces(ShardLayout::whole(0, Indices{0, 4}),
                         layoutOf(makeMesh({{"x", 2}}), {{{}, 1}, {{"x"}, 1}}, {0, 4}));
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->empty());
}

TEST(Boxes, CopyOfThreeDimsWithStrides) {
  // Elements [1,3) x [0,2) x [1,3) of a 3x2x4 array into a 2x3x2 buffer.
  std::vector<std::int16_t> from(24), to(12, -1);
  std::iota(from.begin(), from.end(), std::int16_t{0});
  Box box{{1, 0, 1}, {3, 2, 3}};
  copyBox(box, 2, {Indices{0, 0, 0}, Indices{3, 2, 4}}, from.data(),
          {Indices{1, 0, 1}, Indices{2, 3, 2}}, to.data());
  EXPECT_EQ(to, (std::vector<std::int16_t>{9, 10, 13, 14, -1, -1, 17, 18, 21, 22, -1, -1}));
}

} // namespace
