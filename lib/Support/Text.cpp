//===- Text.cpp - words for messages --------------------------------------===//

#include "dougong/Support/Text.h"

namespace dougong {

std::string escapeControl(std::string_view text) {
  static const char digits[] = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i != text.size(); ++i) {
    auto byte = static_cast<unsigned char>(text[i]);
    // U+0080 to U+009f, which are C2 80 to C2 9f in UTF-8, are controls as well.
    bool isC1 = byte == 0xc2 && i + 1 != text.size() &&
                (static_cast<unsigned char>(text[i + 1]) & 0xe0) == 0x80;
    if (isC1)
      byte = static_cast<unsigned char>(text[++i]);
    if (!isC1 && byte >= 0x20 && byte != 0x7f) {
      out += text[i];
      continue;
    }
    out += '\\';
    if (byte == '\n')
      out += 'n';
    else if (byte == '\t')
      out += 't';
    else if (byte == '\r')
      out += 'r';
    else
      out.append({'x', digits[byte >> 4], digits[byte & 15]});
  }
  return out;
}

std::string countOf(std::uint64_t count, std::string_view noun) {
  return std::to_string(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

} // namespace dougong
