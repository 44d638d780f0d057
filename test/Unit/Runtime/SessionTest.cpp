//===- SessionTest.cpp - hand-made packages on threads --------------------===//
#include "dougong/Runtime/Session.h"

#include "TestPackage.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

using namespace dougong;

static std::unique_ptr<Session> openSession(const std::filesystem::path &folder,
                                            SessionOptions options = {}) {
  Result<std::shared_ptr<Package>> package = Package::open(folder);
  EXPECT_TRUE(package) << package.message();
  Result<std::unique_ptr<Session>> session = Session::open(*package, options);
  EXPECT_TRUE(session) << session.message();
  return session ? std::move(*session) : nullptr;
}

static std::string openError(const std::filesystem::path &folder) {
  Result<std::shared_ptr<Package>> package = Package::open(folder);
  if (!package)
    return package.message();
  Result<std::unique_ptr<Session>> session = Session::open(*package, {});
  return session ? "" : session.message();
}

static void expectNear(const std::vector<float> &got, const std::vector<double> &expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_NEAR(got[i], expected[i], 1e-5) << i;
}

static InputTensors mlpInput(const std::vector<float> &x) {
  InputTensors inputs;
  inputs["x"] = floats({static_cast<std::int64_t>(x.size()) / Mlp::k, Mlp::k}, x);
  return inputs;
}

TEST(Session, PartitionedMlpEqualsPlainLoops) {
  for (auto [tp, dp] : {std::pair(1, 1), {2, 1}, {3, 1}, {4, 1}, {1, 3}, {2, 2}}) {
    TemporaryFolder folder;
    writeMlpPackage(folder.path(), tp, dp);
    for (int threads : {1, 2}) {
      SessionOptions options;
      options.threads = threads;
      auto session = openSession(folder.path(), options);
      ASSERT_TRUE(session);
      EXPECT_EQ(session->worldSize(), tp * dp);
      // 4 rows on 3 ranks leave the last one empty; 20 rows make several chunks.
      for (std::int64_t batch : {4, 1, 20, 4}) {
        std::vector<float> x = randomFloats(batch * Mlp::k, static_cast<unsigned>(batch));
        Result<void> done = session->step(mlpInput(x));
        ASSERT_TRUE(done) << done.message();
        Result<Tensor> y = session->fetch(0);
        ASSERT_TRUE(y) << y.message();
        EXPECT_EQ(y->name, "y");
        EXPECT_EQ(y->dims, (std::vector<std::int64_t>{batch, Mlp::n}));
        expectNear(floatsOf(*y), Mlp().run(x));
      }
    }
  }
}

TEST(Session, StatesStayOnTheirRanks) {
  for (auto [first, second] : {std::pair(1, 1), {2, 1}, {1, 2}, {2, 3}, {3, 2}, {5, 4}}) {
    TemporaryFolder folder;
    writeCachePackage(folder.path(), first, second);
    auto session = openSession(folder.path());
    ASSERT_TRUE(session);
    for (std::int64_t batch : {1, 4}) {
      session->reset();
      // Expected by hand: the sum over all steps of 2 x + 1, and of the first cache.
      std::vector<float> cache = randomFloats(batch * 2 * 8, 9);
      std::vector<double> sum(batch * 8, 0.0);
      for (std::int64_t b = 0; b < batch; ++b)
        for (std::int64_t t = 0; t < 2; ++t)
          for (std::int64_t c = 0; c < 8; ++c)
            sum[b * 8 + c] += cache[(b * 2 + t) * 8 + c];
      std::vector<std::vector<float>> steps;
      for (unsigned step = 0; step < 5; ++step) {
        std::vector<float> x = randomFloats(batch * 8, step);
        steps.push_back(x);
        InputTensors inputs;
        inputs["x"] = floats({batch, 8}, x);
        if (step == 0)
          inputs["cache"] = floats({batch, 2, 8}, cache);
        Result<void> done = session->step(inputs);
        ASSERT_TRUE(done) << done.message();
        for (std::size_t i = 0; i < x.size(); ++i)
          sum[i] += 2 * x[i] + 1;
        Result<Tensor> y = session->fetch(0);
        ASSERT_TRUE(y) << y.message();
        expectNear(floatsOf(*y), sum);
      }
      Result<Tensor> out = session->fetch(1);
      ASSERT_TRUE(out) << out.message();
      EXPECT_EQ(out->dims, (std::vector<std::int64_t>{batch, 7, 8}));
      std::vector<double> expected;
      for (std::int64_t b = 0; b < batch; ++b) {
        for (std::int64_t i = 0; i < 16; ++i)
          expected.push_back(cache[b * 16 + i]);
        for (const std::vector<float> &x : steps)
          for (std::int64_t c = 0; c < 8; ++c)
            expected.push_back(2 * x[b * 8 + c] + 1);
      }
      expectNear(floatsOf(*out), expected);
      Result<Tensor> h = session->fetch(2);
      ASSERT_TRUE(h) << h.message();
      EXPECT_EQ(h->dims, (std::vector<std::int64_t>{batch, 8}));
    }
  }
}

