//===- ForEachFigure.cpp - visiting the figures of a model -----------------===//
//
// Goes over the tree form, so that no field can be forgotten here.
//
//===----------------------------------------------------------------------===//
#include "ModelFields.h"
#include "dougong/Fleet/Analysis.h"
#include "dougong/Fleet/Yaml.h"

using namespace llvm;
using namespace dougong::fleet;

namespace {

using Visitor = function_ref<void(StringRef, const Figure &)>;

/// The word by which an item of a list is known: its id, name, kind or form.
std::string getItemName(const Tree &item, size_t index) {
  for (StringRef key : {"id", "name", "kind", "form", "system"})
    if (const Tree *name = item.find(key))
      return name->text;
  return std::to_string(index);
}

void visit(const Tree &tree, const std::string &path, Visitor visitor) {
  if (tree.kind == Tree::Kind::Figure)
    visitor(path, tree.figure);
  for (const TreeEntry &entry : tree.entries)
    visit(entry.value, path.empty() ? entry.key : path + "." + entry.key, visitor);
  for (auto [index, item] : enumerate(tree.items))
    visit(item, path + "[" + getItemName(item, index) + "]", visitor);
}

} // namespace

void dougong::fleet::forEachFigure(const Chip &chip, Visitor visitor) {
  Chip copy = chip;
  visit(Fields::toTree(copy), "", visitor);
}

void dougong::fleet::forEachFigure(const Fleet &fleet, Visitor visitor) {
  Fleet copy = fleet;
  copy.chips.clear();
  visit(toTree(copy), "", visitor);
}
