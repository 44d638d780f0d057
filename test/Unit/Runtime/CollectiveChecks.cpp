//===- CollectiveChecks.cpp - collectives against plain loops -------------===//
#include "CollectiveChecks.h"

#include "Oracle.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <random>

using namespace dougong;

namespace {
enum Reduction { sum, max, min, prod };

template <typename T> T combine(T a, T b, int reduction) {
  switch (reduction) {
  case sum:
    return static_cast<T>(a + b);
  case prod:
    return static_cast<T>(a * b);
  case max:
    return a > b ? a : b;
  default:
    return a < b ? a : b;
  }
}

/// How a type's test values look; `Number` is what plain loops compute in.
template <dougong_dtype type> struct Kind;
template <> struct Kind<DOUGONG_F32> {
  using Stored = float;
  using Number = float;
  static Stored store(Number x) { return x; }
};
template <> struct Kind<DOUGONG_F64> {
  using Stored = double;
  using Number = double;
  static Stored store(Number x) { return x; }
};
template <> struct Kind<DOUGONG_F16> {
  using Stored = std::uint16_t;
  using Number = float;
  static Stored store(Number x) {
    return std::bit_cast<std::uint16_t>(static_cast<_Float16>(roundF16(x)));
  }
};
template <> struct Kind<DOUGONG_BF16> {
  using Stored = std::uint16_t;
  using Number = float;
  static Stored store(Number x) {
    return static_cast<std::uint16_t>(
        std::bit_cast<std::uint32_t>(static_cast<float>(roundBf16(x))) >> 16);
  }
};
template <> struct Kind<DOUGONG_I32> {
  using Stored = std::int32_t;
  using Number = std::int64_t;
  static Stored store(Number x) { return static_cast<Stored>(x); }
};
template <> struct Kind<DOUGONG_I64> {
  using Stored = std::int64_t;
  using Number = std::int64_t;
  static Stored store(Number x) { return x; }
};
template <> struct Kind<DOUGONG_U8> {
  using Stored = std::uint8_t;
  using Number = std::int64_t;
  static Stored store(Number x) { return static_cast<Stored>(x); } // wraps
};
template <> struct Kind<DOUGONG_I8> {
  using Stored = std::int8_t;
  using Number = std::int64_t;
  static Stored store(Number x) { return static_cast<Stored>(x); }
};
template <> struct Kind<DOUGONG_BOOL> {
  using Stored = std::uint8_t;
  using Number = std::int64_t; // false 0, true 1; any sum above 0 is true
  static Stored store(Number x) { return x != 0; }
};

/// The i-th value of a rank in a call.
std::uint32_t hashOf(std::uint32_t seed, std::uint32_t rank, std::uint32_t i) {
  std::uint32_t x = seed * 2654435761u ^ rank * 40503u * 65537u ^ i * 2246822519u;
  x ^= x >> 15;
  x *= 2246822519u;
  x ^= x >> 13;
  return x * 3266489917u ^ (x >> 16);
}
template <dougong_dtype type> auto valueOf(std::uint32_t seed, int rank, std::int64_t i) {
  using Number = typename Kind<type>::Number;
  std::uint32_t hash =
      hashOf(seed, static_cast<std::uint32_t>(rank), static_cast<std::uint32_t>(i));
  if constexpr (type == DOUGONG_BOOL)
    return static_cast<Number>(hash % 2);
  else if constexpr (std::is_integral_v<Number>)
    return static_cast<Number>(hash % 61) - (type == DOUGONG_U8 ? 0 : 30);
  else if constexpr (type == DOUGONG_F16 || type == DOUGONG_BF16)
    return static_cast<Number>(static_cast<int>(hash % 255) - 127) / 16; // exact in both
  else
    return static_cast<Number>(static_cast<std::int32_t>(hash)) / Number(1 << 20);
}

class Checker {
public:
  Checker(Collectives &collectives, unsigned seed) : end(collectives), random(seed) {}

