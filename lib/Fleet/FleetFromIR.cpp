//===- FleetFromIR.cpp - a fleet from a fleet.site -------------------------===//
//
// Builds the tree that a fleet file would give, so that IR and files are read,
// and refused, by the same code.
//
//===----------------------------------------------------------------------===//
#include "ModelFields.h"
#include "dougong/Fleet/FleetToIR.h"

using namespace mlir;
using namespace dougong::fleet;

namespace {

Quantity getQuantity(StringRef unit) {
  for (Quantity quantity : {Quantity::Bytes, Quantity::Rate, Quantity::Time, Quantity::OpRate,
                            Quantity::Frequency, Quantity::Power})
    if (getBaseUnit(quantity) == unit)
      return quantity;
  return Quantity::Count;
}

Tree toTree(FigureAttr attr) {
  Tree tree;
  tree.kind = Tree::Kind::Figure;
  Figure &figure = tree.figure;
  figure.value = attr.getNumber();
  figure.quantity = getQuantity(attr.getUnit());
  figure.kind = *parseProvenance(stringifyFigureKind(attr.getKind()));
  figure.source = attr.getSource().str();
  figure.date = attr.getDate().str();
  figure.note = attr.getNote().str();
  for (OtherValueAttr other : attr.getOthers()) {
    ConflictingValue conflict;
    conflict.value = other.getValue().getValueAsDouble();
    if (other.getKind())
      conflict.kind = parseProvenance(stringifyFigureKind(*other.getKind()));
    conflict.source = other.getSource().str();
    figure.conflicts.push_back(std::move(conflict));
  }
  return tree;
}

/// Attributes that files cannot hold become Null, which no field accepts.
Tree toTree(Attribute attr) {
  Tree tree;
  if (auto figure = dyn_cast<FigureAttr>(attr))
    return toTree(figure);
  if (auto text = dyn_cast<StringAttr>(attr))
    return Tree::scalar(text.getValue());
  if (auto flag = dyn_cast<BoolAttr>(attr)) {
    tree.kind = Tree::Kind::Flag;
    tree.flag = flag.getValue();
  } else if (auto integer = dyn_cast<IntegerAttr>(attr)) {
    // As text: then the checks of files apply (above zero, not too large).
    SmallString<24> digits;
    integer.getValue().toString(digits, 10, /*Signed=*/true);
    return Tree::scalar(digits);
  } else if (auto array = dyn_cast<ArrayAttr>(attr)) {
    tree.kind = Tree::Kind::Sequence;
    for (Attribute item : array)
      tree.items.push_back(toTree(item));
  } else if (auto dictionary = dyn_cast<DictionaryAttr>(attr)) {
    tree.kind = Tree::Kind::Mapping;
    for (NamedAttribute entry : dictionary)
      tree.add(entry.getName().strref(), toTree(entry.getValue()));
  }
  return tree;
}

/// Sets a key that `details` may hold too: the op's attribute goes first.
void set(Tree &mapping, StringRef key, Tree value) {
  for (TreeEntry &entry : mapping.entries)
    if (entry.key == key) {
      entry.value = std::move(value);
      return;
    }
  mapping.add(key, std::move(value));
}

void set(Tree &mapping, StringRef key, Attribute value) {
  if (value)
    set(mapping, key, toTree(value));
}

void set(Tree &mapping, StringRef key, StringRef text) { set(mapping, key, Tree::scalar(text)); }

Tree startWith(DictionaryAttr details) {
  return details ? toTree(Attribute(details)) : Tree::mapping();
}

class SiteReader {
public:
  explicit SiteReader(SiteOp site) : site(site) {}

  Tree read() {
    Tree tree = startWith(site.getDetailsAttr());
    set(tree, "name", site.getSymName());
    if (site.getThisMachine())
      set(tree, "this_machine", "true");
    // Names first: pools may stand before what they refer to.
    for (Operation &op : site.getBody().front()) {
      if (auto chip = dyn_cast<ChipOp>(op))
        names[chip.getSymName()] = getName(chip.getSymName(), chip.getDetailsAttr(), "id");
      if (auto level = dyn_cast<LevelOp>(op))
        names[level.getSymName()] = getName(level.getSymName(), level.getDetailsAttr(), "name");
    }
    for (Operation &op : site.getBody().front())
      llvm::TypeSwitch<Operation *>(&op)
          .Case([&](ChipOp chip) { add(tree, "chips", read(chip)); })
          .Case([&](LevelOp level) { add(tree, "levels", read(level)); })
          .Case([&](PoolOp pool) { add(tree, "pools", read(pool)); })
          .Case([&](CrossPathOp path) { add(tree, "cross_paths", read(path)); })
          .Case([&](PolicyOp policy) { add(tree, "policies", read(policy)); })
          .Case([&](GrowthOp growth) { add(tree, "growth", read(growth)); })
          .Case([&](FailureDomainOp domain) { add(tree, "failure_domains", read(domain)); });
    return tree;
  }

private:
  static std::string getName(StringRef symbol, DictionaryAttr details, StringRef key) {
    auto name = details ? details.getAs<StringAttr>(key) : StringAttr();
    return name ? name.str() : symbol.str();
  }

