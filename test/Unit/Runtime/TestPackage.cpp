//===- TestPackage.cpp - hand-made packages -------------------------------===//
#include "TestPackage.h"

#include "dougong/Package/Plan.h"
#include "dougong/Support/Sha256.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>

using namespace dougong;
using plan::v1::Plan;
namespace fs = std::filesystem;

TemporaryFolder::TemporaryFolder() {
  std::string name = (fs::temp_directory_path() / "dougong-test-XXXXXX").string();
  folder = mkdtemp(name.data());
}
TemporaryFolder::~TemporaryFolder() { fs::remove_all(folder); }

Tensor dougong::floats(std::vector<std::int64_t> dims, const std::vector<float> &values) {
  Result<Tensor> tensor = Tensor::create(DOUGONG_F32, std::move(dims));
  EXPECT_TRUE(tensor);
  EXPECT_EQ(tensor->bytes(), values.size() * 4);
  if (!values.empty())
    std::memcpy(tensor->data.data(), values.data(), values.size() * 4);
  return std::move(*tensor);
}

std::vector<float> dougong::floatsOf(const Tensor &tensor) {
  EXPECT_EQ(tensor.dtype, DOUGONG_F32);
  const auto *data = reinterpret_cast<const float *>(tensor.data.data());
  return {data, data + tensor.bytes() / 4};
}

std::vector<float> dougong::randomFloats(std::int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> distribution(-1, 1);
  std::vector<float> values;
  for (std::int64_t i = 0; i < count; ++i)
    values.push_back(distribution(random));
  return values;
}

std::vector<double> Mlp::run(const std::vector<float> &x) const {
  std::vector<double> y;
  for (std::size_t row = 0; row < x.size() / k; ++row) {
    std::vector<double> sums(n, 0.0);
    for (std::int64_t h = 0; h < hidden; ++h) {
      double sum = 0;
      for (std::int64_t i = 0; i < k; ++i)
        sum += static_cast<double>(x[row * k + i]) * w1[i * hidden + h];
      for (std::int64_t c = 0; sum > 0 && c < n; ++c)
        sums[c] += sum * w2[h * n + c];
    }
    y.insert(y.end(), sums.begin(), sums.end());
  }
  return y;
}

/// Copies a compiled test program into the package.
static void addProgram(Plan &plan, const fs::path &folder, const std::string &id,
                       const std::string &library) {
  plan::v1::Program &program = *plan.add_programs();
  program.set_id(id);
  program.set_kind("cpu-so");
  program.set_path("programs/" + id + ".so");
  program.set_abi(DOUGONG_PROGRAM_ABI);
  program.set_target("test");
  fs::path target = folder / program.path();
  fs::copy_file(library, target, fs::copy_options::overwrite_existing);
  program.set_sha256(*sha256File(target));
  program.set_size_bytes(fs::file_size(target));
}

static void addValue(plan::v1::Value &value, const std::string &name,
                     const std::vector<std::string> &dims, int cutDim = -1,
                     const std::string &axis = "") {
  value.set_name(name);
  value.set_dtype(DOUGONG_F32);
  for (std::size_t d = 0; d < dims.size(); ++d) {
    value.add_dims(dims[d]);
    if (cutDim < 0)
      continue;
    plan::v1::DimSharding &cut = *value.add_sharding();
    cut.set_unit(1);
    if (static_cast<int>(d) == cutDim)
      cut.add_axes(axis);
  }
}

static void addMesh(Plan &plan, const std::string &id, unsigned first,
                    const std::vector<std::pair<std::string, int>> &axes) {
  plan::v1::Mesh &mesh = *plan.add_meshes();
  mesh.set_id(id);
  mesh.set_first_rank(first);
  for (const auto &[name, size] : axes) {
    plan::v1::Axis &axis = *mesh.add_axes();
    axis.set_name(name);
    axis.set_size(size);
  }
}

static void addStage(Plan &plan, const std::string &name, const std::string &program,
                     const std::string &mesh) {
  plan::v1::Stage &stage = *plan.add_stages();
  stage.set_name(name);
  stage.set_program(program);
  stage.set_mesh(mesh);
}

/// "x" is a model value, "0:1" output or input 1 of stage 0.
static void setEndpoint(plan::v1::Endpoint &endpoint, const std::string &text) {
  std::size_t colon = text.find(':');
  if (colon == std::string::npos)
    return endpoint.set_model(text);
  endpoint.mutable_port()->set_stage(std::stoul(text.substr(0, colon)));
  endpoint.mutable_port()->set_index(std::stoul(text.substr(colon + 1)));
}
static void addTransfer(Plan &plan, const std::string &from, const std::string &to) {
  plan::v1::Transfer &transfer = *plan.add_transfers();
  setEndpoint(*transfer.mutable_from(), from);
  setEndpoint(*transfer.mutable_to(), to);
  transfer.set_value(from + "->" + to);
}

