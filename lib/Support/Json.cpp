//===- Json.cpp - a small JSON value --------------------------------------===//

#include "dougong/Support/Json.h"

#include <charconv>
#include <cmath>

namespace dougong {
namespace {

/// Deeper nesting is refused, so that reading cannot exhaust the stack.
constexpr int maxDepth = 200;

/// The length of the valid UTF-8 sequence at the start of `text`, or 0. Refuses
/// overlong forms, surrogates and what lies beyond U+10FFFF (RFC 3629).
std::size_t utf8Length(std::string_view text) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  auto tail = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xc0) == 0x80; };
  unsigned char lead = byte(0);
  if (lead < 0x80)
    return 1;
  if (lead >= 0xc2 && lead <= 0xdf)
    return tail(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    if (!tail(1) || !tail(2) || (lead == 0xe0 && byte(1) < 0xa0) ||
        (lead == 0xed && byte(1) > 0x9f))
      return 0;
    return 3;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    if (!tail(1) || !tail(2) || !tail(3) || (lead == 0xf0 && byte(1) < 0x90) ||
        (lead == 0xf4 && byte(1) > 0x8f))
      return 0;
    return 4;
  }
  return 0;
}

void appendUtf8(std::string &out, std::uint32_t code) {
  auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6), put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12), put(0x80 | (code >> 6 & 0x3f)), put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18), put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f)), put(0x80 | (code & 0x3f));
  }
}

class Parser {
public:
  explicit Parser(std::string_view text) : text(text) {}

  Result<Json> run() {
    Json value;
    skipSpace();
    if (!parseValue(value, 0))
      return failure();
    skipSpace();
    if (position != text.size()) {
      fail("unexpected text after the value");
      return failure();
    }
    return value;
  }

private:
  bool fail(std::string text) {
    if (message.empty())
      message = std::move(text);
    return false;
  }

  Error failure() const {
    std::size_t line = 1, column = 1;
    for (std::size_t i = 0; i < position && i < text.size(); ++i) {
      ++column;
      if (text[i] == '\n')
        ++line, column = 1;
    }
    return Error{std::to_string(line) + ":" + std::to_string(column) + ": " + message};
  }

  char peek() const { return position < text.size() ? text[position] : '\0'; }
  bool consume(char c) {
    if (peek() != c || position >= text.size())
      return false;
    ++position;
    return true;
  }
  void skipSpace() {
    while (peek() == ' ' || peek() == '\n' || peek() == '\t' || peek() == '\r')
      ++position;
  }

  bool parseValue(Json &value, int depth) {
    if (depth > maxDepth)
      return fail("nested more than " + std::to_string(maxDepth) + " deep");
    switch (peek()) {
    case '{':
      return parseObject(value, depth);
    case '[':
      return parseArray(value, depth);
    case '"': {
      std::string string;
      if (!parseString(string))
        return false;
      value = Json(std::move(string));
      return true;
    }
    case 't':
      return parseWord("true", Json(true), value);
    case 'f':
      return parseWord("false", Json(false), value);
    case 'n':
      return parseWord("null", Json(), value);
    default:
      return parseNumber(value);
    }
  }

  bool parseWord(std::string_view word, Json meaning, Json &value) {
    if (text.substr(position, word.size()) != word)
      return fail("expected a value");
    position += word.size();
    value = std::move(meaning);
    return true;
  }

  bool parseObject(Json &value, int depth) {
    Json::Object object;
    ++position;
    skipSpace();
    if (!consume('}')) {
      do {
        skipSpace();
        std::string key;
        std::size_t start = position;
        if (peek() != '"')
          return fail("expected a key in double quotes");
        if (!parseString(key))
          return false;
        if (object.count(key)) {
          position = start;
          return fail("key " + jsonQuote(key) + " occurs twice");
        }
        skipSpace();
        if (!consume(':'))
          return fail("expected ':' after key " + jsonQuote(key));
        skipSpace();
        if (!parseValue(object[key], depth + 1))
          return false;
        skipSpace();
      } while (consume(','));
      if (!consume('}'))
        return fail("expected ',' or '}'");
    }
    value = Json(std::move(object));
    return true;
  }

  bool parseArray(Json &value, int depth) {
    Json::Array array;
    ++position;
    skipSpace();
    if (!consume(']')) {
      do {
        skipSpace();
        array.emplace_back();
        if (!parseValue(array.back(), depth + 1))
          return false;
        skipSpace();
      } while (consume(','));
      if (!consume(']'))
        return fail("expected ',' or ']'");
    }
    value = Json(std::move(array));
    return true;
  }

  bool parseHex4(std::uint32_t &code) {
    if (position + 4 > text.size())
      return fail("expected four hexadecimal digits");
    auto [end, error] = std::from_chars(&text[position], &text[position] + 4, code, 16);
    if (error != std::errc() || end != &text[position] + 4)
      return fail("expected four hexadecimal digits");
    position += 4;
    return true;
  }