  std::string resolve(StringRef symbol) const {
    auto found = names.find(symbol);
    return found == names.end() ? symbol.str() : found->second;
  }

  static void add(Tree &tree, StringRef list, Tree item) {
    for (TreeEntry &entry : tree.entries)
      if (entry.key == list)
        return entry.value.items.push_back(std::move(item));
    Tree sequence;
    sequence.kind = Tree::Kind::Sequence;
    sequence.items.push_back(std::move(item));
    tree.add(list, std::move(sequence));
  }

  Tree read(ChipOp chip) {
    Tree tree = startWith(chip.getDetailsAttr());
    set(tree, "id", resolve(chip.getSymName()));
    set(tree, "vendor", chip.getVendorAttr());
    Tree domestic;
    domestic.kind = Tree::Kind::Flag;
    domestic.flag = chip.getDomestic();
    set(tree, "domestic", std::move(domestic));
    set(tree, "target", chip.getTargetAttr());
    set(tree, "peak", chip.getPeakAttr());
    Tree memory = tree.find("memory") ? *tree.find("memory") : Tree::mapping();
    set(memory, "bytes", chip.getMemoryAttr());
    set(memory, "reserved", chip.getReservedAttr());
    set(memory, "bandwidth", chip.getBandwidthAttr());
    if (!memory.entries.empty())
      set(tree, "memory", std::move(memory));
    // A chip written by hand need not spell out the form that its target emits.
    if (chip.getTarget() && !tree.find("forms")) {
      Tree form = Tree::mapping();
      set(form, "form", "program");
      set(form, "target", chip.getTargetAttr());
      if (chip.getStandIn())
        set(form, "stand_in", "true");
      add(tree, "forms", std::move(form));
    }
    return tree;
  }

  Tree read(LevelOp level) {
    Tree tree = startWith(level.getDetailsAttr());
    set(tree, "name", resolve(level.getSymName()));
    set(tree, "size", level.getSizeAttr());
    set(tree, "bandwidth", level.getBandwidthAttr());
    set(tree, "direction", stringifyLinkDirection(level.getDirection()));
    set(tree, "latency", level.getLatencyAttr());
    set(tree, "oversubscription", level.getOversubscriptionAttr());
    return tree;
  }

  Tree read(PoolOp pool) {
    Tree tree = startWith(pool.getDetailsAttr());
    set(tree, "id", pool.getSymName());
    set(tree, "chip", resolve(pool.getChip()));
    set(tree, "count", std::to_string(pool.getCount()));
    set(tree, "nodes", std::to_string(pool.getNodes()));
    if (ArrayAttr path = pool.getPathAttr())
      for (Attribute level : path)
        add(tree, "path", Tree::scalar(resolve(cast<FlatSymbolRefAttr>(level).getValue())));
    set(tree, "target", pool.getTargetAttr());
    return tree;
  }

  Tree read(CrossPathOp path) {
    Tree tree = startWith(path.getDetailsAttr());
    set(tree, "from", path.getFrom());
    set(tree, "to", path.getTo());
    set(tree, "via", path.getVia() == CrossVia::Library ? "library" : "host-staged");
    set(tree, "bandwidth", path.getBandwidthAttr());
    set(tree, "latency", path.getLatencyAttr());
    return tree;
  }

  Tree read(PolicyOp policy) {
    Tree tree = startWith(policy.getDetailsAttr());
    set(tree, "name", policy.getPolicyAttr());
    set(tree, "threshold", policy.getThresholdAttr());
    set(tree, "basis", stringifyPolicyBasis(policy.getBasis()));
    set(tree, "scope", stringifyJudgedScope(policy.getScope()));
    return tree;
  }

  Tree read(GrowthOp growth) {
    Tree tree = Tree::mapping();
    set(tree, "count", growth.getCountAttr());
    if (growth.getPool())
      set(tree, "pool", *growth.getPool());
    set(tree, "date", growth.getDateAttr());
    return tree;
  }

  Tree read(FailureDomainOp domain) {
    Tree tree = Tree::mapping();
    set(tree, "name", domain.getDomainAttr());
    set(tree, "level", resolve(domain.getLevel()));
    set(tree, "mtbf", domain.getMtbfAttr());
    set(tree, "mttr", domain.getMttrAttr());
    return tree;
  }

  SiteOp site;
  llvm::StringMap<std::string> names; ///< symbol of a chip or level -> its name
};

} // namespace

FailureOr<Fleet> dougong::fleet::readSite(SiteOp site) {
  Diagnostics diagnostics(site.getSymName());
  std::optional<Fleet> fleet = fleetFromTree(SiteReader(site).read(), diagnostics);
  if (fleet)
    return std::move(*fleet);
  return site.emitOpError() << "is no legal fleet: " << llvm::toString(diagnostics.takeError());
}
