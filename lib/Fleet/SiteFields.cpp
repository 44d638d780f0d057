//===- SiteFields.cpp - the keys of a site ---------------------------------===//
#include "ModelFields.h"

#include "llvm/ADT/StringSet.h"

using namespace llvm;
using namespace dougong::fleet;

namespace dougong::fleet {

StringRef stringify(CrossPath::Via via) {
  return via == CrossPath::Via::Library ? "library" : "host-staged";
}

StringRef stringify(ShareBasis basis) {
  switch (basis) {
  case ShareBasis::Chips:
    return "chips";
  case ShareBasis::PeakFlops:
    return "peak_flops";
  case ShareBasis::Cost:
    return "cost";
  }
  return "chips";
}

StringRef stringify(PolicyScope scope) {
  switch (scope) {
  case PolicyScope::Site:
    return "site";
  case PolicyScope::Cluster:
    return "cluster";
  case PolicyScope::Job:
    return "job";
  }
  return "site";
}

void describe(Fields &fields, Level &level) {
  fields.name("name", level.name, Fields::Required);
  fields.name("medium", level.medium);
  fields.name("topology", level.topology);
  fields.integer("size", level.size);
  fields.figure("bandwidth", level.bandwidth, Quantity::Rate);
  fields.choice("direction", level.direction, {Direction::Unknown, Direction::Uni, Direction::Bi},
                Direction::Unknown);
  fields.figure("latency", level.latency, Quantity::Time);
  fields.figure("oversubscription", level.oversubscription, Quantity::Ratio);
  fields.integers("legal_counts", level.legalCounts);
  fields.flag("whole_only", level.wholeOnly, false);
  fields.text("note", level.note);
}

/// Works out the one of count, nodes and chips_per_node that is missing.
static void settleCounts(Fields &fields, Pool &pool, std::optional<uint64_t> count,
                         std::optional<uint64_t> nodes, std::optional<uint64_t> perNode) {
  std::string name = "pool '" + pool.id + "': ";
  if (nodes && perNode) {
    uint64_t product = *nodes * *perNode; // both are at most 2^40: see below
    if (*nodes > (uint64_t(1) << 32) || *perNode > (uint64_t(1) << 16))
      return fields.error(fields.positionOf("nodes"), name + "counts are out of range");
    if (count && *count != product)
      return fields.error(fields.positionOf("count"),
                          name + "count is " + Twine(*count) + ", but " + Twine(*nodes) +
                              " nodes of " + Twine(*perNode) + " chips are " + Twine(product));
    count = product;
  } else if (!count) {
    return fields.error(fields.positionOf("id"),
                        name + "needs 'count', or 'nodes' and 'chips_per_node'");
  } else if (!nodes && !perNode) {
    nodes = 1;
  }
  if (!nodes || !perNode) {
    StringRef key = nodes ? "nodes" : "chips_per_node";
    uint64_t given = nodes ? *nodes : *perNode;
    if (*count % given)
      return fields.error(fields.positionOf(key), name + "count " + Twine(*count) +
                                                      " is not a multiple of '" + key + "' " +
                                                      Twine(given));
    (nodes ? perNode : nodes) = *count / given;
  }
  pool.count = *count;
  pool.nodes = *nodes;
  pool.chipsPerNode = *perNode;
}

void describe(Fields &fields, Pool &pool) {
  fields.name("id", pool.id, Fields::Required);
  fields.name("chip", pool.chip, Fields::Required);
  std::optional<uint64_t> count, nodes, perNode;
  if (!fields.reading()) {
    count = pool.count;
    nodes = pool.nodes;
    perNode = pool.chipsPerNode;
  }
  fields.integer("count", count);
  fields.integer("nodes", nodes);
  fields.integer("chips_per_node", perNode);
  // A number that cannot be read is told already.
  bool areRead = fields.reading() && (count || !fields.raw("count")) &&
                 (nodes || !fields.raw("nodes")) && (perNode || !fields.raw("chips_per_node"));
  if (areRead)
    settleCounts(fields, pool, count, nodes, perNode);
  fields.words("path", pool.path);
  fields.name("target", pool.target);
  fields.name("host", pool.host);
  fields.text("host_cpu", pool.hostCpu);
  fields.text("note", pool.note);
}

void describe(Fields &fields, CrossPath &path) {
  fields.name("from", path.from, Fields::Required);
  fields.name("to", path.to, Fields::Required);
  fields.choice("via", path.via, {CrossPath::Via::HostStaged, CrossPath::Via::Library},
                CrossPath::Via::HostStaged);
  fields.text("library", path.library);
  fields.figure("bandwidth", path.bandwidth, Quantity::Rate);
  fields.figure("latency", path.latency, Quantity::Time);
  fields.wordsOf("operations", path.operations, getCollectiveNames());
  fields.text("note", path.note);
}

void describe(Fields &fields, Policy &policy) {
  fields.name("name", policy.name, Fields::Required);
  fields.figure("threshold", policy.threshold, Quantity::Ratio);
  fields.choice("basis", policy.basis, {ShareBasis::Chips, ShareBasis::PeakFlops, ShareBasis::Cost},
                ShareBasis::Chips);
  fields.choice("scope", policy.scope, {PolicyScope::Site, PolicyScope::Cluster, PolicyScope::Job},
                PolicyScope::Site);
  fields.name("dtype", policy.dataType);
  fields.name("source", policy.source);
  fields.text("note", policy.note);
}

void describe(Fields &fields, Growth &growth) {
  fields.date("date", growth.date);
  fields.name("pool", growth.pool);
  MaybeFigure count;
  if (!fields.reading())
    count = growth.count;
  fields.figure("count", count, Quantity::Count);
  if (count)
    growth.count = *count;
  else if (fields.reading() && !fields.raw("count"))
    fields.error(fields.positionOf("count"), "growth step has no 'count'");
}

void describe(Fields &fields, FailureDomain &domain) {
  fields.name("name", domain.name, Fields::Required);
  fields.name("level", domain.level, Fields::Required);
  fields.figure("mtbf", domain.meanTimeBetweenFailures, Quantity::Time);
  fields.figure("mttr", domain.meanTimeToRepair, Quantity::Time);
}

namespace {

/// Checks that concern several parts of a fleet.
class FleetChecker {
public:
  FleetChecker(const Fleet &fleet, const Tree &tree, Diagnostics &diagnostics)
      : fleet(fleet), tree(tree), diagnostics(diagnostics) {}

