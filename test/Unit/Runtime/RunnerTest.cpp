//===- RunnerTest.cpp - dougong-runner as a user runs it ------------------===//
#include "Command.h"
#include "TestPackage.h"

#include "dougong/Runtime/TensorIO.h"
#include "dougong/Support/Json.h"

#include <gtest/gtest.h>

#include <fstream>

using namespace dougong;
namespace fs = std::filesystem;

static void writeInput(const fs::path &folder, int index, const Tensor &tensor) {
  fs::create_directories(folder);
  Result<void> done = writeTensor(tensor, folder / ("input_" + std::to_string(index) + ".pb"));
  ASSERT_TRUE(done) << done.message();
}

static std::vector<float> readFloats(const fs::path &file) {
  Result<Tensor> tensor = readTensor(file);
  EXPECT_TRUE(tensor) << tensor.message();
  return tensor ? floatsOf(*tensor) : std::vector<float>();
}

static CommandResult runner(const std::string &arguments) {
  return runCommand(std::string(RUNNER) + " " + arguments);
}

TEST(Runner, RunsOneStep) {
  TemporaryFolder folder;
  fs::path package = folder.path() / "package";
  writeMlpPackage(package, 3, 1);
  std::vector<float> x = randomFloats(4 * Mlp::k, 3);
  writeInput(folder.path() / "in", 0, floats({4, Mlp::k}, x));
  CommandResult result = runner(package.string() + " --inputs " + (folder.path() / "in").string() +
                                " --outputs " + (folder.path() / "out").string() + " --json");
  ASSERT_EQ(result.code, 0) << result.output;
  std::vector<float> y = readFloats(folder.path() / "out/output_0.pb");
  std::vector<double> expected = Mlp().run(x);
  ASSERT_EQ(y.size(), expected.size());
  for (std::size_t i = 0; i < y.size(); ++i)
    EXPECT_NEAR(y[i], expected[i], 1e-5);
  Result<Json> json = Json::parse(result.output);
  ASSERT_TRUE(json) << result.output;
  EXPECT_EQ(json->find("ranks")->asNumber()->text, "3");
  EXPECT_EQ(json->find("steps")->asArray()->size(), 1u);
}

/// The same package on threads and under MPI, bit by bit.
TEST(Runner, MpiAndThreadsGiveTheSameBits) {
  for (auto [tp, dp] : {std::pair(2, 1), {4, 1}, {2, 2}}) {
    TemporaryFolder folder;
    fs::path package = folder.path() / "package";
    writeMlpPackage(package, tp, dp);
    writeInput(folder.path() / "in", 0, floats({6, Mlp::k}, randomFloats(6 * Mlp::k, 5)));
    std::string arguments =
        package.string() + " --inputs " + (folder.path() / "in").string() + " --outputs ";
    CommandResult threads = runner(arguments + (folder.path() / "threads").string());
    ASSERT_EQ(threads.code, 0) << threads.output;
    CommandResult mpi = runCommand(mpirun(tp * dp) + RUNNER + " " + arguments +
                                   (folder.path() / "mpi").string() + " --ranks mpi");
    ASSERT_EQ(mpi.code, 0) << mpi.output;
    EXPECT_EQ(readFloats(folder.path() / "mpi/output_0.pb"),
              readFloats(folder.path() / "threads/output_0.pb"));
  }
}

TEST(Runner, StagesMayShareProcesses) {
  TemporaryFolder folder;
  fs::path package = folder.path() / "package";
  writeOverlapPackage(package);
  std::vector<float> x = randomFloats(3000, 1), y;
  for (float value : x)
    y.push_back(2 * (2 * (2 * value + 1) + 1) + 1);
  writeInput(folder.path() / "in", 0, floats({1000, 3}, x));
  CommandResult result = runCommand(
      mpirun(3) + RUNNER + " " + package.string() + " --ranks mpi --repeat 3 --profile --inputs " +
      (folder.path() / "in").string() + " --outputs " + (folder.path() / "out").string());
  ASSERT_EQ(result.code, 0) << result.output;
  EXPECT_EQ(readFloats(folder.path() / "out/output_0.pb"), y);
  EXPECT_EQ(readFloats(folder.path() / "out/output_2.pb"), x);
  // Rank 0 prints what every rank measured.
  for (const char *rank : {"\"rank\": 0", "\"rank\": 1", "\"rank\": 2"})
    EXPECT_NE(result.output.find(rank), std::string::npos) << result.output;
}

TEST(Runner, StepsKeepState) {
  TemporaryFolder folder;
  fs::path package = folder.path() / "package";
  writeCachePackage(package, 1, 3);
  std::string arguments = package.string();
  for (int step = 0; step < 3; ++step) {
    fs::path in = folder.path() / ("in" + std::to_string(step));
    writeInput(in, 0, floats({2, 8}, std::vector<float>(16, static_cast<float>(step))));
    // The files of later steps say something else, and are not looked at.
    writeInput(in, 1, floats({2, step, 8}, std::vector<float>(16 * step, 99)));
    arguments += " --inputs " + in.string();
  }
  for (const char *backend : {"threads", "mpi"}) {
    fs::path out = folder.path() / backend;
    CommandResult result =
        runCommand((std::string(backend) == "mpi" ? mpirun(4) : "") + RUNNER + " " + arguments +
                   " --ranks " + backend + " --outputs " + out.string());
    ASSERT_EQ(result.code, 0) << result.output;
    // 2 x + 1 is 1, 3, 5.
    EXPECT_EQ(readFloats(out / "step_0/output_0.pb"), std::vector<float>(16, 1));
    EXPECT_EQ(readFloats(out / "step_1/output_0.pb"), std::vector<float>(16, 4));
    EXPECT_EQ(readFloats(out / "step_2/output_0.pb"), std::vector<float>(16, 9));
    Result<Tensor> cache = readTensor(out / "step_2/output_1.pb");
    ASSERT_TRUE(cache);
    EXPECT_EQ(cache->dims, (std::vector<std::int64_t>{2, 3, 8}));
    EXPECT_NE(result.output.find("step 2: "), std::string::npos) << result.output;
  }
}

