//===- AnalysisTest.cpp - domestic share, policies, remarks ----------------===//
#include "dougong/Fleet/Analysis.h"
#include "dougong/Fleet/Yaml.h"

#include <gtest/gtest.h>

using namespace dougong::fleet;

namespace {

Fleet load(llvm::StringRef name) {
  llvm::Expected<Fleet> fleet = loadFleet(name);
  if (fleet)
    return *fleet;
  ADD_FAILURE() << llvm::toString(fleet.takeError());
  return {};
}

Fleet read(llvm::StringRef text) {
  llvm::Expected<Fleet> fleet = readFleet(text, "test.yaml");
  if (fleet)
    return *fleet;
  ADD_FAILURE() << llvm::toString(fleet.takeError());
  return {};
}

// 8 domestic chips of 100 TF at 10 each, 4 foreign ones of 300 TF at 60 each.
constexpr llvm::StringLiteral kMixed = R"(
name: mixed
chips:
  - {id: own, vendor: v, domestic: true, peak: {fp16: 100TFLOP/s}, price: 10, currency: CNY}
  - {id: other, vendor: w, domestic: false, peak: {bf16: 300TFLOP/s}, price: 60, currency: CNY}
pools:
  - {id: a, chip: own, count: 8}
  - {id: b, chip: other, count: 4}
policies:
  - {name: domestic-share, threshold: 50%, basis: chips}
  - {name: domestic-share, threshold: 50%, basis: peak_flops}
  - {name: domestic-share, threshold: 20%, basis: cost}
  - {name: domestic-share, threshold: 50%, basis: chips, scope: job}
  - {name: domestic-share, threshold: 100%, basis: chips}
)";

TEST(DomesticShare, DiffersByBasis) {
  Fleet fleet = read(kMixed);
  // 8 / 12
  EXPECT_DOUBLE_EQ(*computeDomesticShare(fleet, ShareBasis::Chips).getShare(), 8.0 / 12);
  // 800 / (800 + 1200)
  EXPECT_DOUBLE_EQ(*computeDomesticShare(fleet, ShareBasis::PeakFlops).getShare(), 0.4);
  // 80 / (80 + 240)
  EXPECT_DOUBLE_EQ(*computeDomesticShare(fleet, ShareBasis::Cost).getShare(), 0.25);
}

TEST(DomesticShare, PoliciesAreJudgedByTheirBasis) {
  Fleet fleet = read(kMixed);
  EXPECT_EQ(judge(fleet, fleet.policies[0]), Verdict::Pass);
  EXPECT_EQ(judge(fleet, fleet.policies[1]), Verdict::Fail);
  EXPECT_EQ(judge(fleet, fleet.policies[2]), Verdict::Pass);
  EXPECT_EQ(judge(fleet, fleet.policies[3]), Verdict::Unknown);
  EXPECT_EQ(judge(fleet, fleet.policies[4]), Verdict::Fail);
}

TEST(DomesticShare, ExactlyTheThresholdIsNotAboveIt) {
  Fleet fleet = read("name: n\n"
                     "chips: [{id: a, vendor: v, domestic: true}, "
                     "{id: b, vendor: v, domestic: false}]\n"
                     "pools: [{id: p, chip: a, count: 5}, {id: q, chip: b, count: 5}]\n"
                     "policies: [{name: domestic-share, threshold: 50%}]\n");
  EXPECT_EQ(judge(fleet, fleet.policies[0]), Verdict::Fail);
}

TEST(DomesticShare, MissingFigureMakesTheShareUnknown) {
  Fleet fleet = read("name: n\n"
                     "chips: [{id: a, vendor: v, domestic: true}]\n"
                     "pools: [{id: p, chip: a, count: 5}]\n");
  DomesticShare share = computeDomesticShare(fleet, ShareBasis::PeakFlops);
  EXPECT_FALSE(share.getShare());
  EXPECT_EQ(share.missing, std::vector<std::string>{"a"});
}

TEST(DomesticShare, PricesInTwoCurrenciesDoNotAdd) {
  Fleet fleet = read("name: n\n"
                     "chips:\n"
                     "  - {id: a, vendor: v, domestic: true, price: 1, currency: CNY}\n"
                     "  - {id: b, vendor: v, domestic: true, price: 1, currency: USD}\n"
                     "pools: [{id: p, chip: a, count: 1}, {id: q, chip: b, count: 1}]\n");
  EXPECT_EQ(computeDomesticShare(fleet, ShareBasis::Cost).missing, std::vector<std::string>{"b"});
}

// The table of the site: 16384 T-Head, 4096 MetaX and 1328 Biren cards, and
// 22832 in all; every vendor is domestic.
TEST(DomesticShare, SanjiangyuanByItsPublicCardCounts) {
  Fleet fleet = load("sanjiangyuan");
  DomesticShare chips = computeDomesticShare(fleet, ShareBasis::Chips);
  EXPECT_EQ(chips.total, 22832);
  EXPECT_EQ(chips.domestic, 22832);
  EXPECT_EQ(fleet.findPool("t-head")->count, 16384u);
  EXPECT_EQ(fleet.findPool("metax")->count, 4096u);
  EXPECT_EQ(fleet.findPool("biren")->count, 1328u);
  EXPECT_EQ(fleet.findPool("zhonghao")->count, 22832u - 16384 - 4096 - 1328);
  // 1945 + 984 + 450 + 200 PF, whatever the total line of the table says
  DomesticShare peak = computeDomesticShare(fleet, ShareBasis::PeakFlops);
  EXPECT_NEAR(peak.total, 3579e15, 1e9);
  EXPECT_DOUBLE_EQ(*peak.getShare(), 1.0);
  EXPECT_EQ(peak.weakest, Provenance::Derived);
  EXPECT_FALSE(computeDomesticShare(fleet, ShareBasis::Cost).getShare());
}