TEST(Session, UsersStateMayReplaceThePlans) {
  TemporaryFolder folder;
  writeCachePackage(folder.path(), 2, 2);
  Result<std::shared_ptr<Package>> package = Package::open(folder.path());
  ASSERT_TRUE(package);
  auto states = expandStates((*package)->plan().model(), {"x=sum"});
  ASSERT_TRUE(states) << states.message();
  SessionOptions options;
  options.states = *states;
  auto session = openSession(folder.path(), options);
  ASSERT_TRUE(session);
  // x is cut otherwise on its stage than "sum" is where it is made.
  InputTensors inputs;
  inputs["x"] = floats({3, 8}, std::vector<float>(24, 1));
  inputs["cache"] = floats({3, 0, 8}, {});
  ASSERT_TRUE(session->step(inputs));
  Result<void> done = session->step({});
  ASSERT_TRUE(done) << done.message();
  // Step 1: h 3, sum 3. Step 2: x 3, h 7, sum 3 + 7.
  expectNear(floatsOf(*session->fetch(0)), std::vector<double>(24, 10));
}

TEST(Session, StagesMayShareRanks) {
  TemporaryFolder folder;
  writeOverlapPackage(folder.path());
  auto session = openSession(folder.path());
  ASSERT_TRUE(session);
  EXPECT_EQ(session->worldSize(), 3);
  for (std::int64_t rows : {1, 3, 500}) {
    std::vector<float> x = randomFloats(rows * 3, 1);
    std::vector<double> y, z;
    for (float value : x) {
      y.push_back(8 * value + 7);
      z.push_back(4 * value + 3);
    }
    InputTensors inputs;
    inputs["x"] = floats({rows, 3}, x);
    Result<void> done = session->step(inputs);
    ASSERT_TRUE(done) << done.message();
    expectNear(floatsOf(*session->fetch(0)), y);
    expectNear(floatsOf(*session->fetch(1)), z);
    EXPECT_EQ(floatsOf(*session->fetch(2)), x);
  }
}

/// Extents that only one stage can tell reach the other stage, whose ranks hold parts,
/// the rank that gathers, and the next step, where the value is a state.
TEST(Session, ExtentsThatDependOnDataMove) {
  for (int keepers : {1, 2, 3}) {
    TemporaryFolder folder;
    writeRowsPackage(folder.path(), keepers);
    for (bool carries : {false, true}) {
      SessionOptions options;
      if (carries)
        options.states = {{"x", "rows"}};
      auto session = openSession(folder.path(), options);
      ASSERT_TRUE(session);
      InputTensors inputs, none;
      for (std::int64_t positive : {3, 0, 5, 3}) {
        session->reset();
        std::vector<float> x;
        std::vector<double> rows, doubled;
        for (std::int64_t row = 0; row < 6; ++row)
          for (std::int64_t column = 0; column < 3; ++column) {
            bool isKept = row < positive;
            x.push_back((isKept ? 1.f : -1.f) * static_cast<float>(10 * row + column + 1));
            if (isKept) {
              rows.push_back(x.back());
              doubled.push_back(2 * x.back() + 1);
            }
          }
        inputs["x"] = floats({6, 3}, x);
        for (int step = 0; step < 2; ++step) {
          Result<void> done = session->step(carries && step ? none : inputs);
          ASSERT_TRUE(done) << done.message();
          for (int output : {0, 1}) {
            Result<Tensor> got = session->fetch(output);
            ASSERT_TRUE(got) << got.message();
            EXPECT_EQ(got->dims, (std::vector<std::int64_t>{positive, 3}));
            expectNear(floatsOf(*got), output == 0 ? rows : doubled);
          }
        }
      }
    }
  }
}

