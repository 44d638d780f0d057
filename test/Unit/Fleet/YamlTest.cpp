//===- YamlTest.cpp - reading fleet files ----------------------------------===//
#include "dougong/Fleet/Yaml.h"

#include <gtest/gtest.h>

using namespace dougong::fleet;

namespace {

Fleet read(llvm::StringRef text) {
  llvm::Expected<Fleet> fleet = readFleet(text, "test.yaml");
  if (fleet)
    return *fleet;
  ADD_FAILURE() << llvm::toString(fleet.takeError());
  return {};
}

TEST(Yaml, SmallestSiteTakesItsChipFromTheCatalogue) {
  Fleet fleet = read("name: one\n"
                     "pools: [{id: a, chip: ascend-910b3, count: 2}]\n");
  ASSERT_EQ(fleet.pools.size(), 1u);
  EXPECT_EQ(fleet.pools[0].count, 2u);
  EXPECT_EQ(fleet.pools[0].nodes, 1u);
  EXPECT_EQ(fleet.pools[0].chipsPerNode, 2u);
  const Chip *chip = fleet.getChip(fleet.pools[0]);
  ASSERT_TRUE(chip);
  EXPECT_EQ(chip->vendor, "Huawei");
  EXPECT_EQ(fleet.getTarget(fleet.pools[0]), "cpu");
}

TEST(Yaml, UnderscoresNameTheSameCatalogueChip) {
  Fleet fleet = read("name: one\npools: [{id: a, chip: ascend_910b3, count: 1}]\n");
  EXPECT_EQ(fleet.pools.at(0).chip, "ascend-910b3");
}

TEST(Yaml, MissingOneOfCountNodesAndChipsPerNodeIsWorkedOut) {
  Fleet fleet = read("name: n\npools:\n"
                     "  - {id: a, chip: host-cpu, nodes: 3, chips_per_node: 8}\n"
                     "  - {id: b, chip: host-cpu, count: 24, nodes: 3}\n"
                     "  - {id: c, chip: host-cpu, count: 24, chips_per_node: 8}\n");
  for (const Pool &pool : fleet.pools) {
    EXPECT_EQ(pool.count, 24u) << pool.id;
    EXPECT_EQ(pool.nodes, 3u) << pool.id;
    EXPECT_EQ(pool.chipsPerNode, 8u) << pool.id;
  }
  EXPECT_EQ(fleet.getChipCount(), 72u);
}

constexpr llvm::StringLiteral kOwnChip = R"(
provenance: {kind: published, source: DATASHEET, date: 2026-01}
sources: {DATASHEET: "the maker's data sheet"}
chips:
  - id: x1
    vendor: Example
    domestic: true
    peak: {fp16: 100TFLOP/s}
    memory:
      bytes: 32GiB
      reserved: {value: 2GiB, kind: measured, source: DATASHEET}
      bandwidth: {value: 1TB/s, kind: derived, source: PRESS, note: half of two, conflicts: [{value: 900GB/s, source: OTHER}]}
)";

TEST(Yaml, BareFiguresTakeTheDefaultProvenanceOfTheFile) {
  Fleet fleet = read(kOwnChip);
  const Chip &chip = fleet.chips.at(0);
  const Figure *peak = chip.getPeak("fp16");
  ASSERT_TRUE(peak);
  EXPECT_EQ(peak->value, 100e12);
  EXPECT_EQ(peak->kind, Provenance::Published);
  EXPECT_EQ(peak->source, "DATASHEET");
  EXPECT_EQ(peak->date, "2026-01");
}

TEST(Yaml, FiguresWithProvenanceOfTheirOwnKeepIt) {
  Fleet fleet = read(kOwnChip);
  const DeviceMemory &memory = *fleet.chips.at(0).memory;
  EXPECT_EQ(memory.reserved->kind, Provenance::Measured);
  EXPECT_EQ(memory.reserved->date, "");
  const Figure &bandwidth = *memory.bandwidth;
  EXPECT_EQ(bandwidth.kind, Provenance::Derived);
  EXPECT_EQ(bandwidth.source, "PRESS");
  EXPECT_EQ(bandwidth.note, "half of two");
  ASSERT_EQ(bandwidth.conflicts.size(), 1u);
  EXPECT_EQ(bandwidth.conflicts[0].value, 900e9);
  EXPECT_EQ(bandwidth.conflicts[0].source, "OTHER");
  // 32 GiB less 2 GiB
  EXPECT_EQ(fleet.chips[0].getUsableBytes(), 30ull << 30);
}

TEST(Yaml, BareFigureWithoutDefaultIsRecalled) {
  Fleet fleet = read("chips: [{id: x, vendor: v, domestic: false, power: 300W}]\n");
  EXPECT_EQ(fleet.chips.at(0).power->kind, Provenance::Recalled);
  EXPECT_EQ(fleet.chips.at(0).power->source, "");
}

TEST(Yaml, UnknownFiguresAreAbsent) {
  Fleet fleet = read("chips: [{id: x, vendor: v, domestic: false}]\n");
  const Chip &chip = fleet.chips.at(0);
  EXPECT_FALSE(chip.memory);
  EXPECT_FALSE(chip.power);
  EXPECT_FALSE(chip.getUsableBytes());
  EXPECT_FALSE(chip.getPeak("fp16"));
  EXPECT_EQ(chip.getActiveForm(), nullptr);
}

