//===- DescribeTest.cpp - the text and HTML reports -----------------------===//

#include "dougong/Package/Describe.h"
#include "SamplePlan.h"
#include "dougong/Package/Report.h"

#include <gtest/gtest.h>

using namespace dougong;
using namespace dougong::test;

namespace {

TEST(Describe, AmountsHaveThreeDigits) {
  EXPECT_EQ(formatBytes(0), "0 B");
  EXPECT_EQ(formatBytes(1023), "1023 B");
  EXPECT_EQ(formatBytes(1024), "1 KiB");
  EXPECT_EQ(formatBytes(1536), "1.5 KiB");
  EXPECT_EQ(formatBytes(1000 * 1024), "1000 KiB");
  EXPECT_EQ(formatBytes(1048575), "1 MiB");
  EXPECT_EQ(formatBytes(std::uint64_t{80} << 30), "80 GiB");
  EXPECT_EQ(formatBytes(UINT64_MAX), "16 EiB");
  EXPECT_EQ(formatSeconds(0.0012), "1.2 ms");
  EXPECT_EQ(formatSeconds(12.345), "12.3 s");
  EXPECT_EQ(formatSeconds(2e-9), "2 ns");
  EXPECT_EQ(formatSeconds(0), "0 s");
  EXPECT_EQ(formatCount(1234567), "1.23 M");
  EXPECT_EQ(formatCount(999), "999");
  EXPECT_EQ(formatCount(999999), "1 M");
}

TEST(Describe, WorkOfEachRankAtGivenSymbols) {
  plan::v1::Plan plan = samplePlan();
  auto work = rankWork(plan, {{"batch", 10}});
  ASSERT_TRUE(work) << work.message();
  ASSERT_EQ(work->size(), 4u);
  for (std::uint32_t r = 0; r != 4; ++r) {
    const RankWork &row = (*work)[r];
    EXPECT_EQ(row.rank, r);
    EXPECT_EQ(row.stage, r < 2 ? "up" : "down");
    EXPECT_EQ(row.matrixWeightBytes, 96u);
    EXPECT_EQ(row.matmulFlops, r < 2 ? 480 : 240);
    EXPECT_EQ(row.flops, r < 2 ? 540 : 280);
    EXPECT_EQ(row.sentBytes, r < 2 ? 240 : 160);
  }
  EXPECT_EQ(rankWorkToJson({(*work)[3]}).print(), R"([
  {
    "flops": 280,
    "matmul_flops": 240,
    "matrix_weight_bytes": 96,
    "rank": 3,
    "sent_bytes": 160,
    "stage": "down"
  }
])");
}

TEST(Describe, AmountsWithoutSymbolsStayOpen) {
  plan::v1::Plan plan = samplePlan();
  auto work = rankWork(plan, {});
  ASSERT_TRUE(work);
  EXPECT_EQ((*work)[0].flops, std::nullopt);
  EXPECT_NE(rankWorkToJson(*work).print().find("\"flops\": null"), std::string::npos);
}

TEST(Describe, WorkErrorsNameTheStage) {
  plan::v1::Plan plan = samplePlan();
  plan.mutable_programs(0)->mutable_work()->set_flops("batch floordiv 0");
  auto work = rankWork(plan, {{"batch", 1}});
  ASSERT_FALSE(work);
  EXPECT_EQ(work.message(), "work of stage 'up': cannot evaluate 'batch floordiv 0': 'batch "
                            "floordiv 0' divides by zero");
  plan.mutable_stages(1)->set_mesh("none");
  auto unknown = rankWork(plan, {});
  ASSERT_FALSE(unknown);
}