  void run() {
    checkUnique("chips", fleet.chips, [](const Chip &chip) { return chip.id; });
    checkUnique("levels", fleet.levels, [](const Level &level) { return level.name; });
    checkUnique("pools", fleet.pools, [](const Pool &pool) { return pool.id; });
    for (size_t i = 0; i < fleet.pools.size(); ++i)
      checkPool(i);
    checkLevels();
    checkReferences();
    checkPolicies();
  }

private:
  /// Position of `key` in item `index` of list `list`, or the nearest around it.
  Position locate(StringRef list, size_t index, StringRef key) const {
    const Tree *sequence = tree.find(list);
    if (!sequence)
      return tree.position;
    // Lists lose items that were no mappings: then errors were reported already.
    if (index >= sequence->items.size())
      return sequence->position;
    const Tree &item = sequence->items[index];
    const Tree *value = item.find(key);
    return value ? value->position : item.position;
  }

  template <typename T, typename F>
  void checkUnique(StringRef list, const std::vector<T> &values, F nameOf) {
    StringSet<> seen;
    for (auto [index, value] : enumerate(values))
      if (!seen.insert(nameOf(value)).second)
        diagnostics.error(locate(list, index, ""),
                          "'" + nameOf(value) + "' appears twice in '" + list + "'");
  }

  std::string suggestLevel(StringRef name) const {
    SmallVector<StringRef> names;
    for (const Level &level : fleet.levels)
      names.push_back(level.name);
    return suggest(name, names);
  }

