//===- DimExprParser.cpp - read dim expressions ---------------------------===//

#include "dougong/Support/DimExpr.h"

#include <limits>

namespace dougong {
namespace {

constexpr std::size_t maxLength = 16384;
constexpr int maxNesting = 200;

bool isLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool isSymbolPart(char c) { return isLetter(c) || isDigit(c) || c == '.' || c == ':' || c == '/'; }

/// Recursive descent, one function for each rule of the grammar in the header.
/// Functions return nothing once `message` is set.
class Parser {
public:
  explicit Parser(std::string_view text) : text(text) {}

  Result<DimExpr> run() {
    if (text.size() > maxLength)
      return Error{"dim expression of " + std::to_string(text.size()) +
                   " characters is longer than " + std::to_string(maxLength)};
    auto result = parseSum();
    if (result && !atEnd())
      result = fail("expected an operator or the end");
    if (!result)
      return Error{"invalid dim expression '" + std::string(text) + "', column " +
                   std::to_string(position + 1) + ": " + message};
    return *result;
  }

private:
  std::nullopt_t fail(std::string what) {
    if (message.empty())
      message = std::move(what);
    return std::nullopt;
  }

  bool atEnd() {
    while (position < text.size() && (text[position] == ' ' || text[position] == '\t'))
      ++position;
    return position == text.size();
  }
  char peek() { return atEnd() ? '\0' : text[position]; }
  bool consume(char c) {
    if (peek() != c)
      return false;
    ++position;
    return true;
  }

  /// The word at this place, not consumed.
  std::string_view peekWord() {
    if (!isLetter(peek()))
      return {};
    std::size_t end = position;
    while (end < text.size() && isSymbolPart(text[end]))
      ++end;
    return text.substr(position, end - position);
  }

  std::optional<DimExpr> parseSum() {
    auto result = parseProduct();
    while (result && (peek() == '+' || peek() == '-')) {
      bool minus = text[position++] == '-';
      auto next = parseProduct();
      if (!next)
        return std::nullopt;
      result = minus ? *result - *next : *result + *next;
    }
    return result;
  }

  std::optional<DimExpr> parseProduct() {
    auto result = parseFactor();
    while (result) {
      std::string_view word = peekWord();
      DimExpr (*combine)(const DimExpr &, const DimExpr &) = nullptr;
      if (peek() == '*')
        combine = operator*, word = "*";
      else if (word == "floordiv")
        combine = floorDiv;
      else if (word == "ceildiv")
        combine = ceilDiv;
      else if (word == "mod")
        combine = mod;
      else
        break;
      position += word.size();
      auto next = parseFactor();
      if (!next)
        return std::nullopt;
      // Quotients nest to the left without parentheses.
      if (++operators > 1000)
        return fail("more than 1000 products and quotients");
      result = combine(*result, *next);
    }
    return result;
  }

  std::optional<DimExpr> parseFactor() {
    if (++nesting > maxNesting)
      return fail("nested more than " + std::to_string(maxNesting) + " deep");
    auto result = parseFactorBody();
    --nesting;
    return result;
  }

  std::optional<DimExpr> parseFactorBody() {
    if (consume('-')) {
      if (isDigit(peek())) // so that the least integer can be written
        return parseInteger(/*negative=*/true);
      auto operand = parseFactor();
      if (!operand)
        return std::nullopt;
      return -*operand;
    }
    if (isDigit(peek()))
      return parseInteger(/*negative=*/false);
    if (consume('(')) {
      auto result = parseSum();
      if (result && !consume(')'))
        return fail("expected ')'");
      return result;
    }
    if (peek() == '`')
      return parseQuoted();

    std::string_view word = peekWord();
    if (word.empty())
      return fail("expected a number, a symbol or '('");
    if (word == "floordiv" || word == "ceildiv" || word == "mod")
      return fail("'" + std::string(word) + "' has no left operand");
    position += word.size();
    if (word == "min" || word == "max")
      return parseCall(word);
    return DimExpr::symbol(std::string(word));
  }

  std::optional<DimExpr> parseCall(std::string_view word) {
    if (!consume('('))
      return fail("expected '(' after '" + std::string(word) + "'");
    auto first = parseSum();
    if (!first)
      return std::nullopt;
    if (!consume(','))
      return fail("expected ',' and a second operand of '" + std::string(word) + "'");
    auto second = parseSum();
    if (!second)
      return std::nullopt;
    if (!consume(')'))
      return fail("expected ')' after the two operands of '" + std::string(word) + "'");
    return word == "min" ? min(*first, *second) : max(*first, *second);
  }

  std::optional<DimExpr> parseInteger(bool negative) {
    // Counted downwards: the least integer has no positive counterpart.
    std::int64_t value = 0;
    const std::size_t start = position;
    auto tooLarge = [&] {
      position = start;
      return fail("number does not fit 64 bits");
    };
    for (; position < text.size() && isDigit(text[position]); ++position)
      if (__builtin_mul_overflow(value, 10, &value) ||
          __builtin_sub_overflow(value, text[position] - '0', &value))
        return tooLarge();
    if (position < text.size() && isSymbolPart(text[position]))
      return fail("a symbol cannot start with a digit; quote it with backquotes");
    if (!negative && value == std::numeric_limits<std::int64_t>::min())
      return tooLarge();
    return DimExpr(negative ? value : -value);
  }

  std::optional<DimExpr> parseQuoted() {
    std::string name;
    std::size_t start = position++;
    for (; position < text.size(); ++position) {
      if (text[position] == '`') {
        if (position + 1 == text.size() || text[position + 1] != '`') {
          ++position;
          if (name.empty())
            return fail("a symbol's name is empty");
          return DimExpr::symbol(std::move(name));
        }
        ++position;
      }
      name += text[position];
    }
    position = start;
    return fail("quoted symbol has no closing backquote");
  }

  std::string_view text;
  std::size_t position = 0;
  int nesting = 0;
  int operators = 0;
  std::string message;
};

} // namespace

Result<DimExpr> DimExpr::parse(std::string_view text) { return Parser(text).run(); }

} // namespace dougong
