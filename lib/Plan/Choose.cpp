//===- Choose.cpp - a strategy where nobody asked for one -----------------===//
#include "dougong/Plan/Choose.h"

#include "Estimator.h"

#include "dougong/Onnx/DimRanges.h"
#include "dougong/Package/Describe.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::planner;

/// Chips of one replica, and the widths that are tried.
static constexpr int64_t maxRanks = 64;
static constexpr int64_t widths[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64};
/// Within this factor of the fastest, fewer ranks win.
static constexpr double closeEnough = 1.05;
/// Alternatives that the report shows.
static constexpr size_t maxShown = 8;

std::string Candidate::getStrategy() const {
  std::string text;
  for (auto [name, count] : {std::pair("tp", tp), std::pair("pp", pp), std::pair("dp", dp)})
    if (count > 1)
      text += (text.empty() ? "" : ",") + std::string(name) + "=" + std::to_string(count);
  return text.empty() ? "tp=1" : text;
}

namespace {

/// Enumerates, estimates and ranks.
class Chooser {
public:
  Chooser(ModuleOp module, const fleet::Fleet &fleet, const ChoiceRequest &request,
          ModelProfile &profile)
      : module(module), fleet(fleet), request(request), profile(profile),
        estimator(profile, fleet) {}

  FailureOr<Decision> run(bool &infeasible);

private:
  void enumerate();
  /// All ways to give `pp` stages to one pool, or to two in a row.
  void addPlacements(int64_t tp, int64_t pp, int64_t dp);
  void judge(Candidate &candidate);
  /// A job's domestic share, where a policy is about jobs.
  std::string findBrokenPolicy(const Candidate &candidate) const;
  LogicalResult reportMisfit();
  std::string findFittingRange(const Candidate &candidate);

