//===- CatalogTest.cpp - the built-in chips and sites ----------------------===//
#include "dougong/Fleet/Catalog.h"
#include "dougong/Fleet/Analysis.h"
#include "dougong/Fleet/Yaml.h"

#include <gtest/gtest.h>

#include <fstream>

using namespace dougong::fleet;

namespace {

Fleet load(llvm::StringRef name) {
  llvm::Expected<Fleet> fleet = loadFleet(name);
  if (fleet)
    return *fleet;
  ADD_FAILURE() << llvm::toString(fleet.takeError());
  return {};
}

TEST(Catalog, HoldsTheReferenceSitesAndChips) {
  for (llvm::StringRef name : {"lab-2x2", "sanjiangyuan", "shaoguan-10k", "shaoguan-100k",
                               "cloudmatrix384", "localhost"}) {
    const CatalogEntry *entry = findCatalogEntry(name);
    ASSERT_TRUE(entry) << name.str();
    EXPECT_EQ(entry->kind, CatalogEntry::Kind::Site) << name.str();
  }
  for (llvm::StringRef name : {"ascend-910b3", "ascend-910c", "t-head-ppu", "metax-c500",
                               "cambricon-mlu370-x8", "hygon-k100-ai", "nvidia-h20", "host-cpu"}) {
    const CatalogEntry *entry = findCatalogEntry(name);
    ASSERT_TRUE(entry) << name.str();
    EXPECT_EQ(entry->kind, CatalogEntry::Kind::Chip) << name.str();
  }
}

TEST(Catalog, EveryFileReadsAndReadsBackEqual) {
  for (const CatalogEntry &entry : getCatalog()) {
    if (entry.kind == CatalogEntry::Kind::Sources)
      continue;
    Fleet fleet = load(entry.name);
    std::string written = writeFleet(fleet);
    llvm::Expected<Fleet> again = readFleet(written, "again.yaml");
    ASSERT_TRUE(bool(again)) << llvm::toString(again.takeError()) << written;
    EXPECT_TRUE(*again == fleet) << entry.name.str() << "\n" << written;
  }
}

TEST(Catalog, ChipFilesDefineTheChipOfTheirName) {
  for (const CatalogEntry &entry : getCatalog())
    if (entry.kind == CatalogEntry::Kind::Chip)
      EXPECT_EQ(load(entry.name).chips.at(0).id, entry.name.str());
}

TEST(Catalog, SiteFilesDefineTheSiteOfTheirName) {
  for (const CatalogEntry &entry : getCatalog())
    if (entry.kind == CatalogEntry::Kind::Site)
      EXPECT_EQ(load(entry.name).name, entry.name.str());
}

/// A figure that is not recalled must name a source that is listed; a derived
/// one must also say from what.
TEST(Catalog, EveryFigureHasProvenance) {
  unsigned count = 0;
  for (const CatalogEntry &entry : getCatalog()) {
    if (entry.kind == CatalogEntry::Kind::Sources)
      continue;
    Fleet fleet = load(entry.name);
    auto check = [&](llvm::StringRef path, const Figure &figure) {
      std::string where = entry.name.str() + ": " + path.str();
      ++count;
      EXPECT_TRUE(std::isfinite(figure.value) && figure.value > 0) << where;
      if (figure.kind == Provenance::Recalled)
        return;
      EXPECT_TRUE(findSource(figure.source)) << where << " source " << figure.source;
      if (figure.kind == Provenance::Derived)
        EXPECT_FALSE(figure.note.empty()) << where;
    };
    forEachFigure(fleet, check);
    for (const Chip &chip : fleet.chips)
      forEachFigure(chip, check);
  }
  EXPECT_GT(count, 300u);
}

TEST(Catalog, SourcesHaveTitles) {
  const Source *source = findSource("CCTV");
  ASSERT_TRUE(source);
  EXPECT_EQ(source->date, "2025-09-16");
  EXPECT_FALSE(source->title.empty());
  EXPECT_EQ(findSource("NOWHERE"), nullptr);
}

// By hand, from the units of the platform file: cubes x operations x clock.
TEST(Catalog, AscendPeaksAreThoseOfTheCubes) {
  EXPECT_DOUBLE_EQ(load("ascend-910b1").chips[0].getPeak("fp16")->value, 24 * 8192 * 1.85e9);
  EXPECT_DOUBLE_EQ(load("ascend-910b2").chips[0].getPeak("fp16")->value, 24 * 8192 * 1.80e9);
  EXPECT_DOUBLE_EQ(load("ascend-910b3").chips[0].getPeak("fp16")->value, 20 * 8192 * 1.80e9);
  EXPECT_DOUBLE_EQ(load("ascend-910b4").chips[0].getPeak("fp16")->value, 20 * 8192 * 1.50e9);
  EXPECT_DOUBLE_EQ(load("ascend-910c").chips[0].getPeak("int8")->value, 24 * 16384 * 1.85e9);
}

TEST(Catalog, LabHasTwoPoolsOfTwoOnAStandIn) {
  Fleet fleet = load("lab-2x2");
  ASSERT_EQ(fleet.pools.size(), 2u);
  for (const Pool &pool : fleet.pools) {
    EXPECT_EQ(pool.count, 2u);
    EXPECT_EQ(fleet.getTarget(pool), "cpu");
    EXPECT_TRUE(fleet.getChip(pool)->runsOnStandIn());
    EXPECT_TRUE(fleet.getChip(pool)->getUsableBytes());
  }
  const CrossPath *path = fleet.findCrossPath("metax", "ascend");
  ASSERT_TRUE(path);
  EXPECT_EQ(path->via, CrossPath::Via::HostStaged);
}

TEST(Catalog, HostIsNoStandIn) {
  Fleet fleet = load("localhost");
  EXPECT_TRUE(fleet.thisMachine);
  EXPECT_FALSE(load("lab-2x2").thisMachine);
  EXPECT_EQ(fleet.getChipCount(), 1u);
  EXPECT_FALSE(fleet.getChip(fleet.pools[0])->runsOnStandIn());
  EXPECT_EQ(fleet.getTarget(fleet.pools[0]), "cpu");
}

/// The memory of another site is the catalogue's figure, whatever machine this is.
TEST(Catalog, OnlyThisMachineIsMeasured) {
  Fleet fleet = load("localhost");
  const Figure &here = *fleet.getChip(fleet.pools[0])->memory->bytes;
  EXPECT_EQ(here.kind, Provenance::Measured);
  EXPECT_EQ(here.note, "of this machine, in whole GiB");
  // /proc/meminfo counts what the kernel has to give, as sysconf does.
  std::ifstream stream("/proc/meminfo");
  std::string key;
  uint64_t total = 0;
  stream >> key >> total;
  ASSERT_EQ(key, "MemTotal:");
  EXPECT_GT(here.value, 0);
  EXPECT_LE(here.value, total * 1024.0);
  Fleet host = load("host-cpu");
  EXPECT_EQ(host.getChip(host.pools[0])->memory->bytes->value, 24.0 * (1ull << 30));
}

TEST(Catalog, CloudMatrixCountsDies) {
  // 384 packages of 2 dies in 48 nodes of 8 packages
  Fleet fleet = load("cloudmatrix384");
  EXPECT_EQ(fleet.getChipCount(), 768u);
  EXPECT_EQ(fleet.pools[0].chipsPerNode, 16u);
  EXPECT_EQ(fleet.pools[0].nodes, 48u);
}

TEST(Catalog, AChipAloneIsASiteOfOne) {
  Fleet fleet = load("nvidia-h20");
  EXPECT_EQ(fleet.name, "nvidia-h20");
  EXPECT_EQ(fleet.getChipCount(), 1u);
}

TEST(Catalog, UnknownNameIsRefusedWithTheNearest) {
  llvm::Expected<Fleet> fleet = loadFleet("lab-2x3");
  ASSERT_FALSE(bool(fleet));
  EXPECT_EQ(llvm::toString(fleet.takeError()),
            "'lab-2x3' is neither a file nor a name in the catalogue; did you mean 'lab-2x2'?");
}

} // namespace