/// Appends `bytes` to the package's weight file; `padding` bytes before them.
static void addShard(plan::v1::Weight &weight, const fs::path &folder, const void *bytes,
                     std::size_t size, std::size_t alignment) {
  fs::path file = folder / "weights" / "weights.bin";
  std::ofstream stream(file, std::ios::binary | std::ios::app);
  std::size_t offset = fs::exists(file) ? fs::file_size(file) : 0;
  while (offset % alignment) {
    stream.put('\0');
    ++offset;
  }
  stream.write(static_cast<const char *>(bytes), static_cast<std::streamsize>(size));
  plan::v1::Segment &segment = *weight.add_shards();
  segment.set_file("weights/weights.bin");
  segment.set_offset(offset);
  segment.set_bytes(size);
  segment.add_sha256(sha256({static_cast<const char *>(bytes), size}));
}

void dougong::writeMlpPackage(const fs::path &folder, int tp, int dp) {
  ASSERT_TRUE(createPackage(folder));
  Plan plan;
  plan.set_name("mlp");
  addProgram(plan, folder, "mlp", PROGRAM_PARALLEL_MLP);
  addMesh(plan, "m", 0, {{"dp", dp}, {"tp", tp}});
  addStage(plan, "all", "mlp", "m");
  plan::v1::Model &model = *plan.mutable_model();
  plan::v1::Symbol &batch = *model.add_symbols();
  batch.set_name("batch");
  batch.set_min(1);
  batch.set_max(1000);
  addValue(*model.add_inputs(), "x", {"batch", "7"});
  addValue(*model.add_outputs(), "y", {"batch", "5"});

  plan::v1::Program &program = *plan.mutable_programs(0);
  addValue(*program.add_inputs(), "x", {"batch", "7"}, 0, "dp");
  addValue(*program.add_outputs(), "y", {"batch", "5"}, 0, "dp");
  program.add_checks("batch must be at most 100 on a rank");
  program.add_checks("x[0] must not be 668");
  program.add_groups()->add_axes("tp");
  plan::v1::Call &call = *program.add_calls();
  call.set_kind("all_reduce");
  call.set_group(0);
  call.set_dtype(DOUGONG_F32);
  call.set_elements("5 * (batch ceildiv " + std::to_string(dp) + ")");
  call.set_reduction("sum");
  call.set_node("mlp/MatMul_1");

  // Shards in the order of the axis; columns beyond `hidden` are zero.
  Mlp mlp;
  std::int64_t width = (Mlp::hidden + tp - 1) / tp;
  plan::v1::Weight &w1 = *program.add_weights(), &w2 = *program.add_weights(),
                   &sizes = *program.add_weights();
  w1.set_name("w1");
  w2.set_name("w2");
  sizes.set_name("sizes");
  for (plan::v1::Weight *weight : {&w1, &w2})
    weight->set_dtype(DOUGONG_F32);
  sizes.set_dtype(DOUGONG_I64);
  for (plan::v1::Weight *weight : {&w1, &w2, &sizes})
    weight->set_layout("row-major");
  w1.add_dims(Mlp::k);
  w1.add_dims(width);
  w2.add_dims(width);
  w2.add_dims(Mlp::n);
  sizes.add_dims(2);
  w1.add_axes("tp");
  w2.add_axes("tp");
  for (int t = 0; t < tp; ++t) {
    std::vector<float> part1, part2;
    for (std::int64_t i = 0; i < Mlp::k; ++i)
      for (std::int64_t h = t * width; h < (t + 1) * width; ++h)
        part1.push_back(h < Mlp::hidden ? mlp.w1[i * Mlp::hidden + h] : 0);
    for (std::int64_t h = t * width; h < (t + 1) * width; ++h)
      for (std::int64_t c = 0; c < Mlp::n; ++c)
        part2.push_back(h < Mlp::hidden ? mlp.w2[h * Mlp::n + c] : 0);
    addShard(w1, folder, part1.data(), part1.size() * 4, 64);
    addShard(w2, folder, part2.data(), part2.size() * 4, 4); // some are not aligned
  }
  std::int64_t both[2] = {Mlp::k, width};
  addShard(sizes, folder, both, sizeof(both), 64);

  addTransfer(plan, "x", "0:0");
  addTransfer(plan, "0:0", "y");
  ASSERT_TRUE(writePlan(plan, folder));
}

