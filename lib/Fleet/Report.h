//===- Report.h - formatting shared by the fleet commands -------*- C++ -*-===//
#ifndef DOUGONG_LIB_FLEET_REPORT_H
#define DOUGONG_LIB_FLEET_REPORT_H

#include "dougong/Fleet/Analysis.h"

#include "llvm/Support/raw_ostream.h"

#include <array>
#include <string>
#include <vector>

namespace dougong::fleet {

/// Rows of text, printed with columns as wide as they need to be.
class Table {
public:
  void add(std::vector<std::string> row) { rows.push_back(std::move(row)); }
  /// Two blanks between columns, none at the end of a line.
  void print(llvm::raw_ostream &out, unsigned indent = 2) const;

private:
  std::vector<std::vector<std::string>> rows;
};

/// "1.945 POP/s", "64 GiB", ...: four digits, for people.
std::string printRounded(double value, Quantity quantity);

/// The same for floating-point operations per second: "294.9 TFLOP/s".
std::string printRoundedFlops(double value);

/// A figure's value in full; the peaks and rates of floating-point types in
/// FLOP/s. `path` is that of forEachFigure.
std::string printFigureValue(llvm::StringRef path, double value, Quantity quantity);

/// How many figures are known in which way.
struct ProvenanceCount {
  std::array<unsigned, 4> byKind{};
  unsigned total = 0, withoutSource = 0, withConflicts = 0;
  void add(const Figure &figure);
};

/// Counts the figures of a site and of the chips that it uses.
ProvenanceCount countProvenance(const Fleet &fleet);

/// Prints the message of an error to `err`, line by line, and returns 3.
int refuse(llvm::Error error, llvm::raw_ostream &err);

} // namespace dougong::fleet

#endif // DOUGONG_LIB_FLEET_REPORT_H