// The same cards, were the T-Head part bought abroad: 6448 of 22832 remain.
TEST(DomesticShare, SanjiangyuanWithoutItsLargestVendorFails) {
  Fleet fleet = load("sanjiangyuan");
  for (Chip &chip : fleet.chips)
    if (chip.vendor == "T-Head")
      chip.domestic = false;
  EXPECT_DOUBLE_EQ(*computeDomesticShare(fleet, ShareBasis::Chips).getShare(), 6448.0 / 22832);
  EXPECT_EQ(judge(fleet, fleet.policies.at(0)), Verdict::Fail);
}

bool hasRemark(const Fleet &fleet, llvm::StringRef where, llvm::StringRef part) {
  for (const Remark &remark : findRemarks(fleet))
    if (remark.where == where && llvm::StringRef(remark.text).contains(part))
      return true;
  return false;
}

TEST(Remarks, StandInAndRecalledFiguresAreNamed) {
  Fleet fleet = load("lab-2x2");
  EXPECT_TRUE(hasRemark(fleet, "pool 'ascend'", "functional stand-in"));
  EXPECT_TRUE(hasRemark(fleet, "pool 'metax'", "functional stand-in"));
  EXPECT_TRUE(hasRemark(fleet, "chip 'ascend-910b3'", "recalled, not verified"));
  EXPECT_TRUE(hasRemark(fleet, "chip 'ascend-910b3'", "sources disagree on 'peak.fp16'"));
}

TEST(Remarks, MissingFiguresThatPlansNeed) {
  Fleet fleet =
      read("name: n\n"
           "chips: [{id: a, vendor: v, domestic: true}]\n"
           "levels: [{name: l, size: 3}]\n"
           "pools: [{id: p, chip: a, count: 4, path: [l]}, {id: q, chip: a, count: 2}]\n");
  EXPECT_TRUE(hasRemark(fleet, "chip 'a'", "memory size is not known"));
  EXPECT_TRUE(hasRemark(fleet, "chip 'a'", "peak is not known"));
  EXPECT_TRUE(hasRemark(fleet, "chip 'a'", "no code generator"));
  EXPECT_TRUE(hasRemark(fleet, "level 'l'", "bandwidth is not known"));
  EXPECT_TRUE(hasRemark(fleet, "pool 'p'", "joins 3 chips, the pool has 4"));
  EXPECT_TRUE(hasRemark(fleet, "pool 'q'", "no level of network joins its 2 chips"));
  EXPECT_TRUE(hasRemark(fleet, "site", "pools 'p' and 'q' have no cross path"));
}

TEST(Remarks, PowerAboveTheBudget) {
  Fleet fleet = read("name: n\npower_budget: 1kW\n"
                     "chips: [{id: a, vendor: v, domestic: true, power: 400W}]\n"
                     "pools: [{id: p, chip: a, count: 3}]\n");
  EXPECT_TRUE(hasRemark(fleet, "site", "chips alone take 1.2kW at full load, the budget is 1kW"));
}

TEST(Remarks, SlipsInUnits) {
  Fleet fleet = read("name: n\n"
                     "chips: [{id: a, vendor: v, domestic: true, memory: {bytes: 64kB}, "
                     "peak: {fp16: 300GFLOP/s, int8: 600}}]\n"
                     "levels: [{name: l, bandwidth: 400TB/s, latency: 4s}]\n"
                     "pools: [{id: p, chip: a, count: 3, path: [l]}]\n");
  EXPECT_TRUE(hasRemark(fleet, "chip 'a'", "'memory.bytes' is 64 kB: is the unit right?"));
  EXPECT_TRUE(hasRemark(fleet, "chip 'a'", "'peak.int8' is 600 OP/s"));
  EXPECT_FALSE(hasRemark(fleet, "chip 'a'", "'peak.fp16' is"));
  EXPECT_TRUE(hasRemark(fleet, "site", "'levels[l].bandwidth' is 400 TB/s"));
  EXPECT_TRUE(hasRemark(fleet, "site", "'levels[l].latency' is 4 s"));
}

TEST(Remarks, NoCatalogueFigureIsOutOfProportion) {
  for (llvm::StringRef name : {"lab-2x2", "sanjiangyuan", "shaoguan-10k", "shaoguan-100k",
                               "cloudmatrix384", "localhost", "hygon-k100-ai", "nvidia-h20"})
    for (const Remark &remark : findRemarks(load(name)))
      EXPECT_EQ(remark.text.find("is the unit right"), std::string::npos)
          << name.str() << ": " << remark.where << ": " << remark.text;
}

TEST(WeakestProvenance, CoversMemoryPeaksAndLinks) {
  Fleet fleet = read("provenance: {kind: measured, source: S}\n"
                     "chips:\n"
                     "  - {id: a, vendor: v, domestic: true, peak: {fp16: 1TFLOP/s}, "
                     "power: {value: 1W, kind: recalled}}\n"
                     "  - {id: b, vendor: v, domestic: true, peak: {fp16: {value: 1TFLOP/s, "
                     "kind: derived, source: S}}}\n"
                     "  - {id: c, vendor: v, domestic: true}\n");
  EXPECT_EQ(getWeakestProvenance(fleet.chips[0]), Provenance::Measured);
  EXPECT_EQ(getWeakestProvenance(fleet.chips[1]), Provenance::Derived);
  EXPECT_FALSE(getWeakestProvenance(fleet.chips[2]));
}

} // namespace