TEST(Session, CutsAlongExtentsThatDependOnDataAreRefused) {
  TemporaryFolder folder;
  writeRowsPackage(folder.path(), 1);
  Result<plan::v1::Plan> plan = readPlan(folder.path());
  ASSERT_TRUE(plan);
  for (plan::v1::Value *value : {plan->mutable_programs(1)->mutable_inputs(0),
                                 plan->mutable_programs(1)->mutable_outputs(0)})
    value->mutable_sharding()->SwapElements(0, 1);
  ASSERT_TRUE(writePlan(*plan, folder.path()));
  auto session = openSession(folder.path());
  ASSERT_TRUE(session);
  InputTensors inputs;
  inputs["x"] = floats({1, 2}, {1, 2});
  Result<void> done = session->step(inputs);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.message(), "value 'rows' is cut along dim 0 (kept), whose extent depends on "
                            "data, which is not supported");
}

TEST(Session, Strings) {
  TemporaryFolder folder;
  writeStringPackage(folder.path());
  auto session = openSession(folder.path());
  ASSERT_TRUE(session);
  Result<Tensor> x = Tensor::create(DOUGONG_STRING, {3});
  ASSERT_TRUE(x);
  x->strings = {"one", "", "a string that is longer than a small one"};
  InputTensors inputs;
  inputs["x"] = std::move(*x);
  Result<void> done = session->step(inputs);
  ASSERT_TRUE(done) << done.message();
  Result<Tensor> y = session->fetch(0);
  ASSERT_TRUE(y) << y.message();
  EXPECT_EQ(y->strings,
            (std::vector<std::string>{"a string that is longer than a small one", "", "one"}));
}

TEST(Session, LibraryFunctions) {
  TemporaryFolder folder;
  writeTopKPackage(folder.path());
  auto session = openSession(folder.path());
  ASSERT_TRUE(session);
  InputTensors inputs;
  inputs["x"] = floats({2, 5}, {1, 4, 4, -1, 2, -5, -5, -5, -6, -4});
  Result<void> done = session->step(inputs);
  ASSERT_TRUE(done) << done.message();
  Result<Tensor> values = session->fetch(0), indices = session->fetch(1);
  ASSERT_TRUE(values && indices);
  expectNear(floatsOf(*values), {4, 4, 2, -4, -5, -5});
  const auto *got = reinterpret_cast<const std::int64_t *>(indices->data.data());
  EXPECT_EQ((std::vector<std::int64_t>(got, got + 6)),
            (std::vector<std::int64_t>{1, 2, 4, 4, 0, 1}));
  inputs["x"] = floats({2, 2}, {1, 2, 3, 4});
  done = session->step(inputs);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.message(), "stage 'all', rank 0: TopK: k is 3, the axis has 2 elements");
}

TEST(Session, WrongInputsAreNamed) {
  TemporaryFolder folder;
  writeCachePackage(folder.path(), 1, 1);
  auto session = openSession(folder.path());
  ASSERT_TRUE(session);
  auto errorOf = [&](InputTensors inputs) {
    Result<void> valid = session->checkInputs(inputs);
    return valid ? std::string() : valid.message();
  };
  InputTensors inputs;
  inputs["x"] = floats({2, 8}, std::vector<float>(16));
  EXPECT_EQ(errorOf(std::move(inputs)), "input 'cache' is missing");
  inputs.clear();
  inputs["x"] = floats({2, 9}, std::vector<float>(18));
  inputs["cache"] = floats({2, 0, 8}, {});
  EXPECT_EQ(errorOf(std::move(inputs)), "input 'x', dim 1: expected 8, got 9");
  inputs.clear();
  inputs["x"] = floats({2, 8}, std::vector<float>(16));
  inputs["cache"] = floats({3, 0, 8}, {});
  EXPECT_EQ(errorOf(std::move(inputs)), "input 'cache', dim 0: expected 2 (batch), got 3");
  inputs.clear();
  inputs["x"] = floats({2, 8}, std::vector<float>(16));
  inputs["cache"] = floats({2, 8}, std::vector<float>(16));
  EXPECT_EQ(errorOf(std::move(inputs)), "input 'cache': expected 3 dims, got [2, 8]");
  inputs.clear();
  inputs["x"] = std::move(*Tensor::create(DOUGONG_I32, {2, 8}));
  inputs["cache"] = floats({2, 0, 8}, {});
  EXPECT_EQ(errorOf(std::move(inputs)), "input 'x': expected float32, got int32");
  inputs.clear();
  inputs["x"] = floats({2, 8}, std::vector<float>(16));
  inputs["cache"] = floats({2, 0, 8}, {});
  inputs["z"] = floats({1}, {1});
  EXPECT_EQ(errorOf(std::move(inputs)), "the model has no input 'z'");
}

