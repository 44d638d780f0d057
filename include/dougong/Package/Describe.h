//===- Describe.h - say in words what a plan does ---------------*- C++ -*-===//
#ifndef DOUGONG_PACKAGE_DESCRIBE_H
#define DOUGONG_PACKAGE_DESCRIBE_H

#include "dougong/Package/plan.pb.h"
#include "dougong/Support/DimExpr.h"
#include "dougong/Support/Json.h"
#include "dougong/Support/Result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dougong {

/// What one rank does in one step, with the symbols' values put in. An amount
/// is empty where a symbol that it needs has no value.
struct RankWork {
  std::uint32_t rank = 0;
  std::string stage;
  std::uint64_t matrixWeightBytes = 0;
  std::optional<std::int64_t> matmulFlops;
  std::optional<std::int64_t> flops;
  std::optional<std::int64_t> sentBytes; ///< by the collectives of its program
};

/// The work of every rank that has a stage, by rank. Fails if the plan names an
/// unknown mesh or program, or an expression is unreadable or overflows.
Result<std::vector<RankWork>> rankWork(const plan::v1::Plan &plan, const SymbolValues &symbols);

/// [{"rank", "stage", "matrix_weight_bytes", "matmul_flops", "flops",
/// "sent_bytes"}, ...]; an amount without a value is null.
Json rankWorkToJson(const std::vector<RankWork> &work);

/// {"step_s", "prediction", "memory": [{"stage", "weights", ..., "total",
/// "capacity", "bound"}], "choice": {"rule", "considered", "alternatives": [...]},
/// "policies": [...]}; absent parts are left out.
Json::Object planFactsToJson(const plan::v1::Plan &plan);

struct DescribeOptions {
  /// For the work of each rank. Symbols that are not named stay symbols.
  SymbolValues symbols;
  /// At most this many rows of ranks; the rest is summed up by stage. 0: all.
  std::size_t maxRanks = 64;
};

/// The report of a plan as text: warnings, model, stages with their ranks and
/// memory by cause, the work of each rank, transfers, predicted step time. Works
/// on any plan, also one that checkPlan finds fault with.
std::string describePlan(const plan::v1::Plan &plan, const DescribeOptions &options = {});

/// The same as data: {"name", "plan_id", "stages": [{"name", "ranks", "mesh",
/// "chip_type", "program", "nodes", "memory"}], "ranks" as rankWorkToJson,
/// "estimates", "policies", "warnings"}; parts of the plan as its JSON has them.
Json planToJson(const plan::v1::Plan &plan, const DescribeOptions &options = {});

/// 1536 -> "1.5 KiB"; exact below 1 KiB ("512 B").
std::string formatBytes(std::uint64_t bytes);
/// 0.0012 -> "1.2 ms"; three significant digits.
std::string formatSeconds(double seconds);
/// 1234567 -> "1.23 M": three significant digits and a decimal prefix.
std::string formatCount(double count);

} // namespace dougong

#endif // DOUGONG_PACKAGE_DESCRIBE_H
