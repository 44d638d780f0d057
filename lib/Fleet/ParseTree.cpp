//===- ParseTree.cpp - YAML text to a tree with positions ------------------===//
//
// On LLVM's YAML parser, one level below its I/O traits: traits cannot say where
// a node stood once it was read, nor name the nearest known key.
//
//===----------------------------------------------------------------------===//
#include "Tree.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/ConvertUTF.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/YAMLParser.h"

using namespace llvm;
using namespace dougong::fleet;

namespace {

constexpr size_t kMaxBytes = 4u << 20;
constexpr unsigned kMaxDepth = 24;
/// No mapping of the format comes near; keeps searches for keys short.
constexpr size_t kMaxKeys = 1000;

/// Refuses bytes that are no text. The scanner below is written for UTF-8.
bool checkBytes(StringRef text, Diagnostics &diagnostics) {
  if (text.size() > kMaxBytes) {
    diagnostics.error({1, 1},
                      "file has " + Twine(text.size()) + " bytes; a fleet file has 4 MiB at most");
    return false;
  }
  Position position{1, 1};
  for (unsigned char c : text) {
    if (c < 0x20 && c != '\t' && c != '\n' && c != '\r') {
      diagnostics.error(position, "byte 0x" + Twine::utohexstr(c) + " is not text");
      return false;
    }
    position =
        c == '\n' ? Position{position.line + 1, 1} : Position{position.line, position.column + 1};
  }
  auto *begin = reinterpret_cast<const UTF8 *>(text.begin());
  auto *end = reinterpret_cast<const UTF8 *>(text.end());
  if (!isLegalUTF8String(&begin, end)) {
    StringRef before = text.take_front(begin - reinterpret_cast<const UTF8 *>(text.begin()));
    size_t newline = before.rfind('\n');
    unsigned column = newline == StringRef::npos ? before.size() : before.size() - newline - 1;
    diagnostics.error({unsigned(before.count('\n')) + 1, column + 1}, "text is not UTF-8");
    return false;
  }
  return true;
}

class Reader {
public:
  Reader(StringRef text, Diagnostics &diagnostics)
      : buffer(text.str() + "\n"), diagnostics(diagnostics) {
    manager.setDiagHandler([](const SMDiagnostic &diagnostic,
                              void *self) { static_cast<Reader *>(self)->report(diagnostic); },
                           this);
  }

  std::optional<Tree> run() {
    yaml::Stream stream(StringRef(buffer), manager, /*ShowColors=*/false);
    yaml::document_iterator document = stream.begin();
    if (document == stream.end())
      return fail({1, 1}, "file is empty");
    yaml::Node *root = document->getRoot();
    if (!root || stream.failed())
      return fail({1, 1}, "file is not YAML");
    std::optional<Tree> tree = convert(root, {1, 1}, 0);
    if (!tree)
      return std::nullopt;
    if (stream.failed() || reported)
      return fail({1, 1}, "file is not YAML");
    if (tree->kind == Tree::Kind::Null)
      return fail({1, 1}, "file is empty");
    ++document;
    if (document != stream.end())
      return fail({1, 1}, "file has more than one YAML document");
    if (stream.failed() || reported)
      return fail({1, 1}, "file is not YAML");
    return tree;
  }

private:
  /// Syntax errors of the parser: only the first means anything.
  void report(const SMDiagnostic &diagnostic) {
    if (reported)
      return;
    reported = true;
    unsigned line = diagnostic.getLineNo() > 0 ? diagnostic.getLineNo() : 1;
    unsigned column = diagnostic.getColumnNo() >= 0 ? diagnostic.getColumnNo() + 1 : 1;
    std::string message = diagnostic.getMessage().str();
    if (!message.empty())
      message[0] = llvm::toLower(message[0]);
    diagnostics.error({line, column}, StringRef(message).rtrim(".!"));
  }

  std::nullopt_t fail(Position position, const Twine &message) {
    if (!reported)
      diagnostics.error(position, message);
    reported = true;
    return std::nullopt;
  }

