//===- Explain.cpp - why is this here -------------------------------------===//

#include "dougong/Package/Explain.h"

#include "DataTypes.h"
#include "Summary.h"
#include "dougong/Package/Boxes.h"
#include "dougong/Package/Describe.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <numeric>
#include <set>

namespace dougong {
namespace {

using package::findMesh;
using package::findProgram;
using plan::v1::Mesh;
using plan::v1::Plan;
using plan::v1::Program;
using plan::v1::Stage;
using plan::v1::Value;

/// Does `text` match `pattern`, in which "*" stands for any text?
bool matches(std::string_view pattern, std::string_view text) {
  // Greedy with one point to return to: linear in memory, never exponential.
  std::size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t != text.size()) {
    if (p != pattern.size() && pattern[p] == '*')
      star = p++, resume = t;
    else if (p != pattern.size() && pattern[p] == text[t])
      ++p, ++t;
    else if (star != std::string_view::npos)
      p = star + 1, t = ++resume;
    else
      return false;
  }
  while (p != pattern.size() && pattern[p] == '*')
    ++p;
  return p == pattern.size();
}

/// The number of insertions, deletions and replacements between two names.
std::size_t editDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i != a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j != b.size(); ++j)
      diagonal = std::exchange(row[j + 1],
                               std::min({row[j] + 1, row[j + 1] + 1, diagonal + (a[i] != b[j])}));
  }
  return row.back();
}

class Explainer {
public:
  Explainer(const Plan &plan, const SymbolValues &symbols) : plan(plan), symbols(symbols) {}

  Result<std::string> explain(std::string_view subject) {
    std::string_view number = subject.starts_with("rank ") ? subject.substr(5) : subject;
    std::uint32_t rank = 0;
    auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), rank);
    if (error == std::errc() && end == number.data() + number.size())
      explainRank(rank);
    std::string name(subject);
    explainValue(name);
    explainWeight(name);
    explainNode(name);
    if (out.empty())
      return Error{"the plan says nothing about '" + name + "'" + suggest(name)};
    return std::move(out);
  }