  ModuleOp module;
  const fleet::Fleet &fleet;
  const ChoiceRequest &request;
  ModelProfile &profile;
  Estimator estimator;
  std::vector<Candidate> candidates;
};

void Chooser::addPlacements(int64_t tp, int64_t pp, int64_t dp) {
  auto hosts = [&](const fleet::Pool &pool, int64_t stages) {
    return static_cast<uint64_t>(stages * tp * dp) <= pool.count;
  };
  for (const fleet::Pool &pool : fleet.pools)
    if (hosts(pool, pp))
      candidates.push_back({tp, pp, dp, std::vector(pp, &pool), 0, 0, 0, 0, ""});
  for (const fleet::Pool &first : fleet.pools)
    for (const fleet::Pool &second : fleet.pools) {
      if (&first == &second || !fleet.findCrossPath(first.id, second.id))
        continue;
      for (int64_t border = 1; border < pp; ++border)
        if (hosts(first, border) && hosts(second, pp - border)) {
          Candidate mixed{tp, pp, dp, std::vector(pp, &second), 0, 0, 0, 0, ""};
          std::fill_n(mixed.pools.begin(), border, &first);
          candidates.push_back(std::move(mixed));
        }
    }
}

void Chooser::enumerate() {
  double tpBlocks = 1, dpBlocks = 1;
  for (const OpProfile &op : profile.ops) {
    tpBlocks = std::max(tpBlocks, op.tp.blocks);
    dpBlocks = std::max(dpBlocks, op.dp.blocks);
  }
  for (int64_t tp : widths)
    for (int64_t pp : widths)
      for (int64_t dp : widths)
        if (tp * pp * dp <= maxRanks && tp <= tpBlocks && dp <= dpBlocks &&
            pp <= static_cast<int64_t>(profile.ops.size()))
          addPlacements(tp, pp, dp);
}

std::string Chooser::findBrokenPolicy(const Candidate &candidate) const {
  for (const fleet::Policy &policy : fleet.policies) {
    if (policy.scope != fleet::PolicyScope::Job || policy.basis != fleet::ShareBasis::Chips ||
        !policy.threshold)
      continue;
    double domestic = llvm::count_if(
        candidate.pools, [&](const fleet::Pool *pool) { return fleet.getChip(*pool)->domestic; });
    double share = domestic / candidate.pools.size(), threshold = policy.threshold->value;
    if (threshold >= 1 ? share < 1 : share <= threshold)
      return policy.name;
  }
  return "";
}

void Chooser::judge(Candidate &candidate) {
  estimator.estimateMemory(candidate);
  if (candidate.capacity == 0) {
    candidate.verdict = "rejected: the memory of chip '" +
                        candidate.pools[candidate.tightStage]->chip + "' is not known";
    return;
  }
  if (!candidate.fits()) {
    candidate.verdict =
        llvm::formatv(
            "rejected: does not fit: a rank of stage {0} needs about {1}, chip '{2}' has {3}",
            candidate.tightStage, formatBytes(candidate.memory),
            candidate.pools[candidate.tightStage]->chip, formatBytes(candidate.capacity))
            .str();
    return;
  }
  if (std::string policy = findBrokenPolicy(candidate); !policy.empty()) {
    candidate.verdict = "rejected: breaks policy '" + policy + "'";
    return;
  }
  if (llvm::Error error = estimator.estimateTime(candidate))
    candidate.verdict = "no prediction: " + llvm::toString(std::move(error));
}

/// The greatest upper bound of a dim for which the candidate fits.
std::string Chooser::findFittingRange(const Candidate &candidate) {
  std::string text;
  for (const auto &[symbol, range] : request.ranges) {
    if (range.max == onnx::unboundedDim || range.max <= range.min)
      continue;
    auto fits = [&](int64_t extent) {
      SymbolValues extents = request.extents;
      extents[symbol] = extent;
      profile.measure(extents);
      Estimator trial(profile, fleet);
      Candidate copy = candidate;
      trial.estimateMemory(copy);
      return copy.fits();
    };
    int64_t low = range.min, high = range.max;
    if (!fits(low))
      continue;
    while (high - low > 1) {
      int64_t middle = low + (high - low) / 2;
      (fits(middle) ? low : high) = middle;
    }
    text += (text.empty() ? "" : " or ") +
            llvm::formatv("--dim {0}={1}..{2}", symbol, range.min, low).str();
  }
  return text;
}

LogicalResult Chooser::reportMisfit() {
  const Candidate *best = nullptr;
  for (const Candidate &candidate : candidates)
    if (candidate.capacity && (!best || double(candidate.memory) / candidate.capacity <
                                            double(best->memory) / best->capacity))
      best = &candidate;
  InFlightDiagnostic error = module.emitError();
  if (!best || best->fits()) {
    StringRef reason =
        candidates.empty() ? "it has no chips" : StringRef(candidates.front().verdict);
    reason.consume_front("rejected: ");
    error << "no strategy can be chosen for fleet '" << fleet.name << "': " << reason;
    return error;
  }
  Candidate copy = *best;
  MemoryEstimate parts = estimator.estimateMemory(copy);
  auto [name, bytes] = parts.getLargest();
  error << "fits no replica of up to " << maxRanks << " chips of fleet '" << fleet.name
        << "': with " << best->getStrategy() << " on pool '" << best->pools[best->tightStage]->id
        << "' a rank of stage " << best->tightStage << " needs about " << formatBytes(best->memory)
        << ", chip '" << best->pools[best->tightStage]->chip << "' has "
        << formatBytes(best->capacity) << "; the largest part is " << name << ", "
        << formatBytes(static_cast<uint64_t>(bytes));
  std::string range = findFittingRange(*best);
  if (!range.empty())
    error << "; it would fit with " << range;
  else
    error << "; it would need chips of at least " << formatBytes(best->memory)
          << ", or quantised weights";
  return error;
}

FailureOr<Decision> Chooser::run(bool &infeasible) {
  enumerate();
  for (Candidate &candidate : candidates)
    judge(candidate);
  double fastest = 0;
  for (const Candidate &candidate : candidates)
    if (candidate.step > 0 && (fastest == 0 || candidate.step < fastest))
      fastest = candidate.step;
  // Candidates that nothing speaks against; without any time, all that fit.
  auto isOpen = [&](const Candidate &candidate) {
    return fastest > 0 ? candidate.step > 0
                       : StringRef(candidate.verdict).starts_with("no prediction");
  };
  auto isClose = [&](const Candidate &candidate) {
    return isOpen(candidate) && candidate.step <= fastest * closeEnough;
  };
  auto isBetter = [&](const Candidate &a, const Candidate &b) {
    if (isOpen(a) != isOpen(b))
      return isOpen(a);
    if (isClose(a) != isClose(b))
      return isClose(a);
    if (isClose(a))
      return a.getRanks() != b.getRanks() ? a.getRanks() < b.getRanks() : a.step < b.step;
    if (isOpen(a))
      return a.step < b.step;
    // Why not fewer ranks? Of equal ones, those that nearly fit.
    if (a.getRanks() != b.getRanks())
      return a.getRanks() < b.getRanks();
    return double(a.memory) * b.capacity < double(b.memory) * a.capacity;
  };
  for (auto [number, candidate] : llvm::enumerate(candidates))
    candidate.number = number;
  llvm::sort(candidates, [&](const Candidate &a, const Candidate &b) {
    return isBetter(a, b) || (!isBetter(b, a) && a.number < b.number);
  });
  if (candidates.empty() || !isOpen(candidates.front())) {
    infeasible = true;
    return reportMisfit();
  }
  Decision decision;
  decision.considered = candidates.size();
  decision.rule = fastest > 0 ? "the fewest ranks within 5 % of the fastest predicted step"
                              : "the fewest ranks that fit, for no time can be predicted: " +
                                    candidates.front().verdict.substr(strlen("no prediction: "));
  candidates.front().verdict = "chosen";
  // Half of what is shown may be what was rejected.
  size_t rejected = 0;
  for (Candidate &candidate : candidates) {
    if (decision.candidates.size() == maxShown)
      break;
    bool open = candidate.verdict == "chosen" || candidate.step > 0;
    if (open ? decision.candidates.size() < maxShown / 2 : rejected++ < maxShown / 2)
      decision.candidates.push_back(candidate);
  }
  for (Candidate &candidate : decision.candidates)
    if (candidate.verdict.empty())
      candidate.verdict = candidate.step < decision.candidates.front().step
                              ? "rejected: more ranks for less than 5 %"
                              : "rejected: not faster";
  return decision;
}

} // namespace

FailureOr<Decision> planner::chooseStrategy(ModuleOp module, const fleet::Fleet &fleet,
                                            const ChoiceRequest &request, bool &infeasible) {
  FailureOr<ModelProfile> profile = ModelProfile::create(module, request);
  if (failed(profile))
    return failure();
  return Chooser(module, fleet, request, *profile).run(infeasible);
}
