//===- Catalog.cpp - lookups in the built-in files -------------------------===//
//
// The texts themselves are in CatalogData.cpp, which embed_catalog.py writes.
//
//===----------------------------------------------------------------------===//
#include "dougong/Fleet/Catalog.h"

#include "Fields.h"
#include "dougong/Fleet/Yaml.h"

using namespace llvm;
using namespace dougong::fleet;

const CatalogEntry *dougong::fleet::findCatalogEntry(StringRef name) {
  for (const CatalogEntry &entry : getCatalog())
    if (entry.name == name)
      return &entry;
  return nullptr;
}

std::string dougong::fleet::suggestCatalogName(StringRef name) {
  SmallVector<StringRef> names;
  for (const CatalogEntry &entry : getCatalog())
    if (entry.kind != CatalogEntry::Kind::Sources)
      names.push_back(entry.name);
  return suggest(name, names);
}

Expected<Chip> dougong::fleet::loadCatalogChip(StringRef id) {
  std::string name = id.str();
  const CatalogEntry *entry = findCatalogEntry(name);
  if (!entry) {
    std::replace(name.begin(), name.end(), '_', '-');
    entry = findCatalogEntry(name);
  }
  if (!entry || entry->kind != CatalogEntry::Kind::Chip) {
    SmallVector<StringRef> names;
    for (const CatalogEntry &candidate : getCatalog())
      if (candidate.kind == CatalogEntry::Kind::Chip)
        names.push_back(candidate.name);
    return createStringError("unknown chip '" + id + "': neither in this file nor in the " +
                             "catalogue" + suggest(name, names));
  }
  Expected<Fleet> fleet = readFleet(entry->text, entry->name.str() + ".yaml");
  if (!fleet)
    return fleet.takeError();
  if (const Chip *chip = fleet->findChip(name))
    return *chip;
  return createStringError("catalogue file '" + name + ".yaml' does not define that chip");
}

/// Reads the entry "sources": key -> {title, date}.
static std::vector<Source> readSources() {
  std::vector<Source> sources;
  const CatalogEntry *entry = findCatalogEntry("sources");
  Diagnostics diagnostics("sources.yaml");
  std::optional<Tree> tree = entry ? parseTree(entry->text, diagnostics) : std::nullopt;
  const Tree *list = tree ? tree->find("sources") : nullptr;
  if (!list)
    return sources;
  for (const TreeEntry &item : list->entries) {
    const Tree *title = item.value.find("title");
    const Tree *date = item.value.find("date");
    sources.push_back({item.key, title ? title->text : "", date ? date->text : ""});
  }
  return sources;
}

const Source *dougong::fleet::findSource(StringRef key) {
  static const std::vector<Source> sources = readSources();
  for (const Source &source : sources)
    if (source.key == key)
      return &source;
  return nullptr;
}
