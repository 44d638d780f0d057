//===- PlanTest.cpp - reading and writing plan.json -----------------------===//

#include "dougong/Package/Plan.h"
#include "SamplePlan.h"

#include <cmath>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

using namespace dougong;
using namespace dougong::test;

namespace {

TEST(Plan, CanonicalTextIsSortedAndStable) {
  plan::v1::Plan plan;
  plan.set_api_version("dougong.plan/v1");
  plan.set_name("caf\xc3\xa9");
  auto *mesh = plan.add_meshes();
  mesh->set_id("m");
  mesh->set_first_rank(0);
  auto *axis = mesh->add_axes();
  axis->set_name("tp");
  axis->set_size(2);
  plan.mutable_estimates()->set_step_s(0.00125);
  (*plan.mutable_model()->mutable_opsets())["zz"] = 1;
  (*plan.mutable_model()->mutable_opsets())["ai.onnx"] = 22;
  auto text = printPlan(plan);
  ASSERT_TRUE(text) << text.message();
  EXPECT_EQ(*text, R"({
  "api_version": "dougong.plan/v1",
  "estimates": {
    "step_s": 0.00125
  },
  "meshes": [
    {
      "axes": [
        {
          "name": "tp",
          "size": "2"
        }
      ],
      "first_rank": 0,
      "id": "m"
    }
  ],
  "model": {
    "opsets": {
      "ai.onnx": "22",
      "zz": "1"
    }
  },
  "name": "café"
}
)");
}

TEST(Plan, RoundTripKeepsEverythingAndTheText) {
  plan::v1::Plan plan = samplePlan();
  auto text = printPlan(plan);
  ASSERT_TRUE(text) << text.message();
  auto back = parsePlan(*text, "plan.json");
  ASSERT_TRUE(back) << back.message();
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(plan, *back));
  auto again = printPlan(*back);
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, *text);
}

TEST(Plan, WrittenFileReadsBackAndItsIdIsTheHashWithoutIt) {
  TemporaryFolder folder("plan-test");
  plan::v1::Plan plan = samplePlan();
  auto written = writePlan(plan, folder.path / "out");
  ASSERT_TRUE(written) << written.message();
  // No temporary file is left behind.
  for (const auto &entry : std::filesystem::directory_iterator(folder.path / "out"))
    EXPECT_EQ(entry.path().filename(), "plan.json");

  for (const auto &path : {folder.path / "out", folder.path / "out/plan.json"}) {
    auto back = readPlan(path);
    ASSERT_TRUE(back) << back.message();
    EXPECT_EQ(back->plan_id(), plan.plan_id());
    EXPECT_EQ(plan.plan_id().size(), 64u);
    auto id = computePlanId(*back);
    ASSERT_TRUE(id);
    EXPECT_EQ(*id, plan.plan_id());
  }
  // The id does not depend on itself, and does depend on the rest.
  plan::v1::Plan other = plan;
  other.set_plan_id("x");
  EXPECT_EQ(*computePlanId(other), plan.plan_id());
  other.set_name("other");
  EXPECT_NE(*computePlanId(other), plan.plan_id());
}

TEST(Plan, IdIsThatOfAnIndependentTool) {
  // printf '{\n  "api_version": "dougong.plan/v1",\n  "name": "x"\n}\n' | sha256sum
  plan::v1::Plan plan;
  plan.set_api_version("dougong.plan/v1");
  plan.set_name("x");
  plan.set_plan_id("ignored");
  EXPECT_EQ(*computePlanId(plan),
            "f0a35aa133ccd028970b171961d72824f97e0c7abd9d8a636e3ed35a1b55aee2");
}

std::string parseError(std::string_view text) {
  auto plan = parsePlan(text, "out/plan.json");
  return plan ? "no error" : plan.message();
}

