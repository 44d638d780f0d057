//===- FleetToIR.cpp - a fleet.site from a fleet ---------------------------===//
//
// Each struct is turned into its tree; what the op has an attribute for is taken
// out of the tree, the rest becomes the dictionary `details`.
//
//===----------------------------------------------------------------------===//
#include "dougong/Fleet/FleetToIR.h"

#include "ModelFields.h"

#include <set>

using namespace mlir;
using namespace dougong::fleet;

namespace {

FigureAttr toAttr(MLIRContext *context, const Figure &figure) {
  Builder builder(context);
  SmallVector<OtherValueAttr> others;
  for (const ConflictingValue &other : figure.conflicts) {
    std::optional<FigureKind> kind;
    if (other.kind)
      kind = symbolizeFigureKind(stringify(*other.kind));
    others.push_back(OtherValueAttr::get(context, builder.getF64FloatAttr(other.value), kind,
                                         builder.getStringAttr(other.source)));
  }
  return FigureAttr::get(context, builder.getF64FloatAttr(figure.value),
                         builder.getStringAttr(getBaseUnit(figure.quantity)),
                         *symbolizeFigureKind(stringify(figure.kind)),
                         builder.getStringAttr(figure.source), builder.getStringAttr(figure.date),
                         builder.getStringAttr(figure.note), others);
}

Attribute toAttr(MLIRContext *context, const Tree &tree) {
  Builder builder(context);
  switch (tree.kind) {
  case Tree::Kind::Null:
    return builder.getUnitAttr();
  case Tree::Kind::Scalar:
    return builder.getStringAttr(tree.text);
  case Tree::Kind::Flag:
    return builder.getBoolAttr(tree.flag);
  case Tree::Kind::Integer:
    return builder.getI64IntegerAttr(static_cast<int64_t>(tree.integer));
  case Tree::Kind::Figure:
    return toAttr(context, tree.figure);
  case Tree::Kind::Sequence: {
    SmallVector<Attribute> items;
    for (const Tree &item : tree.items)
      items.push_back(toAttr(context, item));
    return builder.getArrayAttr(items);
  }
  case Tree::Kind::Mapping: {
    SmallVector<NamedAttribute> entries;
    for (const TreeEntry &entry : tree.entries)
      entries.push_back(builder.getNamedAttr(entry.key, toAttr(context, entry.value)));
    return builder.getDictionaryAttr(entries);
  }
  }
  return builder.getUnitAttr();
}

/// The attributes of one op, made from the tree of one struct.
class OpAttributes {
public:
  OpAttributes(MLIRContext *context, Tree tree) : context(context), tree(std::move(tree)) {}

  Tree remove(StringRef key) { return remove(tree, key); }

  static Tree remove(Tree &from, StringRef key) {
    for (auto it = from.entries.begin(); it != from.entries.end(); ++it)
      if (it->key == key) {
        Tree value = std::move(it->value);
        from.entries.erase(it);
        return value;
      }
    return {};
  }

  void set(StringRef name, Attribute value) { attributes.set(name, value); }
  /// Moves a key of the tree to the attribute of the same, or another, name.
  void move(StringRef key, StringRef name = "") { moveFrom(tree, key, name.empty() ? key : name); }
  void moveFrom(Tree &from, StringRef key, StringRef name) {
    Tree value = remove(from, key);
    if (value.kind != Tree::Kind::Null)
      attributes.set(name, toAttr(context, value));
  }
  /// Moves part of the mapping under `key`: memory.bytes to `memory`, say.
  void moveNested(StringRef key, ArrayRef<std::pair<StringRef, StringRef>> names) {
    for (TreeEntry &entry : tree.entries)
      if (entry.key == key)
        for (auto [inner, name] : names)
          moveFrom(entry.value, inner, name);
    Tree rest = remove(key);
    if (rest.kind != Tree::Kind::Null && (!rest.entries.empty() || key != "memory"))
      tree.add(key, std::move(rest));
  }
  void setRef(StringRef name, StringRef symbol) {
    attributes.set(name, FlatSymbolRefAttr::get(context, symbol));
  }

  ArrayRef<NamedAttribute> finish() {
    if (!tree.entries.empty())
      attributes.set("details", toAttr(context, tree));
    return attributes;
  }
  void keep(StringRef key, StringRef value) { tree.add(key, Tree::scalar(value)); }

private:
  MLIRContext *context;
  Tree tree;
  NamedAttrList attributes;
};

class SiteBuilder {
public:
  SiteBuilder(OpBuilder &builder, Location loc, const Fleet &fleet)
      : builder(builder), loc(loc), fleet(fleet), context(builder.getContext()) {
    for (const Pool &pool : fleet.pools)
      taken.insert(pool.id);
    for (const Level &level : this->fleet.levels) {
      levelSymbols[level.name] = makeSymbol("level", level.name);
      taken.insert(levelSymbols[level.name]);
    }
    for (const Chip &chip : this->fleet.chips) {
      chipSymbols[chip.id] = makeSymbol("chip", chip.id);
      taken.insert(chipSymbols[chip.id]);
    }
  }

