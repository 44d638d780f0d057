//===- Units.cpp - numbers with unit suffixes ------------------------------===//
#include "dougong/Fleet/Figure.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringExtras.h"

#include <charconv>
#include <cmath>
#include <limits>

using namespace llvm;
using namespace dougong::fleet;

namespace {

/// Stands for factor x 10^exponent. Powers of ten are kept apart so that they can
/// join the digits before these become binary: 1.8us is the double nearest to
/// 1.8e-6, which 1.8 / 1e6 is not.
struct Suffix {
  StringRef text;
  double factor = 1;
  int exponent = 0;
};

constexpr double kKi = 1024.0, kMi = kKi * 1024, kGi = kMi * 1024, kTi = kGi * 1024;

// The first suffix of each table is the base unit. Where printing finds two
// equally short texts, the earlier suffix is used.
constexpr Suffix kNone[] = {{""}};
constexpr Suffix kBytes[] = {{"B"},         {"KiB", kKi}, {"MiB", kMi}, {"GiB", kGi},
                             {"TiB", kTi},  {"kB", 1, 3}, {"MB", 1, 6}, {"GB", 1, 9},
                             {"TB", 1, 12}, {"PB", 1, 15}};
constexpr Suffix kRates[] = {{"B/s"},
                             {"kB/s", 1, 3},
                             {"MB/s", 1, 6},
                             {"GB/s", 1, 9},
                             {"TB/s", 1, 12},
                             {"PB/s", 1, 15},
                             {"KiB/s", kKi},
                             {"MiB/s", kMi},
                             {"GiB/s", kGi},
                             {"b/s", 0.125},
                             {"kb/s", 0.125, 3},
                             {"Mb/s", 0.125, 6},
                             {"Gb/s", 0.125, 9},
                             {"Tb/s", 0.125, 12}};
constexpr Suffix kTimes[] = {{"s"},         {"ms", 1, -3}, {"us", 1, -6},
                             {"ns", 1, -9}, {"h", 3600},   {"d", 86400}};
constexpr Suffix kOpRates[] = {{"OP/s"},           {"MOP/s", 1, 6},    {"GOP/s", 1, 9},
                               {"TOP/s", 1, 12},   {"POP/s", 1, 15},   {"EOP/s", 1, 18},
                               {"FLOP/s"},         {"MFLOP/s", 1, 6},  {"GFLOP/s", 1, 9},
                               {"TFLOP/s", 1, 12}, {"PFLOP/s", 1, 15}, {"EFLOP/s", 1, 18}};
constexpr Suffix kFrequencies[] = {{"Hz"}, {"kHz", 1, 3}, {"MHz", 1, 6}, {"GHz", 1, 9}};
constexpr Suffix kPowers[] = {{"W"}, {"mW", 1, -3}, {"kW", 1, 3}, {"MW", 1, 6}};
constexpr Suffix kRatios[] = {{""}, {"%", 1, -2}};

ArrayRef<Suffix> getSuffixes(Quantity quantity) {
  switch (quantity) {
  case Quantity::Count:
  case Quantity::Money:
    return kNone;
  case Quantity::Bytes:
    return kBytes;
  case Quantity::Rate:
    return kRates;
  case Quantity::Time:
    return kTimes;
  case Quantity::OpRate:
    return kOpRates;
  case Quantity::Frequency:
    return kFrequencies;
  case Quantity::Power:
    return kPowers;
  case Quantity::Ratio:
    return kRatios;
  }
  return kNone;
}

/// Splits the longest number off the front: digits, point, digits, exponent.
size_t getNumberLength(StringRef text) {
  size_t i = 0, digits = 0;
  auto skipDigits = [&] {
    size_t start = i;
    while (i < text.size() && isDigit(text[i]))
      ++i;
    return i - start;
  };
  if (i < text.size() && (text[i] == '-' || text[i] == '+'))
    ++i;
  digits += skipDigits();
  if (i < text.size() && text[i] == '.') {
    ++i;
    digits += skipDigits();
  }
  if (!digits)
    return 0;
  // An exponent needs a digit: the E of "1EFLOP/s" is none.
  size_t mark = i;
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '-' || text[i] == '+'))
      ++i;
    if (!skipDigits())
      i = mark;
  }
  return i;
}