TEST(Session, FailuresNameStageRankAndNode) {
  TemporaryFolder folder;
  writeMlpPackage(folder.path(), 2, 1);
  auto errorOf = [&](float first, std::int64_t batch, int threads) {
    SessionOptions options;
    options.threads = threads;
    auto session = openSession(folder.path(), options);
    std::vector<float> x(batch * Mlp::k, 0);
    x[0] = first;
    Result<void> done = session->step(mlpInput(x));
    EXPECT_FALSE(done);
    // The session is of no more use, but says so.
    EXPECT_FALSE(session->step(mlpInput(std::vector<float>(Mlp::k, 0))));
    return done.message();
  };
  EXPECT_TRUE(errorOf(666, 2, 1).ends_with(": node 'mlp/MatMul': the number of the beast"));
  for (int threads : {1, 3})
    EXPECT_EQ(errorOf(667, 40, threads), "stage 'all', rank 1: node 'mlp/Relu': a loop failed");
  EXPECT_EQ(errorOf(668, 2, 1), "stage 'all', rank 1: x[0] must not be 668");
  EXPECT_TRUE(errorOf(0, 101, 1).ends_with(": batch must be at most 100 on a rank"));
}

TEST(Session, SymbolRangesAreChecked) {
  TemporaryFolder folder;
  writeMlpPackage(folder.path(), 1, 1);
  auto session = openSession(folder.path());
  Result<void> valid = session->checkInputs(mlpInput(std::vector<float>(1001 * Mlp::k)));
  ASSERT_FALSE(valid);
  EXPECT_EQ(valid.message(), "input 'x', dim 0 (batch): expected 1 to 1000, got 1001");
}

TEST(Session, DamagedPackagesAreRefused) {
  TemporaryFolder folder;
  writeMlpPackage(folder.path(), 2, 1);
  std::filesystem::resize_file(folder.path() / "weights/weights.bin", 100);
  EXPECT_NE(openError(folder.path()).find("of 'weights/weights.bin' are needed, it has 100"),
            std::string::npos)
      << openError(folder.path());
  std::ofstream(folder.path() / "programs/mlp.so", std::ios::app) << "x";
  EXPECT_NE(openError(folder.path()).find("the plan says"), std::string::npos)
      << openError(folder.path());
}

/// Changes the plan of a package and returns why it does not open.
template <typename Change>
static std::string errorAfter(const std::filesystem::path &folder, Change change) {
  Result<plan::v1::Plan> plan = readPlan(folder);
  EXPECT_TRUE(plan);
  plan::v1::Plan original = *plan;
  change(*plan);
  EXPECT_TRUE(writePlan(*plan, folder));
  std::string error = openError(folder);
  EXPECT_TRUE(writePlan(original, folder));
  return error;
}

