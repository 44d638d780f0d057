//===- Ports.cpp - which rank holds what of a value -----------------------===//
#include "Ports.h"

#include "Dist/IR/Layout.h"

#include "llvm/ADT/STLExtras.h"

#include <map>
#include <set>

using namespace dougong;
using namespace dougong::exporter;

int64_t dougong::exporter::countRanks(const dist::MeshInfo &mesh) {
  int64_t ranks = 1;
  for (const auto &[name, size] : mesh.axes)
    ranks *= size;
  return ranks;
}

std::pair<int64_t, int64_t> dougong::exporter::getPlace(const dist::MeshInfo &mesh, int64_t rank,
                                                        const std::vector<std::string> &axes) {
  std::map<std::string, std::pair<int64_t, int64_t>> places; // [coordinate, size]
  for (const auto &[name, size] : llvm::reverse(mesh.axes)) {
    places[name] = {rank % size, size};
    rank /= size;
  }
  int64_t index = 0, count = 1;
  for (const std::string &axis : axes) {
    auto [coordinate, size] = places[axis];
    index = index * size + coordinate;
    count *= size;
  }
  return {index, count};
}

std::vector<RankBox> dougong::exporter::getBoxes(const dist::PortInfo &port,
                                                 const dist::MeshInfo &mesh) {
  std::vector<RankBox> boxes;
  for (int64_t rank = 0; rank < countRanks(mesh); ++rank) {
    RankBox &box = boxes.emplace_back();
    for (auto [dim, cut] : llvm::enumerate(port.sharding)) {
      auto [index, count] = getPlace(mesh, rank, cut.axes);
      if (count == 1) {
        box.push_back(std::nullopt);
        continue;
      }
      // Extents of dims that are cut are known: the partition made sure.
      DimExpr whole = *DimExpr::parse(port.globalDims[dim]);
      DimExpr size = dist::getLocalExtent(whole, cut.unit, count);
      DimExpr begin = size * DimExpr(index), end = size * DimExpr(index + 1);
      if (!dist::isEvenlyCut(whole, cut.unit, count)) {
        begin = index == 0 ? begin : min(begin, whole);
        end = min(end, whole);
      }
      box.push_back(DimPart{index, count, cut.unit, begin, end});
    }
  }
  return boxes;
}

std::vector<std::vector<int64_t>>
dougong::exporter::getGroups(const dist::MeshInfo &mesh, const std::vector<std::string> &axes) {
  std::vector<std::string> others;
  for (const auto &[name, size] : mesh.axes)
    if (!llvm::is_contained(axes, name))
      others.push_back(name);
  std::map<int64_t, std::map<int64_t, int64_t>> groups; // place on the others -> number -> rank
  for (int64_t rank = 0; rank < countRanks(mesh); ++rank)
    groups[getPlace(mesh, rank, others).first][getPlace(mesh, rank, axes).first] =
        mesh.firstRank + rank;
  std::vector<std::vector<int64_t>> result;
  for (const auto &[place, group] : groups) {
    result.emplace_back();
    for (const auto &[number, rank] : group)
      result.back().push_back(rank);
  }
  return result;
}

static const char *getOperator(DimExpr::Kind kind) {
  switch (kind) {
  case DimExpr::Kind::Add:
    return "+";
  case DimExpr::Kind::Mul:
    return "*";
  case DimExpr::Kind::FloorDiv:
    return "floordiv";
  case DimExpr::Kind::CeilDiv:
    return "ceildiv";
  case DimExpr::Kind::Mod:
    return "mod";
  case DimExpr::Kind::Min:
    return "min";
  case DimExpr::Kind::Max:
    return "max";
  case DimExpr::Kind::Constant:
  case DimExpr::Kind::Symbol:
    break;
  }
  return "";
}

Json dougong::exporter::toJson(const DimExpr &expr) {
  if (std::optional<int64_t> value = expr.constant())
    return *value;
  if (expr.kind() == DimExpr::Kind::Symbol)
    return expr.name();
  Json::Array list = {getOperator(expr.kind())};
  for (const DimExpr &operand : expr.operands())
    list.push_back(toJson(operand));
  return list;
}

