//===- Tree.cpp - building, merging and printing trees ---------------------===//
#include "Tree.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/YAMLTraits.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace dougong::fleet;

//===----------------------------------------------------------------------===//
// Diagnostics
//===----------------------------------------------------------------------===//

void Diagnostics::error(Position position, const Twine &message) {
  if (++count > 20)
    return;
  raw_string_ostream stream(messages);
  if (!messages.empty())
    stream << "\n";
  stream << file << ":";
  if (position.line)
    stream << position.line << ":" << position.column << ":";
  stream << " error: " << message;
}

Error Diagnostics::takeError() const {
  if (empty())
    return Error::success();
  std::string text = messages;
  if (count > 20)
    text += "\n" + file + ": error: " + std::to_string(count - 20) + " more errors";
  return createStringError(Twine(text));
}

//===----------------------------------------------------------------------===//
// Tree
//===----------------------------------------------------------------------===//

Tree Tree::scalar(StringRef text) {
  Tree tree;
  tree.kind = Kind::Scalar;
  tree.text = text.str();
  return tree;
}

Tree Tree::mapping() {
  Tree tree;
  tree.kind = Kind::Mapping;
  return tree;
}

const Tree *Tree::find(StringRef key) const {
  for (const TreeEntry &entry : entries)
    if (entry.key == key)
      return &entry.value;
  return nullptr;
}

void Tree::add(StringRef key, Tree value) { entries.push_back({key.str(), {}, std::move(value)}); }

StringRef Tree::describeKind() const {
  switch (kind) {
  case Kind::Null:
    return "nothing";
  case Kind::Scalar:
  case Kind::Flag:
  case Kind::Integer:
    return "a single value";
  case Kind::Figure:
    return "a figure";
  case Kind::Sequence:
    return "a list";
  case Kind::Mapping:
    return "a mapping";
  }
  return "nothing";
}

Tree dougong::fleet::merge(const Tree &base, const Tree &changes) {
  if (base.kind != Tree::Kind::Mapping || changes.kind != Tree::Kind::Mapping)
    return changes;
  Tree merged = base;
  merged.position = changes.position;
  for (const TreeEntry &change : changes.entries) {
    TreeEntry *existing = nullptr;
    for (TreeEntry &entry : merged.entries)
      if (entry.key == change.key)
        existing = &entry;
    if (!existing) {
      merged.entries.push_back(change);
      continue;
    }
    existing->position = change.position;
    existing->value = merge(existing->value, change.value);
  }
  return merged;
}

//===----------------------------------------------------------------------===//
// YAML
//===----------------------------------------------------------------------===//

/// Text as a YAML scalar: plain where that reads back as the same text.
static std::string quote(StringRef text) {
  bool plain = !text.empty() && text != "null" && text != "~" && text.trim() == text;
  for (char c : text)
    plain &= isAlnum(c) || StringRef(" _./+*%()").contains(c) || c == '-';
  if (!text.empty() && StringRef("-*%.+").contains(text.front()))
    plain = false;
  if (plain)
    return text.str();
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\')
      quoted += '\\';
    if (c == '\n')
      quoted += "\\n";
    else if (c == '\t')
      quoted += "\\t";
    else if (c == '\r')
      quoted += "\\r";
    else
      quoted += c;
  }
  return quoted + "\"";
}

/// A figure as the mapping that users write.
static Tree expand(const Figure &figure) {
  Tree tree = Tree::mapping();
  tree.add("value", Tree::scalar(printQuantity(figure.value, figure.quantity)));
  tree.add("kind", Tree::scalar(stringify(figure.kind)));
  auto text = [](Tree &into, StringRef key, const std::string &value) {
    if (!value.empty())
      into.add(key, Tree::scalar(value));
  };
  text(tree, "source", figure.source);
  text(tree, "date", figure.date);
  text(tree, "note", figure.note);
  if (figure.conflicts.empty())
    return tree;
  Tree conflicts;
  conflicts.kind = Tree::Kind::Sequence;
  for (const ConflictingValue &conflict : figure.conflicts) {
    Tree item = Tree::mapping();
    item.add("value", Tree::scalar(printQuantity(conflict.value, figure.quantity)));
    if (conflict.kind)
      item.add("kind", Tree::scalar(stringify(*conflict.kind)));
    text(item, "source", conflict.source);
    conflicts.items.push_back(std::move(item));
  }
  tree.add("conflicts", std::move(conflicts));
  return tree;
}

