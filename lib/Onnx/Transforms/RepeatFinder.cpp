//===- RepeatFinder.cpp - runs of equal blocks in a sequence --------------===//
#include "dougong/Onnx/RepeatFinder.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"

#include <algorithm>
#include <map>

using namespace dougong::onnx;

/// Distances of consecutive equal tokens, those that cover most tokens first.
static llvm::SmallVector<size_t> getPeriods(llvm::ArrayRef<unsigned> tokens, size_t minPeriod,
                                            size_t maxPeriods) {
  llvm::DenseMap<unsigned, size_t> last;
  std::map<size_t, size_t> occurrences;
  for (size_t i = 0; i < tokens.size(); ++i) {
    auto [it, inserted] = last.try_emplace(tokens[i], i);
    if (inserted)
      continue;
    if (i - it->second >= minPeriod)
      ++occurrences[i - it->second];
    it->second = i;
  }
  llvm::SmallVector<std::pair<size_t, size_t>> ranked; // occurrences, period
  for (auto [period, count] : occurrences)
    ranked.push_back({count, period});
  llvm::sort(ranked, [](const auto &a, const auto &b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  llvm::SmallVector<size_t> periods;
  for (auto [count, period] : ranked) {
    if (periods.size() == maxPeriods)
      break;
    periods.push_back(period);
  }
  return periods;
}

std::optional<Repeat> dougong::onnx::findBestRepeat(llvm::ArrayRef<unsigned> tokens,
                                                    size_t minPeriod, size_t maxPeriods) {
  std::optional<Repeat> best;
  auto better = [&](const Repeat &repeat) {
    if (!best || repeat.saved() != best->saved())
      return !best || repeat.saved() > best->saved();
    if (repeat.period != best->period)
      return repeat.period < best->period;
    return repeat.begin < best->begin;
  };
  for (size_t period : getPeriods(tokens, std::max<size_t>(minPeriod, 1), maxPeriods)) {
    size_t length = 0; // of the run of equal tokens at distance `period`
    for (size_t i = 0; i + period <= tokens.size(); ++i) {
      if (i + period < tokens.size() && tokens[i] == tokens[i + period]) {
        ++length;
        continue;
      }
      if (length >= period) {
        Repeat repeat{i - length, period, length / period + 1, length % period};
        if (better(repeat))
          best = repeat;
      }
      length = 0;
    }
  }
  return best;
}