TEST(Describe, TextReport) {
  plan::v1::Plan plan = samplePlan();
  plan.set_plan_id("0123456789abcdef");
  plan.add_warnings("no upper bound of past");
  DescribeOptions options;
  options.symbols = {{"batch", 10}};
  std::string expected = R"(warning: no upper bound of past
plan sample (abstract), id 0123456789ab
  made by dougong 0.1.0
  model sample.onnx
  input x: f32 [batch, 8]
  input cache: f32 [past, 4]
  output y: f32 [batch, 4]
  output cache_out: f32 [past + batch, 4]
  dim batch: 0 to 64
  dim past: 0 to 64
  state cache_out -> cache

Stages
  stage  ranks      mesh  chip type  program  nodes
  up     ranks 0-1  tp=2  cpu        p-up     /up/MatMul
  down   ranks 2-3  tp=2  cpu        p-down   /down/MatMul

Memory of a rank
  stage  pool  weights  state  activations     io  collectives  workspace     total  capacity  used  bound
  up     host    4 KiB    0 B        512 B  256 B          0 B        0 B  4.75 KiB  1023 KiB   0 %  upper
  down   host    4 KiB  1 KiB        512 B  256 B          0 B        0 B  5.75 KiB  1023 KiB   1 %  upper
)";
  EXPECT_EQ(describePlan(plan, options).substr(0, expected.size()), expected);
}

TEST(Describe, ManyRanksAreSummedUpByStage) {
  DescribeOptions options;
  options.maxRanks = 3;
  std::string text = describePlan(samplePlan(), options);
  EXPECT_NE(text.find("ranks 0-1, each  up "), std::string::npos) << text;
  EXPECT_NE(text.find("batch * 48"), std::string::npos) << text;
}

TEST(Describe, DamagedPlansAreDescribedToo) {
  plan::v1::Plan plan = samplePlan();
  plan.mutable_stages(0)->set_mesh("none");
  plan.mutable_stages(1)->set_program("none");
  plan.mutable_transfers(0)->mutable_to()->mutable_port()->set_stage(99);
  plan.mutable_transfers(1)->clear_from();
  plan.mutable_programs(0)->mutable_calls(0)->set_group(7);
  EXPECT_FALSE(describePlan(plan).empty());
  EXPECT_FALSE(renderReport(plan).empty());
  EXPECT_FALSE(describePlan({}).empty());
  EXPECT_FALSE(renderReport({}).empty());
}

TEST(Report, IsSelfContainedAndEscaped) {
  plan::v1::Plan plan = samplePlan();
  plan.set_name("<script>alert(\"x\")</script>");
  plan.mutable_stages(0)->mutable_memory(0)->set_capacity(100);
  ReportOptions options;
  options.findings = {{"fallback", Severity::Warning, "node 'n'", "slow", ""},
                      {"ranks", Severity::Error, "rank 1", "a < b", "do it"}};
  std::string html = renderReport(plan, options);
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_NE(html.find("&lt;script&gt;alert(&quot;x&quot;)"), std::string::npos);
  for (const char *loads : {"http:", "https:", "src=", "href=", "url("})
    EXPECT_EQ(html.find(loads), std::string::npos) << loads;
  // Errors first, and both before anything else.
  std::size_t error = html.find("a &lt; b"), warning = html.find("slow"),
              stages = html.find("<h2>Stages</h2>");
  ASSERT_NE(stages, std::string::npos);
  EXPECT_LT(error, warning);
  EXPECT_LT(warning, stages);
  EXPECT_NE(html.find("(does not fit)"), std::string::npos);
  EXPECT_NE(html.find("1.25 ms</span> predicted, not measured"), std::string::npos);
  EXPECT_EQ(html, renderReport(plan, options));
}

TEST(Report, EveryTagIsClosed) {
  // Not a validator: elements nest, in the subset of HTML that the report uses.
  std::string html = renderReport(samplePlan());
  std::vector<std::string> open;
  for (std::size_t i = html.find('<'); i != std::string::npos; i = html.find('<', i + 1)) {
    std::size_t end = html.find_first_of(" >\n", i);
    std::string tag = html.substr(i + 1, end - i - 1);
    std::size_t close = html.find('>', i);
    if (tag == "!DOCTYPE" || tag == "meta" || tag == "br" || html[close - 1] == '/')
      continue;
    if (tag[0] != '/') {
      open.push_back(tag);
      continue;
    }
    ASSERT_FALSE(open.empty()) << tag;
    EXPECT_EQ("/" + open.back(), tag);
    open.pop_back();
  }
  EXPECT_TRUE(open.empty());
}

} // namespace
