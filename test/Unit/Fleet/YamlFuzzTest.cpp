//===- YamlFuzzTest.cpp - damaged files never crash the reader -------------===//
//
// Deterministic mutations of the catalogue: the reader must return, with a fleet
// or with an error that has text.
//
//===----------------------------------------------------------------------===//
#include "dougong/Fleet/Catalog.h"
#include "dougong/Fleet/Yaml.h"

#include <gtest/gtest.h>

#include <random>

using namespace dougong::fleet;

namespace {

std::string mutate(std::string text, std::mt19937 &random) {
  static const std::string kPieces[] = {
      "[",   "]",  "{", "}",  ":",     "- ",    "\n", "'", "\"", "&a ",   "*a",   "!t ",  "|\n",
      ">\n", "? ", "%", "\t", "---\n", "...\n", "#",  ",", "-1", "1e999", "null", "\xc3", "\x01"};
  unsigned edits = 1 + random() % 4;
  for (unsigned i = 0; i < edits && !text.empty(); ++i) {
    size_t at = random() % text.size();
    switch (random() % 4) {
    case 0:
      text.erase(at, 1 + random() % 20);
      break;
    case 1:
      text.insert(at, kPieces[random() % std::size(kPieces)]);
      break;
    case 2:
      text[at] = static_cast<char>(random());
      break;
    case 3:
      text.insert(at, text.substr(random() % text.size(), random() % 60));
      break;
    }
  }
  return text;
}

TEST(YamlFuzz, MutatedCatalogueFilesAreReadOrRefused) {
  std::mt19937 random(1);
  unsigned refused = 0, read = 0;
  for (const CatalogEntry &entry : getCatalog()) {
    for (int round = 0; round < 40; ++round) {
      std::string text = mutate(entry.text.str(), random);
      llvm::Expected<Fleet> fleet = readFleet(text, "f.yaml");
      if (fleet) {
        ++read;
        continue;
      }
      ++refused;
      EXPECT_FALSE(llvm::toString(fleet.takeError()).empty());
    }
  }
  EXPECT_GT(refused, 100u);
  EXPECT_GT(read, 10u);
}

TEST(YamlFuzz, TruncatedFilesAreReadOrRefused) {
  const CatalogEntry *entry = findCatalogEntry("lab-2x2");
  ASSERT_TRUE(entry);
  for (size_t length = 0; length < entry->text.size(); length += 7)
    if (llvm::Expected<Fleet> fleet = readFleet(entry->text.take_front(length), "f.yaml"); !fleet)
      EXPECT_FALSE(llvm::toString(fleet.takeError()).empty());
}

} // namespace
