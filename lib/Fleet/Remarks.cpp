//===- Remarks.cpp - what is legal in a fleet but odd ----------------------===//
#include "Report.h"
#include "dougong/Fleet/Analysis.h"
#include "dougong/Fleet/Catalog.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

#include <set>

using namespace llvm;
using namespace dougong::fleet;

namespace {

class RemarkFinder {
public:
  explicit RemarkFinder(const Fleet &fleet) : fleet(fleet) {}

  std::vector<Remark> run() {
    for (const Chip &chip : fleet.chips)
      checkChip(chip);
    for (const Level &level : fleet.levels)
      checkLevel(level);
    for (const Pool &pool : fleet.pools)
      checkPool(pool);
    checkCrossPaths();
    checkPower();
    forEachFigure(fleet,
                  [&](StringRef path, const Figure &figure) { checkFigure("site", path, figure); });
    for (const Chip &chip : fleet.chips)
      forEachFigure(chip, [&](StringRef path, const Figure &figure) {
        checkFigure("chip '" + chip.id + "'", path, figure);
      });
    return std::move(remarks);
  }

private:
  void add(const std::string &where, const Twine &text) { remarks.push_back({where, text.str()}); }

  bool isUsed(const Chip &chip) const {
    return fleet.pools.empty() ||
           any_of(fleet.pools, [&](const Pool &pool) { return pool.chip == chip.id; });
  }

  /// What a planner would miss, and what programs really run on.
  void checkChip(const Chip &chip) {
    if (!isUsed(chip))
      return;
    std::string where = "chip '" + chip.id + "'";
    if (!chip.memory || !chip.memory->bytes)
      add(where, "its memory size is not known: nothing can be placed on it");
    else if (!chip.memory->bandwidth && !chip.memory->measuredBandwidth)
      add(where, "its memory bandwidth is not known: plans on it cannot be ranked by time");
    if (chip.peak.empty())
      add(where, "its peak is not known: plans on it cannot be ranked by time");
    if (chip.target.empty())
      add(where,
          "no code generator emits programs for it: it can be planned for, not compiled for");
    std::vector<std::string> recalled;
    forEachFigure(chip, [&](StringRef path, const Figure &figure) {
      if (figure.kind == Provenance::Recalled)
        recalled.push_back(path.str());
    });
    if (!recalled.empty())
      add(where, Twine(recalled.size()) + (recalled.size() == 1 ? " figure is" : " figures are") +
                     " recalled, not verified: " + join(recalled, ", "));
  }

  void checkLevel(const Level &level) {
    std::string where = "level '" + level.name + "'";
    if (!level.bandwidth)
      add(where, "its bandwidth is not known: communication over it has no predicted time");
    else if (level.direction == Direction::Unknown)
      add(where, "the direction of its bandwidth is not known: taken as both ways together, "
                 "half of it each way");
  }

  void checkPool(const Pool &pool) {
    std::string where = "pool '" + pool.id + "'";
    const Chip *chip = fleet.getChip(pool);
    for (const ExecutableForm &form : chip ? ArrayRef(chip->forms) : ArrayRef<ExecutableForm>()) {
      if (form.target != fleet.getTarget(pool) || !form.standIn)
        continue;
      add(where, "programs run on a functional stand-in (target '" + form.target + "'), not on " +
                     chip->id + ": results are real, speed is not that of the chip");
      break;
    }
    if (pool.path.empty() && pool.count > 1)
      add(where, "no level of network joins its " + Twine(pool.count) + " chips");
    uint64_t inner = 1;
    for (const std::string &name : pool.path) {
      const Level *level = fleet.findLevel(name);
      if (!level || !level->size)
        continue;
      if (*level->size % inner)
        add(where, "level '" + name + "' joins " + Twine(*level->size) +
                       " chips, which is not a multiple of the " + Twine(inner) +
                       " of the level inside it");
      inner = *level->size;
    }
    const Level *outermost = pool.path.empty() ? nullptr : fleet.findLevel(pool.path.back());
    if (outermost && outermost->size && *outermost->size < pool.count)
      add(where, "its outermost level '" + outermost->name + "' joins " + Twine(*outermost->size) +
                     " chips, the pool has " + Twine(pool.count));
  }