  std::string run() {
    makeGroups();
    for (int round = 0; failure.empty() && round < 60; ++round) {
      int group = static_cast<int>(random() % 4);
      // Some sizes below, some above what small messages use.
      std::int64_t count = static_cast<std::int64_t>(random() % (round % 3 ? 300 : 20000));
      unsigned what = random() % 9, collective = random() % 6, reduction = random() % 4;
      callSeed = random();
      if (group >= static_cast<int>(groups.size()) || groups[group] < 0)
        continue; // not a member; all draws are made
      switch (what) {
      case 0:
        check<DOUGONG_F32>(groups[group], count, collective, reduction);
        break;
      case 1:
        check<DOUGONG_F64>(groups[group], count, collective, reduction);
        break;
      case 2:
        check<DOUGONG_F16>(groups[group], count, collective, reduction);
        break;
      case 3:
        check<DOUGONG_BF16>(groups[group], count, collective, reduction);
        break;
      case 4:
        check<DOUGONG_I32>(groups[group], count, collective, reduction);
        break;
      case 5:
        check<DOUGONG_I64>(groups[group], count, collective, reduction);
        break;
      case 6:
        check<DOUGONG_U8>(groups[group], count, collective, reduction);
        break;
      case 7:
        check<DOUGONG_I8>(groups[group], count, collective, reduction);
        break;
      default:
        check<DOUGONG_BOOL>(groups[group], count, collective, reduction);
        break;
      }
    }
    if (failure.empty())
      checkMessages();
    return failure;
  }

private:
  /// The world, its even ranks, and the world backwards and turned by one; -1 where
  /// not a member.
  void makeGroups() {
    groups = {Collectives::world, -1, -1, -1};
    std::vector<int> even, backwards, turned;
    for (int rank = 0; rank < end.size(); ++rank) {
      if (rank % 2 == 0)
        even.push_back(rank);
      backwards.insert(backwards.begin(), rank);
      turned.push_back((rank + 1) % end.size());
    }
    for (auto [slot, ranks] : {std::pair(1, even), std::pair(2, backwards), std::pair(3, turned)}) {
      if (std::find(ranks.begin(), ranks.end(), end.rank()) == ranks.end())
        continue;
      Result<int> made = end.createGroup(ranks);
      if (made)
        groups[slot] = *made;
      else
        failure = made.message();
    }
  }

  void expect(const Result<void> &done, const char *what) {
    if (!done && failure.empty())
      failure = std::string(what) + ": " + done.message();
  }

  template <typename Stored>
  void compare(const std::vector<Stored> &got, const std::vector<Stored> &expected,
               const char *what, dougong_dtype type) {
    if (!failure.empty())
      return;
    for (std::size_t i = 0; i < got.size(); ++i)
      if (std::memcmp(&got[i], &expected[i], sizeof(Stored)) != 0) {
        failure = std::string(what) + " of type " + std::to_string(type) + ", rank " +
                  std::to_string(end.rank()) + ": element " + std::to_string(i) + " of " +
                  std::to_string(got.size()) + " is " + std::to_string(got[i]) + ", expected " +
                  std::to_string(expected[i]);
        return;
      }
  }

