//===- Report.cpp - formatting shared by the fleet commands ----------------===//
#include "Report.h"

#include "dougong/Fleet/Commands.h"

#include "llvm/Support/Format.h"

using namespace llvm;
using namespace dougong::fleet;

void Table::print(raw_ostream &out, unsigned indent) const {
  std::vector<size_t> widths;
  for (const auto &row : rows)
    for (auto [column, cell] : enumerate(row)) {
      if (widths.size() <= column)
        widths.push_back(0);
      widths[column] = std::max(widths[column], cell.size());
    }
  for (const auto &row : rows) {
    size_t last = row.size();
    while (last && row[last - 1].empty())
      --last;
    out.indent(indent);
    for (size_t column = 0; column < last; ++column) {
      out << row[column];
      if (column + 1 < last)
        out.indent(widths[column] - row[column].size() + 2);
    }
    out << "\n";
  }
}

std::string dougong::fleet::printRounded(double value, Quantity quantity) {
  struct Scale {
    double factor;
    StringRef prefix;
  };
  static constexpr Scale kDecimal[] = {{1e18, "E"}, {1e15, "P"}, {1e12, "T"},
                                       {1e9, "G"},  {1e6, "M"},  {1e3, "k"}};
  static constexpr Scale kBinary[] = {{1125899906842624.0, "Pi"},
                                      {1099511627776.0, "Ti"},
                                      {1073741824.0, "Gi"},
                                      {1048576.0, "Mi"},
                                      {1024.0, "Ki"}};
  ArrayRef<Scale> scales = quantity == Quantity::Bytes ? ArrayRef(kBinary) : ArrayRef(kDecimal);
  StringRef prefix;
  for (const Scale &scale : scales)
    if (value >= scale.factor) {
      value /= scale.factor;
      prefix = scale.prefix;
      break;
    }
  std::string text;
  raw_string_ostream stream(text);
  stream << format("%.4g", value);
  StringRef unit = getBaseUnit(quantity);
  if (!prefix.empty() || !unit.empty())
    stream << " " << prefix << unit;
  return text;
}

std::string dougong::fleet::printRoundedFlops(double value) {
  std::string text = printRounded(value, Quantity::OpRate);
  return text.insert(text.size() - StringRef("OP/s").size(), "FL");
}

std::string dougong::fleet::printFigureValue(StringRef path, double value, Quantity quantity) {
  std::string text = showQuantity(value, quantity);
  size_t at = text.find("OP/s");
  if (quantity == Quantity::OpRate && !path.contains("int") && text.find("FLOP/s") == text.npos)
    text.insert(at, "FL");
  return text;
}

void ProvenanceCount::add(const Figure &figure) {
  ++total;
  ++byKind[static_cast<size_t>(figure.kind)];
  withoutSource += figure.source.empty();
  withConflicts += !figure.conflicts.empty();
}

ProvenanceCount dougong::fleet::countProvenance(const Fleet &fleet) {
  ProvenanceCount count;
  auto add = [&](StringRef, const Figure &figure) { count.add(figure); };
  forEachFigure(fleet, add);
  for (const Chip &chip : fleet.chips)
    forEachFigure(chip, add);
  return count;
}

int dougong::fleet::refuse(Error error, raw_ostream &err) {
  std::string text = toString(std::move(error));
  // Messages with a position say "error:" themselves.
  err << (StringRef(text).contains(": error: ") ? "" : "error: ") << text << "\n";
  return kExitRefused;
}
