//===- Result.h - a value or an error message -------------------*- C++ -*-===//
//
// For the parts that do not see LLVM (Support, Package, Runtime).
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_SUPPORT_RESULT_H
#define DOUGONG_SUPPORT_RESULT_H

#include <string>
#include <utility>
#include <variant>

namespace dougong {

/// Why something failed: one line, lower case, no full stop.
struct Error {
  std::string message;
};

/// Either a T or an Error. `Result<void>` is a success or an Error.
template <typename T> class [[nodiscard]] Result {
public:
  Result(T value) : state(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return state.index() == 0; }
  T &operator*() { return std::get<0>(state); }
  const T &operator*() const { return std::get<0>(state); }
  T *operator->() { return &std::get<0>(state); }
  const T *operator->() const { return &std::get<0>(state); }
  const std::string &message() const { return std::get<1>(state).message; }
  Error takeError() { return std::move(std::get<1>(state)); }

private:
  std::variant<T, Error> state;
};

template <> class [[nodiscard]] Result<void> {
public:
  Result() = default;
  Result(Error error) : failure(std::move(error)), failed(true) {}

  explicit operator bool() const { return !failed; }
  const std::string &message() const { return failure.message; }
  Error takeError() { return std::move(failure); }

private:
  Error failure;
  bool failed = false;
};

} // namespace dougong

#endif // DOUGONG_SUPPORT_RESULT_H