static void printFlow(const Tree &tree, raw_ostream &out) {
  switch (tree.kind) {
  case Tree::Kind::Null:
    out << "null";
    return;
  case Tree::Kind::Scalar:
    out << quote(tree.text);
    return;
  case Tree::Kind::Flag:
    out << (tree.flag ? "true" : "false");
    return;
  case Tree::Kind::Integer:
    out << tree.integer;
    return;
  case Tree::Kind::Figure:
    return printFlow(expand(tree.figure), out);
  case Tree::Kind::Sequence:
    out << "[";
    interleaveComma(tree.items, out, [&](const Tree &item) { printFlow(item, out); });
    out << "]";
    return;
  case Tree::Kind::Mapping:
    out << "{";
    interleaveComma(tree.entries, out, [&](const TreeEntry &entry) {
      out << quote(entry.key) << ": ";
      printFlow(entry.value, out);
    });
    out << "}";
    return;
  }
}

/// Whether a node may stand on one line: nothing below it holds a figure.
static bool isFlat(const Tree &tree) {
  if (tree.kind == Tree::Kind::Figure)
    return false;
  return all_of(tree.items, isFlat) &&
         all_of(tree.entries, [](const TreeEntry &entry) { return isFlat(entry.value); });
}

static void printBlock(const Tree &tree, unsigned indent, raw_ostream &out) {
  bool first = true;
  auto startLine = [&] {
    // The first entry of a list's item follows its dash.
    if (!first || !indent)
      out.indent(indent);
    first = false;
  };
  auto printValue = [&](const Tree &value, unsigned childIndent) {
    bool nested = value.kind == Tree::Kind::Mapping || value.kind == Tree::Kind::Sequence;
    if (!nested || isFlat(value) || (value.items.empty() && value.entries.empty())) {
      out << " ";
      printFlow(value, out);
      out << "\n";
      return;
    }
    out << "\n";
    out.indent(childIndent);
    printBlock(value, childIndent, out);
  };
  for (const TreeEntry &entry : tree.entries) {
    startLine();
    out << quote(entry.key) << ":";
    printValue(entry.value, indent + 2);
  }
  for (const Tree &item : tree.items) {
    startLine();
    out << "- ";
    if (item.kind == Tree::Kind::Mapping && !item.entries.empty() && !isFlat(item)) {
      printBlock(item, indent + 2, out);
      continue;
    }
    printFlow(item, out);
    out << "\n";
  }
}

std::string dougong::fleet::printYaml(const Tree &tree) {
  std::string text;
  raw_string_ostream stream(text);
  printBlock(tree, 0, stream);
  return text;
}

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

static json::Value figureToJson(const Figure &figure) {
  json::Object object{{"value", figure.value}, {"kind", stringify(figure.kind)}};
  auto text = [](json::Object &into, StringRef key, StringRef value) {
    if (!value.empty())
      into[key] = value.str(); // a StringRef would not be copied
  };
  text(object, "unit", getBaseUnit(figure.quantity));
  text(object, "source", figure.source);
  text(object, "date", figure.date);
  text(object, "note", figure.note);
  if (!figure.conflicts.empty()) {
    json::Array conflicts;
    for (const ConflictingValue &conflict : figure.conflicts) {
      json::Object item{{"value", conflict.value}};
      if (conflict.kind)
        text(item, "kind", stringify(*conflict.kind));
      text(item, "source", conflict.source);
      conflicts.push_back(std::move(item));
    }
    object["conflicts"] = std::move(conflicts);
  }
  return object;
}

json::Value dougong::fleet::toJson(const Tree &tree) {
  switch (tree.kind) {
  case Tree::Kind::Null:
    return nullptr;
  case Tree::Kind::Scalar:
    return tree.text;
  case Tree::Kind::Flag:
    return tree.flag;
  case Tree::Kind::Integer:
    return tree.integer;
  case Tree::Kind::Figure:
    return figureToJson(tree.figure);
  case Tree::Kind::Sequence: {
    json::Array array;
    for (const Tree &item : tree.items)
      array.push_back(toJson(item));
    return array;
  }
  case Tree::Kind::Mapping: {
    json::Object object;
    for (const TreeEntry &entry : tree.entries)
      object[entry.key] = toJson(entry.value);
    return object;
  }
  }
  return nullptr;
}