  void checkPool(size_t index) {
    const Pool &pool = fleet.pools[index];
    uint64_t inner = 0;
    for (size_t i = 0; i < pool.path.size(); ++i) {
      const Level *level = fleet.findLevel(pool.path[i]);
      if (!level) {
        diagnostics.error(locate("pools", index, "path"),
                          "pool '" + pool.id + "' names unknown level '" + pool.path[i] + "'" +
                              suggestLevel(pool.path[i]));
        continue;
      }
      if (is_contained(ArrayRef(pool.path).take_front(i), pool.path[i]))
        diagnostics.error(locate("pools", index, "path"),
                          "pool '" + pool.id + "' names level '" + pool.path[i] + "' twice");
      if (level->size && *level->size < inner)
        diagnostics.error(locate("pools", index, "path"),
                          "pool '" + pool.id + "': level '" + level->name + "' joins " +
                              Twine(*level->size) + " chips, fewer than the " + Twine(inner) +
                              " of the level inside it");
      inner = level->size.value_or(inner);
    }
    const Chip *chip = fleet.findChip(pool.chip);
    if (!chip || pool.target.empty())
      return;
    if (none_of(chip->forms,
                [&](const ExecutableForm &form) { return form.target == pool.target; }))
      diagnostics.error(locate("pools", index, "target"),
                        "pool '" + pool.id + "': no executable form of chip '" + chip->id +
                            "' has target '" + pool.target + "'");
  }

  void checkLevels() {
    for (auto [index, level] : enumerate(fleet.levels)) {
      if (level.oversubscription && level.oversubscription->value < 1)
        diagnostics.error(locate("levels", index, "oversubscription"),
                          "level '" + level.name + "': oversubscription must be at least 1, got " +
                              printQuantity(level.oversubscription->value, Quantity::Ratio));
      for (uint64_t count : level.legalCounts)
        if (level.size && count > *level.size)
          diagnostics.error(locate("levels", index, "legal_counts"),
                            "level '" + level.name + "': legal count " + Twine(count) +
                                " is above its size " + Twine(*level.size));
    }
  }

  void checkPoolName(StringRef list, size_t index, StringRef key, const std::string &name,
                     bool star) {
    if ((star && name == "*") || name.empty() || fleet.findPool(name))
      return;
    SmallVector<StringRef> names;
    for (const Pool &pool : fleet.pools)
      names.push_back(pool.id);
    diagnostics.error(locate(list, index, key),
                      "unknown pool '" + name + "'" + suggest(name, names));
  }

  void checkReferences() {
    for (auto [index, path] : enumerate(fleet.crossPaths)) {
      checkPoolName("cross_paths", index, "from", path.from, true);
      checkPoolName("cross_paths", index, "to", path.to, true);
      if (path.from == path.to && path.from != "*")
        diagnostics.error(locate("cross_paths", index, "to"),
                          "a cross path joins two different pools, got '" + path.from + "' twice");
      if (path.via == CrossPath::Via::Library && path.library.empty())
        diagnostics.error(locate("cross_paths", index, "via"),
                          "a cross path via a library needs 'library'");
      if (path.via == CrossPath::Via::HostStaged && !path.operations.empty())
        diagnostics.error(locate("cross_paths", index, "operations"),
                          "a host-staged path has no collectives; leave out 'operations'");
    }
    for (auto [index, growth] : enumerate(fleet.growth))
      checkPoolName("growth", index, "pool", growth.pool, false);
    for (auto [index, domain] : enumerate(fleet.failureDomains))
      if (!domain.level.empty() && !fleet.findLevel(domain.level))
        diagnostics.error(locate("failure_domains", index, "level"),
                          "unknown level '" + domain.level + "'" + suggestLevel(domain.level));
  }

  void checkPolicies() {
    for (auto [index, policy] : enumerate(fleet.policies)) {
      if (policy.name != "domestic-share") {
        diagnostics.error(locate("policies", index, "name"),
                          "unknown policy '" + policy.name + "'; known: domestic-share");
        continue;
      }
      if (!policy.threshold)
        diagnostics.error(locate("policies", index, ""),
                          "policy 'domestic-share' has no 'threshold'");
      else if (policy.threshold->value > 1)
        diagnostics.error(locate("policies", index, "threshold"),
                          "threshold must be at most 1, got " +
                              printQuantity(policy.threshold->value, Quantity::Ratio));
      if (!policy.dataType.empty() && !is_contained(getDataTypeNames(), policy.dataType))
        diagnostics.error(locate("policies", index, "dtype"),
                          "unknown data type '" + policy.dataType + "'" +
                              suggest(policy.dataType, getDataTypeNames()));
    }
  }

  const Fleet &fleet;
  const Tree &tree;
  Diagnostics &diagnostics;
};

} // namespace

void checkFleet(const Fleet &fleet, const Tree &tree, Diagnostics &diagnostics) {
  FleetChecker(fleet, tree, diagnostics).run();
}

} // namespace dougong::fleet
