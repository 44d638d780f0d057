//===- Check.h - prove that a plan can run ----------------------*- C++ -*-===//
//
// Static checks over a plan and its package. Ids are stable: scripts may match
// on them.
//
//   id                subject            what was found
//   schema            field path         a required field is missing or out of its set
//   file-missing      file               a program or weight file is not there
//   hash-mismatch     file               a program, weights or the plan are not what was hashed
//   abi-version       program            made for another program ABI
//   ranks             rank, mesh, stage  ranks are not 0..world-1, each once, each of one stage
//   chip-type         mesh, stage, rank  the type is not in the fleet, or two places disagree
//   placement         rank               one chip holds two ranks, or a rank has no place
//   memory-capacity   stage              the memory proof fails, with the binding item named
//   memory-proof      stage              there is no proof, or its sum is wrong
//   sharding          program value      an axis is unknown or used twice
//   group             program group      an axis is unknown or named twice
//   call              program call       kind, group, type, reduction or count is invalid
//   transfer          transfer           a port is missing, fed twice, or disagrees in type
//   stage-order       stage              stages wait for each other in a circle
//   state             model state        input or output unknown, or of different type
//   weights           program weight     shards, bounds or sizes do not fit
//   symbol            expression         unreadable, or over a symbol the model does not name
//   fallback          node               a slow path was taken (note)
//   policy            policy             its verdict is fail (error) or unknown (warning)
//   planner           plan               a warning that the compiler left in the plan
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_PACKAGE_CHECK_H
#define DOUGONG_PACKAGE_CHECK_H

#include "dougong/Package/plan.pb.h"
#include "dougong/Support/Json.h"

#include <filesystem>
#include <string>
#include <vector>

namespace dougong {

/// An error means that the plan must not be run.
enum class Severity { Note, Warning, Error };

/// "note", "warning" or "error".
const char *severityName(Severity severity);

struct Finding {
  std::string id; ///< stable, one of the table above
  Severity severity = Severity::Error;
  std::string subject; ///< what it is about, e.g. "stage 'layers.0-15'"
  std::string message; ///< what was found, and what was expected
  std::string remedy;  ///< what to do about it; may be empty
};

struct CheckOptions {
  /// Hash programs and weights (the sizes and existence of files are always
  /// checked where there is a package).
  bool hashes = true;
};

/// Checks everything that can be checked without a chip. `package` is the
/// folder of the plan; if it is empty, checks of files are left out. Findings
/// come in a stable order, by check and then by subject.
std::vector<Finding> checkPlan(const plan::v1::Plan &plan, const std::filesystem::path &package,
                               const CheckOptions &options = {});

/// Reads `path` (a package or its plan.json) and checks it. What readPlan
/// refuses comes back as one `schema` finding.
std::vector<Finding> checkPackage(const std::filesystem::path &path,
                                  const CheckOptions &options = {});

/// True if a finding is an error.
bool hasErrors(const std::vector<Finding> &findings);

/// [{"id", "severity", "subject", "message", "remedy"}, ...], remedy left out
/// where it is empty.
Json findingsToJson(const std::vector<Finding> &findings);

/// One line each, "error: subject: message [id]", the remedy below it.
std::string findingsToText(const std::vector<Finding> &findings);

} // namespace dougong

#endif // DOUGONG_PACKAGE_CHECK_H
