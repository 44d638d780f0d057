//===- YamlErrorsTest.cpp - what fleet files are refused for ---------------===//
#include "dougong/Fleet/Yaml.h"

#include <gtest/gtest.h>

using namespace dougong::fleet;

namespace {

// Lists and mappings in flow style are located by what stands behind their
// opening bracket.
std::string errors(llvm::StringRef text) {
  llvm::Expected<Fleet> fleet = readFleet(text, "f.yaml");
  return fleet ? "accepted" : llvm::toString(fleet.takeError());
}

#define EXPECT_ERROR(text, message) EXPECT_EQ(errors(text), message)
#define EXPECT_ERROR_PART(text, part)                                                              \
  EXPECT_NE(errors(text).find(part), std::string::npos) << errors(text)

TEST(YamlErrors, UnknownKeyNamesTheNearest) {
  EXPECT_ERROR("name: n\n"
               "pools:\n"
               "  - {id: a, chip: host-cpu, count: 1}\n"
               "polices: []\n",
               "f.yaml:4:1: error: unknown key 'polices' in fleet; did you mean 'policies'?");
  EXPECT_ERROR("name: n\n"
               "pools:\n"
               "  - id: a\n"
               "    chip: host-cpu\n"
               "    cuont: 1\n"
               "    count: 1\n",
               "f.yaml:5:5: error: unknown key 'cuont' in pool; did you mean 'count'?");
}

TEST(YamlErrors, NumbersWithoutSense) {
  EXPECT_ERROR("chips: [{id: x, vendor: v, domestic: true, power: -3W}]\n",
               "f.yaml:1:51: error: 'power': number must be above zero, got '-3W'; leave out "
               "what is not known");
  EXPECT_ERROR("chips: [{id: x, vendor: v, domestic: true, power: {value: 0}}]\n",
               "f.yaml:1:59: error: 'power': number must be above zero, got '0'; leave out what "
               "is not known");
  EXPECT_ERROR("name: n\npools: [{id: a, chip: host-cpu, count: 0}]\n",
               "f.yaml:2:40: error: 'count' must be a whole number above zero (and at most "
               "2^40), got '0'");
  EXPECT_ERROR("name: n\npools: [{id: a, chip: host-cpu, nodes: -2, chips_per_node: 4}]\n",
               "f.yaml:2:40: error: 'nodes' must be a whole number above zero (and at most "
               "2^40), got '-2'");
  EXPECT_ERROR("name: n\npools: [{id: a, chip: host-cpu}]\n",
               "f.yaml:2:14: error: pool 'a': needs 'count', or 'nodes' and 'chips_per_node'");
  EXPECT_ERROR_PART("name: n\npools: [{id: a, chip: host-cpu, count: 1.5}]\n", "got '1.5'");
  EXPECT_ERROR_PART("name: n\npools: [{id: a, chip: host-cpu, count: 99999999999999999999}]\n",
                    "must be a whole number");
}

TEST(YamlErrors, CountsThatContradictOneAnother) {
  EXPECT_ERROR("name: n\npools: [{id: a, chip: host-cpu, count: 9, nodes: 2, chips_per_node: 4}]\n",
               "f.yaml:2:40: error: pool 'a': count is 9, but 2 nodes of 4 chips are 8");
  EXPECT_ERROR("name: n\npools: [{id: a, chip: host-cpu, count: 9, nodes: 2}]\n",
               "f.yaml:2:50: error: pool 'a': count 9 is not a multiple of 'nodes' 2");
}

TEST(YamlErrors, ReferencesToNothing) {
  EXPECT_ERROR("name: n\npools: [{id: a, chip: ascend-910b33, count: 1}]\n",
               "f.yaml:2:23: error: pool 'a': unknown chip 'ascend-910b33': neither in this file "
               "nor in the catalogue; did you mean 'ascend-910b3'?");
  EXPECT_ERROR("name: n\n"
               "levels: [{name: rack, size: 8}]\n"
               "pools: [{id: a, chip: host-cpu, count: 1, path: [rak]}]\n",
               "f.yaml:3:50: error: pool 'a' names unknown level 'rak'; did you mean 'rack'?");
  EXPECT_ERROR("name: n\n"
               "pools: [{id: ascend, chip: host-cpu, count: 1}]\n"
               "cross_paths: [{from: ascned, to: ascend}]\n",
               "f.yaml:3:22: error: unknown pool 'ascned'; did you mean 'ascend'?");
  EXPECT_ERROR("chips: [{id: x, like: nothing-like-this}]\n",
               "f.yaml:1:23: error: 'like': unknown chip 'nothing-like-this': neither in this "
               "file nor in the catalogue");
}

TEST(YamlErrors, LevelsThatShrinkOutwards) {
  EXPECT_ERROR("name: n\n"
               "levels: [{name: a, size: 8}, {name: b, size: 4}]\n"
               "pools: [{id: p, chip: host-cpu, count: 1, path: [a, b]}]\n",
               "f.yaml:3:50: error: pool 'p': level 'b' joins 4 chips, fewer than the 8 of the "
               "level inside it");
}

TEST(YamlErrors, NamesThatAppearTwice) {
  EXPECT_ERROR("name: n\n"
               "pools:\n"
               "  - {id: p, chip: host-cpu, count: 1}\n"
               "  - {id: p, chip: host-cpu, count: 1}\n",
               "f.yaml:4:6: error: 'p' appears twice in 'pools'");
  EXPECT_ERROR("name: n\nname: m\n", "f.yaml:2:1: error: key 'name' appears twice");
}

TEST(YamlErrors, WhatAChipMustHave) {
  EXPECT_ERROR("chips: [{id: x}]\n", "f.yaml:1:10: error: chip has no 'vendor'\n"
                                     "f.yaml:1:10: error: chip has no 'domestic'");
  EXPECT_ERROR("chips: [{id: x, vendor: v, domestic: perhaps}]\n",
               "f.yaml:1:38: error: 'domestic' must be true or false");
  EXPECT_ERROR_PART("chips: [{id: x, vendor: v, domestic: true, target: gpu}]\n",
                    "f.yaml:1:52: error: chip 'x': no executable form has target 'gpu'");
  EXPECT_ERROR_PART("chips: [{id: x, vendor: v, domestic: true, price: 5}]\n",
                    "a price needs a 'currency'");
  EXPECT_ERROR_PART("chips: [{id: x, vendor: v, domestic: true, peak: {fp161: 1TFLOP/s}}]\n",
                    "unknown data type 'fp161' in 'peak'; did you mean 'fp16'?");
  EXPECT_ERROR_PART(
      "chips: [{id: x, vendor: v, domestic: true, memory: {bytes: 1GiB, reserved: 2GiB}}]\n",
      "reserved memory (2GiB) is not below its capacity (1GiB)");
  EXPECT_ERROR_PART("chips: [{id: x, vendor: v, domestic: true, efficiency: {gemm: 120%}}]\n",
                    "efficiency of 'gemm' must be at most 1, got 1.2");
}

TEST(YamlErrors, ValuesOfTheWrongKind) {
  EXPECT_ERROR("chips: 5\n", "f.yaml:1:8: error: 'chips' must be a list, got a single value");
  EXPECT_ERROR("name: [a]\n", "f.yaml:1:8: error: 'name' must be a single value, got a list");
  EXPECT_ERROR("- a\n", "f.yaml:1:1: error: a fleet file must be a mapping, got a list");
  EXPECT_ERROR("chips: [{id: x, vendor: v, domestic: true, power: {kind: published}}]\n",
               "f.yaml:1:52: error: figure 'power' has no 'value'");
  EXPECT_ERROR_PART("chips: [{id: x, vendor: v, domestic: true, power: {value: 1W, kind: seen}}]\n",
                    "'kind' must be one of measured, published, derived, recalled, got 'seen'");
  EXPECT_ERROR_PART(
      "chips: [{id: x, vendor: v, domestic: true, power: {value: 1W, date: last year}}]\n",
      "'date' must be a date");
  EXPECT_ERROR_PART("name: n\npools: [{id: 'a b', chip: host-cpu, count: 1}]\n",
                    "'id' must be a word");
}

TEST(YamlErrors, PoliciesAndCrossPaths) {
  llvm::StringRef site = "name: n\npools: [{id: a, chip: host-cpu, count: 1}]\n";
  EXPECT_ERROR_PART((site + "policies: [{name: no-fridays, threshold: 50%}]\n").str(),
                    "f.yaml:3:19: error: unknown policy 'no-fridays'");
  EXPECT_ERROR_PART((site + "policies: [{name: domestic-share}]\n").str(), "has no 'threshold'");
  EXPECT_ERROR_PART((site + "policies: [{name: domestic-share, threshold: 150%}]\n").str(),
                    "threshold must be at most 1, got 1.5");
  EXPECT_ERROR_PART((site + "cross_paths: [{from: a, to: a}]\n").str(),
                    "joins two different pools");
  EXPECT_ERROR_PART((site + "cross_paths: [{from: a, to: '*', operations: [all_reduce]}]\n").str(),
                    "a host-staged path has no collectives");
  EXPECT_ERROR_PART(
      (site + "cross_paths: [{from: a, to: '*', via: library, library: L, operations: [gossip]}]\n")
          .str(),
      "'gossip' is not one of all_reduce");
}

TEST(YamlErrors, TextThatIsNoYaml) {
  EXPECT_ERROR("", "f.yaml:1:1: error: file is empty");
  EXPECT_ERROR("# only a comment\n", "f.yaml:1:1: error: file is empty");
  EXPECT_NE(errors("a: 1\nb: [1, 2\n"), "accepted");
  EXPECT_ERROR(llvm::StringRef("a\0b", 3), "f.yaml:1:2: error: byte 0x0 is not text");
  EXPECT_ERROR("ok: 1\nx\xff: 2\n", "f.yaml:2:2: error: text is not UTF-8");
  EXPECT_ERROR("name: n\n---\nname: m\n",
               "f.yaml:1:1: error: file has more than one YAML document");
  EXPECT_ERROR("name: &a n\ntitle: *a\n", "f.yaml:2:1: error: aliases are not allowed in fleet "
                                          "files");
  EXPECT_ERROR_PART("version: 2\n", "format version 2 is not known; this compiler reads 1");
  EXPECT_ERROR("name: n\n", "f.yaml:1:1: error: fleet has no 'pools' and no 'chips'");
}

TEST(YamlErrors, DeepNestingIsRefused) {
  std::string flow(100000, '[');
  EXPECT_NE(errors(flow), "accepted");
  std::string block;
  for (int i = 0; i < 20000; ++i)
    block += "- ";
  EXPECT_ERROR_PART(block, "nested deeper than 24 levels");
  std::string keys;
  for (int i = 0; i < 300; ++i)
    keys += std::string(i, ' ') + "k:\n";
  EXPECT_ERROR_PART(keys, "nested deeper than 24 levels");
}

TEST(YamlErrors, VeryManyKeysAreRefused) {
  std::string text;
  for (int i = 0; i < 200000; ++i)
    text += "k" + std::to_string(i) + ": 1\n";
  EXPECT_ERROR(text, "f.yaml:1001:1: error: mapping has more than 1000 keys");
}

TEST(YamlErrors, VeryManyPoolsAreRead) {
  std::string text = "name: n\npools:\n";
  for (int i = 0; i < 20000; ++i)
    text += "  - {id: p" + std::to_string(i) + ", chip: host-cpu, count: 1}\n";
  EXPECT_ERROR(text, "accepted");
  EXPECT_ERROR_PART(text + "  - {id: p7, chip: host-cpu, count: 1}\n",
                    "f.yaml:20003:6: error: 'p7' appears twice in 'pools'");
}

TEST(YamlErrors, AtMostTwentyErrorsAreListed) {
  std::string text = "name: n\n";
  for (int i = 0; i < 30; ++i)
    text += "zzzz" + std::to_string(i) + ": 1\n";
  std::string message = errors(text);
  EXPECT_EQ(llvm::StringRef(message).count("\n"), 20u);
  EXPECT_TRUE(llvm::StringRef(message).ends_with("f.yaml: error: 10 more errors")) << message;
}

} // namespace