void dougong::writeCachePackage(const fs::path &folder, int first, int second) {
  ASSERT_TRUE(createPackage(folder));
  Plan plan;
  plan.set_name("cache");
  addProgram(plan, folder, "double", PROGRAM_DOUBLE_PLUS_ONE);
  addProgram(plan, folder, "append", PROGRAM_APPEND_AND_SUM);
  addMesh(plan, "m0", 0, {{"tp", first}});
  addMesh(plan, "m1", static_cast<unsigned>(first), {{"dp", second}});
  addStage(plan, "front", "double", "m0");
  addStage(plan, "back", "append", "m1");
  plan::v1::Model &model = *plan.mutable_model();
  model.add_symbols()->set_name("batch");
  model.add_symbols()->set_name("past");
  addValue(*model.add_inputs(), "x", {"batch", "8"});
  addValue(*model.add_inputs(), "cache", {"batch", "past", "8"});
  addValue(*model.add_outputs(), "sum", {"batch", "8"});
  addValue(*model.add_outputs(), "cache.out", {"batch", "past + 1", "8"});
  addValue(*model.add_outputs(), "h", {"batch", "8"});
  plan::v1::State &state = *model.add_states();
  state.set_input("cache");
  state.set_output("cache.out");

  plan::v1::Program &front = *plan.mutable_programs(0), &back = *plan.mutable_programs(1);
  addValue(*front.add_inputs(), "x", {"batch", "8"}, 1, "tp");
  addValue(*front.add_outputs(), "h", {"batch", "8"}, 1, "tp");
  addValue(*back.add_inputs(), "h", {"batch", "8"}, 0, "dp");
  addValue(*back.add_inputs(), "cache", {"batch", "past", "8"}, 0, "dp");
  addValue(*back.add_outputs(), "cache.out", {"batch", "past + 1", "8"}, 0, "dp");
  addValue(*back.add_outputs(), "sum", {"batch", "8"}, 0, "dp");
  addTransfer(plan, "x", "0:0");
  addTransfer(plan, "0:0", "1:0");
  addTransfer(plan, "cache", "1:1");
  addTransfer(plan, "1:0", "cache.out");
  addTransfer(plan, "1:1", "sum");
  addTransfer(plan, "0:0", "h");
  ASSERT_TRUE(writePlan(plan, folder));
}

void dougong::writeOverlapPackage(const fs::path &folder) {
  ASSERT_TRUE(createPackage(folder));
  Plan plan;
  plan.set_name("overlap");
  addProgram(plan, folder, "columns", PROGRAM_DOUBLE_PLUS_ONE);
  addProgram(plan, folder, "rows", PROGRAM_DOUBLE_PLUS_ONE);
  addMesh(plan, "m0", 0, {{"tp", 2}});
  addMesh(plan, "m1", 1, {{"dp", 2}});
  plan::v1::Program &columns = *plan.mutable_programs(0), &rows = *plan.mutable_programs(1);
  for (auto [program, dim, axis] : {std::tuple(&columns, 1, "tp"), {&rows, 0, "dp"}}) {
    addValue(*program->add_inputs(), "x", {"n", "m"}, dim, axis);
    addValue(*program->add_outputs(), "y", {"n", "m"}, dim, axis);
  }
  addStage(plan, "first", "columns", "m0");
  addStage(plan, "second", "rows", "m1");
  addStage(plan, "third", "columns", "m0");
  addStage(plan, "fourth", "rows", "m1");
  plan::v1::Model &model = *plan.mutable_model();
  addValue(*model.add_inputs(), "x", {"n", "m"});
  addValue(*model.add_outputs(), "y", {"n", "m"});
  addValue(*model.add_outputs(), "z", {"n", "m"});
  addValue(*model.add_outputs(), "same", {"n", "m"});
  addTransfer(plan, "x", "0:0");
  addTransfer(plan, "0:0", "1:0");
  addTransfer(plan, "1:0", "2:0");
  addTransfer(plan, "0:0", "3:0");
  addTransfer(plan, "2:0", "y");
  addTransfer(plan, "3:0", "z");
  addTransfer(plan, "x", "same");
  ASSERT_TRUE(writePlan(plan, folder));
}