TEST(Runner, FetchWritesOnlyWhatIsAskedFor) {
  TemporaryFolder folder;
  fs::path package = folder.path() / "package";
  writeCachePackage(package, 1, 1);
  Tensor x = floats({1, 8}, std::vector<float>(8, 1)), cache = floats({1, 0, 8}, {});
  ASSERT_TRUE(writeTensor(x, folder.path() / "x.npy"));
  ASSERT_TRUE(writeTensor(cache, folder.path() / "cache.pb"));
  std::string arguments = package.string() + " --input x=" + (folder.path() / "x.npy").string() +
                          " --input cache=" + (folder.path() / "cache.pb").string();
  fs::path out = folder.path() / "out";
  CommandResult result =
      runner(arguments + " --fetch sum --profile --repeat 3 --outputs " + out.string());
  ASSERT_EQ(result.code, 0) << result.output;
  EXPECT_EQ(readFloats(out / "output_0.pb"), std::vector<float>(8, 3));
  EXPECT_FALSE(fs::exists(out / "output_1.pb"));
  EXPECT_NE(result.output.find("median"), std::string::npos) << result.output;
  EXPECT_NE(result.output.find("\"run_seconds\""), std::string::npos) << result.output;
}

/// Changes one bit of a file.
static void flip(const fs::path &file, std::streamoff offset) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(offset);
  char byte = static_cast<char>(stream.get() ^ 4);
  stream.seekp(offset);
  stream.put(byte);
}

TEST(Runner, RefusesChangedWeights) {
  TemporaryFolder folder;
  fs::path package = folder.path() / "package", in = folder.path() / "in";
  writeMlpPackage(package, 2, 1);
  writeInput(in, 0, floats({1, Mlp::k}, std::vector<float>(Mlp::k, 1)));
  flip(package / "weights" / "weights.bin", 2);
  std::string run = package.string() + " --inputs " + in.string();
  for (const std::string &command :
       {RUNNER + (" " + run), mpirun(2) + RUNNER + " " + run + " --ranks mpi"}) {
    CommandResult result = runCommand(command);
    EXPECT_EQ(result.code, 4) << result.output;
    // w1 of rank 0: 7 x 5 floats.
    EXPECT_NE(result.output.find("weights.bin', bytes 0 to 140: expected sha256 "),
              std::string::npos)
        << result.output;
    EXPECT_NE(result.output.find("; copy the package again, or compile it again"),
              std::string::npos)
        << result.output;
  }
  EXPECT_EQ(runner(run + " --trust-weights").code, 0);
  flip(package / "weights" / "weights.bin", 2);
  EXPECT_EQ(runner(run).code, 0);
}

TEST(Runner, ExitCodes) {
  TemporaryFolder folder;
  fs::path package = folder.path() / "package", in = folder.path() / "in";
  writeMlpPackage(package, 2, 1);
  auto expect = [](const CommandResult &result, int code, const std::string &message) {
    EXPECT_EQ(result.code, code) << result.output;
    EXPECT_NE(result.output.find(message), std::string::npos) << result.output;
  };
  expect(runner("--help"), 0, "Exit codes");
  expect(runner(""), 2, "package is required");
  expect(runner(package.string() + " --ranks tcp"), 2, "--ranks");
  expect(runner(package.string() + " --state a"), 2, "state 'a' must be INPUT=OUTPUT");
  expect(runner(package.string() + " --fetch q"), 2, "the model has no such output");
  expect(runner(package.string()), 3, "input 'x' is missing");
  expect(runner(package.string() + " --inputs " + (folder.path() / "none").string()), 3,
         "cannot read the folder");
  std::ofstream(folder.path() / "bad.pb") << "\xff\xff\xff";
  expect(runner(package.string() + " --input x=" + (folder.path() / "bad.pb").string()), 3,
         "is no TensorProto message");
  expect(runner((folder.path() / "none").string()), 4, "none");
  writeInput(in, 0, floats({2, Mlp::k}, std::vector<float>(2 * Mlp::k, 666)));
  std::string run = package.string() + " --inputs " + in.string();
  expect(runner(run), 5, "node 'mlp/MatMul': the number of the beast");
  expect(runCommand(mpirun(2) + RUNNER + " " + run + " --ranks mpi"), 5,
         "node 'mlp/MatMul': the number of the beast");
  expect(runCommand(mpirun(3) + RUNNER + " " + run + " --ranks mpi"), 4,
         "the plan needs 2 ranks, MPI_COMM_WORLD has 3; start it with mpirun -n 2");
  // One rank fails while the other waits in an all-reduce.
  writeInput(in, 0, floats({2, Mlp::k}, std::vector<float>(2 * Mlp::k, 668)));
  expect(runCommand(mpirun(2) + RUNNER + " " + run + " --ranks mpi"), 5,
         "stage 'all', rank 1: x[0] must not be 668");
}
