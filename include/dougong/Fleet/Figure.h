//===- Figure.h - a number with its unit and its provenance -----*- C++ -*-===//
//
// Every number that describes a chip or a site is a Figure: it says where it
// comes from. A number that nobody knows is absent (std::nullopt), never 0.
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_FLEET_FIGURE_H
#define DOUGONG_FLEET_FIGURE_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dougong::fleet {

/// How a figure came to be known, strongest first.
enum class Provenance : uint8_t {
  Measured,  ///< run on the thing itself
  Published, ///< stated by the maker, or in the named source
  Derived,   ///< arithmetic on published figures; the note says which
  Recalled,  ///< not verified against any source
};

/// "measured", "published", "derived" or "recalled".
llvm::StringRef stringify(Provenance kind);
std::optional<Provenance> parseProvenance(llvm::StringRef text);
/// The less trustworthy of two.
inline Provenance weaker(Provenance a, Provenance b) { return a < b ? b : a; }

/// What a figure counts. Values are held in the base unit of the quantity.
enum class Quantity : uint8_t {
  Count,     ///< pieces; no suffix
  Bytes,     ///< bytes: 24GB (10^9), 64GiB (2^30)
  Rate,      ///< bytes per second: 392GB/s, or bits: 400Gb/s (an eighth of 400GB/s)
  Time,      ///< seconds: 10us
  OpRate,    ///< operations per second, a multiply-add is 2: 280TFLOP/s, 560TOP/s
  Frequency, ///< hertz: 1.8GHz
  Power,     ///< watts: 350W
  Ratio,     ///< 0.85 or 85%
  Money,     ///< in the currency that the file names; no suffix
};

/// Base unit: "", "B", "B/s", "s", "OP/s", "Hz", "W", "", "".
llvm::StringRef getBaseUnit(Quantity quantity);

/// Reads a number with an optional unit suffix ("64GiB", "400 Gb/s", "10us").
/// Without a suffix the base unit is meant. Errors (one line, no position): not
/// a number, not finite, zero or negative, a suffix that the quantity does not
/// have (the message lists those it has).
llvm::Expected<double> parseQuantity(llvm::StringRef text, Quantity quantity);

/// Writes a value in a form that parseQuantity reads back to exactly the same
/// value: the largest suffix that leaves a short number.
std::string printQuantity(double value, Quantity quantity);

/// The same for people to read: "64 GiB", "36 TOP/s".
std::string showQuantity(double value, Quantity quantity);

/// A value of a figure that another source gives.
struct ConflictingValue {
  double value = 0;
  std::optional<Provenance> kind;
  std::string source;
  bool operator==(const ConflictingValue &) const = default;
};

/// A number and its provenance.
struct Figure {
  /// In the base unit of `quantity`; finite and above zero.
  double value = 0;
  Quantity quantity = Quantity::Count;
  Provenance kind = Provenance::Recalled;
  /// Key of a source: in the file's own `sources`, or in the catalogue's.
  std::string source;
  /// ISO date (YYYY, YYYY-MM or YYYY-MM-DD) of the source or measurement, or "".
  std::string date;
  std::string note;
  std::vector<ConflictingValue> conflicts;

  /// For figures in bytes: the value as an integer, fractions cut off.
  uint64_t asInteger() const { return static_cast<uint64_t>(value); }
  bool operator==(const Figure &) const = default;
};

/// Most figures are optional: unknown is absent.
using MaybeFigure = std::optional<Figure>;

/// "64GiB [INI, published 2026-08-22]".
std::string describe(const Figure &figure);

} // namespace dougong::fleet

#endif // DOUGONG_FLEET_FIGURE_H