TEST(Yaml, LikeTakesOverWhatIsNotChanged) {
  Fleet fleet = read("chips:\n"
                     "  - id: mine\n"
                     "    like: ascend-910b3\n"
                     "    memory: {bytes: 32GiB}\n"
                     "    price: 50000\n"
                     "    currency: CNY\n");
  const Chip &chip = fleet.chips.at(0);
  EXPECT_EQ(chip.id, "mine");
  EXPECT_EQ(chip.vendor, "Huawei");
  EXPECT_EQ(chip.memory->bytes->asInteger(), 32ull << 30);
  EXPECT_EQ(chip.memory->bytes->kind, Provenance::Recalled);
  // 20 cubes x 8192 operations x 1.8 GHz, taken over with its provenance
  EXPECT_EQ(chip.getPeak("fp16")->value, 294.912e12);
  EXPECT_EQ(chip.getPeak("fp16")->source, "INI");
  EXPECT_EQ(chip.price->value, 50000);
}

TEST(Yaml, OwnChipGoesBeforeTheCatalogue) {
  Fleet fleet = read("name: n\n"
                     "chips: [{id: host-cpu, vendor: mine, domestic: true}]\n"
                     "pools: [{id: a, chip: host-cpu, count: 1}]\n");
  EXPECT_EQ(fleet.chips.size(), 1u);
  EXPECT_EQ(fleet.getChip(fleet.pools[0])->vendor, "mine");
}

TEST(Yaml, OneWayBandwidthHalvesWhatCountsBothWays) {
  Fleet fleet = read("name: n\nlevels:\n"
                     "  - {name: a, bandwidth: 100GB/s, direction: uni}\n"
                     "  - {name: b, bandwidth: 100GB/s, direction: bi}\n"
                     "  - {name: c, bandwidth: 100GB/s}\n"
                     "  - {name: d}\n"
                     "pools: [{id: p, chip: host-cpu, count: 1, path: [a, b, c, d]}]\n");
  EXPECT_EQ(fleet.findLevel("a")->getOneWayBandwidth(), 100e9);
  EXPECT_EQ(fleet.findLevel("b")->getOneWayBandwidth(), 50e9);
  EXPECT_EQ(fleet.findLevel("c")->getOneWayBandwidth(), 50e9);
  EXPECT_FALSE(fleet.findLevel("d")->getOneWayBandwidth());
}

TEST(Yaml, CrossPathThatNamesBothPoolsGoesBeforeAStar) {
  Fleet fleet = read("name: n\npools:\n"
                     "  - {id: a, chip: host-cpu, count: 1}\n"
                     "  - {id: b, chip: host-cpu, count: 1}\n"
                     "  - {id: c, chip: host-cpu, count: 1}\n"
                     "cross_paths:\n"
                     "  - {from: '*', to: a, bandwidth: 1GB/s}\n"
                     "  - {from: b, to: a, via: library, library: FlagCX, bandwidth: 2GB/s}\n");
  EXPECT_EQ(fleet.findCrossPath("a", "b")->bandwidth->value, 2e9);
  EXPECT_EQ(fleet.findCrossPath("a", "c")->bandwidth->value, 1e9);
  EXPECT_EQ(fleet.findCrossPath("b", "c"), nullptr);
}

TEST(Yaml, PoolTargetGoesBeforeTheChips) {
  Fleet fleet = read("name: n\n"
                     "chips:\n"
                     "  - id: x\n"
                     "    vendor: v\n"
                     "    domestic: true\n"
                     "    target: cpu\n"
                     "    forms:\n"
                     "      - {form: shared-library, target: cpu, stand_in: true}\n"
                     "      - {form: own, target: own}\n"
                     "pools:\n"
                     "  - {id: a, chip: x, count: 1}\n"
                     "  - {id: b, chip: x, count: 1, target: own}\n");
  EXPECT_TRUE(fleet.chips[0].runsOnStandIn());
  EXPECT_EQ(fleet.getTarget(*fleet.findPool("a")), "cpu");
  EXPECT_EQ(fleet.getTarget(*fleet.findPool("b")), "own");
}

TEST(Yaml, WrittenFilesReadBackEqual) {
  for (llvm::StringRef text : {kOwnChip.data()}) {
    Fleet fleet = read(text);
    std::string written = writeFleet(fleet);
    EXPECT_EQ(read(written), fleet) << written;
  }
}

TEST(Yaml, WrittenTextKeepsEveryCharacter) {
  Fleet fleet = read("name: n\ntitle: \"a: b # c 'd' \\\"e\\\" \\\\ {f} [g], 中\\tz\"\n"
                     "note: |\n  two\n  lines\n"
                     "pools: [{id: p, chip: host-cpu, count: 1, note: '- x'}]\n");
  EXPECT_EQ(fleet.title, "a: b # c 'd' \"e\" \\ {f} [g], 中\tz");
  EXPECT_EQ(fleet.note, "two\nlines");
  EXPECT_EQ(read(writeFleet(fleet)), fleet) << writeFleet(fleet);
}

} // namespace
