//===- Text.h - words for messages ------------------------------*- C++ -*-===//
#ifndef DOUGONG_SUPPORT_TEXT_H
#define DOUGONG_SUPPORT_TEXT_H

#include <cstdint>
#include <string>
#include <string_view>

namespace dougong {

/// `text` fit to be printed in one line: control characters, which could begin
/// another line or command a terminal, become \n, \t, \r or \x1b. UTF-8 stays.
std::string escapeControl(std::string_view text);

/// "1 operator", "3 operators". `noun` is a word that takes an s.
std::string countOf(std::uint64_t count, std::string_view noun);

} // namespace dougong

#endif // DOUGONG_SUPPORT_TEXT_H
