#include "dougong/Support/Text.h"

#include <gtest/gtest.h>

using namespace dougong;

TEST(Text, ControlCharactersAreEscaped) {
  EXPECT_EQ(escapeControl("plain 名字 ü '\\'"), "plain 名字 ü '\\'");
  EXPECT_EQ(escapeControl("a\nb\r\t\x1b[31m\x7f"), "a\\nb\\r\\t\\x1b[31m\\x7f");
  EXPECT_EQ(escapeControl(std::string_view("\0", 1)), "\\x00");
  // U+009b begins a terminal command as ESC [ does; U+00a0 and on are letters.
  EXPECT_EQ(escapeControl("\xc2\x9b"
                          "31m\xc2\xa0\xc2"),
            "\\x9b31m\xc2\xa0\xc2");
}

TEST(Text, CountsTakeThePlural) {
  EXPECT_EQ(countOf(0, "operator"), "0 operators");
  EXPECT_EQ(countOf(1, "operator"), "1 operator");
  EXPECT_EQ(countOf(2, "operator"), "2 operators");
}
