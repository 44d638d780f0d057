//===- Analysis.h - what follows from a fleet's figures ---------*- C++ -*-===//
#ifndef DOUGONG_FLEET_ANALYSIS_H
#define DOUGONG_FLEET_ANALYSIS_H

#include "dougong/Fleet/Fleet.h"

#include "llvm/ADT/STLFunctionalExtras.h"

namespace dougong::fleet {

/// The domestic share of a fleet's chips by one basis.
struct DomesticShare {
  ShareBasis basis = ShareBasis::Chips;
  double domestic = 0, total = 0; ///< chips, operations per second, or money
  /// Ids of chips without the figure that the basis needs; if there are any,
  /// the share is not known.
  std::vector<std::string> missing;
  /// The weakest provenance of the figures used; Published for mere counts.
  Provenance weakest = Provenance::Published;

  /// domestic / total, or nullopt if it is not known.
  std::optional<double> getShare() const;
};

/// Counts all pools. `dataType` matters for PeakFlops only.
DomesticShare computeDomesticShare(const Fleet &fleet, ShareBasis basis,
                                   llvm::StringRef dataType = "fp16");

/// Outcome of a policy.
enum class Verdict { Pass, Fail, Unknown };
llvm::StringRef stringify(Verdict verdict);
/// A share passes if it is above the threshold. Scope "job" cannot be judged
/// from the fleet: Unknown.
Verdict judge(const Fleet &fleet, const Policy &policy);

/// Calls `visit` with the path of field names ("memory.bandwidth") of each
/// figure, conflicts not included.
void forEachFigure(const Chip &chip,
                   llvm::function_ref<void(llvm::StringRef path, const Figure &)> visit);
/// Figures of the site itself; those of its chips are not visited.
void forEachFigure(const Fleet &fleet,
                   llvm::function_ref<void(llvm::StringRef path, const Figure &)> visit);

/// The weakest provenance of those figures of a chip that a plan rests on
/// (memory, peaks, links); nullopt if there is none.
std::optional<Provenance> getWeakestProvenance(const Chip &chip);

/// Something odd in a fleet that is legal all the same.
struct Remark {
  std::string where; ///< "chip 'x'", "pool 'y'", ...
  std::string text;
};
std::vector<Remark> findRemarks(const Fleet &fleet);

} // namespace dougong::fleet

#endif // DOUGONG_FLEET_ANALYSIS_H
