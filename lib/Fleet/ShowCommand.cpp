//===- ShowCommand.cpp - dougong fleet show --------------------------------===//
#include "Report.h"
#include "dougong/Fleet/Catalog.h"
#include "dougong/Fleet/Commands.h"
#include "dougong/Fleet/Yaml.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"

#include <set>

using namespace llvm;
using namespace dougong::fleet;

namespace {

class Shower {
public:
  explicit Shower(const Fleet &fleet, raw_ostream &out) : fleet(fleet), out(out) {}

  void showSite() {
    out << "site " << fleet.name << "\n";
    showText({{"title", fleet.title}, {"location", fleet.location}, {"note", fleet.note}});
    out << "pools\n";
    Table pools;
    pools.add({"name", "chip", "chips", "nodes", "per node", "target", "levels"});
    for (const Pool &pool : fleet.pools)
      pools.add({pool.id, pool.chip, std::to_string(pool.count), std::to_string(pool.nodes),
                 std::to_string(pool.chipsPerNode), describeTarget(pool), join(pool.path, " < ")});
    pools.print(out);
    for (const CrossPath &path : fleet.crossPaths)
      out << "cross path " << path.from << " to " << path.to << ": " << stringify(path.via)
          << (path.library.empty() ? "" : " " + path.library) << "\n";
    showFigures([&](auto visitor) { forEachFigure(fleet, visitor); });
  }

  void showChip(const Chip &chip) {
    out << "chip " << chip.id << "\n";
    showText({{"title", chip.title},
              {"vendor", chip.vendor},
              {"family", chip.family},
              {"domestic", chip.domestic ? "yes" : "no"},
              {"arch", chip.arch},
              {"soc", chip.soc},
              {"device unit", stringify(chip.deviceUnit).str()},
              {"collectives", chip.collectives ? chip.collectives->library : ""},
              {"note", chip.note}});
    Table forms;
    for (const ExecutableForm &form : chip.forms)
      forms.add({form.form, stringify(form.status).str(),
                 (form.target.empty() ? "no code generator" : "target " + form.target) +
                     (form.standIn ? ", functional stand-in" : ""),
                 form.note});
    out << "executable forms" << (chip.forms.empty() ? ": none" : "") << "\n";
    forms.print(out);
    showFigures([&](auto visitor) { forEachFigure(chip, visitor); });
    showUnknown(chip);
  }

  /// Titles of all sources that were named above.
  void showSources() {
    out << "sources\n";
    Table table;
    for (const std::string &key : sources) {
      auto own = fleet.sources.find(key);
      const Source *known = findSource(key);
      table.add({key, own != fleet.sources.end() ? own->second
                      : known                    ? known->title
                                                 : "not listed"});
    }
    table.print(out);
  }

private:
  std::string describeTarget(const Pool &pool) const {
    std::string target = fleet.getTarget(pool);
    const Chip *chip = fleet.getChip(pool);
    for (const ExecutableForm &form : chip ? ArrayRef(chip->forms) : ArrayRef<ExecutableForm>())
      if (form.target == target && form.standIn && !target.empty())
        return target + " (stand-in)";
    return target.empty() ? "none" : target;
  }

  void showText(ArrayRef<std::pair<StringRef, std::string>> lines) {
    Table table;
    for (const auto &[name, value] : lines)
      if (!value.empty())
        table.add({name.str(), value});
    table.print(out);
  }

  void showFigures(function_ref<void(function_ref<void(StringRef, const Figure &)>)> forEach) {
    Table table;
    forEach([&](StringRef path, const Figure &figure) {
      std::string value = printFigureValue(path, figure.value, figure.quantity);
      if (!figure.source.empty())
        sources.insert(figure.source);
      std::string note = figure.note;
      for (const ConflictingValue &conflict : figure.conflicts) {
        note += (note.empty() ? "" : "; ") +
                (conflict.source.empty() ? "another source" : conflict.source) + " says " +
                printFigureValue(path, conflict.value, figure.quantity);
        if (!conflict.source.empty())
          sources.insert(conflict.source);
      }
      table.add({path.str(), value, stringify(figure.kind).str(),
                 figure.source.empty() ? "-" : figure.source,
                 figure.date.empty() ? "-" : figure.date, note});
    });
    out << "figures\n";
    table.print(out);
  }

  void showUnknown(const Chip &chip) {
    std::vector<std::string> unknown;
    if (!chip.memory || !chip.memory->bytes)
      unknown.push_back("memory.bytes");
    if (!chip.memory || (!chip.memory->bandwidth && !chip.memory->measuredBandwidth))
      unknown.push_back("memory.bandwidth");
    if (chip.peak.empty())
      unknown.push_back("peak");
    if (chip.links.empty())
      unknown.push_back("links");
    if (!chip.power)
      unknown.push_back("power");
    if (!chip.price)
      unknown.push_back("price");
    if (!unknown.empty())
      out << "not known\n  " << join(unknown, ", ") << "\n";
  }

  const Fleet &fleet;
  raw_ostream &out;
  std::set<std::string> sources;
};

} // namespace

int dougong::fleet::showCommand(StringRef fileOrName, bool json, raw_ostream &out,
                                raw_ostream &err) {
  Expected<Fleet> fleet = loadFleet(fileOrName);
  if (!fleet)
    return refuse(fleet.takeError(), err);
  const CatalogEntry *entry = sys::fs::exists(fileOrName) ? nullptr : findCatalogEntry(fileOrName);
  bool isChip = (entry && entry->kind == CatalogEntry::Kind::Chip) || fleet->pools.empty();
  if (json) {
    out << formatv("{0:2}", entry && isChip ? toJson(fleet->chips.front()) : toJson(*fleet))
        << "\n";
    return kExitOk;
  }
  Shower shower(*fleet, out);
  if (!isChip)
    shower.showSite();
  for (const Chip &chip : fleet->chips)
    shower.showChip(chip);
  shower.showSources();
  return kExitOk;
}