  bool parseEscape(std::string &out) {
    char c = peek();
    ++position;
    switch (c) {
    case '"':
    case '\\':
    case '/':
      out += c;
      return true;
    case 'b':
      out += '\b';
      return true;
    case 'f':
      out += '\f';
      return true;
    case 'n':
      out += '\n';
      return true;
    case 'r':
      out += '\r';
      return true;
    case 't':
      out += '\t';
      return true;
    case 'u': {
      std::uint32_t code = 0;
      if (!parseHex4(code))
        return false;
      if (code >= 0xd800 && code < 0xdc00) {
        std::uint32_t low = 0;
        if (!consume('\\') || !consume('u') || !parseHex4(low) || low < 0xdc00 || low > 0xdfff)
          return fail("half of a surrogate pair");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      } else if (code >= 0xdc00 && code <= 0xdfff) {
        return fail("half of a surrogate pair");
      }
      appendUtf8(out, code);
      return true;
    }
    default:
      return fail("unknown escape in a string");
    }
  }

  bool parseString(std::string &out) {
    ++position;
    while (position < text.size()) {
      char c = text[position];
      if (c == '"') {
        ++position;
        return true;
      }
      if (c == '\\') {
        ++position;
        if (!parseEscape(out))
          return false;
        continue;
      }
      if (static_cast<unsigned char>(c) < 0x20)
        return fail("control character in a string");
      std::size_t length = utf8Length(text.substr(position));
      if (length == 0)
        return fail("string is not UTF-8");
      out += text.substr(position, length);
      position += length;
    }
    return fail("string without an end");
  }

  bool digits() {
    std::size_t start = position;
    while (peek() >= '0' && peek() <= '9')
      ++position;
    return position != start;
  }

  bool parseNumber(Json &value) {
    std::size_t start = position;
    consume('-');
    if (!consume('0') && !digits())
      return fail("expected a value");
    if (consume('.') && !digits())
      return fail("expected digits after '.'");
    if (peek() == 'e' || peek() == 'E') {
      ++position;
      if (peek() == '+' || peek() == '-')
        ++position;
      if (!digits())
        return fail("expected digits of an exponent");
    }
    value = Json(Json::Number{std::string(text.substr(start, position - start))});
    return true;
  }

  std::string_view text;
  std::size_t position = 0;
  std::string message;
};

void print(const Json &value, std::size_t indent, std::string &out) {
  auto newline = [&](std::size_t depth) { out += '\n', out.append(2 * depth, ' '); };
  if (const auto *object = value.asObject()) {
    out += '{';
    bool first = true;
    for (const auto &[key, member] : *object) {
      if (!std::exchange(first, false))
        out += ',';
      newline(indent + 1);
      out += jsonQuote(key) + ": ";
      print(member, indent + 1, out);
    }
    if (!first)
      newline(indent);
    out += '}';
  } else if (const auto *array = value.asArray()) {
    out += '[';
    bool first = true;
    for (const Json &element : *array) {
      if (!std::exchange(first, false))
        out += ',';
      newline(indent + 1);
      print(element, indent + 1, out);
    }
    if (!first)
      newline(indent);
    out += ']';
  } else if (const auto *string = value.asString()) {
    out += jsonQuote(*string);
  } else if (const auto *number = value.asNumber()) {
    out += number->text;
  } else if (const auto *boolean = value.asBool()) {
    out += *boolean ? "true" : "false";
  } else {
    out += "null";
  }
}

} // namespace

Json::Json(double number) {
  if (!std::isfinite(number))
    return;
  char buffer[32];
  auto result = std::to_chars(buffer, buffer + sizeof buffer, number);
  value = Number{std::string(buffer, result.ptr)};
}

const Json *Json::find(std::string_view key) const {
  const Object *object = asObject();
  if (!object)
    return nullptr;
  auto member = object->find(std::string(key));
  return member == object->end() ? nullptr : &member->second;
}

std::string Json::print() const {
  std::string out;
  dougong::print(*this, 0, out);
  return out;
}

Result<Json> Json::parse(std::string_view text) { return Parser(text).run(); }

bool isUtf8(std::string_view text) {
  while (!text.empty()) {
    std::size_t length = utf8Length(text);
    if (length == 0)
      return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string jsonQuote(std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size();) {
    char c = text[i];
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\', out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\u00", out += digits[byte >> 4], out += digits[byte & 15];
    } else {
      // What is not UTF-8 must not leave here: each such byte becomes U+FFFD.
      std::size_t length = utf8Length(text.substr(i));
      out += length == 0 ? std::string_view("\xef\xbf\xbd") : text.substr(i, length);
      i += length == 0 ? 1 : length;
      continue;
    }
    ++i;
  }
  return out + "\"";
}

} // namespace dougong
