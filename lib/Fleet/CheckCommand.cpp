//===- CheckCommand.cpp - dougong fleet check ------------------------------===//
#include "Report.h"
#include "dougong/Fleet/Commands.h"
#include "dougong/Fleet/Yaml.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"

using namespace llvm;
using namespace dougong::fleet;

namespace {

/// A sum over all pools; `missing` names chips that lack the figure.
struct Total {
  double sum = 0;
  std::vector<std::string> missing;

  void add(const Pool &pool, const Chip &chip, const Figure *figure) {
    if (figure)
      sum += figure->value * pool.count;
    else if (!is_contained(missing, chip.id))
      missing.push_back(chip.id);
  }
};

struct Totals {
  Total memory, peak, power;
};

Totals computeTotals(const Fleet &fleet) {
  Totals totals;
  auto pointer = [](const MaybeFigure &figure) { return figure ? &*figure : nullptr; };
  for (const Pool &pool : fleet.pools) {
    const Chip *chip = fleet.getChip(pool);
    if (!chip)
      continue;
    const Figure *peak = chip->getPeak("fp16") ? chip->getPeak("fp16") : chip->getPeak("bf16");
    totals.memory.add(pool, *chip, chip->memory ? pointer(chip->memory->bytes) : nullptr);
    totals.peak.add(pool, *chip, peak);
    totals.power.add(pool, *chip, pointer(chip->power));
  }
  return totals;
}

constexpr ShareBasis kBases[] = {ShareBasis::Chips, ShareBasis::PeakFlops, ShareBasis::Cost};

std::string printPercent(double share) {
  std::string text;
  raw_string_ostream(text) << format("%.2f %%", share * 100);
  return text;
}

class TextReport {
public:
  TextReport(const Fleet &fleet, raw_ostream &out) : fleet(fleet), out(out) {}

  void print() {
    out << "fleet " << (fleet.name.empty() ? "without pools" : fleet.name) << ": "
        << fleet.getChipCount() << " chips in " << fleet.pools.size() << " pools\n";
    printTotals();
    printShares();
    printPolicies();
    printProvenance();
    out << "remarks\n";
    std::vector<Remark> remarks = findRemarks(fleet);
    for (const Remark &remark : remarks)
      out << "  " << remark.where << ": " << remark.text << "\n";
    if (remarks.empty())
      out << "  none\n";
  }

private:
  void printTotals() {
    Totals totals = computeTotals(fleet);
    Table table;
    auto add = [&](StringRef name, const Total &total, Quantity quantity) {
      std::string text = total.sum <= 0                 ? "not known"
                         : quantity == Quantity::OpRate ? printRoundedFlops(total.sum)
                                                        : printRounded(total.sum, quantity);
      if (total.sum > 0 && !total.missing.empty())
        text = "at least " + text;
      table.add({name.str(), text,
                 total.missing.empty() ? "" : "not known for " + join(total.missing, ", ")});
    };
    add("memory", totals.memory, Quantity::Bytes);
    add("half-precision peak", totals.peak, Quantity::OpRate);
    add("power of chips", totals.power, Quantity::Power);
    out << "totals\n";
    table.print(out);
  }

  void printShares() {
    out << "domestic share\n";
    Table table;
    for (ShareBasis basis : kBases) {
      DomesticShare share = computeDomesticShare(fleet, basis);
      std::string name = "by " + stringify(basis).str();
      std::optional<double> value = share.getShare();
      if (!value) {
        table.add({name, "not known",
                   share.missing.empty()
                       ? "no chips"
                       : (basis == ShareBasis::Cost ? "no price (in one currency) for "
                                                    : "no half-precision peak for ") +
                             join(share.missing, ", ")});
        continue;
      }
      auto print = [&](double sum) {
        return basis == ShareBasis::PeakFlops ? printRoundedFlops(sum)
                                              : printRounded(sum, Quantity::Count);
      };
      std::string detail = basis == ShareBasis::Chips
                               ? std::to_string(uint64_t(share.domestic)) + " of " +
                                     std::to_string(uint64_t(share.total)) + " chips"
                               : print(share.domestic) + " of " + print(share.total) +
                                     ", weakest figure " + stringify(share.weakest).str();
      table.add({name, printPercent(*value), detail});
    }
    table.print(out);
  }

