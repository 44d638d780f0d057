//===- SamplePlan.h - a small valid plan and its package --------*- C++ -*-===//
#ifndef DOUGONG_TEST_UNIT_PACKAGE_SAMPLEPLAN_H
#define DOUGONG_TEST_UNIT_PACKAGE_SAMPLEPLAN_H

#include "dougong-c/program.h"
#include "dougong/Package/Plan.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <string>
#include <unistd.h>

namespace dougong::test {

/// A folder that is removed at the end.
class TemporaryFolder {
public:
  explicit TemporaryFolder(const std::string &name)
      : path(std::filesystem::temp_directory_path() /
             ("dougong-" + name + "-" + std::to_string(::getpid()))) {
    std::filesystem::remove_all(path);
    std::filesystem::create_directories(path);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
  const std::filesystem::path path;
};

inline plan::v1::Value *setValue(plan::v1::Value *value, const std::string &name,
                                 std::initializer_list<const char *> dims) {
  value->set_name(name);
  value->set_dtype(1); // float32
  for (const char *dim : dims)
    value->add_dims(dim);
  return value;
}

/// Cuts dim `d` (of two) by `axis`.
inline void cut(plan::v1::Value *value, int d, const std::string &axis) {
  for (int i = 0; i != 2; ++i) {
    auto *dim = value->add_sharding();
    dim->set_unit(1);
    if (i == d)
      dim->add_axes(axis);
  }
}

/// x[batch, 8] -> stage up on ranks 0 and 1 -> h[batch, 6] -> stage down on ranks
/// 2 and 3 -> y[batch, 4]; a cache of [past, 4] is state of stage down.
inline plan::v1::Plan samplePlan() {
  plan::v1::Plan plan;
  plan.set_api_version("dougong.plan/v1");
  plan.set_name("sample");
  plan.mutable_producer()->set_tool("dougong");
  plan.mutable_producer()->set_version("0.1.0");
  plan.mutable_binding()->set_mode("abstract");

  auto *model = plan.mutable_model();
  model->set_name("sample.onnx");
  (*model->mutable_opsets())["ai.onnx"] = 22;
  for (const char *name : {"batch", "past"}) {
    auto *symbol = model->add_symbols();
    symbol->set_name(name);
    symbol->set_min(0);
    symbol->set_max(64);
  }
  setValue(model->add_inputs(), "x", {"batch", "8"});
  setValue(model->add_inputs(), "cache", {"past", "4"});
  setValue(model->add_outputs(), "y", {"batch", "4"});
  setValue(model->add_outputs(), "cache_out", {"past + batch", "4"});
  auto *state = model->add_states();
  state->set_input("cache");
  state->set_output("cache_out");

  plan.mutable_fleet()->set_name("lab");
  auto *chip = plan.mutable_fleet()->add_chip_types();
  chip->set_id("cpu");
  chip->set_domestic(true);
  chip->set_target("cpu");
  chip->set_memory_bytes(1 << 20);
  chip->set_reserved_bytes(1 << 10);
  chip->set_provenance("measured");

  for (int i = 0; i != 2; ++i) {
    auto *mesh = plan.add_meshes();
    mesh->set_id("m" + std::to_string(i));
    mesh->set_first_rank(static_cast<std::uint32_t>(2 * i));
    mesh->set_chip_type("cpu");
    auto *axis = mesh->add_axes();
    axis->set_name("tp");
    axis->set_size(2);

    auto *program = plan.add_programs();
    program->set_id(i == 0 ? "p-up" : "p-down");
    program->set_kind("cpu-so");
    program->set_path("programs/" + program->id() + ".so");
    program->set_abi(DOUGONG_PROGRAM_ABI);
    program->set_target("x86_64-linux-gnu");
    program->add_groups()->add_axes("tp");
    auto *call = program->add_calls();
    call->set_kind("all_reduce");
    call->set_dtype(1);
    call->set_elements(i == 0 ? "batch * 6" : "batch * 4");
    call->set_reduction("sum");
    call->set_node(i == 0 ? "/up/MatMul" : "/down/MatMul");
    auto *work = program->mutable_work();
    work->set_matrix_weight_bytes(96);
    work->set_matmul_flops(i == 0 ? "batch * 48" : "batch * 24");
    work->set_flops(i == 0 ? "batch * 54" : "batch * 28");
    work->set_sent_bytes(i == 0 ? "batch * 24" : "batch * 16");

    auto *stage = plan.add_stages();
    stage->set_name(i == 0 ? "up" : "down");
    stage->set_program(program->id());
    stage->set_mesh(mesh->id());
    stage->add_nodes(call->node());
    auto *memory = stage->add_memory();
    memory->set_pool("host");
    memory->set_weights(4096);
    memory->set_state(i == 0 ? 0 : 1024);
    memory->set_activations(512);
    memory->set_io(256);
    memory->set_total(i == 0 ? 4864 : 5888);
    memory->set_capacity((1 << 20) - (1 << 10));
    memory->set_bound("upper");

    auto *set = plan.add_rank_sets();
    set->set_stage(stage->name());
    set->set_first(mesh->first_rank());
    set->set_count(2);
    set->set_stride(1);
    set->set_chip_type("cpu");
  }

  // The up weight [4, 6] (its rows cut) lies in one file, a shard behind the other.
  auto *up = plan.mutable_programs(0);
  setValue(up->add_inputs(), "x", {"batch", "8"});
  cut(up->mutable_inputs(0), 1, "tp");
  setValue(up->add_outputs(), "h", {"batch", "6"});
  auto *weight = up->add_weights();
  weight->set_name("up.weight");
  weight->set_dtype(1);
  weight->add_dims(4);
  weight->add_dims(6);
  weight->set_layout("row-major");
  weight->add_axes("tp");
  for (std::uint64_t offset : {0, 4096}) {
    auto *shard = weight->add_shards();
    shard->set_file("weights/up.bin");
    shard->set_offset(offset);
    shard->set_bytes(96);
  }

  auto *down = plan.mutable_programs(1);
  setValue(down->add_inputs(), "h", {"batch", "6"});
  cut(down->mutable_inputs(0), 1, "tp");
  setValue(down->add_inputs(), "cache", {"past", "4"});
  setValue(down->add_outputs(), "y", {"batch", "4"});
  setValue(down->add_outputs(), "cache_out", {"batch + past", "4"});

  auto connect = [&](const char *value, const char *fromModel, int fromStage, int fromIndex,
                     const char *toModel, int toStage, int toIndex) {
    auto *transfer = plan.add_transfers();
    transfer->set_value(value);
    auto set = [](plan::v1::Endpoint *end, const char *name, int stage, int index) {
      if (name) {
        end->set_model(name);
        return;
      }
      end->mutable_port()->set_stage(static_cast<std::uint32_t>(stage));
      end->mutable_port()->set_index(static_cast<std::uint32_t>(index));
    };
    set(transfer->mutable_from(), fromModel, fromStage, fromIndex);
    set(transfer->mutable_to(), toModel, toStage, toIndex);
  };
  connect("x", "x", 0, 0, nullptr, 0, 0);
  connect("h", nullptr, 0, 0, nullptr, 1, 0);
  connect("cache", "cache", 0, 0, nullptr, 1, 1);
  connect("y", nullptr, 1, 0, "y", 0, 0);
  connect("cache_out", nullptr, 1, 1, "cache_out", 0, 0);

  plan.mutable_estimates()->set_step_s(0.00125);
  plan.mutable_estimates()->set_model("roofline of the catalogue's figures");
  auto *estimate = plan.mutable_estimates()->add_stages();
  estimate->set_stage("up");
  estimate->set_compute_s(0.001);
  estimate->set_provenance("published");
  auto *policy = plan.add_policies();
  policy->set_name("domestic-share");
  policy->set_basis("chips");
  policy->set_value(1);
  policy->set_threshold(0.5);
  policy->set_verdict("pass");
  return plan;
}

/// Writes the files that the sample plan names, and their hashes into it.
inline void makePackage(plan::v1::Plan &plan, const std::filesystem::path &folder) {
  auto made = createPackage(folder);
  ASSERT_TRUE(made) << made.message();
  // sha256sum of "up program" and "down program".
  const char *texts[] = {"up program", "down program"};
  const char *hashes[] = {"9156cb428e6afe68f9510066f8bb2bba71efcc6fa488cf7aa71a414d7178650b",
                          "b020e8aa786dc5ff78b4e0b3f444e65d15e27dc5c6ebf2cfcaff237f50290455"};
  for (int i = 0; i != 2; ++i) {
    auto *program = plan.mutable_programs(i);
    std::ofstream(folder / program->path()) << texts[i];
    program->set_size_bytes(std::string(texts[i]).size());
    program->set_sha256(hashes[i]);
  }
  // sha256sum of 96 "w".
  const std::string shard(96, 'w');
  for (auto &segment : *plan.mutable_programs(0)->mutable_weights(0)->mutable_shards())
    *segment.mutable_sha256()->Add() =
        "6ad7679ec6e044b8200b06a253a3c65dad6f01519c14739054aaedcb9b51ff9d";
  std::ofstream(folder / "weights/up.bin") << shard << std::string(4000, '\0') << shard;
}

} // namespace dougong::test

#endif // DOUGONG_TEST_UNIT_PACKAGE_SAMPLEPLAN_H