TEST(Plan, UnknownFieldsAreRefusedWithTheirPath) {
  EXPECT_EQ(parseError(R"({"api_version": "dougong.plan/v1", "meshes": [{"idd": "m"}]})"),
            "out/plan.json: (meshes[0]) idd: Cannot find field.");
  EXPECT_EQ(parseError(R"({"api_version": "dougong.plan/v1", "stage": []})"),
            "out/plan.json: stage: Cannot find field.");
}

TEST(Plan, WrongTypesAreRefusedWithTheirPath) {
  std::string message =
      parseError(R"({"api_version": "dougong.plan/v1", "meshes": [{"first_rank": "a"}]})");
  EXPECT_NE(message.find("out/plan.json: "), std::string::npos) << message;
  EXPECT_NE(message.find("meshes[0].first_rank"), std::string::npos) << message;
}

TEST(Plan, AnotherMajorVersionIsRefusedBeforeItsFields) {
  EXPECT_EQ(parseError(R"({"api_version": "dougong.plan/v2", "new_field": 1})"),
            "out/plan.json: 'api_version' is 'dougong.plan/v2'; this reader understands "
            "'dougong.plan/v1': use the dougong that wrote the plan");
  EXPECT_EQ(parseError(R"({"api_version": "dougong.plan/v10"})"),
            "out/plan.json: 'api_version' is 'dougong.plan/v10'; this reader understands "
            "'dougong.plan/v1': use the dougong that wrote the plan");
  EXPECT_EQ(parseError(R"({"name": "x"})"),
            "out/plan.json: not a plan: expected 'api_version' to be 'dougong.plan/v1', and it is "
            "missing");
  EXPECT_EQ(parseError("[]"), "out/plan.json: not a plan: expected a JSON object");
  EXPECT_EQ(parseError(R"({"api_version": "dougong.plan/v1.3"})"), "no error");
}

TEST(Plan, SyntaxErrorsNameLineAndColumn) {
  EXPECT_EQ(parseError("{\n  \"api_version\": \"dougong.plan/v1\",\n}"),
            "out/plan.json:3:1: expected a key in double quotes");
  EXPECT_EQ(parseError(R"({"name": "a", "name": "b"})"),
            "out/plan.json:1:15: key \"name\" occurs twice");
}

TEST(Plan, MissingFileIsNamed) {
  TemporaryFolder folder("plan-missing");
  auto plan = readPlan(folder.path);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.message(), "cannot read '" + (folder.path / "plan.json").string() +
                                "': No such file or directory");
}

TEST(Plan, WhatJsonCannotSayIsNotWritten) {
  plan::v1::Plan plan = samplePlan();
  plan.mutable_stages(1)->add_nodes("\xff");
  auto text = printPlan(plan);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.message(), "plan cannot be written: 'stages[1].nodes[1]' is not UTF-8 text or not "
                            "a finite number");
  plan = samplePlan();
  plan.mutable_estimates()->set_step_s(std::nan(""));
  EXPECT_FALSE(printPlan(plan));
}

TEST(Plan, AtomicWriteReplacesAndReportsFailure) {
  TemporaryFolder folder("atomic");
  auto file = folder.path / "f";
  ASSERT_TRUE(writeFileAtomically(file, "one"));
  ASSERT_TRUE(writeFileAtomically(file, "two"));
  auto text = readFile(file);
  ASSERT_TRUE(text);
  EXPECT_EQ(*text, "two");
  auto failed = writeFileAtomically(folder.path / "no/such/folder/f", "x");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.message(), "cannot write '" + (folder.path / "no/such/folder/f").string() +
                                  "': No such file or directory");
}

TEST(Plan, PathsThatLeaveThePackageAreRefused) {
  for (const char *bad : {"", ".", "..", "../x", "/etc/passwd", "a/../../x", "a/.."})
    EXPECT_FALSE(packagePath("p", bad)) << bad;
  auto good = packagePath("p", "weights/../programs/x.so");
  ASSERT_TRUE(good);
  EXPECT_EQ(*good, "p/programs/x.so");
}

} // namespace