  template <dougong_dtype type>
  void check(int group, std::int64_t count, unsigned collective, int reduction) {
    using K = Kind<type>;
    using Stored = typename K::Stored;
    std::vector<int> ranks = end.groupRanks(group);
    std::int64_t n = static_cast<std::int64_t>(ranks.size());
    std::int64_t me = std::find(ranks.begin(), ranks.end(), end.rank()) - ranks.begin();
    auto sourceOf = [&](int rank, std::int64_t size) {
      std::vector<Stored> values;
      for (std::int64_t i = 0; i < size; ++i)
        values.push_back(K::store(valueOf<type>(callSeed, rank, i)));
      return values;
    };
    auto reduced = [&](std::int64_t i) {
      auto total = valueOf<type>(callSeed, ranks[0], i);
      for (std::int64_t m = 1; m < n; ++m)
        total = combine(total, valueOf<type>(callSeed, ranks[m], i), reduction);
      return K::store(total);
    };
    CallSite site{static_cast<std::int64_t>(callSeed % 1000), "some/node"};
    std::vector<Stored> got, expected;
    switch (collective) {
    case 0: {
      std::vector<Stored> source = sourceOf(end.rank(), count);
      bool inPlace = callSeed % 2;
      got.resize(count);
      if (inPlace)
        got = source;
      expect(end.allReduce(group, inPlace ? got.data() : source.data(), got.data(), count, type,
                           reduction, site),
             "all_reduce");
      for (std::int64_t i = 0; i < count; ++i)
        expected.push_back(reduced(i));
      return compare(got, expected, inPlace ? "all_reduce in place" : "all_reduce", type);
    }
    case 1: {
      std::vector<Stored> source = sourceOf(end.rank(), count);
      got.resize(count * n);
      expect(end.allGather(group, source.data(), got.data(), count, type, site), "all_gather");
      for (int rank : ranks)
        for (Stored value : sourceOf(rank, count))
          expected.push_back(value);
      return compare(got, expected, "all_gather", type);
    }
    case 2: {
      std::vector<Stored> source = sourceOf(end.rank(), count * n);
      got.resize(count);
      expect(end.reduceScatter(group, source.data(), got.data(), count, type, reduction, site),
             "reduce_scatter");
      for (std::int64_t i = 0; i < count; ++i)
        expected.push_back(reduced(me * count + i));
      return compare(got, expected, "reduce_scatter", type);
    }
    case 3: {
      std::vector<Stored> source = sourceOf(end.rank(), count);
      got.resize(count);
      // Among all ranks from one of two other orders; among some, from their own.
      int from = n < end.size() ? group : groups[2 + callSeed % 2];
      expect(end.permute(group, from, source.data(), got.data(), count, type, site), "permute");
      expected = sourceOf(end.groupRanks(from)[me], count);
      return compare(got, expected, "permute", type);
    }
    case 4: {
      std::vector<Stored> source = sourceOf(end.rank(), count * n);
      got.resize(count * n);
      expect(end.allToAll(group, source.data(), got.data(), count, type, site), "all_to_all");
      for (int rank : ranks)
        for (std::int64_t i = 0; i < count; ++i)
          expected.push_back(K::store(valueOf<type>(callSeed, rank, me * count + i)));
      return compare(got, expected, "all_to_all", type);
    }
    default: {
      // Up to `count` rows from each rank to each.
      std::int64_t row = 1 + static_cast<std::int64_t>(callSeed % 3);
      auto rowsFrom = [&](int from, int to) {
        return static_cast<std::int64_t>((callSeed + 7 * from + 3 * to) % (count + 1));
      };
      std::vector<std::int64_t> counts, received(n, -1), expectedCounts;
      for (int to : ranks)
        counts.push_back(rowsFrom(end.rank(), to));
      std::vector<Stored> source = sourceOf(end.rank(), count * n * row);
      got.assign(count * n * row, K::store(1));
      expect(end.raggedAllToAll(group,
                                {source.data(), counts.data(), got.data(), received.data(),
                                 count * n, count * n, row},
                                type, site),
             "ragged_all_to_all");
      for (int from : ranks) {
        std::int64_t before = 0;
        for (std::int64_t m = 0; m < me; ++m)
          before += rowsFrom(from, ranks[m]);
        expectedCounts.push_back(rowsFrom(from, end.rank()));
        for (std::int64_t i = 0; i < expectedCounts.back() * row; ++i)
          expected.push_back(K::store(valueOf<type>(callSeed, from, before * row + i)));
      }
      expected.resize(count * n * row, Stored{});
      if (received != expectedCounts && failure.empty())
        failure = "ragged_all_to_all, rank " + std::to_string(end.rank()) +
                  ": the numbers of rows received are wrong";
      return compare(got, expected, "ragged_all_to_all", type);
    }
    }
  }

  /// Every rank sends two messages to every rank, itself included, with two tags,
  /// the receives started in another order than the sends.
  void checkMessages() {
    int n = end.size();
    auto text = [](int from, int to, int tag, int turn) {
      std::string one = std::to_string(from) + ">" + std::to_string(to) + ":" +
                        std::to_string(tag) + "#" + std::to_string(turn) + ";";
      std::string all;
      for (int i = 0; i < (turn ? 1 : 30000); ++i)
        all += one;
      return all;
    };
    std::vector<std::string> sent;
    std::vector<Collectives::RequestPtr> requests;
    sent.reserve(4 * n);
    for (int to = 0; to < n; ++to)
      for (int tag : {0, 7})
        for (int turn : {0, 1}) {
          sent.push_back(text(end.rank(), to, tag, turn));
          auto request = end.startSend(to, tag, sent.back().data(), sent.back().size());
          if (!request)
            return expect(request.takeError(), "send");
          requests.push_back(std::move(*request));
        }
    std::vector<std::string> got, expected;
    got.reserve(4 * n);
    for (int from = n - 1; from >= 0; --from)
      for (int tag : {7, 0})
        for (int turn : {0, 1}) {
          expected.push_back(text(from, end.rank(), tag, turn));
          got.emplace_back(expected.back().size(), '?');
          auto request = end.startReceive(from, tag, got.back().data(), got.back().size());
          if (!request)
            return expect(request.takeError(), "receive");
          requests.push_back(std::move(*request));
        }
    expect(end.wait(requests, {}), "wait");
    if (failure.empty() && got != expected)
      failure = "rank " + std::to_string(end.rank()) + " got other messages than were sent";
    expect(end.barrier(Collectives::world, {}), "barrier");
  }

  Collectives &end;
  std::mt19937 random;
  std::uint32_t callSeed = 0;
  std::vector<int> groups;
  std::string failure;
};
} // namespace

std::string dougong::checkCollectives(Collectives &collectives, unsigned seed) {
  return Checker(collectives, seed).run();
}
