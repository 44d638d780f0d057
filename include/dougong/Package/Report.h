//===- Report.h - a plan as one HTML page -----------------------*- C++ -*-===//
#ifndef DOUGONG_PACKAGE_REPORT_H
#define DOUGONG_PACKAGE_REPORT_H

#include "dougong/Package/Check.h"
#include "dougong/Package/Describe.h"
#include "dougong/Package/plan.pb.h"
#include "dougong/Support/Result.h"

#include <filesystem>
#include <string>

namespace dougong {

/// Name of the report in a package.
inline constexpr const char *reportFileName = "report.html";

struct ReportOptions {
  /// For the work of each rank; symbols that are not named stay symbols.
  SymbolValues symbols;
  /// Findings of checkPlan, shown first.
  std::vector<Finding> findings;
};

/// The plan as one self-contained HTML page (inline style and pictures, no
/// script, nothing loaded): warnings, predicted step time and what it rests on,
/// stages, memory bars by cause, work of each rank, calls, transfers, fleet.
/// The same text for the same plan. All text of the plan is escaped.
std::string renderReport(const plan::v1::Plan &plan, const ReportOptions &options = {});

/// Writes `package`/report.html.
Result<void> writeReport(const plan::v1::Plan &plan, const std::filesystem::path &package,
                         const ReportOptions &options = {});

} // namespace dougong

#endif // DOUGONG_PACKAGE_REPORT_H