Json dougong::exporter::toJson(const std::optional<DimPart> &part) {
  if (!part)
    return nullptr;
  return Json::Array{toJson(part->begin), toJson(part->end)};
}

Json::Array dougong::exporter::describeSymbols(const std::vector<dist::ModelPortInfo> &inputs) {
  struct Extent {
    DimExpr expr;
    std::string input;
    size_t dim;
  };
  std::vector<Extent> extents;
  for (const dist::ModelPortInfo &input : inputs)
    for (auto [dim, text] : llvm::enumerate(input.dims))
      if (Result<DimExpr> expr = DimExpr::parse(text); expr && !expr->constant())
        extents.push_back({*expr, input.name, dim});
  Json::Array symbols;
  std::set<std::string> known;
  // Symbols that an input has alone come first; then what is left of a sum.
  for (bool alone : {true, false})
    for (bool changed = true; changed;) {
      changed = false;
      for (const Extent &extent : extents) {
        std::vector<std::string> unknown;
        for (const std::string &symbol : extent.expr.symbols())
          if (!known.count(symbol))
            unknown.push_back(symbol);
        if (unknown.size() != 1 || (alone && extent.expr.kind() != DimExpr::Kind::Symbol))
          continue;
        DimExpr rest = DimExpr::symbol(unknown.front()) - extent.expr;
        if (rest.symbols().count(unknown.front()))
          continue;
        symbols.push_back(Json::Object{{"name", unknown.front()},
                                       {"input", extent.input},
                                       {"dim", extent.dim},
                                       {"plus", toJson(rest)}});
        known.insert(unknown.front());
        changed = true;
      }
    }
  return symbols;
}

//===----------------------------------------------------------------------===//
// Moves
//===----------------------------------------------------------------------===//

namespace {

/// Where two parts of a dim meet; nothing if they provably do not.
std::optional<std::pair<DimExpr, DimExpr>> meet(const DimPart &a, const DimPart &b) {
  bool isSameCut = a.count == b.count && a.unit == b.unit;
  if (isSameCut && a.index != b.index)
    return std::nullopt;
  if (isSameCut)
    return std::pair(a.begin, a.end);
  DimExpr begin = max(a.begin, b.begin), end = min(a.end, b.end);
  if (begin.constant() && end.constant() && *begin.constant() >= *end.constant())
    return std::nullopt;
  return std::pair(begin, end);
}

std::string getText(const RankBox &box) {
  std::string text;
  for (const std::optional<DimPart> &part : box)
    text += part ? part->begin.print() + ":" + part->end.print() + "," : ",";
  return text;
}

} // namespace

Json::Array dougong::exporter::describeMoves(const Holders &sources, const Holders &targets) {
  auto rankOf = [](const Holders &holders, size_t index) {
    return holders.firstRank ? Json(*holders.firstRank + static_cast<int64_t>(index)) : Json();
  };
  std::vector<std::vector<size_t>> copies; // sources with the same box
  std::map<std::string, size_t> known;
  for (auto [source, box] : llvm::enumerate(sources.boxes)) {
    auto [it, isNew] = known.try_emplace(getText(box), copies.size());
    if (isNew)
      copies.emplace_back();
    copies[it->second].push_back(source);
  }
  Json::Array moves;
  for (auto [target, wanted] : llvm::enumerate(targets.boxes))
    for (const std::vector<size_t> &group : copies) {
      size_t source = group[target % group.size()];
      Json::Array box;
      bool isEmpty = false;
      for (auto [from, to] : llvm::zip_equal(sources.boxes[source], wanted)) {
        std::optional<std::pair<DimExpr, DimExpr>> range;
        if (from && to)
          range = meet(*from, *to);
        else if (from || to)
          range = std::pair(from ? from->begin : to->begin, from ? from->end : to->end);
        isEmpty |= from && to && !range;
        box.push_back(range ? Json(Json::Array{toJson(range->first), toJson(range->second)})
                            : Json());
      }
      if (!isEmpty)
        moves.push_back(Json::Object{{"source", rankOf(sources, source)},
                                     {"target", rankOf(targets, target)},
                                     {"box", std::move(box)}});
    }
  return moves;
}