  SiteOp build() {
    Tree tree = toTree(fleet);
    for (StringRef key : {"version", "name", "this_machine", "levels", "pools", "cross_paths",
                          "policies", "growth", "failure_domains", "chips"})
      OpAttributes::remove(tree, key);
    OpAttributes attributes(context, std::move(tree));
    attributes.set("sym_name", builder.getStringAttr(fleet.name.empty() ? "site" : fleet.name));
    if (fleet.thisMachine)
      attributes.set("this_machine", builder.getUnitAttr());
    SiteOp site = SiteOp::create(builder, loc, TypeRange{}, ValueRange{}, attributes.finish());
    OpBuilder::InsertionGuard guard(builder);
    builder.createBlock(&site.getBody());
    for (Chip &chip : fleet.chips)
      addChip(chip);
    for (Level &level : fleet.levels)
      addLevel(level);
    for (Pool &pool : fleet.pools)
      addPool(pool);
    for (CrossPath &path : fleet.crossPaths)
      addCrossPath(path);
    for (Policy &policy : fleet.policies)
      addPolicy(policy);
    for (Growth &growth : fleet.growth)
      addGrowth(growth);
    for (FailureDomain &domain : fleet.failureDomains)
      addFailureDomain(domain);
    return site;
  }

private:
  std::string makeSymbol(StringRef prefix, const std::string &name) const {
    return taken.count(name) ? (prefix + "." + name).str() : name;
  }

  template <typename OpT> void create(OpAttributes &attributes) {
    OpT::create(builder, loc, TypeRange{}, ValueRange{}, attributes.finish());
  }

  void addChip(Chip &chip) {
    OpAttributes attributes(context, Fields::toTree(chip));
    attributes.remove("id");
    if (chipSymbols[chip.id] != chip.id)
      attributes.keep("id", chip.id);
    attributes.set("sym_name", builder.getStringAttr(chipSymbols[chip.id]));
    attributes.move("vendor");
    attributes.remove("domestic");
    if (chip.domestic)
      attributes.set("domestic", builder.getUnitAttr());
    attributes.move("target");
    if (chip.runsOnStandIn())
      attributes.set("stand_in", builder.getUnitAttr());
    attributes.move("peak");
    attributes.moveNested(
        "memory", {{"bytes", "memory"}, {"reserved", "reserved"}, {"bandwidth", "bandwidth"}});
    create<ChipOp>(attributes);
  }

  void addLevel(Level &level) {
    OpAttributes attributes(context, Fields::toTree(level));
    attributes.remove("name");
    if (levelSymbols[level.name] != level.name)
      attributes.keep("name", level.name);
    attributes.set("sym_name", builder.getStringAttr(levelSymbols[level.name]));
    attributes.move("size");
    attributes.move("bandwidth");
    attributes.remove("direction");
    attributes.set("direction", LinkDirectionAttr::get(
                                    context, *symbolizeLinkDirection(stringify(level.direction))));
    attributes.move("latency");
    attributes.move("oversubscription");
    create<LevelOp>(attributes);
  }

  void addPool(Pool &pool) {
    OpAttributes attributes(context, Fields::toTree(pool));
    for (StringRef key : {"id", "chip", "count", "nodes", "chips_per_node", "path"})
      attributes.remove(key);
    attributes.set("sym_name", builder.getStringAttr(pool.id));
    attributes.setRef("chip", chipSymbols[pool.chip]);
    attributes.set("count", builder.getI64IntegerAttr(static_cast<int64_t>(pool.count)));
    attributes.set("nodes", builder.getI64IntegerAttr(static_cast<int64_t>(pool.nodes)));
    SmallVector<Attribute> path;
    for (const std::string &level : pool.path)
      path.push_back(FlatSymbolRefAttr::get(context, levelSymbols[level]));
    if (!path.empty())
      attributes.set("path", builder.getArrayAttr(path));
    attributes.move("target");
    create<PoolOp>(attributes);
  }

  void addCrossPath(CrossPath &path) {
    OpAttributes attributes(context, Fields::toTree(path));
    for (StringRef key : {"from", "to", "via"})
      attributes.remove(key);
    attributes.setRef("from", path.from);
    attributes.setRef("to", path.to);
    attributes.set("via", CrossViaAttr::get(context, path.via == CrossPath::Via::Library
                                                         ? CrossVia::Library
                                                         : CrossVia::HostStaged));
    attributes.move("bandwidth");
    attributes.move("latency");
    create<CrossPathOp>(attributes);
  }

  void addPolicy(Policy &policy) {
    OpAttributes attributes(context, Fields::toTree(policy));
    attributes.move("name", "policy");
    attributes.move("threshold");
    attributes.remove("basis");
    attributes.remove("scope");
    attributes.set("basis",
                   PolicyBasisAttr::get(context, *symbolizePolicyBasis(stringify(policy.basis))));
    attributes.set("scope",
                   JudgedScopeAttr::get(context, *symbolizeJudgedScope(stringify(policy.scope))));
    create<PolicyOp>(attributes);
  }

  void addGrowth(Growth &growth) {
    OpAttributes attributes(context, Fields::toTree(growth));
    attributes.move("count");
    attributes.move("date");
    attributes.remove("pool");
    if (!growth.pool.empty())
      attributes.setRef("pool", growth.pool);
    create<GrowthOp>(attributes);
  }

  void addFailureDomain(FailureDomain &domain) {
    OpAttributes attributes(context, Fields::toTree(domain));
    attributes.move("name", "domain");
    attributes.remove("level");
    attributes.setRef("level", levelSymbols[domain.level]);
    attributes.move("mtbf");
    attributes.move("mttr");
    create<FailureDomainOp>(attributes);
  }

  OpBuilder &builder;
  Location loc;
  Fleet fleet; // a copy: describe() takes what it could also fill
  MLIRContext *context;
  std::set<std::string> taken;
  std::map<std::string, std::string> levelSymbols, chipSymbols;
};

} // namespace

SiteOp dougong::fleet::buildSite(OpBuilder &builder, Location loc, const Fleet &fleet) {
  return SiteBuilder(builder, loc, fleet).build();
}
