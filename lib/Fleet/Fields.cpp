//===- Fields.cpp - reading and writing the fields of a mapping ------------===//
#include "Fields.h"

using namespace llvm;
using namespace dougong::fleet;

std::string dougong::fleet::suggest(StringRef word, ArrayRef<StringRef> candidates) {
  StringRef best;
  unsigned bestDistance = word.size() / 3 + 2;
  for (StringRef candidate : candidates) {
    unsigned distance = word.edit_distance(candidate, /*AllowReplacements=*/true, bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best.empty() ? "" : ("; did you mean '" + best + "'?").str();
}

static bool isWord(StringRef text) {
  return !text.empty() && text.size() <= 100 && isAlnum(text.front()) &&
         all_of(text, [](char c) { return isAlnum(c) || c == '.' || c == '_' || c == '-'; });
}

static bool isDate(StringRef text) {
  if (text.size() != 4 && text.size() != 7 && text.size() != 10)
    return false;
  for (auto [index, c] : enumerate(text))
    if (index == 4 || index == 7 ? c != '-' : !isDigit(c))
      return false;
  auto inRange = [&](size_t at, unsigned limit) {
    unsigned number = 0;
    return text.size() < at + 2 ||
           (!text.substr(at, 2).getAsInteger(10, number) && number >= 1 && number <= limit);
  };
  return inRange(5, 12) && inRange(8, 31);
}

/// Start of a text, for messages.
static std::string shorten(StringRef text) {
  return text.size() <= 60 ? text.str() : (text.take_front(57) + "...").str();
}

Fields::Fields(const Tree &mapping, StringRef what, ReadContext &context)
    : input(&mapping), readContext(&context), what(what.str()) {}

void Fields::error(Position position, const Twine &message) {
  readContext->diagnostics.error(position, message);
}

const Tree *Fields::raw(StringRef key) {
  known.push_back(key.str());
  return reading() ? input->find(key) : nullptr;
}

Position Fields::positionOf(StringRef key) const {
  const Tree *value = input->find(key);
  return value ? value->position : input->position;
}

void Fields::require(StringRef key, bool present, Need need) {
  if (need == Required && !present)
    error(input->position, what + " has no '" + key + "'");
}

const Tree *Fields::take(StringRef key, Tree::Kind kind, StringRef kindName) {
  const Tree *value = raw(key);
  if (!value || value->kind == kind)
    return value;
  error(value->position, "'" + key + "' must be " + kindName + ", got " + value->describeKind());
  return nullptr;
}

const Tree *Fields::takeScalar(StringRef key) {
  return take(key, Tree::Kind::Scalar, "a single value");
}

void Fields::text(StringRef key, std::string &value, Need need) {
  if (!reading()) {
    if (!value.empty())
      write(key, Tree::scalar(value));
    return;
  }
  const Tree *scalar = takeScalar(key);
  if (scalar)
    value = scalar->text;
  require(key, input->find(key), need);
}

void Fields::name(StringRef key, std::string &value, Need need) {
  if (!reading())
    return text(key, value);
  if (const Tree *scalar = takeScalar(key))
    if (std::optional<std::string> word = wordOf(*scalar, key))
      value = *word;
  require(key, input->find(key), need);
}

void Fields::date(StringRef key, std::string &value) {
  if (!reading())
    return text(key, value);
  const Tree *scalar = takeScalar(key);
  if (!scalar)
    return;
  if (!isDate(scalar->text))
    return error(scalar->position, "'" + key + "' must be a date (YYYY, YYYY-MM or YYYY-MM-DD), " +
                                       "got '" + shorten(scalar->text) + "'");
  value = scalar->text;
}

void Fields::flag(StringRef key, bool &value, bool otherwise, Need need) {
  if (!reading()) {
    if (need != Required && value == otherwise)
      return;
    Tree tree;
    tree.kind = Tree::Kind::Flag;
    tree.flag = value;
    return write(key, std::move(tree));
  }
  const Tree *tree = raw(key);
  require(key, tree, need);
  if (!tree)
    return;
  if (tree->kind == Tree::Kind::Flag)
    value = tree->flag;
  else if (tree->kind == Tree::Kind::Scalar && (tree->text == "true" || tree->text == "false"))
    value = tree->text == "true";
  else
    error(tree->position, "'" + key + "' must be true or false");
}

std::optional<uint64_t> Fields::integerOf(const Tree &tree, StringRef key) {
  uint64_t number = 0;
  if (tree.kind == Tree::Kind::Integer)
    return tree.integer;
  if (tree.kind == Tree::Kind::Scalar && !StringRef(tree.text).getAsInteger(10, number) &&
      number > 0 && number <= (uint64_t(1) << 40))
    return number;
  error(tree.position, "'" + key + "' must be a whole number above zero (and at most 2^40), got " +
                           (tree.kind == Tree::Kind::Scalar ? "'" + shorten(tree.text) + "'"
                                                            : tree.describeKind().str()));
  return std::nullopt;
}

static Tree integerTree(uint64_t value) {
  Tree tree;
  tree.kind = Tree::Kind::Integer;
  tree.integer = value;
  return tree;
}

void Fields::integer(StringRef key, std::optional<uint64_t> &value) {
  if (!reading()) {
    if (value)
      write(key, integerTree(*value));
    return;
  }
  if (const Tree *tree = raw(key))
    if (std::optional<uint64_t> number = integerOf(*tree, key))
      value = number;
}

void Fields::integers(StringRef key, std::vector<uint64_t> &values) {
  if (!reading()) {
    if (values.empty())
      return;
    Tree sequence;
    sequence.kind = Tree::Kind::Sequence;
    for (uint64_t value : values)
      sequence.items.push_back(integerTree(value));
    return write(key, std::move(sequence));
  }
  const Tree *sequence = take(key, Tree::Kind::Sequence, "a list");
  if (!sequence)
    return;
  for (const Tree &item : sequence->items)
    if (std::optional<uint64_t> number = integerOf(item, key))
      values.push_back(*number);
}

std::optional<std::string> Fields::wordOf(const Tree &tree, StringRef key) {
  if (tree.kind == Tree::Kind::Scalar && (isWord(tree.text) || tree.text == "*"))
    return tree.text;
  error(tree.position, "'" + key + "' must be a word of letters, digits, '.', '_' and '-', got " +
                           (tree.kind == Tree::Kind::Scalar ? "'" + shorten(tree.text) + "'"
                                                            : tree.describeKind().str()));
  return std::nullopt;
}

void Fields::words(StringRef key, std::vector<std::string> &values) {
  if (!reading()) {
    if (values.empty())
      return;
    Tree sequence;
    sequence.kind = Tree::Kind::Sequence;
    for (const std::string &value : values)
      sequence.items.push_back(Tree::scalar(value));
    return write(key, std::move(sequence));
  }
  const Tree *sequence = take(key, Tree::Kind::Sequence, "a list of words");
  if (!sequence)
    return;
  for (const Tree &item : sequence->items)
    if (std::optional<std::string> word = wordOf(item, key))
      values.push_back(*word);
}

void Fields::wordsOf(StringRef key, std::vector<std::string> &values, ArrayRef<StringRef> known) {
  words(key, values);
  if (!reading())
    return;
  const Tree *sequence = input->find(key);
  if (!sequence)
    return;
  for (const Tree &item : sequence->items)
    if (item.kind == Tree::Kind::Scalar && !is_contained(known, item.text))
      error(item.position, "'" + shorten(item.text) + "' is not one of " + join(known, ", ") +
                               suggest(item.text, known));
}

void Fields::texts(StringRef key, std::map<std::string, std::string> &values) {
  if (!reading()) {
    if (values.empty())
      return;
    Tree mapping = Tree::mapping();
    for (auto &[name, value] : values)
      mapping.add(name, Tree::scalar(value));
    return write(key, std::move(mapping));
  }
  const Tree *mapping = take(key, Tree::Kind::Mapping, "a mapping");
  if (!mapping)
    return;
  for (const TreeEntry &entry : mapping->entries) {
    if (entry.value.kind == Tree::Kind::Scalar)
      values[entry.key] = entry.value.text;
    else
      error(entry.value.position,
            "'" + shorten(entry.key) + "' must be text, got " + entry.value.describeKind());
  }
}

void Fields::choose(StringRef key, std::string &value, ArrayRef<StringRef> names,
                    StringRef otherwise) {
  if (!reading()) {
    if (value != otherwise)
      write(key, Tree::scalar(value));
    return;
  }
  const Tree *scalar = takeScalar(key);
  if (!scalar)
    return;
  if (is_contained(names, scalar->text))
    value = scalar->text;
  else
    error(scalar->position, "'" + key + "' must be one of " + join(names, ", ") + ", got '" +
                                shorten(scalar->text) + "'" + suggest(scalar->text, names));
}

//===----------------------------------------------------------------------===//
// Figures
//===----------------------------------------------------------------------===//

namespace {

/// Reads the scalar under `value` of a figure or of a conflicting value.
std::optional<double> readValue(const Tree &mapping, StringRef key, Quantity quantity,
                                Diagnostics &diagnostics) {
  const Tree *value = mapping.find("value");
  if (!value) {
    diagnostics.error(mapping.position, "figure '" + key + "' has no 'value'");
    return std::nullopt;
  }
  if (value->kind != Tree::Kind::Scalar) {
    diagnostics.error(value->position, "'value' must be a number, got " + value->describeKind());
    return std::nullopt;
  }
  Expected<double> number = parseQuantity(value->text, quantity);
  if (!number) {
    diagnostics.error(value->position, "'" + key + "': " + llvm::toString(number.takeError()));
    return std::nullopt;
  }
  return *number;
}

} // namespace

std::optional<Figure> Fields::figureOf(const Tree &tree, StringRef key, Quantity quantity) {
  ReadContext &context = *readContext;
  Figure figure;
  figure.quantity = quantity;
  if (tree.kind == Tree::Kind::Figure) {
    // Figures of IR know their base unit only, which several quantities share.
    if (getBaseUnit(tree.figure.quantity) == getBaseUnit(quantity)) {
      figure = tree.figure;
      figure.quantity = quantity;
      return figure;
    }
    error(tree.position, "'" + key + "' must be a figure in '" + getBaseUnit(quantity) +
                             "', got one in '" + getBaseUnit(tree.figure.quantity) + "'");
    return std::nullopt;
  }
  if (tree.kind == Tree::Kind::Scalar) {
    Expected<double> value = parseQuantity(tree.text, quantity);
    if (!value) {
      error(tree.position, "'" + key + "': " + llvm::toString(value.takeError()));
      return std::nullopt;
    }
    figure.value = *value;
    figure.kind = context.kind;
    figure.source = context.source;
    figure.date = context.date;
    figure.note = context.note;
    return figure;
  }
  if (tree.kind != Tree::Kind::Mapping) {
    error(tree.position, "'" + key +
                             "' must be a number or {value: ..., kind: ..., source: ...}, "
                             "got " +
                             tree.describeKind());
    return std::nullopt;
  }

  std::optional<double> value = readValue(tree, key, quantity, context.diagnostics);
  Fields fields(tree, "figure", context);
  fields.raw("value");
  figure.kind = context.kind;
  figure.source = context.source;
  figure.date = context.date;
  fields.choice(
      "kind", figure.kind,
      {Provenance::Measured, Provenance::Published, Provenance::Derived, Provenance::Recalled},
      Provenance::Recalled);
  // A figure that states its kind does not take the rest from the file's default.
  if (tree.find("kind") || tree.find("source")) {
    figure.source.clear();
    figure.date.clear();
  }
  fields.name("source", figure.source);
  fields.date("date", figure.date);
  fields.text("note", figure.note);
  if (const Tree *conflicts = fields.take("conflicts", Tree::Kind::Sequence, "a list")) {
    for (const Tree &item : conflicts->items) {
      if (item.kind != Tree::Kind::Mapping) {
        error(item.position,
              "a conflicting value must be {value: ..., source: ...}, got " + item.describeKind());
        continue;
      }
      ConflictingValue conflict;
      std::optional<double> other = readValue(item, key, quantity, context.diagnostics);
      Fields inner(item, "conflicting value", context);
      inner.raw("value");
      Provenance kind = Provenance::Recalled;
      inner.choice(
          "kind", kind,
          {Provenance::Measured, Provenance::Published, Provenance::Derived, Provenance::Recalled},
          Provenance::Recalled);
      if (item.find("kind"))
        conflict.kind = kind;
      inner.name("source", conflict.source);
      inner.finish();
      conflict.value = other.value_or(0);
      if (other)
        figure.conflicts.push_back(std::move(conflict));
    }
  }
  fields.finish();
  if (!value)
    return std::nullopt;
  figure.value = *value;
  return figure;
}

static Tree figureTree(const Figure &figure) {
  Tree tree;
  tree.kind = Tree::Kind::Figure;
  tree.figure = figure;
  return tree;
}

void Fields::figure(StringRef key, MaybeFigure &value, Quantity quantity) {
  if (!reading()) {
    if (value)
      write(key, figureTree(*value));
    return;
  }
  const Tree *tree = raw(key);
  if (tree)
    if (std::optional<Figure> figure = figureOf(*tree, key, quantity))
      value = std::move(figure);
}

void Fields::figures(StringRef key, std::map<std::string, Figure> &values, Quantity quantity) {
  if (!reading()) {
    if (values.empty())
      return;
    Tree mapping = Tree::mapping();
    for (auto &[name, value] : values)
      mapping.add(name, figureTree(value));
    return write(key, std::move(mapping));
  }
  const Tree *mapping = take(key, Tree::Kind::Mapping, "a mapping");
  if (!mapping)
    return;
  for (const TreeEntry &entry : mapping->entries) {
    if (!isWord(entry.key)) {
      error(entry.position, "'" + shorten(entry.key) + "' must be a word");
      continue;
    }
    if (std::optional<Figure> figure = figureOf(entry.value, entry.key, quantity))
      values[entry.key] = std::move(*figure);
  }
}

void Fields::finish() {
  SmallVector<StringRef> candidates(known.begin(), known.end());
  for (const TreeEntry &entry : input->entries)
    if (!is_contained(candidates, StringRef(entry.key)))
      error(entry.position,
            "unknown key '" + shorten(entry.key) + "' in " + what + suggest(entry.key, candidates));
}