TEST(Session, PlansThatCannotRunAreRefused) {
  TemporaryFolder folder;
  writeCachePackage(folder.path(), 2, 2);
  using plan::v1::Plan;
  auto after = [&](auto change) { return errorAfter(folder.path(), change); };
  EXPECT_EQ(after([](Plan &plan) { plan.mutable_stages(1)->set_program("nothing"); }),
            "stage 'back' names program 'nothing', which the plan lacks");
  EXPECT_EQ(after([](Plan &plan) { plan.mutable_transfers()->DeleteSubrange(1, 1); }),
            "no transfer feeds input 0 ('h') of stage 'back'");
  EXPECT_EQ(after([](Plan &plan) { *plan.add_transfers() = plan.transfers(0); }),
            "input 0 of stage 'front' is fed twice");
  EXPECT_EQ(after([](Plan &plan) { plan.mutable_transfers(0)->mutable_from()->set_model("q"); }),
            "transfer 0 of 'x->0:0' comes from 'q', which is no model input");
  EXPECT_EQ(after([](Plan &plan) { plan.mutable_programs(1)->mutable_inputs(0)->set_dtype(10); }),
            "transfer 1 of '0:0->1:0' is float32 where it leaves and float16 where it arrives");
  EXPECT_EQ(after([](Plan &plan) { plan.mutable_programs(0)->set_id("append"); }),
            "two different programs have the id 'append'");
  // Both ranks of the stage find it: the lower one is reported.
  EXPECT_EQ(after([](Plan &plan) { plan.mutable_programs(0)->set_abi(7); }),
            "stage 'front', rank 0: program 'double' cannot be loaded: it was made for program "
            "ABI 7, this runner has 4; compile the package again");
  EXPECT_EQ(after([](Plan &plan) { plan.mutable_model()->mutable_states(0)->set_output("q"); }),
            "state 'q' to 'cache': the model has no output 'q'");
  // An output that is not cut as the plan says is found before it is written.
  EXPECT_EQ(after([](Plan &plan) {
              auto *from = plan.mutable_transfers(0)->mutable_from()->mutable_port();
              from->set_stage(1);
              from->set_index(1);
            }),
            "stage 'front' waits for itself: the transfers form a circle");
}

/// So many that the number of a shard would not fit 64 bits.
TEST(Session, WeightsAreCutAlongDistinctAxes) {
  TemporaryFolder folder;
  writeMlpPackage(folder.path(), 2, 1);
  EXPECT_EQ(errorAfter(folder.path(),
                       [](plan::v1::Plan &plan) {
                         auto *weight = plan.mutable_programs(0)->mutable_weights(0);
                         for (int i = 0; i < 70; ++i)
                           weight->add_axes("tp");
                       }),
            "stage 'all', rank 0: weight 'w1' is cut along axis 'tp' twice");
}

TEST(Session, ProgramsMustAgreeWithThePlan) {
  TemporaryFolder folder;
  writeMlpPackage(folder.path(), 2, 1);
  Result<plan::v1::Plan> plan = readPlan(folder.path());
  ASSERT_TRUE(plan);
  auto errorOf = [&] {
    EXPECT_TRUE(writePlan(*plan, folder.path()));
    auto session = openSession(folder.path());
    Result<void> done = session->step(mlpInput(std::vector<float>(3 * Mlp::k, 0)));
    return done ? std::string() : done.message();
  };
  plan->mutable_programs(0)->mutable_calls(0)->set_kind("all_gather");
  EXPECT_TRUE(
      errorOf().ends_with(": the program calls all_reduce as call 0, the plan says all_gather"));
  plan->mutable_programs(0)->mutable_calls(0)->set_kind("all_reduce");
  plan->mutable_programs(0)->mutable_outputs(0)->set_dims(1, "6");
  EXPECT_TRUE(errorOf().ends_with(
      "output 'y' of program 'mlp' is [3, 5] on this rank, the plan says [3, 6]"));
}

TEST(Session, StatePatterns) {
  plan::v1::Model model;
  for (const char *name : {"past.0.key", "past.1.key", "x"})
    model.add_inputs()->set_name(name);
  for (const char *name : {"present.0.key", "present.1.key", "y"})
    model.add_outputs()->set_name(name);
  auto states = expandStates(model, {"past.*=present.*", "x=y"});
  ASSERT_TRUE(states) << states.message();
  using Pair = std::pair<std::string, std::string>;
  EXPECT_EQ(*states,
            (std::vector<Pair>{
                {"past.0.key", "present.0.key"}, {"past.1.key", "present.1.key"}, {"x", "y"}}));
  EXPECT_EQ(expandStates(model, {"past.*=now.*"}).message(),
            "state 'past.*=now.*': the model has no output 'now.0.key' for input 'past.0.key'");
  EXPECT_EQ(expandStates(model, {"q=y"}).message(), "state 'q=y': the model has no such input");
  EXPECT_EQ(expandStates(model, {"q"}).message(), "state 'q' must be INPUT=OUTPUT");
}
