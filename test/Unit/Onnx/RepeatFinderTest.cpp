//===- RepeatFinderTest.cpp - runs of equal blocks in a sequence ----------===//
#include "dougong/Onnx/RepeatFinder.h"

#include "gtest/gtest.h"

#include <random>
#include <vector>

using namespace dougong::onnx;

namespace {

/// All runs of all periods, by comparing whole blocks. The most saved tokens.
size_t bruteForce(const std::vector<unsigned> &tokens, size_t minPeriod) {
  size_t best = 0, n = tokens.size();
  for (size_t period = minPeriod; 2 * period <= n; ++period)
    for (size_t begin = 0; begin + 2 * period <= n; ++begin) {
      size_t count = 1;
      while (begin + (count + 1) * period <= n &&
             std::equal(tokens.begin() + begin, tokens.begin() + begin + period,
                        tokens.begin() + begin + count * period))
        ++count;
      best = std::max(best, (count - 1) * period);
    }
  return best;
}

TEST(RepeatFinder, FindsLayersBetweenHeadAndTail) {
  std::vector<unsigned> tokens = {9, 8, 1, 2, 3, 1, 2, 3, 1, 2, 3, 7};
  auto repeat = findBestRepeat(tokens, 2);
  ASSERT_TRUE(repeat);
  EXPECT_EQ(repeat->begin, 2u);
  EXPECT_EQ(repeat->period, 3u);
  EXPECT_EQ(repeat->count, 3u);
}

TEST(RepeatFinder, KeepsToTheShortestPeriod) {
  auto repeat = findBestRepeat({1, 2, 1, 2, 1, 2, 1, 2}, 1);
  ASSERT_TRUE(repeat);
  EXPECT_EQ(repeat->period, 2u);
  EXPECT_EQ(repeat->count, 4u);
}

TEST(RepeatFinder, FindsNothingWithoutRepeats) {
  EXPECT_FALSE(findBestRepeat({}, 1));
  EXPECT_FALSE(findBestRepeat({1, 2, 3, 4}, 1));
  EXPECT_FALSE(findBestRepeat({1, 1, 1}, 2)) << "one token is less than the minimum";
}

TEST(RepeatFinder, BlocksAreEqualAndSaveAsMuchAsPossible) {
  std::mt19937 random(3);
  for (unsigned round = 0; round < 2000; ++round) {
    std::vector<unsigned> tokens, layer;
    for (unsigned i = random() % 5; i > 0; --i)
      tokens.push_back(random() % 4);
    for (unsigned i = 2 + random() % 5; i > 0; --i)
      layer.push_back(random() % 5);
    for (unsigned i = random() % 4; i > 0; --i)
      tokens.insert(tokens.end(), layer.begin(), layer.end());
    for (unsigned i = random() % 5; i > 0; --i)
      tokens.push_back(random() % 4);
    auto repeat = findBestRepeat(tokens, 2, 1000);
    size_t expected = bruteForce(tokens, 2);
    if (!repeat) {
      // A period must be a distance of consecutive equal tokens: blocks whose
      // tokens all recur inside them are found under a shorter period or not.
      continue;
    }
    EXPECT_LE(repeat->saved(), expected);
    for (size_t shift = 0; shift <= repeat->slack; ++shift) {
      size_t begin = repeat->begin + shift;
      ASSERT_LE(begin + repeat->count * repeat->period, tokens.size());
      for (size_t i = 0; i + repeat->period < repeat->count * repeat->period; ++i)
        ASSERT_EQ(tokens[begin + i], tokens[begin + i + repeat->period]);
    }
  }
}

TEST(RepeatFinder, FindsTheBestRunWhereOneTokenOfABlockIsUnique) {
  // One token occurs once in a layer: its distances are the period.
  std::mt19937 random(5);
  for (unsigned round = 0; round < 500; ++round) {
    std::vector<unsigned> tokens, layer = {100};
    for (unsigned i = 1 + random() % 6; i > 0; --i)
      layer.push_back(random() % 3);
    unsigned count = 2 + random() % 4;
    for (unsigned i = 0; i < count; ++i)
      tokens.insert(tokens.end(), layer.begin(), layer.end());
    auto repeat = findBestRepeat(tokens, layer.size());
    ASSERT_TRUE(repeat);
    EXPECT_EQ(repeat->saved(), bruteForce(tokens, layer.size()));
  }
}

} // namespace
