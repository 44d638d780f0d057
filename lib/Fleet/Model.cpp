//===- Model.cpp - queries of chips and fleets -----------------------------===//
#include "dougong/Fleet/Fleet.h"

#include "llvm/ADT/STLExtras.h"

using namespace llvm;
using namespace dougong::fleet;

std::optional<uint64_t> Chip::getUsableBytes() const {
  if (!memory || !memory->bytes)
    return std::nullopt;
  uint64_t reserved = memory->reserved ? memory->reserved->asInteger() : 0;
  uint64_t capacity = memory->bytes->asInteger();
  return reserved < capacity ? std::optional(capacity - reserved) : std::nullopt;
}

const Figure *Chip::getPeak(StringRef dataType) const {
  auto found = peak.find(dataType.str());
  return found == peak.end() ? nullptr : &found->second;
}

const ExecutableForm *Chip::getActiveForm() const {
  for (const ExecutableForm &form : forms)
    if (!target.empty() && form.target == target)
      return &form;
  return nullptr;
}

bool Chip::runsOnStandIn() const {
  const ExecutableForm *form = getActiveForm();
  return form && form->standIn;
}

std::optional<double> Level::getOneWayBandwidth() const {
  if (!bandwidth)
    return std::nullopt;
  return direction == Direction::Uni ? bandwidth->value : bandwidth->value / 2;
}

const Chip *Fleet::findChip(StringRef id) const {
  auto found = find_if(chips, [&](const Chip &chip) { return chip.id == id; });
  return found == chips.end() ? nullptr : &*found;
}

const Level *Fleet::findLevel(StringRef name) const {
  auto found = find_if(levels, [&](const Level &level) { return level.name == name; });
  return found == levels.end() ? nullptr : &*found;
}

const Pool *Fleet::findPool(StringRef id) const {
  auto found = find_if(pools, [&](const Pool &pool) { return pool.id == id; });
  return found == pools.end() ? nullptr : &*found;
}

const CrossPath *Fleet::findCrossPath(StringRef from, StringRef to) const {
  auto matches = [](const std::string &pattern, StringRef id) {
    return pattern == "*" || pattern == id;
  };
  // A path that names both pools goes before one with a star.
  const CrossPath *best = nullptr;
  for (const CrossPath &path : crossPaths) {
    bool joins = (matches(path.from, from) && matches(path.to, to)) ||
                 (matches(path.from, to) && matches(path.to, from));
    auto stars = [](const CrossPath &p) { return (p.from == "*") + (p.to == "*"); };
    if (joins && (!best || stars(path) < stars(*best)))
      best = &path;
  }
  return best;
}

std::string Fleet::getTarget(const Pool &pool) const {
  if (!pool.target.empty())
    return pool.target;
  const Chip *chip = getChip(pool);
  return chip ? chip->target : "";
}

uint64_t Fleet::getChipCount() const {
  uint64_t count = 0;
  for (const Pool &pool : pools)
    count += pool.count;
  return count;
}
