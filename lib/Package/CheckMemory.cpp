//===- CheckMemory.cpp - every rank's share fits its chip -----------------===//
//
// Ids: memory-capacity, memory-proof.
//
//===----------------------------------------------------------------------===//

#include "Checker.h"
#include "Memory.h"
#include "dougong/Package/Describe.h"
#include "dougong/Package/Memory.h"

#include <algorithm>

namespace dougong::package {

std::vector<MemoryPart> memoryParts(const plan::v1::Memory &memory) {
  return {{"weights", memory.weights(),
           "cut the weights over more ranks (tensor or pipeline parallel), or quantise them"},
          {"state", memory.state(), "lower the upper bounds of the dims of the state, or cut it"},
          {"activations", memory.activations(),
           "use a smaller batch or more micro-batches, or lower the upper bounds of dims"},
          {"io", memory.io(), "lower the upper bounds of the dims of inputs and outputs"},
          {"collectives", memory.collectives(), "use smaller groups or smaller buffers"},
          {"workspace", memory.workspace(), "use a program that needs less workspace"}};
}

MemoryPart bindingPart(const plan::v1::Memory &memory) {
  auto parts = memoryParts(memory);
  return *std::max_element(
      parts.begin(), parts.end(),
      [](const MemoryPart &a, const MemoryPart &b) { return a.bytes < b.bytes; });
}

std::string printParts(const plan::v1::Memory &memory) {
  std::string text;
  for (const MemoryPart &part : memoryParts(memory))
    if (part.bytes != 0)
      text += (text.empty() ? "" : ", ") + std::string(part.name) + " " + formatBytes(part.bytes);
  return text;
}

namespace {

void checkPool(Checker &checker, const plan::v1::Stage &stage, const plan::v1::Memory &memory) {
  std::string subject = "stage " + quote(stage.name());
  std::string pool = memory.pool().empty() ? "memory" : "pool " + quote(memory.pool());

  std::uint64_t sum = 0;
  bool overflow = false;
  for (const MemoryPart &part : memoryParts(memory))
    overflow |= __builtin_add_overflow(sum, part.bytes, &sum);
  if (overflow || sum != memory.total())
    checker.error("memory-proof", subject,
                  "the parts of " + pool + " add up to " +
                      (overflow ? "more than 2^64" : std::to_string(sum)) + " bytes, not to the " +
                      std::to_string(memory.total()) + " of its total");
  if (memory.bound() != "exact" && memory.bound() != "upper" && memory.bound() != "estimate")
    checker.error("memory-proof", subject,
                  "bound of " + pool + " must be 'exact', 'upper' or 'estimate', got " +
                      quote(memory.bound()));

  else if (const auto *program = checker.programOf(stage);
           memory.bound() == "estimate" && !(program && program->has_allocation()))
    checker.note("memory-proof", subject,
                 "the amounts of " + pool + " are estimates, not proved bounds",
                 "give every dim an upper bound");

  const auto *mesh = checker.meshOf(stage);
  std::string chip = mesh ? "chip type " + quote(mesh->chip_type()) : "the chip";
  auto type = mesh ? checker.chipTypes.find(mesh->chip_type()) : checker.chipTypes.end();
  bool isKnown = type != checker.chipTypes.end() && type->second->memory_bytes() != 0;
  if (memory.capacity() == 0) {
    if (isKnown)
      checker.error("memory-capacity", subject,
                    "the capacity of " + pool + " is 0, but " + chip + " has " +
                        formatBytes(type->second->memory_bytes()));
    else
      checker.warning("memory-proof", subject, "the capacity of " + pool + " is not known",
                      "state memory_bytes of the chip type in the fleet");
    return;
  }
  if (memory.total() > memory.capacity()) {
    MemoryPart binding = bindingPart(memory);
    checker.error("memory-capacity", subject,
                  "a rank needs " + formatBytes(memory.total()) + " of " + pool + ", " + chip +
                      " has " + formatBytes(memory.capacity()) + ", " +
                      formatBytes(memory.total() - memory.capacity()) + " too little (" +
                      printParts(memory) + "); the largest part is " + binding.name,
                  binding.remedy);
  }
  if (!isKnown)
    return;
  std::uint64_t usable = type->second->memory_bytes() -
                         std::min(type->second->memory_bytes(), type->second->reserved_bytes());
  if (memory.capacity() > usable)
    checker.error("memory-capacity", subject,
                  "the proof counts on " + std::to_string(memory.capacity()) + " bytes of " + pool +
                      ", but " + chip + " has " + std::to_string(usable) +
                      " after what is reserved");
}

/// Compares what the plan counts with what the program says that it allocates.
void checkBound(Checker &checker, int number) {
  const auto &stage = checker.plan.stages(number);
  std::string subject = "stage " + quote(stage.name());
  ModelRanges ranges = ModelRanges::of(checker.plan.model());
  auto bound = boundMemory(checker.plan, number, ranges);
  if (!bound) {
    checker.error("memory-proof", subject, bound.message());
    return;
  }
  plan::v1::Memory planned;
  for (const auto &memory : stage.memory()) {
    planned.set_state(planned.state() + memory.state());
    planned.set_activations(planned.activations() + memory.activations());
    planned.set_io(planned.io() + memory.io());
    planned.set_collectives(planned.collectives() + memory.collectives());
    planned.set_workspace(planned.workspace() + memory.workspace());
    planned.set_weights(planned.weights() + memory.weights());
  }
  auto counted = memoryParts(planned), needed = memoryParts(bound->memory);
  for (std::size_t i = 0; i != needed.size(); ++i)
    if (needed[i].bytes > counted[i].bytes)
      checker.error("memory-proof", subject,
                    std::string("the proof counts ") + std::to_string(counted[i].bytes) +
                        " bytes of " + needed[i].name + ", its program needs up to " +
                        std::to_string(needed[i].bytes));
  for (const std::string &symbol : bound->assumed) {
    std::string message = "there is no proof that it fits its chips: ";
    if (auto range = ranges.ranges.find(symbol); range != ranges.ranges.end())
      checker.warning("memory-proof", subject,
                      message + "dim " + quote(symbol) +
                          " has no upper bound, the amounts are for " +
                          std::to_string(range->second.max),
                      "compile with --dim " + symbol + "=LOW..HIGH");
    else
      checker.warning("memory-proof", subject,
                      message + "extent " + quote(symbol) + " depends on data");
  }
  for (const std::string &node : bound->unproved)
    checker.warning("memory-proof", subject,
                    "the temporaries of node " + quote(node) + " are not bounded");
  if (bound->hasStrings)
    checker.note("memory-proof", subject, "the characters of its strings are not counted");
}

} // namespace

void checkMemory(Checker &checker) {
  for (int number = 0; number != checker.plan.stages_size(); ++number) {
    const auto &stage = checker.plan.stages(number);
    std::string subject = "stage " + quote(stage.name());
    if (stage.memory().empty()) {
      checker.warning("memory-proof", subject, "there is no proof that it fits its chips");
      continue;
    }
    std::uint64_t planned = 0;
    for (const auto &memory : stage.memory()) {
      checkPool(checker, stage, memory);
      planned += memory.weights();
    }
    const auto *program = checker.programOf(stage);
    if (program && program->has_allocation() && checker.meshOf(stage)) {
      checkBound(checker, number);
      continue;
    }
    if (std::uint64_t held = program ? weightBytes(*program) : 0; held > planned)
      checker.error("memory-proof", subject,
                    "the weights of its program take " + std::to_string(held) +
                        " bytes of a rank, the proof counts " + std::to_string(planned));
  }
}

} // namespace dougong::package