  void checkCrossPaths() {
    // With very many pools, pairs are too many to look at, or to read about.
    for (size_t i = 0; fleet.pools.size() <= 100 && i < fleet.pools.size(); ++i)
      for (size_t j = i + 1; j < fleet.pools.size(); ++j) {
        const Pool &a = fleet.pools[i], &b = fleet.pools[j];
        const CrossPath *path = fleet.findCrossPath(a.id, b.id);
        if (!path)
          add("site",
              "pools '" + a.id + "' and '" + b.id + "' have no cross path: no model can span them");
      }
    for (const CrossPath &path : fleet.crossPaths)
      if (!path.bandwidth)
        add("cross path '" + path.from + "' to '" + path.to + "'",
            "its bandwidth is not known: transfers over it have no predicted time");
  }

  void checkPower() {
    if (!fleet.powerBudget)
      return;
    double sum = 0;
    for (const Pool &pool : fleet.pools) {
      const Chip *chip = fleet.getChip(pool);
      if (!chip || !chip->power)
        return;
      sum += chip->power->value * pool.count;
    }
    if (sum > fleet.powerBudget->value)
      add("site", "chips alone take " + printQuantity(sum, Quantity::Power) +
                      " at full load, the budget is " +
                      printQuantity(fleet.powerBudget->value, Quantity::Power));
  }

  void checkFigure(const std::string &where, StringRef path, const Figure &figure) {
    if (!figure.source.empty() && !fleet.sources.count(figure.source) &&
        !findSource(figure.source) && unknownSources.insert(where + figure.source).second)
      add(where, "figure '" + path + "' refers to source '" + figure.source +
                     "', which neither the file nor the catalogue lists");
    for (const ConflictingValue &conflict : figure.conflicts)
      add(where, "sources disagree on '" + path +
                     "': " + printFigureValue(path, figure.value, figure.quantity) + " is used" +
                     (figure.source.empty() ? "" : " (" + figure.source + ")") + ", " +
                     (conflict.source.empty() ? "another source" : conflict.source) + " says " +
                     printFigureValue(path, conflict.value, figure.quantity));
    checkMagnitude(where, path, figure);
  }

  /// Values that no chip or network of today comes near: mostly a slip in a
  /// unit, GB for Gb or ms for us.
  void checkMagnitude(const std::string &where, StringRef path, const Figure &figure) {
    struct Range {
      StringRef suffix;
      double low, high;
    };
    static constexpr Range kRanges[] = {{"memory.bytes", 64e6, 4e12},
                                        {"memory.bandwidth", 1e9, 1e14},
                                        {"measured_bandwidth", 1e9, 1e14},
                                        {".bandwidth", 1e7, 2e13},
                                        {".latency", 1e-8, 0.1},
                                        {"power", 1, 1e4},
                                        {"clock", 1e7, 1e10},
                                        {"launch_overhead", 1e-8, 0.1},
                                        {"power_budget", 100, 1e10}};
    if (path.starts_with("peak.") && (figure.value < 1e9 || figure.value > 1e17))
      return addMagnitude(where, path, figure);
    for (const Range &range : kRanges)
      if (path.ends_with(range.suffix)) {
        if (figure.value < range.low || figure.value > range.high)
          addMagnitude(where, path, figure);
        return;
      }
  }

  void addMagnitude(const std::string &where, StringRef path, const Figure &figure) {
    add(where, "'" + path + "' is " + printFigureValue(path, figure.value, figure.quantity) +
                   ": is the unit right?");
  }

  const Fleet &fleet;
  std::vector<Remark> remarks;
  std::set<std::string> unknownSources;
};

} // namespace

std::vector<Remark> dougong::fleet::findRemarks(const Fleet &fleet) {
  return RemarkFinder(fleet).run();
}
