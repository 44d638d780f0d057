//===- Units.cpp - numbers with unit suffixes ------------------------------===//
#include "dougong/Fleet/Figure.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringExtras.h"

#include <charconv>
#include <cmath>

using namespace llvm;
using namespace dougong::fleet;

namespace {

struct Suffix {
  StringRef text;
  double factor;
};

constexpr double kKi = 1024.0, kMi = kKi * 1024, kGi = kMi * 1024, kTi = kGi * 1024;

// The first suffix of each table is the base unit; printing prefers suffixes in
// the order of the table where two give equally short texts.
constexpr Suffix kNone[] = {{"", 1}};
constexpr Suffix kBytes[] = {{"B", 1},     {"KiB", kKi}, {"MiB", kMi}, {"GiB", kGi}, {"TiB", kTi},
                             {"kB", 1e3},  {"MB", 1e6},  {"GB", 1e9},  {"TB", 1e12}, {"PB", 1e15}};
constexpr Suffix kRates[] = {{"B/s", 1},     {"kB/s", 1e3},  {"MB/s", 1e6},  {"GB/s", 1e9},
                             {"TB/s", 1e12}, {"PB/s", 1e15}, {"KiB/s", kKi}, {"MiB/s", kMi},
                             {"GiB/s", kGi}, {"b/s", 0.125}, {"kb/s", 125},  {"Mb/s", 125e3},
                             {"Gb/s", 125e6}, {"Tb/s", 125e9}};
constexpr Suffix kTimes[] = {{"s", 1},      {"ms", 1e-3}, {"us", 1e-6},
                             {"ns", 1e-9},  {"h", 3600},  {"d", 86400}};
constexpr Suffix kOpRates[] = {{"OP/s", 1},       {"MOP/s", 1e6},    {"GOP/s", 1e9},
                               {"TOP/s", 1e12},   {"POP/s", 1e15},   {"FLOP/s", 1},
                               {"MFLOP/s", 1e6},  {"GFLOP/s", 1e9},  {"TFLOP/s", 1e12},
                               {"PFLOP/s", 1e15}, {"EFLOP/s", 1e18}, {"EOP/s", 1e18}};
constexpr Suffix kFrequencies[] = {{"Hz", 1}, {"kHz", 1e3}, {"MHz", 1e6}, {"GHz", 1e9}};
constexpr Suffix kPowers[] = {{"W", 1}, {"mW", 1e-3}, {"kW", 1e3}, {"MW", 1e6}};
constexpr Suffix kRatios[] = {{"", 1}, {"%", 0.01}};

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

/// The value that "number suffix" stands for. Scaling down divides by an exact
/// power of ten, so that 10us is the double nearest to 1e-5.
double applySuffix(double number, double factor) {
  return factor < 1 ? number / std::round(1 / factor) : number * factor;
}

std::string formatNumber(double number) {
  char buffer[64];
  auto result = std::to_chars(buffer, buffer + sizeof buffer, number);
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
  StringRef digits = trimmed.take_front(length);
  digits.consume_front("+");
  double number = 0;
  auto [end, code] = std::from_chars(digits.begin(), digits.end(), number);
  if (code != std::errc() || end != digits.end())
    return fail("number '" + digits.take_front(60) + "' is out of range");

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
  double value = applySuffix(number, found->factor);
  if (!(value > 0))
    return fail("number must be above zero, got '" + trimmed.take_front(60) +
                "'; leave out what is not known");
  if (!std::isfinite(value))
    return fail("number '" + trimmed.take_front(60) + "' is out of range");
  return value;
}

std::string dougong::fleet::printQuantity(double value, Quantity quantity) {
  std::string best;
  bool bestIsHandy = false;
  for (const Suffix &suffix : getSuffixes(quantity)) {
    if (suffix.text == "%")
      continue;
    double number = value / suffix.factor;
    std::string text = formatNumber(number);
    double again = 0;
    std::from_chars(text.data(), text.data() + text.size(), again);
    if (applySuffix(again, suffix.factor) != value) {
      // Division rounded: try the nearest short decimal.
      number = std::round(number * 1e6) / 1e6;
      if (applySuffix(number, suffix.factor) != value)
        continue;
      text = formatNumber(number);
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
  for (Provenance kind : {Provenance::Measured, Provenance::Published, Provenance::Derived,
                          Provenance::Recalled})
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
