//===- Strings.cpp - operators on texts -----------------------------------===//
#include "Numbers.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <regex>

using namespace dougong;

static Result<void> expectTexts(const dougong_tensor &tensor) {
  if (tensor.dtype != DOUGONG_STRING)
    return Error{"expected strings, got " + elementTypeName(tensor.dtype)};
  return {};
}

/// Index into an operand that is broadcast to `dims`, for element `index`.
static std::int64_t broadcastIndex(const dougong_tensor &tensor, std::span<const std::int64_t> dims,
                                   std::int64_t index) {
  std::int64_t result = 0, stride = 1;
  std::int32_t lead = static_cast<std::int32_t>(dims.size()) - tensor.rank;
  for (std::int32_t d = static_cast<std::int32_t>(dims.size()); d-- > lead;) {
    std::int64_t own = tensor.dims[d - lead];
    if (own != 1)
      result += index % dims[d] * stride;
    stride *= own;
    index /= dims[d];
  }
  return result;
}

static Result<std::vector<std::int64_t>> broadcastDims(const dougong_tensor &a,
                                                       const dougong_tensor &b) {
  std::vector<std::int64_t> dims(std::max(a.rank, b.rank), 1);
  for (const dougong_tensor *tensor : {&a, &b})
    for (std::int32_t d = 0; d < tensor->rank; ++d) {
      std::int64_t &dim = dims[dims.size() - tensor->rank + d];
      if (dim != 1 && tensor->dims[d] != 1 && dim != tensor->dims[d])
        return Error{"dims " + printDims(dimsOf(a)) + " and " + printDims(dimsOf(b)) +
                     " do not broadcast"};
      dim = dim == 1 ? tensor->dims[d] : dim;
    }
  return dims;
}

/// StringConcat: [z], [x, y].
static Result<void> runConcat(const LibraryCall &call) {
  const dougong_tensor &x = call.tensors[1], &y = call.tensors[2];
  Result<std::vector<std::int64_t>> dims = broadcastDims(x, y);
  if (!dims)
    return dims.takeError();
  Result<void *> output = call.makeOutput(0, *dims);
  if (!output)
    return output.takeError();
  auto *to = static_cast<dougong_string *>(*output);
  for (std::int64_t i = 0, count = countOf(call.tensors[0]); i < count; ++i) {
    std::string text(textOf(textsOf(x)[broadcastIndex(x, *dims, i)]));
    text += textOf(textsOf(y)[broadcastIndex(y, *dims, i)]);
    to[i] = call.strings->keep(text);
  }
  return {};
}

/// EqualString: [z (bool)], [x, y].
static Result<void> runEqual(const LibraryCall &call) {
  const dougong_tensor &x = call.tensors[1], &y = call.tensors[2];
  Result<std::vector<std::int64_t>> dims = broadcastDims(x, y);
  if (!dims)
    return dims.takeError();
  Result<void *> output = call.makeOutput(0, *dims);
  if (!output)
    return output.takeError();
  for (std::int64_t i = 0, count = countOf(call.tensors[0]); i < count; ++i)
    static_cast<std::uint8_t *>(*output)[i] = textOf(textsOf(x)[broadcastIndex(x, *dims, i)]) ==
                                              textOf(textsOf(y)[broadcastIndex(y, *dims, i)]);
  return {};
}

