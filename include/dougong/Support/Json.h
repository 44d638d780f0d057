//===- Json.h - a small JSON value ------------------------------*- C++ -*-===//
//
// For the parts that do not see LLVM. Objects keep their keys sorted, numbers
// keep their text: printing a value is canonical.
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_SUPPORT_JSON_H
#define DOUGONG_SUPPORT_JSON_H

#include "dougong/Support/Result.h"

#include <concepts>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace dougong {

/// A JSON value (RFC 8259).
class Json {
public:
  using Array = std::vector<Json>;
  using Object = std::map<std::string, Json>;
  /// A number, kept as it was written.
  struct Number {
    std::string text;
    bool operator==(const Number &) const = default;
  };

  Json() = default; // null
  Json(std::nullptr_t) {}
  Json(bool value) : value(value) {}
  Json(const char *text) : value(std::string(text)) {}
  Json(std::string text) : value(std::move(text)) {}
  Json(std::string_view text) : value(std::string(text)) {}
  Json(Number number) : value(std::move(number)) {}
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  Json(T number) : value(Number{std::to_string(number)}) {}
  /// The shortest text that reads back as `number`; null if it is not finite.
  Json(double number);
  Json(Array array) : value(std::move(array)) {}
  Json(Object object) : value(std::move(object)) {}

  /// The value if it is of that kind, else nullptr.
  const bool *asBool() const { return std::get_if<bool>(&value); }
  const Number *asNumber() const { return std::get_if<Number>(&value); }
  const std::string *asString() const { return std::get_if<std::string>(&value); }
  const Array *asArray() const { return std::get_if<Array>(&value); }
  const Object *asObject() const { return std::get_if<Object>(&value); }
  bool isNull() const { return value.index() == 0; }
  /// The member `key` of an object, else nullptr.
  const Json *find(std::string_view key) const;

  bool operator==(const Json &) const = default;

  /// Canonical text: keys sorted by bytes, 2 spaces of indentation, empty
  /// containers on one line, no newline at the end.
  std::string print() const;

  /// Reads `text`, which must be UTF-8 and hold exactly one value. A key that
  /// occurs twice is refused. Errors begin with "line:column: ".
  static Result<Json> parse(std::string_view text);

private:
  std::variant<std::monostate, bool, Number, std::string, Array, Object> value;
};

/// True if `text` is UTF-8 (RFC 3629: no overlong forms, no surrogates).
bool isUtf8(std::string_view text);

/// `text` in double quotes, escaped as JSON asks.
std::string jsonQuote(std::string_view text);

} // namespace dougong

#endif // DOUGONG_SUPPORT_JSON_H
