//===- Yaml.cpp - fleet files to the model and back ------------------------===//
#include "dougong/Fleet/Yaml.h"

#include "ModelFields.h"
#include "dougong/Fleet/Catalog.h"
#include "dougong/Support/Text.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"

#include <unistd.h>

using namespace llvm;
using namespace dougong::fleet;

namespace dougong::fleet {

namespace {

/// The default provenance of a file: `provenance: {kind: ..., source: ...}`.
struct DefaultProvenance {
  Provenance kind = Provenance::Recalled;
  std::string source, date, note;
};

void describe(Fields &fields, DefaultProvenance &provenance) {
  fields.choice(
      "kind", provenance.kind,
      {Provenance::Measured, Provenance::Published, Provenance::Derived, Provenance::Recalled},
      Provenance::Recalled);
  fields.name("source", provenance.source);
  fields.date("date", provenance.date);
  fields.text("note", provenance.note);
}

/// Everything but chips, in the order in which files are written.
void describeSite(Fields &fields, Fleet &fleet) {
  fields.name("name", fleet.name);
  fields.text("title", fleet.title);
  fields.text("location", fleet.location);
  fields.text("note", fleet.note);
  fields.flag("this_machine", fleet.thisMachine, false);
  fields.texts("sources", fleet.sources);
  fields.list("levels", fleet.levels, "level");
  fields.list("pools", fleet.pools, "pool");
  fields.list("cross_paths", fleet.crossPaths, "cross path");
  fields.list("policies", fleet.policies, "policy");
  fields.list("growth", fleet.growth, "growth step");
  fields.list("failure_domains", fleet.failureDomains, "failure domain");
  fields.figure("power_budget", fleet.powerBudget, Quantity::Power);
}

/// Puts the entries of a chip over those of the chip that it is `like`.
std::optional<Tree> applyLike(const Tree &item, const Fleet &fleet, Diagnostics &diagnostics) {
  const Tree *like = item.find("like");
  if (!like)
    return item;
  if (like->kind != Tree::Kind::Scalar) {
    diagnostics.error(like->position, "'like' must name a chip, got " + like->describeKind());
    return std::nullopt;
  }
  Chip base;
  if (const Chip *own = fleet.findChip(like->text)) {
    base = *own;
  } else if (Expected<Chip> found = loadCatalogChip(like->text)) {
    base = std::move(*found);
  } else {
    diagnostics.error(like->position, "'like': " + toString(found.takeError()));
    return std::nullopt;
  }
  Tree changes = item;
  erase_if(changes.entries, [](const TreeEntry &entry) { return entry.key == "like"; });
  if (!changes.find("id")) {
    diagnostics.error(item.position, "chip has no 'id'");
    return std::nullopt;
  }
  return merge(Fields::toTree(base), changes);
}

void readChips(Fields &fields, Fleet &fleet, ReadContext &context) {
  const Tree *chips = fields.raw("chips");
  if (!chips)
    return;
  if (chips->kind != Tree::Kind::Sequence)
    return fields.error(chips->position, "'chips' must be a list, got " + chips->describeKind());
  for (const Tree &item : chips->items) {
    std::optional<Tree> merged = applyLike(item, fleet, context.diagnostics);
    Chip chip;
    if (!merged || !Fields::fromTree(*merged, chip, "chip", context))
      continue;
    checkChip(chip, *merged, context.diagnostics);
    fleet.chips.push_back(std::move(chip));
  }
}

void readDefaultProvenance(Fields &fields, ReadContext &context) {
  std::optional<DefaultProvenance> provenance;
  fields.object("provenance", provenance, "provenance");
  if (!provenance)
    return;
  context.kind = provenance->kind;
  context.source = provenance->source;
  context.date = provenance->date;
  context.note = provenance->note;
}

/// Adds the chips of the catalogue that pools refer to.
void resolveChips(Fleet &fleet, const Tree &tree, Diagnostics &diagnostics) {
  const Tree *pools = tree.find("pools");
  for (auto [index, pool] : enumerate(fleet.pools)) {
    if (pool.chip.empty() || fleet.findChip(pool.chip))
      continue;
    Expected<Chip> chip = loadCatalogChip(pool.chip);
    if (chip) {
      pool.chip = chip->id;
      if (!fleet.findChip(chip->id))
        fleet.chips.push_back(std::move(*chip));
      continue;
    }
    const Tree *place =
        pools && index < pools->items.size() ? pools->items[index].find("chip") : nullptr;
    diagnostics.error(place ? place->position : tree.position,
                      "pool '" + pool.id + "': " + toString(chip.takeError()));
  }
}

} // namespace

Tree toTree(const Fleet &constFleet) {
  Fleet fleet = constFleet; // describe() takes what it could also fill
  Tree tree = Tree::mapping();
  Tree version;
  version.kind = Tree::Kind::Integer;
  version.integer = 1;
  tree.add("version", std::move(version));
  Fields fields(tree);
  describeSite(fields, fleet);
  fields.list("chips", fleet.chips, "chip");
  return tree;
}

std::optional<Fleet> fleetFromTree(const Tree &tree, Diagnostics &diagnostics) {
  if (tree.kind != Tree::Kind::Mapping) {
    diagnostics.error(tree.position, "a fleet file must be a mapping, got " + tree.describeKind());
    return std::nullopt;
  }
  ReadContext context(diagnostics);
  Fleet fleet;
  Fields fields(tree, "fleet", context);
  std::optional<uint64_t> version;
  fields.integer("version", version);
  if (version.value_or(1) != 1)
    fields.error(fields.positionOf("version"),
                 "format version " + Twine(*version) + " is not known; this compiler reads 1");
  readDefaultProvenance(fields, context);
  describeSite(fields, fleet);
  readChips(fields, fleet, context);
  fields.finish();
  // A tree that was not read well makes references fail that are right.
  if (!diagnostics.empty())
    return std::nullopt;

  if (fleet.pools.empty() && fleet.chips.empty())
    diagnostics.error(tree.position, "fleet has no 'pools' and no 'chips'");
  if (!fleet.pools.empty() && fleet.name.empty())
    diagnostics.error(tree.position, "fleet has no 'name'");
  resolveChips(fleet, tree, diagnostics);
  checkFleet(fleet, tree, diagnostics);
  if (!diagnostics.empty())
    return std::nullopt;
  return fleet;
}

Expected<Fleet> readFleet(StringRef text, StringRef fileName) {
  Diagnostics diagnostics(fileName);
  std::optional<Fleet> fleet;
  if (std::optional<Tree> tree = parseTree(text, diagnostics))
    fleet = fleetFromTree(*tree, diagnostics);
  if (!fleet)
    return diagnostics.takeError();
  return std::move(*fleet);
}

/// Bytes that programs on this machine can have, in whole GiB so that a restart
/// does not change it: the machine's own, or what the container is given.
static uint64_t measureMemory() {
  uint64_t bytes = uint64_t(sysconf(_SC_PHYS_PAGES)) * uint64_t(sysconf(_SC_PAGESIZE));
  uint64_t limit;
  if (ErrorOr<std::unique_ptr<MemoryBuffer>> text =
          MemoryBuffer::getFileAsStream("/sys/fs/cgroup/memory.max"))
    if (!(*text)->getBuffer().trim().getAsInteger(10, limit))
      bytes = std::min(bytes, limit);
  constexpr uint64_t gib = 1 << 30;
  return bytes < gib ? bytes : bytes / gib * gib;
}

static Expected<Fleet> findFleet(StringRef fileOrName) {
  std::string name = escapeControl(fileOrName.str());
  if (sys::fs::is_directory(fileOrName))
    return createStringError("'" + name + "' is a directory, expected a fleet file");
  sys::fs::file_status status;
  if (!sys::fs::status(fileOrName, status) && sys::fs::exists(status)) {
    // Devices may never end.
    if (status.type() != sys::fs::file_type::regular_file &&
        status.type() != sys::fs::file_type::fifo_file)
      return createStringError("'" + name + "' is not a regular file or a pipe");
    ErrorOr<std::unique_ptr<MemoryBuffer>> buffer = MemoryBuffer::getFile(fileOrName);
    if (!buffer)
      return createStringError("cannot read '" + name + "': " + buffer.getError().message());
    return readFleet((*buffer)->getBuffer(), fileOrName);
  }
  const CatalogEntry *entry = findCatalogEntry(fileOrName);
  if (!entry || entry->kind == CatalogEntry::Kind::Sources)
    return createStringError("'" + name + "' is neither a file nor a name in the catalogue" +
                             suggestCatalogName(fileOrName));
  Expected<Fleet> fleet = readFleet(entry->text, entry->name.str() + ".yaml");
  if (!fleet || entry->kind == CatalogEntry::Kind::Site)
    return fleet;
  fleet->name = entry->name.str();
  Pool pool;
  pool.id = "chip";
  pool.chip = fleet->chips.front().id;
  pool.count = pool.nodes = pool.chipsPerNode = 1;
  fleet->pools.push_back(std::move(pool));
  return fleet;
}

Expected<Fleet> loadFleet(StringRef fileOrName) {
  Expected<Fleet> fleet = findFleet(fileOrName);
  if (!fleet || !fleet->thisMachine)
    return fleet;
  for (Chip &chip : fleet->chips) {
    if (!chip.memory)
      continue;
    Figure bytes;
    bytes.value = double(measureMemory());
    bytes.quantity = Quantity::Bytes;
    bytes.kind = Provenance::Measured;
    bytes.source = "HOST";
    bytes.note = "of this machine, in whole GiB";
    chip.memory->bytes = bytes;
  }
  return fleet;
}

std::string writeFleet(const Fleet &fleet) { return printYaml(toTree(fleet)); }

json::Value toJson(const Fleet &fleet) { return toJson(toTree(fleet)); }

json::Value toJson(const Chip &chip) {
  Chip copy = chip;
  return toJson(Fields::toTree(copy));
}

} // namespace dougong::fleet
