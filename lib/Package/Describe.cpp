//===- Describe.cpp - the report of a plan as text ------------------------===//

#include "dougong/Package/Describe.h"

#include "Summary.h"

#include <algorithm>
#include <fmt/format.h>

namespace dougong {
namespace {

using package::Table;

/// Characters, not bytes: the length of UTF-8 text without its tail bytes.
std::size_t width(const std::string &text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

/// The table under a heading; nothing if it has no rows.
void append(std::string &out, std::string_view heading, const Table &table) {
  if (table.rows.size() < 2)
    return;
  std::vector<std::size_t> widths(table.rows[0].size(), 0);
  for (const auto &row : table.rows)
    for (std::size_t c = 0; c != row.size(); ++c)
      widths[c] = std::max(widths[c], width(row[c]));
  out += fmt::format("\n{}\n", heading);
  for (const auto &row : table.rows) {
    std::string line = " ";
    for (std::size_t c = 0; c != row.size(); ++c) {
      std::string padding(widths[c] - width(row[c]), ' ');
      line += " " + (table.numeric[c] ? padding + row[c] : row[c] + padding) + " ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
}

void appendWarnings(std::string &out, const plan::v1::Plan &plan) {
  for (const auto &policy : plan.policies())
    if (policy.verdict() == "fail")
      out += fmt::format("warning: policy '{}': {} ({:g} against {:g}, by {})\n", policy.name(),
                         policy.verdict(), policy.value(), policy.threshold(), policy.basis());
  for (const std::string &warning : plan.warnings())
    out += "warning: " + warning + "\n";
}

void appendValues(std::string &out, std::string_view what,
                  const google::protobuf::RepeatedPtrField<plan::v1::Value> &values) {
  for (const auto &value : values)
    out += fmt::format("  {} {}: {}\n", what, value.name(), package::printType(value));
}

} // namespace

std::string describePlan(const plan::v1::Plan &plan, const DescribeOptions &options) {
  std::string out;
  appendWarnings(out, plan);
  out +=
      fmt::format("plan {} ({}), id {}\n", plan.name().empty() ? plan.model().name() : plan.name(),
                  plan.binding().mode(), plan.plan_id().substr(0, 12));
  if (!plan.producer().tool().empty())
    out += fmt::format("  made by {} {}\n", plan.producer().tool(), plan.producer().version());
  out += fmt::format("  model {}\n", plan.model().name());
  appendValues(out, "input", plan.model().inputs());
  appendValues(out, "output", plan.model().outputs());
  for (const auto &symbol : plan.model().symbols())
    out += fmt::format("  dim {}\n", package::printSymbol(symbol));
  for (const auto &state : plan.model().states())
    out += fmt::format("  state {} -> {}\n", state.output(), state.input());

  if (plan.model().has_micro_batches())
    out += fmt::format("  {}\n", package::printMicroBatches(plan.model()));

  append(out, "Stages", package::stageTable(plan));
  append(out, "Memory of a rank", package::memoryTable(plan));
  append(out,
         options.symbols.empty()
             ? "Work of a rank in one step"
             : "Work of a rank in one step, at " + package::printSymbols(options.symbols),
         package::workTable(plan, options));
  append(out, "Collectives of a program in one step", package::callTable(plan));
  append(out, "Transfers", package::transferTable(plan));
  append(out, "Chip types", package::fleetTable(plan));

  if (plan.has_estimates()) {
    double seconds = plan.estimates().step_s();
    out += fmt::format("\nPredicted step time: {}{}\n",
                       seconds > 0 ? formatSeconds(seconds) + " " : "",
                       package::printPrediction(plan));
    append(out, "Predicted time of a stage", package::estimateTable(plan));
    append(out, "Figures that the prediction rests on", package::figureTable(plan));
  }
  if (plan.choice().alternatives_size() > 0) {
    out += fmt::format("\nThe planner chose {}, of {} candidates: {}\n",
                       plan.choice().alternatives(0).strategy(), plan.choice().considered(),
                       plan.choice().rule());
    append(out, "Alternatives, with estimates of time and memory", package::choiceTable(plan));
  }
  append(out, "Slow paths", package::fallbackTable(plan));
  for (const auto &policy : plan.policies())
    out += fmt::format("\nPolicy '{}': {} ({:g}, must be above {:g}, by {})\n", policy.name(),
                       policy.verdict(), policy.value(), policy.threshold(), policy.basis());
  return out;
}

} // namespace dougong