/// The value of digits (as getNumberLength found them) with a suffix; infinity
/// if it is out of range.
double evaluate(StringRef digits, const Suffix &suffix) {
  digits.consume_front("+");
  size_t mark = digits.find_insensitive("e");
  StringRef mantissa = digits.take_front(mark);
  int exponent = 0;
  if (mark != StringRef::npos) {
    StringRef written = digits.drop_front(mark + 1);
    written.consume_front("+");
    if (written.getAsInteger(10, exponent) || exponent < -1000 || exponent > 1000)
      return std::numeric_limits<double>::infinity();
  }
  std::string text = (mantissa + "e" + Twine(exponent + suffix.exponent)).str();
  double value = 0;
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc())
    return std::numeric_limits<double>::infinity();
  return value * suffix.factor;
}

/// The shortest digits that read back as this double.
std::string formatNumber(double number) {
  char buffer[64];
  bool whole = number == std::floor(number) && number < 1e15;
  auto result = std::to_chars(buffer, buffer + sizeof buffer, number,
                              whole ? std::chars_format::fixed : std::chars_format::general);
  return std::string(buffer, result.ptr);
}

} // namespace

StringRef dougong::fleet::getBaseUnit(Quantity quantity) { return getSuffixes(quantity)[0].text; }

Expected<double> dougong::fleet::parseQuantity(StringRef text, Quantity quantity) {
  auto fail = [](const Twine &message) { return createStringError(message); };
  StringRef trimmed = text.trim();
  size_t length = getNumberLength(trimmed);
  if (!length)
    return fail("expected a number, got '" + trimmed.take_front(60) + "'");
  StringRef suffix = trimmed.drop_front(length).trim();
  ArrayRef<Suffix> suffixes = getSuffixes(quantity);
  const Suffix *found = suffix.empty() ? &suffixes[0] : nullptr;
  for (const Suffix &candidate : suffixes)
    if (!suffix.empty() && candidate.text == suffix)
      found = &candidate;
  if (!found) {
    std::string known;
    for (const Suffix &candidate : suffixes)
      if (!candidate.text.empty())
        known += (known.empty() ? "" : ", ") + candidate.text.str();
    if (known.empty())
      return fail("expected a plain number, got unit '" + suffix.take_front(60) + "'");
    return fail("unknown unit '" + suffix.take_front(60) + "'; known here: " + known);
  }
  double value = evaluate(trimmed.take_front(length), *found);
  if (value <= 0)
    return fail("number must be above zero, got '" + trimmed.take_front(60) +
                "'; leave out what is not known");
  if (!std::isfinite(value))
    return fail("number '" + trimmed.take_front(60) + "' is out of range");
  return value;
}

std::string dougong::fleet::showQuantity(double value, Quantity quantity) {
  std::string text = printQuantity(value, quantity);
  size_t unit = getNumberLength(text);
  return unit == text.size() ? text : text.insert(unit, " ");
}

std::string dougong::fleet::printQuantity(double value, Quantity quantity) {
  std::string best;
  bool bestIsHandy = false;
  for (const Suffix &suffix : getSuffixes(quantity)) {
    if (suffix.text == "%")
      continue;
    double number = value / suffix.factor / std::pow(10.0, suffix.exponent);
    std::string text = formatNumber(number);
    if (evaluate(text, suffix) != value) {
      // Division rounded: try the short decimal beside it.
      text = formatNumber(std::round(number * 1e6) / 1e6);
      if (evaluate(text, suffix) != value)
        continue;
    }
    text += suffix.text;
    bool handy = number >= 1 && number < 1000;
    if (best.empty() || handy > bestIsHandy ||
        (handy == bestIsHandy && text.size() < best.size())) {
      best = text;
      bestIsHandy = handy;
    }
  }
  return best;
}

StringRef dougong::fleet::stringify(Provenance kind) {
  switch (kind) {
  case Provenance::Measured:
    return "measured";
  case Provenance::Published:
    return "published";
  case Provenance::Derived:
    return "derived";
  case Provenance::Recalled:
    return "recalled";
  }
  return "recalled";
}

std::optional<Provenance> dougong::fleet::parseProvenance(StringRef text) {
  for (Provenance kind :
       {Provenance::Measured, Provenance::Published, Provenance::Derived, Provenance::Recalled})
    if (stringify(kind) == text)
      return kind;
  return std::nullopt;
}

std::string dougong::fleet::describe(const Figure &figure) {
  std::string text = printQuantity(figure.value, figure.quantity) + " [";
  if (!figure.source.empty())
    text += figure.source + ", ";
  text += stringify(figure.kind);
  if (!figure.date.empty())
    text += " " + figure.date;
  return text + "]";
}