void dougong::writeRowsPackage(const fs::path &folder, int keepers) {
  ASSERT_TRUE(createPackage(folder));
  Plan plan;
  plan.set_name("rows");
  addProgram(plan, folder, "keep", PROGRAM_POSITIVE_ROWS);
  addProgram(plan, folder, "double", PROGRAM_DOUBLE_PLUS_ONE);
  addMesh(plan, "m0", 1, {{"dp", keepers}});
  addMesh(plan, "m1", 0, {{"tp", 2}});
  plan::v1::Program &keep = *plan.mutable_programs(0), &twice = *plan.mutable_programs(1);
  addValue(*keep.add_inputs(), "x", {"n", "m"});
  addValue(*keep.add_outputs(), "rows", {"kept", "m"});
  addValue(*twice.add_inputs(), "rows", {"kept", "m"}, 1, "tp");
  addValue(*twice.add_outputs(), "doubled", {"kept", "m"}, 1, "tp");
  addStage(plan, "keep", "keep", "m0");
  addStage(plan, "double", "double", "m1");
  plan::v1::Model &model = *plan.mutable_model();
  addValue(*model.add_inputs(), "x", {"n", "m"});
  addValue(*model.add_outputs(), "rows", {"kept", "m"});
  addValue(*model.add_outputs(), "doubled", {"kept", "m"});
  addTransfer(plan, "x", "0:0");
  addTransfer(plan, "0:0", "1:0");
  addTransfer(plan, "0:0", "rows");
  addTransfer(plan, "1:0", "doubled");
  ASSERT_TRUE(writePlan(plan, folder));
}

void dougong::writeMeetPackage(const fs::path &folder, int microBatches) {
  ASSERT_TRUE(createPackage(folder));
  Plan plan;
  plan.set_name("meet");
  addProgram(plan, folder, "meet", PROGRAM_MEET);
  addMesh(plan, "m0", 0, {});
  addMesh(plan, "m1", 1, {});
  plan::v1::Program &program = *plan.mutable_programs(0);
  addValue(*program.add_inputs(), "x", {"rows"});
  addValue(*program.add_outputs(), "y", {"rows"});
  program.add_checks("the first stage did not go on");
  addStage(plan, "front", "meet", "m0");
  addStage(plan, "back", "meet", "m1");
  plan::v1::Model &model = *plan.mutable_model();
  addValue(*model.add_inputs(), "x", {"rows"});
  addValue(*model.add_outputs(), "y", {"rows"});
  addTransfer(plan, "x", "0:0");
  addTransfer(plan, "0:0", "1:0");
  addTransfer(plan, "1:0", "y");
  ASSERT_TRUE(writePlan(plan, folder));
  setMicroBatches(folder, microBatches, "rows");
}

void dougong::setMicroBatches(const fs::path &folder, int count, const std::string &batch) {
  Result<Plan> plan = readPlan(folder);
  ASSERT_TRUE(plan) << plan.message();
  plan->mutable_model()->mutable_micro_batches()->set_count(static_cast<unsigned>(count));
  plan->mutable_model()->mutable_micro_batches()->set_batch(batch);
  ASSERT_TRUE(writePlan(*plan, folder));
}

void dougong::writeStringPackage(const fs::path &folder) {
  ASSERT_TRUE(createPackage(folder));
  Plan plan;
  plan.set_name("strings");
  addProgram(plan, folder, "reverse", PROGRAM_REVERSE_STRINGS);
  addMesh(plan, "m", 0, {});
  addStage(plan, "all", "reverse", "m");
  plan::v1::Model &model = *plan.mutable_model();
  addValue(*model.add_inputs(), "x", {"n"});
  addValue(*model.add_outputs(), "y", {"n"});
  model.mutable_inputs(0)->set_dtype(DOUGONG_STRING);
  model.mutable_outputs(0)->set_dtype(DOUGONG_STRING);
  *plan.mutable_programs(0)->mutable_inputs() = model.inputs();
  *plan.mutable_programs(0)->mutable_outputs() = model.outputs();
  addTransfer(plan, "x", "0:0");
  addTransfer(plan, "0:0", "y");
  ASSERT_TRUE(writePlan(plan, folder));
}

void dougong::writeTopKPackage(const fs::path &folder) {
  ASSERT_TRUE(createPackage(folder));
  Plan plan;
  plan.set_name("topk");
  addProgram(plan, folder, "topk", PROGRAM_TOP_K);
  addMesh(plan, "m", 0, {});
  addStage(plan, "all", "topk", "m");
  plan::v1::Model &model = *plan.mutable_model();
  addValue(*model.add_inputs(), "x", {"n", "m"});
  addValue(*model.add_outputs(), "values", {"n", "3"});
  addValue(*model.add_outputs(), "indices", {"n", "3"});
  model.mutable_outputs(1)->set_dtype(DOUGONG_I64);
  plan::v1::Program &program = *plan.mutable_programs(0);
  *program.add_inputs() = model.inputs(0);
  *program.mutable_outputs() = model.outputs();
  addTransfer(plan, "x", "0:0");
  addTransfer(plan, "0:0", "values");
  addTransfer(plan, "0:1", "indices");
  ASSERT_TRUE(writePlan(plan, folder));
}
