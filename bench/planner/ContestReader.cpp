//===- ContestReader.cpp - instances of the sharding contest --------------===//
//
// An instance has millions of numbers: they are read in one pass, without a tree.
//
//===----------------------------------------------------------------------===//
#include "ContestReader.h"

#include <charconv>
#include <cstring>
#include <string>

using namespace dougong;
using namespace dougong::planner;

namespace {

using Row = std::vector<int64_t>;

class Reader {
public:
  explicit Reader(std::string_view text) : text(text) {}

  std::string error;
  std::vector<Row> intervals, nodeCosts, usages, edgeNodes, edgeCosts;
  int64_t limit = std::numeric_limits<int64_t>::max();

  /// An object, whose members are told apart by their path.
  void readObject(const std::string &path) {
    expect('{');
    if (accept('}'))
      return;
    do {
      std::string key = path + "." + readString();
      expect(':');
      readMember(key);
    } while (error.empty() && accept(','));
    expect('}');
  }

private:
  void readMember(const std::string &key) {
    if (key == ".problem" || key == ".problem.nodes" || key == ".problem.edges")
      readObject(key);
    else if (key == ".problem.nodes.intervals")
      readRows(intervals);
    else if (key == ".problem.nodes.costs")
      readRows(nodeCosts);
    else if (key == ".problem.nodes.usages")
      readRows(usages);
    else if (key == ".problem.edges.nodes")
      readRows(edgeNodes);
    else if (key == ".problem.edges.costs")
      readRows(edgeCosts);
    else if (key == ".problem.usage_limit")
      limit = readNumber();
    else if (peek() == '"')
      readString();
    else
      fail("unknown member " + key);
  }
  void readRows(std::vector<Row> &rows) {
    expect('[');
    if (accept(']'))
      return;
    do {
      Row &row = rows.emplace_back();
      expect('[');
      if (accept(']'))
        continue;
      do
        row.push_back(readNumber());
      while (error.empty() && accept(','));
      expect(']');
    } while (error.empty() && accept(','));
    expect(']');
  }
  char peek() {
    while (at < text.size() && std::strchr(" \t\r\n", text[at]))
      ++at;
    return at < text.size() ? text[at] : '\0';
  }
  bool accept(char c) {
    if (peek() != c)
      return false;
    ++at;
    return true;
  }
  void expect(char c) {
    if (!accept(c))
      fail(std::string("expected '") + c + "'");
  }
  std::string readString() {
    expect('"');
    size_t end = std::min(text.find('"', at), text.size());
    std::string result(text.substr(at, end - at));
    at = end;
    expect('"');
    return result;
  }
  int64_t readNumber() {
    peek();
    int64_t value = 0;
    auto [end, code] = std::from_chars(text.data() + at, text.data() + text.size(), value);
    if (code != std::errc())
      fail("expected an integer of 64 bits");
    at = end - text.data();
    return value;
  }
  void fail(const std::string &message) {
    if (error.empty())
      error = message + " at offset " + std::to_string(at);
    at = text.size();
  }

  std::string_view text;
  size_t at = 0;
};

} // namespace

Result<CostNetwork> bench::readContest(std::string_view text) {
  Reader reader(text);
  reader.readObject("");
  if (!reader.error.empty())
    return Error{reader.error};
  size_t count = reader.nodeCosts.size();
  if (reader.intervals.size() != count || reader.usages.size() != count)
    return Error{"expected intervals and usages of " + std::to_string(count) +
                 " nodes, got: " + std::to_string(reader.intervals.size()) + " and " +
                 std::to_string(reader.usages.size())};
  if (reader.edgeNodes.size() != reader.edgeCosts.size())
    return Error{"expected costs of " + std::to_string(reader.edgeNodes.size()) +
                 " edges, got: " + std::to_string(reader.edgeCosts.size())};
  CostNetwork network;
  network.setCapacity(reader.limit);
  auto forbid = [](Row &row) {
    for (int64_t &cost : row)
      if (cost >= 1000000000000000000)
        cost = forbidden;
  };
  for (size_t i = 0; i < count; ++i) {
    if (reader.intervals[i].size() != 2)
      return Error{"interval " + std::to_string(i) + " must be two numbers"};
    forbid(reader.nodeCosts[i]);
    network.addNode(
        {std::move(reader.nodeCosts[i]),
         {{reader.intervals[i][0], reader.intervals[i][1], std::move(reader.usages[i])}}});
  }
  for (size_t e = 0; e < reader.edgeNodes.size(); ++e) {
    const Row &ends = reader.edgeNodes[e];
    if (ends.size() != 2 || ends[0] < 0 || ends[1] < 0)
      return Error{"edge " + std::to_string(e) + " must join two nodes"};
    forbid(reader.edgeCosts[e]);
    network.addEdge(ends[0], ends[1], std::move(reader.edgeCosts[e]));
  }
  if (Result<void> valid = network.validate(); !valid)
    return valid.takeError();
  return network;
}
