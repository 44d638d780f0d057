//===- Analysis.cpp - domestic share and policies --------------------------===//
#include "dougong/Fleet/Analysis.h"

#include "llvm/ADT/STLExtras.h"

using namespace llvm;
using namespace dougong::fleet;

std::optional<double> DomesticShare::getShare() const {
  if (!missing.empty() || total <= 0)
    return std::nullopt;
  return domestic / total;
}

/// The figure of a chip that a basis weighs by; null if it is not known.
/// Makers state either of the two half-precision types, at one rate where both.
static const Figure *getWeight(const Chip &chip, ShareBasis basis, StringRef dataType) {
  if (basis == ShareBasis::Cost)
    return chip.price ? &*chip.price : nullptr;
  if (const Figure *peak = chip.getPeak(dataType))
    return peak;
  if (dataType == "fp16")
    return chip.getPeak("bf16");
  if (dataType == "bf16")
    return chip.getPeak("fp16");
  return nullptr;
}

DomesticShare dougong::fleet::computeDomesticShare(const Fleet &fleet, ShareBasis basis,
                                                   StringRef dataType) {
  DomesticShare share;
  share.basis = basis;
  std::string currency;
  for (const Pool &pool : fleet.pools) {
    const Chip *chip = fleet.getChip(pool);
    if (!chip)
      continue;
    double weight = 1;
    if (basis != ShareBasis::Chips) {
      const Figure *figure = getWeight(*chip, basis, dataType);
      bool otherMoney =
          basis == ShareBasis::Cost && figure && !currency.empty() && currency != chip->currency;
      if (!figure || otherMoney) {
        if (!is_contained(share.missing, chip->id))
          share.missing.push_back(chip->id);
        continue;
      }
      if (basis == ShareBasis::Cost)
        currency = chip->currency;
      weight = figure->value;
      share.weakest = weaker(share.weakest, figure->kind);
    }
    share.total += weight * pool.count;
    if (chip->domestic)
      share.domestic += weight * pool.count;
  }
  return share;
}

StringRef dougong::fleet::stringify(Verdict verdict) {
  switch (verdict) {
  case Verdict::Pass:
    return "pass";
  case Verdict::Fail:
    return "fail";
  case Verdict::Unknown:
    return "unknown";
  }
  return "unknown";
}

Verdict dougong::fleet::judge(const Fleet &fleet, const Policy &policy) {
  if (policy.scope == PolicyScope::Job || !policy.threshold)
    return Verdict::Unknown;
  StringRef dataType = policy.dataType.empty() ? "fp16" : StringRef(policy.dataType);
  std::optional<double> share = computeDomesticShare(fleet, policy.basis, dataType).getShare();
  if (!share)
    return Verdict::Unknown;
  double threshold = policy.threshold->value;
  // A threshold of 1 means: domestic chips only.
  bool met = threshold >= 1 ? *share >= 1 : *share > threshold;
  return met ? Verdict::Pass : Verdict::Fail;
}

std::optional<Provenance> dougong::fleet::getWeakestProvenance(const Chip &chip) {
  std::optional<Provenance> weakest;
  forEachFigure(chip, [&](StringRef path, const Figure &figure) {
    bool matters = path.starts_with("memory.") || path.starts_with("peak.") ||
                   path.starts_with("links") || path.starts_with("host_link");
    if (matters)
      weakest = weakest ? weaker(*weakest, figure.kind) : figure.kind;
  });
  return weakest;
}
