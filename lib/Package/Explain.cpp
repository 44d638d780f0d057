//===- Explain.cpp - why is this here -------------------------------------===//

#include "dougong/Package/Explain.h"

#include "dougong/Package/MicroBatches.h"

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

using Names = google::protobuf::RepeatedPtrField<std::string>;

class Explainer {
public:
  Explainer(const Plan &plan, const SymbolValues &symbols) : plan(plan), symbols(symbols) {}

  Result<Explanation> explain(std::string_view subject) {
    std::string_view number = subject.starts_with("rank ") ? subject.substr(5) : subject;
    std::uint32_t rank = 0;
    auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), rank);
    if (error == std::errc() && end == number.data() + number.size())
      explainRank(rank);
    std::string name(subject);
    explainStage(name);
    explainValue(name);
    explainWeight(name);
    explainNode(name);
    if (out.empty())
      return Error{"the plan says nothing about '" + name + "'" + suggest(name)};
    return Explanation{name, std::move(out), std::move(facts)};
  }

private:
  void line(std::string text) { out += text + "\n"; }
  void add(Json::Object fact) { facts.push_back(std::move(fact)); }

  static Json::Array toArray(const Names &names) { return Json::Array(names.begin(), names.end()); }

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
      Json::Object place;
      for (int a = 0; a != mesh->axes_size(); ++a)
        place[mesh->axes(a).name()] = coordinates[static_cast<std::size_t>(a)];
      Json::Object fact{{"kind", "rank"},
                        {"rank", rank},
                        {"stage", stage.name()},
                        {"mesh", mesh->id()},
                        {"coordinates", std::move(place)},
                        {"chip_type", mesh->chip_type()},
                        {"program", stage.program()}};
      for (const auto &row : plan.ranks())
        if (row.has_rank() && row.rank() == rank) {
          line(fmt::format("  on node {}, chip {}", row.node(), row.chip()));
          fact["node"] = row.node();
          fact["chip"] = row.chip();
        }
      line(fmt::format("  nodes: {}", fmt::join(stage.nodes(), ", ")));
      if (const Program *program = findProgram(plan, stage.program()))
        explainRankOfProgram(rank, *mesh, *program, fact);
      fact["memory"] = explainMemory(stage);
      explainWork(rank, fact);
      add(std::move(fact));
    }
  }

  /// Lines for the memory of a rank of a stage, and the same as JSON.
  Json explainMemory(const Stage &stage) {
    Json::Array pools;
    for (const auto &memory : stage.memory()) {
      line(fmt::format("  memory {}: {} of {} ({})", memory.pool(), formatBytes(memory.total()),
                       formatBytes(memory.capacity()), memory.bound()));
      pools.push_back(Json::Object{{"pool", memory.pool()},
                                   {"total", memory.total()},
                                   {"capacity", memory.capacity()},
                                   {"bound", memory.bound()}});
    }
    return pools;
  }

  void explainWork(std::uint32_t rank, Json::Object &fact) {
    auto work = rankWork(plan, symbols);
    if (!work)
      return;
    for (const RankWork &row : *work)
      if (row.rank == rank) {
        fact["work"] = rankWorkToJson({row});
        if (row.matmulFlops && row.sentBytes)
          line(fmt::format("  work in one step: {} matmul flop over {} of matrix weights, {} sent",
                           formatCount(static_cast<double>(*row.matmulFlops)),
                           formatBytes(row.matrixWeightBytes),
                           formatBytes(static_cast<std::uint64_t>(*row.sentBytes))));
      }
  }

  void explainRankOfProgram(std::uint32_t rank, const Mesh &mesh, const Program &program,
                            Json::Object &fact) {
    line(fmt::format("  program {} ({})", program.id(), program.path()));
    Json::Array inputs, outputs, weights, groups;
    for (const Value &value : program.inputs()) {
      std::string part = partOf(value, mesh, rank);
      line(fmt::format("  input {}: {}", value.name(), part));
      inputs.push_back(Json::Object{{"name", value.name()}, {"part", part}});
    }
    for (const Value &value : program.outputs()) {
      std::string part = partOf(value, mesh, rank);
      line(fmt::format("  output {}: {}", value.name(), part));
      outputs.push_back(Json::Object{{"name", value.name()}, {"part", part}});
    }
    for (const auto &weight : program.weights()) {
      auto shard = shardIndex(weight.axes(), mesh, rank);
      if (!shard || *shard >= weight.shards_size())
        continue;
      const auto &segment = weight.shards(static_cast<int>(*shard));
      line(fmt::format("  weight {}: shard {} of {}, {} at {} of {}", weight.name(), *shard,
                       weight.shards_size(), formatBytes(segment.bytes()), segment.offset(),
                       segment.file()));
      weights.push_back(Json::Object{{"name", weight.name()},
                                     {"shard", *shard},
                                     {"shards", weight.shards_size()},
                                     {"bytes", segment.bytes()}});
    }
    for (const auto &group : program.groups()) {
      std::vector<std::uint32_t> ranks = groupOf(group.axes(), mesh, rank);
      line(fmt::format("  group over {}: ranks {}", fmt::join(group.axes(), ", "),
                       fmt::join(ranks, ", ")));
      groups.push_back(Json::Object{{"axes", toArray(group.axes())},
                                    {"ranks", Json::Array(ranks.begin(), ranks.end())}});
    }
    fact["inputs"] = std::move(inputs);
    fact["outputs"] = std::move(outputs);
    fact["weights"] = std::move(weights);
    fact["groups"] = std::move(groups);
  }

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
    auto addMicroBatches = [&](const Value &value) {
      auto dim = batchDim(value, plan.model().micro_batches().batch());
      if (!plan.model().has_micro_batches() || !dim)
        return;
      std::string text =
          *dim ? fmt::format("dim {}: {}", **dim, package::printMicroBatches(plan.model()))
               : "the same for all micro-batches";
      line("  " + text);
      add({{"kind", "micro_batches"}, {"text", text}});
    };
    for (const Value &value : plan.model().inputs())
      if (value.name() == name) {
        line(fmt::format("model input {}: {}", name, package::printType(value)));
        addValue("model input", value);
        addMicroBatches(value);
      }
    for (const Value &value : plan.model().outputs())
      if (value.name() == name) {
        line(fmt::format("model output {}: {}", name, package::printType(value)));
        addValue("model output", value);
        addMicroBatches(value);
      }
    for (const auto &state : plan.model().states())
      if (state.input() == name || state.output() == name) {
        line(fmt::format("  state: output {} is input {} of the next step", state.output(),
                         state.input()));
        add({{"kind", "state"}, {"output", state.output()}, {"input", state.input()}});
      }
    for (const Stage &stage : plan.stages()) {
      const Program *program = findProgram(plan, stage.program());
      if (!program)
        continue;
      for (const Value &value : program->outputs())
        if (value.name() == name) {
          line(fmt::format("stage '{}' makes {}: {}, {}", stage.name(), name,
                           package::printType(value), printSharding(value)));
          addValue("made", value, stage.name());
        }
      for (const Value &value : program->inputs())
        if (value.name() == name) {
          line(fmt::format("stage '{}' reads {}: {}, {}", stage.name(), name,
                           package::printType(value), printSharding(value)));
          addValue("read", value, stage.name());
        }
    }
    for (const auto &transfer : plan.transfers())
      if (transfer.value() == name) {
        std::string from = package::printEndpoint(plan, transfer.from(), true);
        std::string to = package::printEndpoint(plan, transfer.to(), false);
        line(fmt::format("  moves from {} to {}", from, to));
        add({{"kind", "transfer"}, {"from", from}, {"to", to}});
      }
    for (const Stage &stage : plan.stages())
      if (const Program *program = findProgram(plan, stage.program()))
        for (const auto &node : program->work().nodes()) {
          bool makes = contains(node.outputs(), name), reads = contains(node.weights(), name);
          if (!makes && !reads)
            continue;
          line(fmt::format("node {} ({}) in stage '{}' {} {}", node.name(), node.op(), stage.name(),
                           makes ? "makes" : "reads", name));
          add({{"kind", makes ? "maker" : "user"},
               {"node", node.name()},
               {"op", node.op()},
               {"stage", stage.name()}});
        }
  }

  static bool contains(const Names &names, const std::string &name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  }

  /// A fact on where a value is: "model input", "model output", "made", "read".
  void addValue(const char *role, const Value &value, const std::string &stage = "") {
    Json::Object fact{{"kind", "value"},
                      {"role", role},
                      {"name", value.name()},
                      {"type", package::printType(value)}};
    if (!stage.empty()) {
      fact["stage"] = stage;
      fact["cut"] = printSharding(value);
    }
    add(std::move(fact));
  }

  void explainWeight(const std::string &name) {
    for (const Program &program : plan.programs())
      for (const auto &weight : program.weights()) {
        if (weight.name() != name)
          continue;
        std::vector<std::string> users;
        Json::Array stages, shards;
        for (const Stage &stage : plan.stages())
          if (stage.program() == program.id()) {
            users.push_back("'" + stage.name() + "'");
            stages.push_back(stage.name());
          }
        line(fmt::format("weight {} of program {} (stages {}): {} [{}] of a rank, {}", name,
                         program.id(), fmt::join(users, ", "),
                         package::dataTypeName(weight.dtype()), fmt::join(weight.dims(), ", "),
                         weight.layout()));
        if (weight.axes().empty())
          line("  whole on every rank");
        else
          line(fmt::format("  cut by {} into {} shards", fmt::join(weight.axes(), ", "),
                           weight.shards_size()));
        for (int i = 0; i != weight.shards_size(); ++i) {
          line(fmt::format("  shard {}: {} bytes at {} of {}", i, weight.shards(i).bytes(),
                           weight.shards(i).offset(), weight.shards(i).file()));
          shards.push_back(Json::Object{{"file", weight.shards(i).file()},
                                        {"offset", weight.shards(i).offset()},
                                        {"bytes", weight.shards(i).bytes()}});
        }
        add({{"kind", "weight"},
             {"name", name},
             {"program", program.id()},
             {"stages", std::move(stages)},
             {"type", package::dataTypeName(weight.dtype())},
             {"dims", Json::Array(weight.dims().begin(), weight.dims().end())},
             {"layout", weight.layout()},
             {"axes", toArray(weight.axes())},
             {"shards", std::move(shards)}});
      }
  }

  //===--------------------------------------------------------------------===//
  // Nodes
  //===--------------------------------------------------------------------===//

  void explainNode(const std::string &name) {
    for (const Stage &stage : plan.stages()) {
      const Program *program = findProgram(plan, stage.program());
      const plan::v1::Node *node = nullptr;
      if (program)
        for (const auto &candidate : program->work().nodes())
          if (candidate.name() == name)
            node = &candidate;
      auto fits = [&](const std::string &pattern) { return matches(pattern, name); };
      if (!node && std::none_of(stage.nodes().begin(), stage.nodes().end(), fits))
        continue;
      const Mesh *mesh = findMesh(plan, stage.mesh());
      auto size = mesh ? meshSize(*mesh) : Result<std::int64_t>(0);
      std::string ranks =
          size && *size ? package::printRanks(mesh->first_rank(), *size) : "unknown ranks";
      line(fmt::format("node {}{} runs in stage '{}' on {}: mesh {} of chip type {}", name,
                       node ? " (" + node->op() + ")" : "", stage.name(), ranks, stage.mesh(),
                       mesh ? mesh->chip_type() : "?"));
      Json::Object fact{{"kind", "node"},
                        {"name", name},
                        {"stage", stage.name()},
                        {"ranks", ranks},
                        {"chip_type", mesh ? mesh->chip_type() : "?"}};
      if (node)
        explainNodeOfProgram(*node, *program, fact);
      if (program)
        explainCalls(name, *program, fact);
      add(std::move(fact));
    }
    for (const auto &fallback : plan.fallbacks())
      if (fallback.node() == name) {
        line(fmt::format("  {} took a slow path: {}", fallback.op(), fallback.reason()));
        add({{"kind", "slow path"}, {"op", fallback.op()}, {"reason", fallback.reason()}});
      }
  }

  void explainNodeOfProgram(const plan::v1::Node &node, const Program &program,
                            Json::Object &fact) {
    line(fmt::format("  makes {}", fmt::join(node.outputs(), ", ")));
    line(fmt::format("  costs each rank {} flop in one step",
                     node.flops().empty() ? "0" : node.flops()));
    fact["op"] = node.op();
    fact["program"] = program.id();
    fact["outputs"] = toArray(node.outputs());
    fact["flops"] = node.flops().empty() ? "0" : node.flops();
    Json::Array weights;
    for (const std::string &name : node.weights())
      for (const auto &weight : program.weights())
        if (weight.name() == name) {
          std::string cut = weight.axes().empty()
                                ? std::string("whole on every rank")
                                : fmt::format("cut by {} into {} shards",
                                              fmt::join(weight.axes(), ", "), weight.shards_size());
          line(fmt::format("  reads weight {}: {} [{}] of a rank, {}", name,
                           package::dataTypeName(weight.dtype()), fmt::join(weight.dims(), ", "),
                           cut));
          weights.push_back(Json::Object{{"name", name}, {"cut", cut}});
        }
    fact["weights"] = std::move(weights);
  }

  /// The collectives that serve a node, and what of it is repeated.
  void explainCalls(const std::string &name, const Program &program, Json::Object &fact) {
    Json::Array calls;
    for (int i = 0; i != program.calls_size(); ++i) {
      const auto &call = program.calls(i);
      if (call.node() != name)
        continue;
      std::string over = "an unknown group";
      if (call.group() < static_cast<std::uint32_t>(program.groups_size()))
        over = fmt::format("{}",
                           fmt::join(program.groups(static_cast<int>(call.group())).axes(), ", "));
      line(fmt::format("  program {} call {}: {} {}of {} elements of {} over {}", program.id(), i,
                       call.kind(), call.reduction().empty() ? "" : call.reduction() + " ",
                       call.elements(), package::dataTypeName(call.dtype()), over));
      calls.push_back(Json::Object{{"kind", call.kind()},
                                   {"reduction", call.reduction()},
                                   {"elements", call.elements()},
                                   {"over", over}});
    }
    fact["calls"] = std::move(calls);
    for (const auto &replicated : program.work().replicated())
      if (replicated.node() == name) {
        line(fmt::format("  program {}: every rank repeats its {} flop: {}", program.id(),
                         replicated.flops(), replicated.reason()));
        fact["replicated"] = replicated.reason();
      }
  }

  //===--------------------------------------------------------------------===//
  // Stages
  //===--------------------------------------------------------------------===//

  void explainStage(const std::string &name) {
    for (const Stage &stage : plan.stages()) {
      if (stage.name() != name)
        continue;
      const Mesh *mesh = findMesh(plan, stage.mesh());
      auto size = mesh ? meshSize(*mesh) : Result<std::int64_t>(0);
      std::string ranks =
          size && *size ? package::printRanks(mesh->first_rank(), *size) : "unknown ranks";
      line(fmt::format("stage '{}' on {}: mesh {}{}, chip type {}", name, ranks, stage.mesh(),
                       mesh ? " (" + package::printMesh(*mesh) + ")" : "",
                       mesh ? mesh->chip_type() : "?"));
      line(fmt::format("  nodes: {}", fmt::join(stage.nodes(), ", ")));
      line(fmt::format("  program {}", stage.program()));
      Json::Object fact{{"kind", "stage"},
                        {"name", name},
                        {"ranks", ranks},
                        {"chip_type", mesh ? mesh->chip_type() : "?"},
                        {"nodes", toArray(stage.nodes())},
                        {"program", stage.program()}};
      fact["memory"] = explainMemory(stage);
      add(std::move(fact));
    }
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
      for (const auto &node : program.work().nodes()) {
        names.insert(node.name());
        names.insert(node.outputs().begin(), node.outputs().end());
      }
    }
    for (const Stage &stage : plan.stages()) {
      names.insert(stage.name());
      names.insert(stage.nodes().begin(), stage.nodes().end());
    }
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
      return "; it knows ranks, and the names of stages, values, weights and nodes";
    ranked.resize(std::min<std::size_t>(ranked.size(), 5));
    std::string text;
    for (const auto &[distance, candidate] : ranked)
      text += (text.empty() ? "; similar: '" : ", '") + candidate + "'";
    return text;
  }

  const Plan &plan;
  const SymbolValues &symbols;
  std::string out;
  Json::Array facts;
};

} // namespace

Json Explanation::toJson() const { return Json::Object{{"subject", subject}, {"facts", facts}}; }

Result<Explanation> explainPlan(const Plan &plan, std::string_view subject,
                                const SymbolValues &symbols) {
  return Explainer(plan, symbols).explain(subject);
}

} // namespace dougong