  Position locate(const yaml::Node &node, Position otherwise) {
    SMLoc start = node.getSourceRange().Start;
    const char *pointer = start.getPointer();
    if (!pointer || !manager.FindBufferContainingLoc(start))
      return otherwise;
    auto [line, column] = manager.getLineAndColumn(start);
    return {line, column};
  }

  std::optional<Tree> convert(yaml::Node *node, Position parent, unsigned depth) {
    Position position = locate(*node, parent);
    if (depth > kMaxDepth)
      return fail(position, "values are nested deeper than " + Twine(kMaxDepth) + " levels");
    if (!node->getRawTag().empty())
      return fail(position, "tags have no meaning in fleet files");
    // (an alias says where the next token stands)
    if (isa<yaml::AliasNode>(node))
      return fail(parent, "aliases are not allowed in fleet files");
    Tree tree;
    tree.position = position;
    SmallString<64> storage;
    if (isa<yaml::NullNode>(node))
      return tree;
    if (auto *scalar = dyn_cast<yaml::ScalarNode>(node)) {
      tree.kind = Tree::Kind::Scalar;
      tree.text = scalar->getValue(storage).str();
      StringRef raw = scalar->getRawValue();
      tree.quoted = raw.starts_with("\"") || raw.starts_with("'");
      // YAML's plain nulls.
      if (!tree.quoted && (tree.text == "null" || tree.text == "~" || tree.text.empty()))
        tree.kind = Tree::Kind::Null;
      return tree;
    }
    if (auto *block = dyn_cast<yaml::BlockScalarNode>(node)) {
      tree.kind = Tree::Kind::Scalar;
      tree.text = block->getValue().rtrim("\n").str();
      tree.quoted = true;
      return tree;
    }
    if (auto *sequence = dyn_cast<yaml::SequenceNode>(node)) {
      tree.kind = Tree::Kind::Sequence;
      for (yaml::Node &item : *sequence) {
        std::optional<Tree> child = convert(&item, position, depth + 1);
        if (!child)
          return std::nullopt;
        tree.items.push_back(std::move(*child));
      }
      return reported ? std::nullopt : std::optional<Tree>(std::move(tree));
    }
    if (auto *mapping = dyn_cast<yaml::MappingNode>(node)) {
      tree.kind = Tree::Kind::Mapping;
      for (yaml::KeyValueNode &entry : *mapping)
        if (!convertEntry(entry, tree, depth))
          return std::nullopt;
      return reported ? std::nullopt : std::optional<Tree>(std::move(tree));
    }
    return fail(position, "value is of an unknown kind");
  }

  bool convertEntry(yaml::KeyValueNode &entry, Tree &mapping, unsigned depth) {
    yaml::Node *keyNode = entry.getKey();
    auto *key = dyn_cast_or_null<yaml::ScalarNode>(keyNode);
    if (!key) {
      fail(keyNode ? locate(*keyNode, mapping.position) : mapping.position,
           "keys must be plain words");
      return false;
    }
    SmallString<64> storage;
    std::string name = key->getValue(storage).str();
    Position position = locate(*key, mapping.position);
    if (mapping.entries.size() >= kMaxKeys) {
      fail(position, "mapping has more than " + Twine(kMaxKeys) + " keys");
      return false;
    }
    if (mapping.find(name)) {
      fail(position, "key '" + name + "' appears twice");
      return false;
    }
    yaml::Node *valueNode = entry.getValue();
    if (!valueNode) {
      fail(position, "key '" + name + "' has no value");
      return false;
    }
    std::optional<Tree> value = convert(valueNode, position, depth + 1);
    if (!value)
      return false;
    mapping.entries.push_back({std::move(name), position, std::move(*value)});
    return true;
  }

  std::string buffer;
  Diagnostics &diagnostics;
  SourceMgr manager;
  bool reported = false;
};

} // namespace

std::optional<Tree> dougong::fleet::parseTree(StringRef text, Diagnostics &diagnostics) {
  text.consume_front("\xEF\xBB\xBF"); // a byte-order mark
  if (!checkBytes(text, diagnostics))
    return std::nullopt;
  return Reader(text, diagnostics).run();
}
