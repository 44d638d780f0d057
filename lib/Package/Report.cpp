//===- Report.cpp - a plan as one HTML page -------------------------------===//

#include "dougong/Package/Report.h"

#include "Memory.h"
#include "Summary.h"
#include "dougong/Package/Plan.h"

#include <algorithm>
#include <fmt/format.h>

namespace dougong {
namespace {

using package::Table;

/// Text for HTML content and for attributes in double quotes.
std::string escape(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
    case '&':
      out += "&amp;";
      break;
    case '<':
      out += "&lt;";
      break;
    case '>':
      out += "&gt;";
      break;
    case '"':
      out += "&quot;";
      break;
    default:
      out += c;
    }
  }
  return out;
}

// Colours of the parts of a memory bar, in the order of memoryParts: Okabe and
// Ito's palette, which people with colour-vision deficiencies can tell apart.
constexpr const char *partColours[] = {"#0072b2", "#e69f00", "#009e73",
                                       "#cc79a7", "#56b4e9", "#d55e00"};

constexpr const char *style = R"(
:root { color-scheme: light dark; --line: #8886; --soft: #8881; --bad: #c22; --warn: #b60; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; border-bottom: 1px solid var(--line); }
table { border-collapse: collapse; font-size: .9rem; }
.wide { overflow-x: auto; }
th, td { padding: .25rem .75rem .25rem 0; text-align: left; vertical-align: top; }
th { border-bottom: 1px solid var(--line); font-weight: 600; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
code { font-size: .9em; overflow-wrap: anywhere; }
ul.findings { list-style: none; padding: 0; }
ul.findings li { border-left: .3rem solid var(--line); background: var(--soft); padding: .4rem .8rem; margin: .4rem 0; }
ul.findings li.error { border-color: var(--bad); }
ul.findings li.warning { border-color: var(--warn); }
.bar { margin: .8rem 0; }
.bar svg { display: block; width: 100%; height: 1.6rem; }
.legend span { display: inline-block; margin-right: 1rem; }
.legend i { display: inline-block; width: .8em; height: .8em; margin-right: .3em; }
.figure { font-size: 1.6rem; }
.quiet { opacity: .75; }
)";

class Page {
public:
  Page(const plan::v1::Plan &plan, const ReportOptions &options) : plan(plan), options(options) {}

  std::string render() {
    head();
    findings();
    estimates();
    choice();
    dims();
    section("Stages", package::stageTable(plan));
    memory();
    DescribeOptions describe{options.symbols, /*maxRanks=*/256};
    section("Work of a rank in one step", package::workTable(plan, describe),
            options.symbols.empty() ? "" : "At " + package::printSymbols(options.symbols) + ".");
    section("Collectives of a program in one step", package::callTable(plan));
    section("Transfers", package::transferTable(plan));
    policies();
    section("Slow paths", package::fallbackTable(plan));
    section("Chip types", package::fleetTable(plan),
            plan.fleet().name().empty() ? "" : "Fleet " + plan.fleet().name() + ".");
    out += "</main>\n</body>\n</html>\n";
    return std::move(out);
  }

private:
  void head() {
    std::string name = escape(plan.name().empty() ? plan.model().name() : plan.name());
    out += "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
           "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
           "<meta http-equiv=\"Content-Security-Policy\" "
           "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n";
    out +=
        fmt::format("<title>Placement of {}</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n",
                    name, style);
    out += fmt::format("<h1>Placement of {}</h1>\n", name);
    out += fmt::format("<p class=\"quiet\">{} plan <code>{}</code>, made by {} {} from model {} on "
                       "fleet {}</p>\n",
                       escape(plan.binding().mode()), escape(plan.plan_id()),
                       escape(plan.producer().tool()), escape(plan.producer().version()),
                       escape(plan.model().name()), escape(plan.fleet().name()));
  }

  /// Warnings come first: who reads only one line should read these. Those that
  /// checkPlan would repeat from the plan are shown once.
  void findings() {
    std::vector<Finding> list = options.findings;
    auto known = [&](const std::string &id, const std::string &message) {
      return std::any_of(list.begin(), list.end(),
                         [&](const Finding &f) { return f.id == id && f.message == message; });
    };
    for (const std::string &warning : plan.warnings())
      if (!known("planner", warning))
        list.push_back({"planner", Severity::Warning, "plan", warning, ""});

    out += "<h2>Warnings</h2>\n";
    if (list.empty()) {
      out += "<p>None.</p>\n";
      return;
    }
    out += "<ul class=\"findings\">\n";
    for (Severity severity : {Severity::Error, Severity::Warning, Severity::Note})
      for (const Finding &finding : list)
        if (finding.severity == severity)
          item(finding);
    out += "</ul>\n";
  }

  void item(const Finding &finding) {
    out += fmt::format("<li class=\"{0}\"><strong>{0}</strong>: {1}: {2} <code>{3}</code>",
                       severityName(finding.severity), escape(finding.subject),
                       escape(finding.message), escape(finding.id));
    if (!finding.remedy.empty())
      out += "<br>What to do: " + escape(finding.remedy);
    out += "</li>\n";
  }

  void estimates() {
    if (!plan.has_estimates())
      return;
    out += "<h2>Predicted step time</h2>\n<p>";
    if (plan.estimates().step_s() > 0)
      out += fmt::format("<span class=\"figure\">{}</span> ",
                         escape(formatSeconds(plan.estimates().step_s())));
    out += escape(package::printPrediction(plan)) + "</p>\n";
    append(package::estimateTable(plan));
    section("Figures that the prediction rests on", package::figureTable(plan));
  }

  void choice() {
    if (plan.choice().alternatives_size() > 0)
      section("Choice of the strategy", package::choiceTable(plan),
              fmt::format("{} of {} candidates: {}. Times and memory are estimates.",
                          plan.choice().alternatives(0).strategy(), plan.choice().considered(),
                          plan.choice().rule()));
  }

  void dims() {
    Table table{{{"dim", "least", "greatest"}}, {false, true, true}};
    for (const auto &symbol : plan.model().symbols())
      table.rows.push_back({symbol.name(), std::to_string(symbol.min()),
                            symbol.has_max() ? std::to_string(symbol.max()) : "no bound"});
    section("Dims", table,
            plan.model().has_micro_batches() ? package::printMicroBatches(plan.model()) : "");
  }

  void memory() {
    bool any = false;
    std::uint64_t largest = 1;
    for (const auto &stage : plan.stages())
      for (const auto &memory : stage.memory()) {
        any = true;
        largest = std::max({largest, memory.total(), memory.capacity()});
      }
    if (!any)
      return;
    out += "<h2>Memory of a rank</h2>\n<p class=\"legend\">";
    auto names = package::memoryParts({});
    for (std::size_t i = 0; i != names.size(); ++i)
      out += fmt::format("<span><i style=\"background:{}\"></i>{}</span>", partColours[i],
                         names[i].name);
    out += "<span>| capacity</span></p>\n";
    for (const auto &stage : plan.stages())
      for (const auto &memory : stage.memory())
        bar(stage, memory, largest);
    append(package::memoryTable(plan));
  }

  /// One bar, all to the same scale: 1000 units are `largest` bytes.
  void bar(const plan::v1::Stage &stage, const plan::v1::Memory &memory, std::uint64_t largest) {
    auto scaled = [&](std::uint64_t bytes) {
      return 1000.0 * static_cast<double>(bytes) / static_cast<double>(largest);
    };
    std::string label =
        fmt::format("{}{}: {} of {}", stage.name(),
                    memory.pool().empty() ? "" : ", " + memory.pool(), formatBytes(memory.total()),
                    memory.capacity() ? formatBytes(memory.capacity()) : "unknown capacity");
    bool over = memory.capacity() && memory.total() > memory.capacity();
    out +=
        fmt::format("<div class=\"bar\">{}{}\n<svg viewBox=\"0 0 1000 24\" "
                    "preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">\n",
                    escape(label), over ? " <strong>(does not fit)</strong>" : "", escape(label));
    double x = 0;
    auto parts = package::memoryParts(memory);
    for (std::size_t i = 0; i != parts.size(); ++i) {
      if (parts[i].bytes == 0)
        continue;
      double width = scaled(parts[i].bytes);
      out += fmt::format("<rect x=\"{:.2f}\" y=\"2\" width=\"{:.2f}\" height=\"20\" "
                         "fill=\"{}\"><title>{} {}</title></rect>\n",
                         x, width, partColours[i], parts[i].name, formatBytes(parts[i].bytes));
      x += width;
    }
    if (memory.capacity())
      out += fmt::format("<line x1=\"{0:.2f}\" y1=\"0\" x2=\"{0:.2f}\" y2=\"24\" "
                         "stroke=\"currentColor\" stroke-width=\"3\"/>\n",
                         std::min(998.5, scaled(memory.capacity())));
    out += "</svg></div>\n";
  }

  void policies() {
    Table table{{{"policy", "by", "value", "threshold", "verdict"}},
                {false, false, true, true, false}};
    for (const auto &policy : plan.policies())
      table.rows.push_back({policy.name(), policy.basis(), fmt::format("{:g}", policy.value()),
                            fmt::format("{:g}", policy.threshold()), policy.verdict()});
    section("Policies", table);
  }

  /// A heading, a line and a table; nothing if the table has no rows.
  void section(std::string_view heading, const Table &table, const std::string &line = "") {
    if (table.rows.size() < 2)
      return;
    out += fmt::format("<h2>{}</h2>\n", escape(heading));
    if (!line.empty())
      out += fmt::format("<p>{}</p>\n", escape(line));
    append(table);
  }

  void append(const Table &table) {
    if (table.rows.size() < 2)
      return;
    out += "<div class=\"wide\"><table>\n";
    for (std::size_t r = 0; r != table.rows.size(); ++r) {
      const char *tag = r == 0 ? "th scope=\"col\"" : "td";
      const char *end = r == 0 ? "th" : "td";
      out += r == 0 ? "<thead><tr>" : r == 1 ? "<tbody><tr>" : "<tr>";
      for (std::size_t c = 0; c != table.rows[r].size(); ++c)
        out += fmt::format("<{}{}>{}</{}>", tag, table.numeric[c] ? " class=\"n\"" : "",
                           escape(table.rows[r][c]), end);
      out += r == 0 ? "</tr></thead>\n" : "</tr>\n";
    }
    out += "</tbody></table></div>\n";
  }

  const plan::v1::Plan &plan;
  const ReportOptions &options;
  std::string out;
};

} // namespace

std::string renderReport(const plan::v1::Plan &plan, const ReportOptions &options) {
  return Page(plan, options).render();
}

Result<void> writeReport(const plan::v1::Plan &plan, const std::filesystem::path &package,
                         const ReportOptions &options) {
  return writeFileAtomically(package / reportFileName, renderReport(plan, options));
}

} // namespace dougong
