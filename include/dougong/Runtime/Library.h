//===- Library.h - operators that are C++ functions -------------*- C++ -*-===//
//
// Operators that are not loop nests over numbers (TopK, strings, ...) are
// functions of this table, called by name through dougong_host.library. To add
// one: write lib/Runtime/Library/<Operator>.cpp and register it at its end.
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_RUNTIME_LIBRARY_H
#define DOUGONG_RUNTIME_LIBRARY_H

#include "dougong-c/program.h"
#include "dougong/Support/Result.h"

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dougong {

class ThreadPool;

/// Owns the characters of the strings that operators make, until the step ends.
class StringStore {
public:
  /// A copy of `text` that lives as long as the store's contents.
  dougong_string keep(std::string_view text);
  void clear() { texts.clear(); }

private:
  std::deque<std::string> texts;
};

/// What one call of an operator function gets. Outputs come first in `tensors`;
/// their dims are set and their data allocated, uninitialised. Types and dims
/// were not checked: the function does it and says what it expected.
struct LibraryCall {
  std::span<const dougong_tensor> tensors;
  std::span<const std::int64_t> attributes;
  ThreadPool *pool;     ///< of this rank
  StringStore *strings; ///< for string outputs
};

using LibraryFunction = Result<void> (*)(const LibraryCall &call);

/// Adds `function` to the table; the later of two equal names wins.
void registerLibraryFunction(const char *name, LibraryFunction function);

/// The function, or null.
LibraryFunction findLibraryFunction(std::string_view name);

/// All names, sorted.
std::vector<std::string> libraryFunctionNames();

/// Registers at load time: `static LibraryEntry topK("TopK", runTopK);`.
struct LibraryEntry {
  LibraryEntry(const char *name, LibraryFunction function) {
    registerLibraryFunction(name, function);
  }
};

} // namespace dougong

#endif // DOUGONG_RUNTIME_LIBRARY_H