static std::vector<std::string_view> splitText(std::string_view text, std::string_view delimiter,
                                               std::int64_t most) {
  std::vector<std::string_view> parts;
  auto mayCut = [&] { return most < 0 || static_cast<std::int64_t>(parts.size()) < most; };
  if (!delimiter.empty()) {
    for (std::size_t at; mayCut() && (at = text.find(delimiter)) != text.npos;) {
      parts.push_back(text.substr(0, at));
      text.remove_prefix(at + delimiter.size());
    }
    parts.push_back(text);
    return parts;
  }
  // At runs of white space, which do not count at either end.
  constexpr std::string_view white = " \t\n\r\v\f";
  while (true) {
    std::size_t begin = text.find_first_not_of(white);
    if (begin == text.npos)
      return parts;
    text.remove_prefix(begin);
    std::size_t end = mayCut() ? text.find_first_of(white) : text.npos;
    if (end == text.npos) {
      if (!mayCut())
        end = text.find_last_not_of(white) + 1;
      parts.push_back(text.substr(0, end));
      return parts;
    }
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

/// StringSplit: [parts, counts (int64)], [x], {delimiter, most cuts or -1}. Short rows
/// are filled with empty texts.
static Result<void> runSplit(const LibraryCall &call) {
  AttributeReader attributes(call.attributes);
  std::string delimiter = attributes.text();
  std::int64_t most = attributes.integer();
  const dougong_tensor &x = call.tensors[2];
  if (Result<void> valid = expectTexts(x); !valid)
    return valid;
  std::vector<std::vector<std::string_view>> rows;
  std::size_t width = 0;
  for (const dougong_string &text : textsOf(x)) {
    rows.push_back(splitText(textOf(text), delimiter, most));
    width = std::max(width, rows.back().size());
  }
  std::vector<std::int64_t> dims(x.dims, x.dims + x.rank);
  Result<void *> counts = call.makeOutput(1, dims);
  dims.push_back(static_cast<std::int64_t>(width));
  Result<void *> parts = call.makeOutput(0, dims);
  if (!parts || !counts)
    return parts ? counts.takeError() : parts.takeError();
  for (std::size_t row = 0; row < rows.size(); ++row) {
    if (*counts)
      static_cast<std::int64_t *>(*counts)[row] = static_cast<std::int64_t>(rows[row].size());
    for (std::size_t i = 0; *parts && i < width; ++i)
      static_cast<dougong_string *>(*parts)[row * width + i] =
          call.strings->keep(i < rows[row].size() ? rows[row][i] : std::string_view());
  }
  return {};
}

/// ASCII letters alone change: other alphabets need locale tables.
static std::string changeCase(std::string_view text, std::string_view action) {
  std::string result(text);
  for (char &c : result)
    if (action == "LOWER" && c >= 'A' && c <= 'Z')
      c += 'a' - 'A';
    else if (action == "UPPER" && c >= 'a' && c <= 'z')
      c -= 'a' - 'A';
  return result;
}

/// StringNormalizer: [y], [x], {case_change_action, is_case_sensitive, stopwords}.
static Result<void> runNormalizer(const LibraryCall &call) {
  AttributeReader attributes(call.attributes);
  std::string action = attributes.text();
  bool isSensitive = attributes.integer() != 0;
  std::vector<std::string> stopwords = attributes.texts();
  const dougong_tensor &x = call.tensors[1];
  if (Result<void> valid = expectTexts(x); !valid)
    return valid;
  if (x.rank != 1 && (x.rank != 2 || x.dims[0] != 1))
    return Error{"expected dims [n] or [1, n], got " + printDims(dimsOf(x))};
  auto fold = [&](std::string_view text) {
    return isSensitive ? std::string(text) : changeCase(text, "LOWER");
  };
  for (std::string &word : stopwords)
    word = fold(word);
  std::vector<std::string> kept;
  for (const dougong_string &text : textsOf(x))
    if (std::find(stopwords.begin(), stopwords.end(), fold(textOf(text))) == stopwords.end())
      kept.push_back(changeCase(textOf(text), action));
  if (kept.empty())
    kept.emplace_back();
  std::vector<std::int64_t> dims(x.dims, x.dims + x.rank);
  dims.back() = static_cast<std::int64_t>(kept.size());
  Result<void *> output = call.makeOutput(0, dims);
  if (!output)
    return output.takeError();
  for (std::size_t i = 0; i < kept.size(); ++i)
    static_cast<dougong_string *>(*output)[i] = call.strings->keep(kept[i]);
  return {};
}

/// RegexFullMatch: [matches (bool)], [x], {pattern}.
static Result<void> runFullMatch(const LibraryCall &call) {
  std::string pattern = AttributeReader(call.attributes).text();
  const dougong_tensor &x = call.tensors[1];
  if (Result<void> valid = expectTexts(x); !valid)
    return valid;
  // RE2's groups that do not capture are the same here but for their flags.
  try {
    std::regex expression(pattern, std::regex::ECMAScript);
    Result<void *> output = call.makeOutput(0, dimsOf(x));
    if (!output)
      return output.takeError();
    std::span<const dougong_string> texts = textsOf(x);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      std::string_view text = textOf(texts[i]);
      static_cast<std::uint8_t *>(*output)[i] =
          std::regex_match(text.begin(), text.end(), expression);
    }
  } catch (const std::regex_error &error) {
    return Error{"pattern '" + pattern + "' cannot be read: " + error.what()};
  }
  return {};
}

/// The shortest text that reads back as the number; floats with a point.
template <typename T> static std::string printNumber(T value) {
  if (std::isnan(value))
    return "NaN";
  if (std::isinf(value))
    return value < 0 ? "-INF" : "INF";
  char buffer[64];
  auto [end, error] = std::to_chars(buffer, buffer + sizeof(buffer), value);
  std::string text(buffer, end);
  return text.find_first_of(".e") == text.npos ? text + ".0" : text;
}

/// CastToString: [y], [x].
static Result<void> runToString(const LibraryCall &call) {
  const dougong_tensor &x = call.tensors[1];
  Result<void *> output = call.makeOutput(0, dimsOf(x));
  if (!output)
    return output.takeError();
  auto *to = static_cast<dougong_string *>(*output);
  for (std::int64_t i = 0, count = countOf(x); i < count; ++i) {
    std::string text;
    switch (x.dtype) {
    case DOUGONG_STRING:
      text = textOf(textsOf(x)[i]);
      break;
    case DOUGONG_I64:
      text = std::to_string(static_cast<const std::int64_t *>(x.data)[i]);
      break;
    case DOUGONG_U64:
      text = std::to_string(static_cast<const std::uint64_t *>(x.data)[i]);
      break;
    case DOUGONG_F64:
      text = printNumber(loadNumber(x, i));
      break;
    case DOUGONG_F32:
    case DOUGONG_F16:
    case DOUGONG_BF16:
      text = printNumber(static_cast<float>(loadNumber(x, i)));
      break;
    case DOUGONG_BOOL:
      text = loadNumber(x, i) != 0 ? "True" : "False";
      break;
    default:
      text = std::to_string(static_cast<std::int64_t>(loadNumber(x, i)));
    }
    to[i] = call.strings->keep(text);
  }
  return {};
}

/// CastFromString: [y], [x]: numbers as strtod reads them.
static Result<void> runFromString(const LibraryCall &call) {
  const dougong_tensor &x = call.tensors[1];
  std::int32_t dtype = call.tensors[0].dtype;
  if (Result<void> valid = expectTexts(x); !valid)
    return valid;
  Result<void *> output = call.makeOutput(0, dimsOf(x));
  if (!output)
    return output.takeError();
  return visitStored(dtype, [&]<typename T>() -> Result<void> {
    std::span<const dougong_string> texts = textsOf(x);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      std::string text(textOf(texts[i]));
      char *end = nullptr;
      double value = std::strtod(text.c_str(), &end);
      if (text.empty() || *end)
        return Error{"'" + text + "' is no number"};
      T &to = static_cast<T *>(*output)[i];
      if (dtype == DOUGONG_F16)
        to = static_cast<T>(floatToF16(static_cast<float>(value)));
      else if (dtype == DOUGONG_BF16)
        to = static_cast<T>(floatToBf16(static_cast<float>(value)));
      else if (dtype == DOUGONG_BOOL)
        to = static_cast<T>(value != 0);
      else
        to = static_cast<T>(value);
    }
    return {};
  });
}

static LibraryEntry concat("StringConcat", runConcat);
static LibraryEntry equal("EqualString", runEqual);
static LibraryEntry split("StringSplit", runSplit);
static LibraryEntry normalizer("StringNormalizer", runNormalizer);
static LibraryEntry fullMatch("RegexFullMatch", runFullMatch);
static LibraryEntry toString("CastToString", runToString);
static LibraryEntry fromString("CastFromString", runFromString);
