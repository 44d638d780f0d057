//===- ListCommand.cpp - dougong fleet list --------------------------------===//
#include "Report.h"
#include "dougong/Fleet/Catalog.h"
#include "dougong/Fleet/Commands.h"
#include "dougong/Fleet/Yaml.h"

using namespace llvm;
using namespace dougong::fleet;

namespace {

/// One line for each entry; both forms of output are made from these.
struct Entry {
  std::string name, title;
  Fleet fleet; ///< for a chip: with that chip first
};

Expected<std::vector<Entry>> load(CatalogEntry::Kind kind) {
  std::vector<Entry> entries;
  for (const CatalogEntry &entry : getCatalog()) {
    if (entry.kind != kind)
      continue;
    Expected<Fleet> fleet = loadFleet(entry.name);
    if (!fleet)
      return fleet.takeError();
    std::string title =
        kind == CatalogEntry::Kind::Site ? fleet->title : fleet->chips.front().title;
    entries.push_back({entry.name.str(), title, std::move(*fleet)});
  }
  return entries;
}

std::string orUnknown(const MaybeFigure &figure) {
  return figure ? showQuantity(figure->value, figure->quantity) : "not known";
}

void printText(ArrayRef<Entry> sites, ArrayRef<Entry> chips, raw_ostream &out) {
  out << "sites\n";
  Table siteTable;
  for (const Entry &site : sites)
    siteTable.add({site.name,
                   std::to_string(site.fleet.getChipCount()) +
                       (site.fleet.getChipCount() == 1 ? " chip" : " chips"),
                   site.title});
  siteTable.print(out);
  out << "chips\n";
  Table chipTable;
  chipTable.add({"name", "vendor", "domestic", "memory", "half-precision peak", "target", "title"});
  for (const Entry &entry : chips) {
    const Chip &chip = entry.fleet.chips.front();
    const Figure *peak = chip.getPeak("fp16") ? chip.getPeak("fp16") : chip.getPeak("bf16");
    chipTable.add(
        {entry.name, chip.vendor, chip.domestic ? "yes" : "no",
         orUnknown(chip.memory ? chip.memory->bytes : std::nullopt),
         peak ? printRoundedFlops(peak->value) : "not known",
         chip.target.empty() ? "none" : chip.target + (chip.runsOnStandIn() ? " (stand-in)" : ""),
         entry.title});
  }
  chipTable.print(out);
}

void printJson(ArrayRef<Entry> sites, ArrayRef<Entry> chips, raw_ostream &out) {
  json::Array siteArray, chipArray;
  for (const Entry &site : sites)
    siteArray.push_back(json::Object{
        {"name", site.name}, {"title", site.title}, {"chips", site.fleet.getChipCount()}});
  for (const Entry &entry : chips) {
    const Chip &chip = entry.fleet.chips.front();
    chipArray.push_back(json::Object{{"name", entry.name},
                                     {"title", entry.title},
                                     {"vendor", chip.vendor},
                                     {"domestic", chip.domestic},
                                     {"target", chip.target},
                                     {"stand_in", chip.runsOnStandIn()}});
  }
  out << formatv("{0:2}", json::Value(json::Object{{"sites", std::move(siteArray)},
                                                   {"chips", std::move(chipArray)}}))
      << "\n";
}

} // namespace

int dougong::fleet::listCommand(bool json, raw_ostream &out, raw_ostream &err) {
  Expected<std::vector<Entry>> sites = load(CatalogEntry::Kind::Site);
  if (!sites)
    return refuse(sites.takeError(), err);
  Expected<std::vector<Entry>> chips = load(CatalogEntry::Kind::Chip);
  if (!chips)
    return refuse(chips.takeError(), err);
  if (json)
    printJson(*sites, *chips, out);
  else
    printText(*sites, *chips, out);
  return kExitOk;
}