  void printPolicies() {
    if (fleet.policies.empty())
      return;
    out << "policies\n";
    for (const Policy &policy : fleet.policies)
      out << "  " << policy.name << " above " << printPercent(policy.threshold->value) << " by "
          << stringify(policy.basis) << ", scope " << stringify(policy.scope) << ": "
          << stringify(judge(fleet, policy))
          << (policy.scope == PolicyScope::Job ? " (judged for each plan)" : "") << "\n";
  }

  void printProvenance() {
    ProvenanceCount count = countProvenance(fleet);
    out << "provenance of " << count.total << " figures\n ";
    StringRef separator = " ";
    for (Provenance kind :
         {Provenance::Measured, Provenance::Published, Provenance::Derived, Provenance::Recalled}) {
      out << separator << count.byKind[size_t(kind)] << " " << stringify(kind);
      separator = ", ";
    }
    out << "; " << count.withoutSource << " without a source, " << count.withConflicts
        << " with conflicting sources\n";
  }

  const Fleet &fleet;
  raw_ostream &out;
};

json::Value toJsonReport(const Fleet &fleet) {
  json::Object report{{"name", fleet.name}, {"chips", fleet.getChipCount()}};
  Totals totals = computeTotals(fleet);
  auto total = [](const Total &total) {
    json::Object object;
    object["known_sum"] = total.sum;
    json::Array missing;
    for (const std::string &chip : total.missing)
      missing.push_back(chip);
    object["missing"] = std::move(missing);
    return object;
  };
  report["totals"] = json::Object{{"memory_bytes", total(totals.memory)},
                                  {"half_precision_peak_op_per_s", total(totals.peak)},
                                  {"chip_power_w", total(totals.power)}};
  json::Object shares;
  for (ShareBasis basis : kBases) {
    DomesticShare share = computeDomesticShare(fleet, basis);
    json::Object object{{"domestic", share.domestic}, {"total", share.total}};
    std::optional<double> value = share.getShare();
    object["share"] = value ? json::Value(*value) : json::Value(nullptr);
    if (basis != ShareBasis::Chips)
      object["weakest"] = stringify(share.weakest);
    json::Array missing;
    for (const std::string &chip : share.missing)
      missing.push_back(chip);
    object["missing"] = std::move(missing);
    shares[stringify(basis)] = std::move(object);
  }
  report["domestic_share"] = std::move(shares);
  json::Array policies;
  for (const Policy &policy : fleet.policies)
    policies.push_back(json::Object{{"name", policy.name},
                                    {"basis", stringify(policy.basis)},
                                    {"scope", stringify(policy.scope)},
                                    {"threshold", policy.threshold->value},
                                    {"verdict", stringify(judge(fleet, policy))}});
  report["policies"] = std::move(policies);
  ProvenanceCount count = countProvenance(fleet);
  json::Object provenance{{"total", count.total},
                          {"without_source", count.withoutSource},
                          {"with_conflicts", count.withConflicts}};
  for (Provenance kind :
       {Provenance::Measured, Provenance::Published, Provenance::Derived, Provenance::Recalled})
    provenance[stringify(kind)] = count.byKind[size_t(kind)];
  report["provenance"] = std::move(provenance);
  json::Array remarks;
  for (const Remark &remark : findRemarks(fleet))
    remarks.push_back(json::Object{{"where", remark.where}, {"text", remark.text}});
  report["remarks"] = std::move(remarks);
  return report;
}

} // namespace

int dougong::fleet::checkCommand(StringRef fileOrName, bool json, bool enforce, raw_ostream &out,
                                 raw_ostream &err) {
  Expected<Fleet> fleet = loadFleet(fileOrName);
  if (!fleet)
    return refuse(fleet.takeError(), err);
  if (json)
    out << formatv("{0:2}", toJsonReport(*fleet)) << "\n";
  else
    TextReport(*fleet, out).print();
  if (!enforce)
    return kExitOk;
  bool met = true;
  for (const Policy &policy : fleet->policies)
    if (Verdict verdict = judge(*fleet, policy);
        verdict == Verdict::Fail ||
        (verdict == Verdict::Unknown && policy.scope != PolicyScope::Job)) {
      err << "error: policy '" << policy.name << "' by " << stringify(policy.basis)
          << " is not met: " << stringify(verdict) << "\n";
      met = false;
    }
  return met ? kExitOk : kExitRefused;
}
