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
#include <functional>
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

/// What one call of an operator function gets. Outputs come first in `tensors`:
/// either their dims are set and their data allocated, uninitialised, or they are
/// null and the function makes them by `makeOutput`. Types and dims were not
/// checked: the function does it and says what it expected.
struct LibraryCall {
  std::span<dougong_tensor> tensors;
  std::span<const std::int64_t> attributes;
  ThreadPool *pool;                                          ///< of this rank
  StringStore *strings;                                      ///< for string outputs
  std::function<Result<void *>(std::size_t bytes)> allocate; ///< until the next step
  /// Runs a tensor of type DOUGONG_BODY; the outputs come as {} and live until the
  /// next step.
  std::function<Result<void>(const dougong_tensor &body, std::span<const dougong_tensor> inputs,
                             std::span<dougong_tensor> outputs)>
      run;

  /// The buffer of output `index` for these dims: the one that is there, which
  /// must have them, or a new one. Null for an output that nobody asked for.
  Result<void *> makeOutput(std::size_t index, std::span<const std::int64_t> dims) const;
};

/// Whether an optional operand or output is there.
inline bool isPresent(const dougong_tensor &tensor) { return tensor.dtype != 0; }

/// The dims of a tensor.
inline std::span<const std::int64_t> dimsOf(const dougong_tensor &tensor) {
  return {tensor.dims, static_cast<std::size_t>(tensor.rank)};
}

/// Reads a function's attributes one after the other: integers, floats as the
/// bits of a double, texts as their length and a byte in each integer, lists as
/// their length and their entries. Past the end all is 0 and empty.
class AttributeReader {
public:
  explicit AttributeReader(std::span<const std::int64_t> attributes) : rest(attributes) {}
  std::int64_t integer();
  double real();
  std::string text();
  std::vector<std::int64_t> integers();
  std::vector<double> reals();
  std::vector<std::string> texts();

private:
  std::span<const std::int64_t> rest;
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
