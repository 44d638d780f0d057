//===- CheckRanks.cpp - every rank once, on a chip of the right type ------===//
//
// Ids: ranks, chip-type, placement.
//
//===----------------------------------------------------------------------===//

#include "Checker.h"

#include <algorithm>
#include <tuple>

namespace dougong::package {
namespace {

/// A world above this is refused rather than checked in hours.
constexpr std::int64_t maxWorld = 1 << 24;

/// The ranks [first, end) of a stage.
struct Interval {
  std::int64_t first;
  std::int64_t end;
  const plan::v1::Stage *stage;
};

std::string range(std::int64_t first, std::int64_t end) {
  std::string text = std::to_string(first);
  return end - first == 1 ? "rank " + text : "ranks " + text + " to " + std::to_string(end - 1);
}

std::string nameOf(const plan::v1::Stage &stage) { return "stage " + quote(stage.name()); }

/// The stages' ranks in order, after reporting holes and overlaps.
std::vector<Interval> checkIntervals(Checker &checker) {
  std::vector<Interval> intervals;
  for (const auto &stage : checker.plan.stages()) {
    const auto *mesh = checker.meshOf(stage);
    auto size = mesh ? Checker::sizeOf(*mesh) : std::nullopt;
    if (size)
      intervals.push_back({mesh->first_rank(), mesh->first_rank() + *size, &stage});
  }
  std::sort(intervals.begin(), intervals.end(), [](const Interval &a, const Interval &b) {
    return std::tie(a.first, a.end, a.stage->name()) < std::tie(b.first, b.end, b.stage->name());
  });
  std::int64_t covered = 0;
  const plan::v1::Stage *last = nullptr;
  for (const Interval &interval : intervals) {
    if (interval.first > covered)
      checker.error("ranks", range(covered, interval.first),
                    "no stage runs here: the meshes of the stages must cover 0 to world - 1");
    else if (interval.first < covered)
      checker.error("ranks", nameOf(*interval.stage),
                    "its " + range(interval.first, std::min(covered, interval.end)) +
                        " belong to " + nameOf(*last) + " too: a rank runs one stage");
    if (interval.end > covered) {
      covered = interval.end;
      last = interval.stage;
    }
  }
  if (covered > maxWorld) {
    checker.error("ranks", "plan",
                  std::to_string(covered) + " ranks are more than " + std::to_string(maxWorld));
    return {};
  }
  return intervals;
}

const Interval *intervalOf(const std::vector<Interval> &intervals, std::int64_t rank) {
  for (const Interval &interval : intervals)
    if (rank >= interval.first && rank < interval.end)
      return &interval;
  return nullptr;
}

void checkRankSets(Checker &checker, const std::vector<Interval> &intervals) {
  std::int64_t world = 0;
  for (const Interval &interval : intervals)
    world = std::max(world, interval.end);
  std::vector<bool> seen(static_cast<std::size_t>(world), false);
  std::map<const plan::v1::Stage *, std::int64_t> counts;

  for (int i = 0; i != checker.plan.rank_sets_size(); ++i) {
    const auto &set = checker.plan.rank_sets(i);
    std::string subject = "rank set " + std::to_string(i);
    auto stage = checker.stages.find(set.stage());
    if (stage == checker.stages.end()) {
      checker.error("ranks", subject, "there is no stage " + quote(set.stage()));
      continue;
    }
    if (set.count() == 0 || (set.count() > 1 && set.stride() == 0)) {
      checker.error("ranks", subject, "its count and stride must be at least 1");
      continue;
    }
    const auto *mesh = checker.meshOf(*stage->second);
    if (mesh && set.chip_type() != mesh->chip_type())
      checker.error("chip-type", subject,
                    "says chip type " + quote(set.chip_type()) + ", but mesh " + quote(mesh->id()) +
                        " of " + nameOf(*stage->second) + " says " + quote(mesh->chip_type()));

    auto interval = std::find_if(intervals.begin(), intervals.end(),
                                 [&](const Interval &i) { return i.stage == stage->second; });
    if (interval == intervals.end())
      continue; // its mesh is unknown, which is a finding by itself

    // One finding for each set, however many of its ranks are wrong.
    for (std::int64_t k = 0; k != set.count(); ++k) {
      std::int64_t rank = set.first() + k * std::int64_t{set.stride()};
      if (rank < interval->first || rank >= interval->end) {
        checker.error("ranks", subject,
                      "rank " + std::to_string(rank) + " is not in the mesh of " +
                          nameOf(*stage->second));
        break;
      }
      if (seen[static_cast<std::size_t>(rank)]) {
        checker.error("ranks", subject,
                      "rank " + std::to_string(rank) + " is in an earlier rank set too");
        break;
      }
      seen[static_cast<std::size_t>(rank)] = true;
      ++counts[stage->second];
    }
  }

  for (const Interval &interval : intervals)
    if (std::int64_t count = counts[interval.stage]; count < interval.end - interval.first)
      checker.error("ranks", nameOf(*interval.stage),
                    "its mesh has " + std::to_string(interval.end - interval.first) +
                        " ranks, the rank sets give it " + std::to_string(count));
}

void checkBoundRanks(Checker &checker, const std::vector<Interval> &intervals) {
  std::int64_t world = 0;
  for (const Interval &interval : intervals)
    world = std::max(world, interval.end);
  std::set<std::int64_t> seen;
  std::map<std::pair<std::string, std::string>, std::int64_t> chips;
  std::map<std::pair<std::string, std::int64_t>, std::int64_t> locals;

  for (int i = 0; i != checker.plan.ranks_size(); ++i) {
    const auto &row = checker.plan.ranks(i);
    if (!row.has_rank()) {
      checker.error("ranks", "ranks[" + std::to_string(i) + "]", "its rank is missing");
      continue;
    }
    std::string subject = "rank " + std::to_string(row.rank());
    if (!seen.insert(row.rank()).second) {
      checker.error("ranks", subject, "it is listed twice");
      continue;
    }
    const Interval *interval = intervalOf(intervals, row.rank());
    if (!interval)
      checker.error("ranks", subject,
                    "expected ranks 0 to " + std::to_string(world - 1) +
                        ": it is in no stage's mesh");
    else if (row.stage() != interval->stage->name())
      checker.error("ranks", subject,
                    "says stage " + quote(row.stage()) + ", but it is in the mesh of " +
                        nameOf(*interval->stage));

    if (row.node().empty() || row.chip().empty()) {
      checker.error("placement", subject, "a bound rank needs a node and a chip",
                    "bind the plan again");
      continue;
    }
    auto [chip, fresh] = chips.try_emplace({row.node(), row.chip()}, row.rank());
    if (!fresh)
      checker.error("placement", subject,
                    "chip " + quote(row.chip()) + " of node " + quote(row.node()) + " holds rank " +
                        std::to_string(chip->second) + " already",
                    "bind the plan to as many chips as it has ranks");
    if (!row.has_local_rank())
      continue;
    auto [local, freshLocal] = locals.try_emplace({row.node(), row.local_rank()}, row.rank());
    if (!freshLocal)
      checker.error("placement", subject,
                    "local rank " + std::to_string(row.local_rank()) + " of node " +
                        quote(row.node()) + " is rank " + std::to_string(local->second) +
                        " already");
  }

  for (std::int64_t rank = 0; rank != world; ++rank)
    if (!seen.count(rank)) {
      std::int64_t end = rank + 1;
      while (end != world && !seen.count(end))
        ++end;
      checker.error("ranks", range(rank, end), "not in the list of bound ranks",
                    "bind the plan again");
      rank = end - 1;
    }
}

} // namespace

void checkRanks(Checker &checker) {
  for (const auto &mesh : checker.plan.meshes())
    if (!checker.chipTypes.count(mesh.chip_type()))
      checker.error("chip-type", "mesh " + quote(mesh.id()),
                    "the fleet has no chip type " + quote(mesh.chip_type()));

  std::vector<Interval> intervals = checkIntervals(checker);
  if (intervals.empty())
    return;
  bool bound = checker.plan.binding().mode() == "bound";
  if (!bound || checker.plan.rank_sets_size() != 0)
    checkRankSets(checker, intervals);
  if (bound || checker.plan.ranks_size() != 0)
    checkBoundRanks(checker, intervals);
}

} // namespace dougong::package
