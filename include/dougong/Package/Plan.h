//===- Plan.h - read and write plan.json ------------------------*- C++ -*-===//
//
// A package is a folder:
//
//     plan.json    the placement plan, canonical JSON of dougong.plan.v1.Plan
//     programs/    one artefact for each distinct program
//     weights/     packed shards
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_PACKAGE_PLAN_H
#define DOUGONG_PACKAGE_PLAN_H

#include "dougong/Package/plan.pb.h"
#include "dougong/Support/Result.h"

#include <filesystem>
#include <string>
#include <string_view>

namespace dougong {

/// What `Plan.api_version` says; the part after "/v" is the major version.
inline constexpr std::string_view planApiVersion = "dougong.plan/v1";

/// Names inside a package.
inline constexpr std::string_view planFileName = "plan.json";
inline constexpr std::string_view programsFolderName = "programs";
inline constexpr std::string_view weightsFolderName = "weights";

/// The canonical JSON of a plan: Protobuf's JSON with the field names of the
/// schema, keys sorted, 2 spaces of indentation, a newline at the end. 64-bit
/// integers are strings and default values are left out, as Protobuf does.
/// Fails if a text in the plan is not UTF-8 or a number is not finite.
Result<std::string> printPlan(const plan::v1::Plan &plan);

/// Reads a plan's JSON; `source` names it in errors. Refuses another major
/// version (before anything else, naming both), unknown fields (naming the path
/// in the message), and repeated keys. Says nothing about what the plan means:
/// that is checkPlan's.
Result<plan::v1::Plan> parsePlan(std::string_view json, std::string_view source);

/// The identity of a plan: SHA-256, in hexadecimal, of the canonical JSON with
/// `plan_id` left out.
Result<std::string> computePlanId(const plan::v1::Plan &plan);

/// Reads the plan of a package; `path` is the package's folder or the file.
Result<plan::v1::Plan> readPlan(const std::filesystem::path &path);

/// The same, and refuses a plan whose `plan_id` is not its hash.
Result<plan::v1::Plan> readUnchangedPlan(const std::filesystem::path &path);

/// Sets `api_version` and `plan_id`, and writes `package`/plan.json, making the
/// folder if it is missing. The file is replaced atomically: a reader sees the
/// old plan or the new one.
Result<void> writePlan(plan::v1::Plan &plan, const std::filesystem::path &package);

/// Makes the package's folders: itself, programs/ and weights/.
Result<void> createPackage(const std::filesystem::path &package);

/// Replaces a file atomically: writes a temporary file in the same folder,
/// flushes it to the device, and renames it. The error names the file.
Result<void> writeFileAtomically(const std::filesystem::path &path, std::string_view contents);

/// The file's bytes. The error names the file.
Result<std::string> readFile(const std::filesystem::path &path);

/// `relative` inside `package`, or an error if it is absolute or leaves the
/// package by "..": what a plan names must lie in the package.
Result<std::filesystem::path> packagePath(const std::filesystem::path &package,
                                          std::string_view relative);

} // namespace dougong

#endif // DOUGONG_PACKAGE_PLAN_H
