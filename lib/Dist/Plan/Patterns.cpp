//===- Patterns.cpp - patterns of node names ------------------------------===//
#include "dougong/Dist/Strategy.h"

using namespace llvm;

/// `[a-b]` at the start of `pattern`: the range, and what follows it.
static bool consumeRange(StringRef &pattern, int64_t &low, int64_t &high) {
  StringRef rest = pattern;
  if (!rest.consume_front("["))
    return false;
  if (rest.consumeInteger(10, low))
    return false;
  high = low;
  if (rest.consume_front("-") && rest.consumeInteger(10, high))
    return false;
  if (!rest.consume_front("]"))
    return false;
  pattern = rest;
  return true;
}

bool dougong::dist::matchesNode(StringRef pattern, StringRef name) {
  // The last star, for backtracking: what follows it, and where it stands.
  StringRef retryPattern, retryName;
  bool hasRetry = false;
  // A single star inside the reach of a double one: backtrack there first.
  StringRef outerPattern, outerName;
  bool hasOuter = false;
  while (true) {
    int64_t low, high;
    StringRef saved = pattern;
    if (pattern.empty() && name.empty())
      return true;
    if (pattern.consume_front("**")) {
      hasOuter = true;
      outerPattern = pattern;
      outerName = name;
      hasRetry = false;
      continue;
    }
    if (pattern.consume_front("*")) {
      hasRetry = true;
      retryPattern = pattern;
      retryName = name;
      continue;
    }
    if (!name.empty() && consumeRange(pattern, low, high)) {
      int64_t number;
      StringRef rest = name;
      if (isDigit(name.front()) && !rest.consumeInteger(10, number) && number >= low &&
          number <= high) {
        name = rest;
        continue;
      }
      pattern = saved;
    } else if (!pattern.empty() && !name.empty() &&
               (pattern.front() == '?' || pattern.front() == name.front())) {
      pattern = pattern.drop_front();
      name = name.drop_front();
      continue;
    }
    if (hasRetry && !retryName.empty() && retryName.front() != '/') {
      retryName = retryName.drop_front();
      pattern = retryPattern;
      name = retryName;
      continue;
    }
    if (hasOuter && !outerName.empty()) {
      outerName = outerName.drop_front();
      pattern = outerPattern;
      name = outerName;
      hasRetry = false;
      continue;
    }
    return false;
  }
}
