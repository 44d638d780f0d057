//===- ShortForm.cpp - strategies on the command line ---------------------===//
#include "dougong/Dist/Strategy.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace llvm;
using namespace dougong::dist;

static Error makeError(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

Expected<Strategy> dougong::dist::parseShortStrategy(StringRef text) {
  Strategy strategy;
  if (text.trim() == "none")
    return strategy;
  SmallVector<StringRef> entries;
  if (!text.empty())
    text.split(entries, ',');
  StringSet<> seen;
  std::optional<int64_t> tp, dp, cp, ep, sp;
  for (StringRef entry : entries) {
    auto [name, value] = entry.trim().split('=');
    int64_t count;
    if (value.empty() || value.getAsInteger(10, count) || count < 1)
      return makeError("expected AXIS=COUNT with a count of at least 1, got \"" + entry + "\"");
    if (!seen.insert(name).second)
      return makeError("\"" + name + "\" is given twice");
    if (name == "pp")
      strategy.pipeline = count;
    else if (name == "tp")
      tp = count;
    else if (name == "dp")
      dp = count;
    else if (name == "cp")
      cp = count;
    else if (name == "ep")
      ep = count;
    else if (name == "sp")
      sp = count;
    else if (name == "mb")
      strategy.microBatches = count;
    else
      return makeError("unknown kind of parallelism \"" + name +
                       "\": expected tp (tensor), sp (sequence), pp (pipeline), dp (data), "
                       "cp (context), ep (expert) or mb (micro-batches)");
  }
  if (strategy.microBatches > maxMicroBatches)
    return makeError("mb=" + Twine(strategy.microBatches) + ": expected at most " +
                     Twine(maxMicroBatches) + " micro-batches");
  if (sp && *sp != tp.value_or(1))
    return makeError("sp=" + Twine(*sp) + " shares the ranks of tp, which is " +
                     Twine(tp.value_or(1)) + ": give sp=" + Twine(tp.value_or(1)) +
                     " or tp=" + Twine(*sp));
  if (sp && *sp > 1)
    strategy.sequence = "tp";
  bool sharesRanks = ep && *ep > 1 && (dp.value_or(1) > 1 || cp.value_or(1) > 1);
  if (sharesRanks && ep != dp && ep != cp) {
    StringRef name = dp.value_or(1) > 1 ? "dp" : "cp";
    int64_t count = name == "dp" ? *dp : *cp;
    return makeError("ep=" + Twine(*ep) + " shares the ranks of " + name + ", which is " +
                     Twine(count) + ": give ep=" + Twine(count) + " or " + name + "=" + Twine(*ep) +
                     ", or a strategy file whose mesh has axes for both");
  }
  if (sharesRanks)
    strategy.experts = ep == dp ? "dp" : "cp";
  // Ranks that talk most are neighbours: tp is the fastest axis.
  if (dp)
    strategy.mesh.push_back({"dp", *dp});
  if (cp)
    strategy.mesh.push_back({"cp", *cp});
  if (ep && !sharesRanks)
    strategy.mesh.push_back({"ep", *ep});
  if (tp)
    strategy.mesh.push_back({"tp", *tp});
  return strategy;
}

Error dougong::dist::addState(Strategy &strategy, StringRef text) {
  auto [input, output] = text.split('=');
  if (input.empty() || output.empty())
    return makeError("expected INPUT=OUTPUT for a state, got \"" + text + "\"");
  if (input.count('*') > 1 || input.count('*') != output.count('*'))
    return makeError("a state pattern has at most one *, in both names, got \"" + text + "\"");
  strategy.states.push_back({input.str(), output.str()});
  return Error::success();
}
