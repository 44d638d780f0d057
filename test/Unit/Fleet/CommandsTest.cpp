//===- CommandsTest.cpp - dougong fleet list | show | check ----------------===//
#include "dougong/Fleet/Commands.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/JSON.h"

#include <gtest/gtest.h>

using namespace dougong::fleet;

namespace {

struct Outcome {
  int code;
  std::string out, err;
};

Outcome run(llvm::function_ref<int(llvm::raw_ostream &, llvm::raw_ostream &)> command) {
  Outcome outcome;
  llvm::raw_string_ostream out(outcome.out), err(outcome.err);
  outcome.code = command(out, err);
  return outcome;
}

llvm::json::Value parseJson(const std::string &text) {
  llvm::Expected<llvm::json::Value> value = llvm::json::parse(text);
  if (value)
    return *value;
  ADD_FAILURE() << llvm::toString(value.takeError()) << "\n" << text;
  return nullptr;
}

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST(FleetList, NamesSitesAndChips) {
  Outcome text = run([](auto &out, auto &err) { return listCommand(false, out, err); });
  EXPECT_EQ(text.code, 0);
  EXPECT_HAS(text.out, "lab-2x2");
  EXPECT_HAS(text.out, "22832 chips");
  EXPECT_HAS(text.out, "cpu (stand-in)");
  EXPECT_EQ(text.err, "");
  Outcome json = run([](auto &out, auto &err) { return listCommand(true, out, err); });
  llvm::json::Value value = parseJson(json.out);
  EXPECT_GE(value.getAsObject()->getArray("sites")->size(), 6u);
  EXPECT_GE(value.getAsObject()->getArray("chips")->size(), 8u);
}

TEST(FleetShow, ShowsFiguresWithProvenance) {
  Outcome text =
      run([](auto &out, auto &err) { return showCommand("ascend-910b3", false, out, err); });
  EXPECT_EQ(text.code, 0);
  EXPECT_HAS(text.out, "memory.bandwidth");
  EXPECT_HAS(text.out, "294.912 TFLOP/s");
  EXPECT_HAS(text.out, "functional stand-in");
  EXPECT_HAS(text.out, "CANN's own SoC description files");
  Outcome json =
      run([](auto &out, auto &err) { return showCommand("ascend-910b3", true, out, err); });
  llvm::json::Value value = parseJson(json.out);
  const llvm::json::Object *bytes = value.getAsObject()->getObject("memory")->getObject("bytes");
  EXPECT_EQ(bytes->getNumber("value"), 68719476736.0);
  EXPECT_EQ(bytes->getString("unit"), "B");
  EXPECT_EQ(bytes->getString("kind"), "published");
}

TEST(FleetShow, SaysWhatIsNotKnown) {
  Outcome text =
      run([](auto &out, auto &err) { return showCommand("t-head-ppu", false, out, err); });
  EXPECT_HAS(text.out, "not known\n  memory.bandwidth, price");
}

TEST(FleetShow, RefusesWhatIsNotThere) {
  Outcome outcome =
      run([](auto &out, auto &err) { return showCommand("metax-c50", false, out, err); });
  EXPECT_EQ(outcome.code, 3);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err, "error: 'metax-c50' is neither a file nor a name in the catalogue; did "
                         "you mean 'metax-c500'?\n");
}

TEST(FleetCheck, ReportsAllThreeShares) {
  Outcome text =
      run([](auto &out, auto &err) { return checkCommand("sanjiangyuan", false, true, out, err); });
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_HAS(text.out, "by chips       100.00 %   22832 of 22832 chips");
  EXPECT_HAS(text.out, "by cost        not known  no price");
  EXPECT_HAS(text.out, "scope site: pass");
  Outcome json =
      run([](auto &out, auto &err) { return checkCommand("sanjiangyuan", true, false, out, err); });
  llvm::json::Value value = parseJson(json.out);
  const llvm::json::Object *shares = value.getAsObject()->getObject("domestic_share");
  EXPECT_EQ(shares->getObject("chips")->getNumber("share"), 1.0);
  EXPECT_TRUE(shares->getObject("cost")->get("share")->getAsNull());
}

TEST(FleetCheck, EnforcedPolicyThatFailsIsRefused) {
  // One foreign chip, no policy in it: enforcing asks nothing.
  Outcome none =
      run([](auto &out, auto &err) { return checkCommand("nvidia-h20", false, true, out, err); });
  EXPECT_EQ(none.code, 0);
  EXPECT_HAS(none.out, "by chips       0.00 %     0 of 1 chips");
}

} // namespace
