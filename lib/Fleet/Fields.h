//===- Fields.h - one description for reading and writing -------*- C++ -*-===//
//
// A struct of the model is described once, by a function that names its fields:
//
//   void describe(Fields &fields, Link &link) {
//     fields.name("name", link.name);
//     fields.figure("bandwidth", link.bandwidth, Quantity::Rate);
//   }
//
// Reading calls it with a mapping at hand and reports, with position, what the
// mapping holds that is wrong, missing or unknown. Writing calls it to build
// the mapping; what is absent in the model is left out.
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_LIB_FLEET_FIELDS_H
#define DOUGONG_LIB_FLEET_FIELDS_H

#include "Tree.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringExtras.h"

#include <map>

namespace dougong::fleet {

/// What reading needs beside the mapping.
struct ReadContext {
  explicit ReadContext(Diagnostics &diagnostics) : diagnostics(diagnostics) {}

  Diagnostics &diagnostics;
  /// Provenance of figures that are bare numbers.
  Provenance kind = Provenance::Recalled;
  std::string source, date, note;
};

class Fields {
public:
  enum Need { Optional, Required };

  /// For reading. `what` names the mapping in messages ("chip", "pool", ...).
  Fields(const Tree &mapping, llvm::StringRef what, ReadContext &context);
  /// For writing into `mapping`.
  explicit Fields(Tree &mapping) : output(&mapping) {}

  bool reading() const { return input != nullptr; }

  /// Free text.
  void text(llvm::StringRef key, std::string &value, Need need = Optional);
  /// A word that can be referred to: letters, digits, '.', '_', '-'.
  void name(llvm::StringRef key, std::string &value, Need need = Optional);
  /// YYYY, YYYY-MM or YYYY-MM-DD.
  void date(llvm::StringRef key, std::string &value);
  /// true or false; left as it is if absent, written if it differs from `otherwise`.
  void flag(llvm::StringRef key, bool &value, bool otherwise, Need need = Optional);
  /// A whole number above zero.
  void integer(llvm::StringRef key, std::optional<uint64_t> &value);
  void integers(llvm::StringRef key, std::vector<uint64_t> &values);
  void words(llvm::StringRef key, std::vector<std::string> &values);
  /// A list of words out of `known`.
  void wordsOf(llvm::StringRef key, std::vector<std::string> &values,
               llvm::ArrayRef<llvm::StringRef> known);
  void texts(llvm::StringRef key, std::map<std::string, std::string> &values);
  /// A number with provenance, or a bare number.
  void figure(llvm::StringRef key, MaybeFigure &value, Quantity quantity);
  void figures(llvm::StringRef key, std::map<std::string, Figure> &values, Quantity quantity);

  /// One of `values`, by the names that stringify() gives them.
  template <typename E>
  void choice(llvm::StringRef key, E &value, std::initializer_list<E> values, E otherwise) {
    llvm::SmallVector<llvm::StringRef> names;
    for (E candidate : values)
      names.push_back(stringify(candidate));
    std::string chosen = stringify(value).str();
    choose(key, chosen, names, stringify(otherwise));
    for (E candidate : values)
      if (stringify(candidate) == chosen)
        value = candidate;
  }

  /// A list of mappings.
  template <typename T>
  void list(llvm::StringRef key, std::vector<T> &values, llvm::StringRef what) {
    if (!reading()) {
      if (values.empty())
        return;
      Tree sequence;
      sequence.kind = Tree::Kind::Sequence;
      for (T &value : values)
        sequence.items.push_back(toTree(value));
      return write(key, std::move(sequence));
    }
    const Tree *sequence = take(key, Tree::Kind::Sequence, "a list");
    if (!sequence)
      return;
    for (const Tree &item : sequence->items) {
      T value;
      if (fromTree(item, value, what, context()))
        values.push_back(std::move(value));
    }
  }

  /// A mapping that may be absent.
  template <typename T>
  void object(llvm::StringRef key, std::optional<T> &value, llvm::StringRef what) {
    if (!reading()) {
      if (value)
        write(key, toTree(*value));
      return;
    }
    const Tree *mapping = take(key, Tree::Kind::Mapping, "a mapping");
    T result;
    if (mapping && fromTree(*mapping, result, what, context()))
      value = std::move(result);
  }

  /// The raw value of a key, which is then known; null if absent or writing.
  const Tree *raw(llvm::StringRef key);
  /// The position of a key's value, or of the mapping.
  Position positionOf(llvm::StringRef key) const;
  void error(Position position, const llvm::Twine &message);
  ReadContext &context() { return *readContext; }

  /// Reports keys of the mapping that no call asked for.
  void finish();

  template <typename T> static Tree toTree(T &value) {
    Tree mapping = Tree::mapping();
    Fields fields(mapping);
    describe(fields, value);
    return mapping;
  }
  /// False if `tree` is not a mapping (an error was reported).
  template <typename T>
  static bool fromTree(const Tree &tree, T &value, llvm::StringRef what, ReadContext &context) {
    if (tree.kind != Tree::Kind::Mapping) {
      context.diagnostics.error(tree.position,
                                what + " must be a mapping, got " + tree.describeKind());
      return false;
    }
    Fields fields(tree, what, context);
    describe(fields, value);
    fields.finish();
    return true;
  }

private:
  const Tree *take(llvm::StringRef key, Tree::Kind kind, llvm::StringRef kindName);
  const Tree *takeScalar(llvm::StringRef key);
  void require(llvm::StringRef key, bool present, Need need);
  void choose(llvm::StringRef key, std::string &value, llvm::ArrayRef<llvm::StringRef> names,
              llvm::StringRef otherwise);
  std::optional<std::string> wordOf(const Tree &tree, llvm::StringRef key);
  std::optional<uint64_t> integerOf(const Tree &tree, llvm::StringRef key);
  std::optional<Figure> figureOf(const Tree &tree, llvm::StringRef key, Quantity quantity);
  void write(llvm::StringRef key, Tree value) { output->add(key, std::move(value)); }

  const Tree *input = nullptr;
  Tree *output = nullptr;
  ReadContext *readContext = nullptr;
  std::string what;
  llvm::SmallVector<std::string, 32> known;
};

/// " ; did you mean 'x'?" for the nearest of `candidates`, or "".
std::string suggest(llvm::StringRef word, llvm::ArrayRef<llvm::StringRef> candidates);

} // namespace dougong::fleet

#endif // DOUGONG_LIB_FLEET_FIELDS_H
