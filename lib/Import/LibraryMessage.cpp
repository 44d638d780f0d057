//===- LibraryMessage.cpp - what the ONNX library says, in our form -------===//
#include "LibraryMessage.h"

#include "llvm/ADT/StringExtras.h"

using namespace dougong::importer;
using llvm::StringRef;

namespace {

void removeAll(std::string &text, StringRef part) {
  for (size_t at; (at = text.find(part)) != std::string::npos;)
    text.erase(at, part.size());
}

/// Takes "(op_type:T, node name: N): " from the front; gives N.
std::string takeNode(StringRef &text) {
  size_t name = text.find(", node name: ");
  size_t end = text.find("): ");
  if (!text.starts_with("(op_type:") || name >= end)
    return "";
  std::string node = text.slice(name + strlen(", node name: "), end).str();
  text = text.drop_front(end + strlen("): "));
  return node;
}

/// On one line, without what is for the library's developers, beginning as our
/// messages do. Names such as TensorProto keep their capitals.
std::string makePlain(StringRef text) {
  std::string line;
  for (char c : text.trim())
    if (c != '\n' && c != '\r' && (c != ' ' || line.back() != ' '))
      line.push_back(c);
    else if (line.back() != ' ')
      line.push_back(' ');
  for (StringRef tag : {"[ShapeInferenceError] ", "[TypeInferenceError] "})
    removeAll(line, tag);
  if (StringRef(line).ends_with(".") && !StringRef(line).ends_with(".."))
    line.pop_back();
  StringRef word = StringRef(line).take_while([](char c) { return llvm::isAlnum(c) || c == '_'; });
  if (!word.empty() && llvm::all_of(word.drop_front(), llvm::isLower))
    line[0] = llvm::toLower(line[0]);
  return line;
}

} // namespace

LibraryMessage dougong::importer::readLibraryMessage(StringRef message) {
  LibraryMessage result;
  if (size_t at = message.find("Assertion `"); at != StringRef::npos)
    if (size_t reason = message.find("failed: ", at); reason != StringRef::npos)
      message = message.drop_front(reason + strlen("failed: "));
  if (size_t at = message.find("==> Context: "); at != StringRef::npos) {
    StringRef context = message.drop_front(at);
    message = message.take_front(at);
    size_t name = context.find("Name: "), type = context.rfind(" OpType: ");
    if (name < type && type != StringRef::npos)
      result.node = context.slice(name + strlen("Name: "), type).str();
  }
  // Graphs inside nodes: the last is the innermost.
  for (StringRef rest = message;;) {
    rest.consume_front("[ShapeInferenceError] ");
    rest.consume_front("[TypeInferenceError] ");
    std::string node = takeNode(rest);
    message = rest;
    if (node.empty())
      break;
    result.node = std::move(node);
  }
  result.text = makePlain(message);
  return result;
}