private:
  void line(std::string text) { out += text + "\n"; }

  //===--------------------------------------------------------------------===//
  // Ranks
  //===--------------------------------------------------------------------===//

  void explainRank(std::uint32_t rank) {
    for (const Stage &stage : plan.stages()) {
      const Mesh *mesh = findMesh(plan, stage.mesh());
      auto size = mesh ? meshSize(*mesh) : Result<std::int64_t>(0);
      if (!size || !mesh || rank < mesh->first_rank() || rank - mesh->first_rank() >= *size)
        continue;
      auto coordinates = meshCoordinates(*mesh, rank - mesh->first_rank());
      std::string at;
      for (int a = 0; a != mesh->axes_size(); ++a)
        at += fmt::format("{}{}={}", a ? ", " : "", mesh->axes(a).name(),
                          coordinates[static_cast<std::size_t>(a)]);
      line(fmt::format("rank {}: stage '{}', mesh {} ({}){}, chip type {}", rank, stage.name(),
                       mesh->id(), package::printMesh(*mesh), at.empty() ? "" : " at " + at,
                       mesh->chip_type()));
      for (const auto &row : plan.ranks())
        if (row.has_rank() && row.rank() == rank)
          line(fmt::format("  on node {}, chip {}", row.node(), row.chip()));
      line(fmt::format("  nodes: {}", fmt::join(stage.nodes(), ", ")));
      if (const Program *program = findProgram(plan, stage.program()))
        explainRankOfProgram(rank, *mesh, *program);
      for (const auto &memory : stage.memory())
        line(fmt::format("  memory {}: {} of {} ({})", memory.pool(), formatBytes(memory.total()),
                         formatBytes(memory.capacity()), memory.bound()));
    }
    if (auto work = rankWork(plan, symbols))
      for (const RankWork &row : *work)
        if (row.rank == rank && row.matmulFlops && row.sentBytes)
          line(fmt::format("  work in one step: {} matmul flop over {} of matrix weights, {} sent",
                           formatCount(static_cast<double>(*row.matmulFlops)),
                           formatBytes(row.matrixWeightBytes),
                           formatBytes(static_cast<std::uint64_t>(*row.sentBytes))));
  }

  void explainRankOfProgram(std::uint32_t rank, const Mesh &mesh, const Program &program) {
    line(fmt::format("  program {} ({})", program.id(), program.path()));
    for (const Value &value : program.inputs())
      line(fmt::format("  input {}: {}", value.name(), partOf(value, mesh, rank)));
    for (const Value &value : program.outputs())
      line(fmt::format("  output {}: {}", value.name(), partOf(value, mesh, rank)));
    for (const auto &weight : program.weights()) {
      auto shard = shardIndex(weight.axes(), mesh, rank);
      if (!shard || *shard >= weight.shards_size())
        continue;
      const auto &segment = weight.shards(static_cast<int>(*shard));
      line(fmt::format("  weight {}: shard {} of {}, {} at {} of {}", weight.name(), *shard,
                       weight.shards_size(), formatBytes(segment.bytes()), segment.offset(),
                       segment.file()));
    }
    for (const auto &group : program.groups())
      line(fmt::format("  group over {}: ranks {}", fmt::join(group.axes(), ", "),
                       fmt::join(groupOf(group.axes(), mesh, rank), ", ")));
  }

  using Names = google::protobuf::RepeatedPtrField<std::string>;

  /// The row-major index of a rank over some axes of its mesh.
  static std::optional<std::int64_t> shardIndex(const Names &axes, const Mesh &mesh,
                                                std::uint32_t rank) {
    // An artificial value, cut by just these axes, says it.
    Sharding sharding;
    sharding.Add()->mutable_axes()->CopyFrom(axes);
    sharding[0].set_unit(1);
    auto layout = ShardLayout::create(mesh, sharding, std::vector<std::int64_t>{1});
    if (!layout)
      return std::nullopt;
    return layout->shardOf(rank)[0];
  }

  /// The ranks that differ from `rank` only in `axes`: those that hold the same
  /// part of a value that is cut by all other axes.
  static std::vector<std::uint32_t> groupOf(const Names &axes, const Mesh &mesh,
                                            std::uint32_t rank) {
    Sharding sharding;
    auto *dim = sharding.Add();
    dim->set_unit(1);
    for (const auto &axis : mesh.axes())
      if (std::find(axes.begin(), axes.end(), axis.name()) == axes.end())
        dim->add_axes(axis.name());
    auto layout = ShardLayout::create(mesh, sharding, std::vector<std::int64_t>{1});
    if (!layout)
      return {};
    return layout->holders(layout->shardOf(rank));
  }

  /// "f32 [8, 6], elements [0, 8) x [3, 6)" or "... dim 1: part 1 of 2 (tp)".
  std::string partOf(const Value &value, const Mesh &mesh, std::uint32_t rank) {
    std::string text = package::printType(value);
    std::vector<std::int64_t> extents;
    bool known = true;
    for (const std::string &dim : value.dims()) {
      auto parsed = DimExpr::parse(dim);
      auto extent = parsed ? parsed->evaluate(symbols) : Result<std::int64_t>(Error{});
      known &= static_cast<bool>(extent);
      extents.push_back(extent ? *extent : 1);
    }
    auto layout = ShardLayout::create(mesh, value.sharding(), extents);
    if (!layout)
      return text + ", " + layout.message();
    if (known) {
      Box box = layout->box(rank);
      if (box.empty())
        return text + ", no elements";
      std::string parts;
      for (std::size_t d = 0; d != extents.size(); ++d)
        parts += fmt::format("{}[{}, {})", d ? " x " : "", box.begin[d], box.end[d]);
      return parts.empty() ? text : text + ", elements " + parts;
    }
    auto shard = layout->shardOf(rank);
    for (int d = 0; d != value.sharding_size(); ++d)
      if (!value.sharding(d).axes().empty())
        text += fmt::format(", dim {}: part {} of {} ({})", d, shard[static_cast<std::size_t>(d)],
                            layout->parts(static_cast<std::size_t>(d)),
                            fmt::join(value.sharding(d).axes(), ", "));
    return text;
  }

  //===--------------------------------------------------------------------===//
  // Values and weights
  //===--------------------------------------------------------------------===//

  /// "cut in dim 1 by tp"; "whole on every rank".
  static std::string printSharding(const Value &value) {
    std::string text;
    for (int d = 0; d != value.sharding_size(); ++d) {
      const auto &dim = value.sharding(d);
      if (dim.axes().empty())
        continue;
      text += fmt::format("{}in dim {} by {}", text.empty() ? "cut " : " and ", d,
                          fmt::join(dim.axes(), ", "));
      if (dim.unit() != 1)
        text += fmt::format(" in blocks of {}", dim.unit());
    }
    return text.empty() ? "whole on every rank" : text;
  }

  void explainValue(const std::string &name) {
    for (const Value &value : plan.model().inputs())
      if (value.name() == name)
        line(fmt::format("model input {}: {}", name, package::printType(value)));
    for (const Value &value : plan.model().outputs())
      if (value.name() == name)
        line(fmt::format("model output {}: {}", name, package::printType(value)));
    for (const auto &state : plan.model().states())
      if (state.input() == name || state.output() == name)
        line(fmt::format("  state: output {} is input {} of the next step", state.output(),
                         state.input()));
    for (const Stage &stage : plan.stages()) {
      const Program *program = findProgram(plan, stage.program());
      if (!program)
        continue;
      for (const Value &value : program->outputs())
        if (value.name() == name)
          line(fmt::format("stage '{}' makes {}: {}, {}", stage.name(), name,
                           package::printType(value), printSharding(value)));
      for (const Value &value : program->inputs())
        if (value.name() == name)
          line(fmt::format("stage '{}' reads {}: {}, {}", stage.name(), name,
                           package::printType(value), printSharding(value)));
    }
    for (const auto &transfer : plan.transfers())
      if (transfer.value() == name)
        line(fmt::format("  moves from {} to {}",
                         package::printEndpoint(plan, transfer.from(), true),
                         package::printEndpoint(plan, transfer.to(), false)));
  }

  void explainWeight(const std::string &name) {
    for (const Program &program : plan.programs())
      for (const auto &weight : program.weights()) {
        if (weight.name() != name)
          continue;
        std::vector<std::string> users;
        for (const Stage &stage : plan.stages())
          if (stage.program() == program.id())
            users.push_back("'" + stage.name() + "'");
        line(fmt::format("weight {} of program {} (stages {}): {} [{}] of a rank, {}", name,
                         program.id(), fmt::join(users, ", "),
                         package::dataTypeName(weight.dtype()), fmt::join(weight.dims(), ", "),
                         weight.layout()));
        if (weight.axes().empty())
          line("  whole on every rank");
        else
          line(fmt::format("  cut by {} into {} shards", fmt::join(weight.axes(), ", "),
                           weight.shards_size()));
        for (int i = 0; i != weight.shards_size(); ++i)
          line(fmt::format("  shard {}: {} bytes at {} of {}", i, weight.shards(i).bytes(),
                           weight.shards(i).offset(), weight.shards(i).file()));
      }
  }

  //===--------------------------------------------------------------------===//
  // Nodes
  //===--------------------------------------------------------------------===//

  void explainNode(const std::string &name) {
    for (const Stage &stage : plan.stages())
      for (const std::string &pattern : stage.nodes())
        if (matches(pattern, name)) {
          const Mesh *mesh = findMesh(plan, stage.mesh());
          line(fmt::format("node {} runs in stage '{}' on mesh {} of chip type {}", name,
                           stage.name(), stage.mesh(), mesh ? mesh->chip_type() : "?"));
          break;
        }
    for (const Program &program : plan.programs()) {
      for (int i = 0; i != program.calls_size(); ++i) {
        const auto &call = program.calls(i);
        if (call.node() != name)
          continue;
        std::string over = "an unknown group";
        if (call.group() < static_cast<std::uint32_t>(program.groups_size()))
          over = fmt::format(
              "{}", fmt::join(program.groups(static_cast<int>(call.group())).axes(), ", "));
        line(fmt::format("  program {} call {}: {} {}of {} elements of {} over {}", program.id(), i,
                         call.kind(), call.reduction().empty() ? "" : call.reduction() + " ",
                         call.elements(), package::dataTypeName(call.dtype()), over));
      }
      for (const auto &replicated : program.work().replicated())
        if (replicated.node() == name)
          line(fmt::format("  program {}: every rank repeats its {} flop: {}", program.id(),
                           replicated.flops(), replicated.reason()));
    }
    for (const auto &fallback : plan.fallbacks())
      if (fallback.node() == name)
        line(fmt::format("  {} took a slow path: {}", fallback.op(), fallback.reason()));
  }

  //===--------------------------------------------------------------------===//
  // Similar names
  //===--------------------------------------------------------------------===//

  std::string suggest(const std::string &name) {
    std::set<std::string> names;
    for (const auto *values : {&plan.model().inputs(), &plan.model().outputs()})
      for (const Value &value : *values)
        names.insert(value.name());
    for (const Program &program : plan.programs()) {
      for (const auto *values : {&program.inputs(), &program.outputs()})
        for (const Value &value : *values)
          names.insert(value.name());
      for (const auto &weight : program.weights())
        names.insert(weight.name());
      for (const auto &call : program.calls())
        names.insert(call.node());
    }
    for (const Stage &stage : plan.stages())
      names.insert(stage.nodes().begin(), stage.nodes().end());
    names.erase("");

    std::vector<std::pair<std::size_t, std::string>> ranked;
    for (const std::string &candidate : names) {
      bool part = candidate.find(name) != std::string::npos;
      std::size_t distance = part ? 0 : editDistance(name, candidate);
      if (distance <= name.size() / 3)
        ranked.emplace_back(distance, candidate);
    }
    std::sort(ranked.begin(), ranked.end());
    if (ranked.empty())
      return "; it knows ranks, and the names of values, weights and nodes";
    ranked.resize(std::min<std::size_t>(ranked.size(), 5));
    std::string text;
    for (const auto &[distance, candidate] : ranked)
      text += (text.empty() ? "; similar: '" : ", '") + candidate + "'";
    return text;
  }

  const Plan &plan;
  const SymbolValues &symbols;
  std::string out;
};

} // namespace

Result<std::string> explainPlan(const Plan &plan, std::string_view subject,
                                const SymbolValues &symbols) {
  return Explainer(plan, symbols).explain(subject);
}

} // namespace dougong
