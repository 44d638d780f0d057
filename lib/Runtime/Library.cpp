//===- Library.cpp - the table of operator functions ----------------------===//
#include "dougong/Runtime/Library.h"

#include <map>
#include <mutex>

using namespace dougong;

namespace {
struct Table {
  std::mutex mutex;
  std::map<std::string, LibraryFunction, std::less<>> functions;
};
} // namespace

/// A function-local static: entries register before main, in any order.
static Table &table() {
  static Table instance;
  return instance;
}

void dougong::registerLibraryFunction(const char *name, LibraryFunction function) {
  std::lock_guard lock(table().mutex);
  table().functions[name] = function;
}

LibraryFunction dougong::findLibraryFunction(std::string_view name) {
  std::lock_guard lock(table().mutex);
  auto found = table().functions.find(name);
  return found == table().functions.end() ? nullptr : found->second;
}

std::vector<std::string> dougong::libraryFunctionNames() {
  std::lock_guard lock(table().mutex);
  std::vector<std::string> names;
  for (const auto &[name, function] : table().functions)
    names.push_back(name);
  return names;
}

dougong_string StringStore::keep(std::string_view text) {
  const std::string &kept = texts.emplace_back(text);
  return {kept.data(), static_cast<std::int64_t>(kept.size())};
}
