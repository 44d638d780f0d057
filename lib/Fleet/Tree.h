//===- Tree.h - fleet data as a tree of scalars, lists, maps ----*- C++ -*-===//
//
// The form between the model (Chip, Fleet) and its outer forms: YAML, JSON and
// attributes of IR. Nodes that were read from text know where they stood.
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_LIB_FLEET_TREE_H
#define DOUGONG_LIB_FLEET_TREE_H

#include "dougong/Fleet/Figure.h"

#include "llvm/ADT/Twine.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

#include <optional>
#include <string>
#include <vector>

namespace dougong::fleet {

/// Line and column from 1; 0 if the node was not read from text.
struct Position {
  unsigned line = 0, column = 0;
};

/// Collects what is wrong with a text.
class Diagnostics {
public:
  explicit Diagnostics(llvm::StringRef file) : file(file.str()) {}

  /// Records "FILE:LINE:COLUMN: error: MESSAGE". After 20 errors, the rest is
  /// only counted.
  void error(Position position, const llvm::Twine &message);
  bool empty() const { return count == 0; }
  /// All messages, one a line.
  llvm::Error takeError() const;

private:
  std::string file;
  std::string messages;
  unsigned count = 0;
};

struct TreeEntry;

/// A node.
struct Tree {
  enum class Kind { Null, Scalar, Flag, Integer, Figure, Sequence, Mapping };

  Kind kind = Kind::Null;
  Position position;
  std::string text;               ///< Scalar
  bool quoted = false;            ///< Scalar that was in quotes
  bool flag = false;              ///< Flag; only in trees made from the model
  uint64_t integer = 0;           ///< Integer; only in trees made from the model
  Figure figure;                  ///< Figure; only in trees made from the model
  std::vector<Tree> items;        ///< Sequence
  std::vector<TreeEntry> entries; ///< Mapping, in the order of the text

  static Tree scalar(llvm::StringRef text);
  static Tree mapping();
  /// Value of a key of a mapping, or null.
  const Tree *find(llvm::StringRef key) const;
  void add(llvm::StringRef key, Tree value);
  /// "a mapping", "a list", "text", "nothing", ...
  llvm::StringRef describeKind() const;
};

struct TreeEntry {
  std::string key;
  Position position;
  Tree value;
};

/// Parses one YAML document. Refused, with position: syntax errors, text that is
/// not UTF-8 or over 4 MiB, nesting over 24, mappings of over 1000 keys, aliases,
/// tags, keys that repeat or are no scalars, a second document.
std::optional<Tree> parseTree(llvm::StringRef text, Diagnostics &diagnostics);

/// Writes a tree as YAML: figures and small maps in flow style, one to a line.
std::string printYaml(const Tree &tree);
llvm::json::Value toJson(const Tree &tree);

/// `base` with the entries of `changes` put over it: mappings merge key by key,
/// everything else is replaced.
Tree merge(const Tree &base, const Tree &changes);

} // namespace dougong::fleet

#endif // DOUGONG_LIB_FLEET_TREE_H
