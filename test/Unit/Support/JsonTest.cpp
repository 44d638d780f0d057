//===- JsonTest.cpp - reading and printing JSON ---------------------------===//

#include "dougong/Support/Json.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace dougong;

namespace {

std::string reprint(std::string_view text) {
  auto value = Json::parse(text);
  return value ? value->print() : "error " + value.message();
}

TEST(Json, KeysAreSortedAndNumbersKeepTheirText) {
  EXPECT_EQ(reprint(R"({"b": [1, -2.50, 1E+3], "a": {"z": null, "y": true}, "e": {}, "d": []})"),
            "{\n"
            "  \"a\": {\n"
            "    \"y\": true,\n"
            "    \"z\": null\n"
            "  },\n"
            "  \"b\": [\n"
            "    1,\n"
            "    -2.50,\n"
            "    1E+3\n"
            "  ],\n"
            "  \"d\": [],\n"
            "  \"e\": {}\n"
            "}");
}

TEST(Json, EscapesReadAndPrint) {
  EXPECT_EQ(reprint(R"("\u0041\n\t\"\\\/\u00e9\ud83d\ude00\u0001")"),
            "\"A\\n\\t\\\"\\\\/\xc3\xa9\xf0\x9f\x98\x80\\u0001\"");
}

TEST(Json, ErrorsNameLineAndColumn) {
  EXPECT_EQ(reprint("{\n  \"a\": 1,\n  \"a\": 2\n}"), "error 3:3: key \"a\" occurs twice");
  EXPECT_EQ(reprint("[1, 2"), "error 1:6: expected ',' or ']'");
  EXPECT_EQ(reprint("[1] x"), "error 1:5: unexpected text after the value");
  EXPECT_EQ(reprint(""), "error 1:1: expected a value");
  EXPECT_EQ(reprint("\"ab"), "error 1:4: string without an end");
  EXPECT_EQ(reprint("\"\xff\""), "error 1:2: string is not UTF-8");
  EXPECT_EQ(reprint("\"\xed\xa0\x80\""), "error 1:2: string is not UTF-8");
  EXPECT_EQ(reprint("\"\\ud800x\""), "error 1:8: half of a surrogate pair");
  EXPECT_EQ(reprint("{a: 1}"), "error 1:2: expected a key in double quotes");
  EXPECT_EQ(reprint("01"), "error 1:2: unexpected text after the value");
  EXPECT_EQ(reprint("nul"), "error 1:1: expected a value");
  EXPECT_EQ(reprint(std::string(300, '[')), "error 1:202: nested more than 200 deep");
}

TEST(Json, DoublesPrintShortestAndNeverAsNan) {
  EXPECT_EQ(Json(0.1).print(), "0.1");
  EXPECT_EQ(Json(1.0 / 3).print(), "0.3333333333333333");
  EXPECT_EQ(Json(std::nan("")).print(), "null");
  EXPECT_EQ(Json(INFINITY).print(), "null");
}

TEST(Json, BytesThatAreNotUtf8ArePrintedAsReplacementCharacters) {
  EXPECT_EQ(jsonQuote("a\xff z"), "\"a\xef\xbf\xbd z\"");
}

} // namespace
