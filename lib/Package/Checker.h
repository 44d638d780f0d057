//===- Checker.h - what the checks of a plan share --------------*- C++ -*-===//
#ifndef DOUGONG_LIB_PACKAGE_CHECKER_H
#define DOUGONG_LIB_PACKAGE_CHECKER_H

#include "dougong/Package/Check.h"
#include "dougong/Package/plan.pb.h"
#include "dougong/Support/DimExpr.h"

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace dougong::package {

/// "'text'".
std::string quote(std::string_view text);

/// A plan with look-up tables, and the list that findings go to. Tables hold the
/// first of several equal keys; the doubles are findings of checkSchema.
class Checker {
public:
  Checker(const plan::v1::Plan &plan, std::filesystem::path folder, const CheckOptions &options);

  const plan::v1::Plan &plan;
  const std::filesystem::path folder; // empty: check no files
  const CheckOptions options;
  std::vector<Finding> findings;

  std::map<std::string, const plan::v1::Mesh *> meshes;
  std::map<std::string, const plan::v1::Program *> programs;
  std::map<std::string, const plan::v1::Stage *> stages;
  std::map<std::string, const plan::v1::ChipType *> chipTypes;
  std::set<std::string> symbols;

  /// The meshes that run a program, each once, in order of the stages.
  std::vector<const plan::v1::Mesh *> meshesOf(const plan::v1::Program &program) const;
  /// nullptr where the stage names an unknown one.
  const plan::v1::Mesh *meshOf(const plan::v1::Stage &stage) const;
  const plan::v1::Program *programOf(const plan::v1::Stage &stage) const;
  /// The number of ranks, or nothing if the mesh is invalid (a schema finding).
  static std::optional<std::int64_t> sizeOf(const plan::v1::Mesh &mesh);

  void error(std::string id, std::string subject, std::string message, std::string remedy = "");
  void warning(std::string id, std::string subject, std::string message, std::string remedy = "");
  void note(std::string id, std::string subject, std::string message, std::string remedy = "");

  /// Reads an expression and reports what is wrong with it: `symbol` findings.
  /// An empty text counts as 0 if `mayBeEmpty`.
  std::optional<DimExpr> expression(const std::string &text, const std::string &subject,
                                    bool mayBeEmpty = false);

  /// Reports each axis that is not one of `mesh`, or comes twice.
  /// The product of the sizes of the others.
  std::int64_t checkAxes(const google::protobuf::RepeatedPtrField<std::string> &axes,
                         const plan::v1::Mesh &mesh, const std::string &id,
                         const std::string &subject);
};

// In the order in which they run. Each reports under the ids that its file names.
void checkSchema(Checker &checker);       // CheckSchema.cpp
void checkFiles(Checker &checker);        // CheckFiles.cpp
void checkWeights(Checker &checker);      // CheckWeights.cpp
void checkRanks(Checker &checker);        // CheckRanks.cpp
void checkMemory(Checker &checker);       // CheckMemory.cpp
void checkPrograms(Checker &checker);     // CheckPrograms.cpp
void checkTransfers(Checker &checker);    // CheckTransfers.cpp
void checkStates(Checker &checker);       // CheckTransfers.cpp
void checkMicroBatches(Checker &checker); // CheckMicroBatches.cpp
void checkStatements(Checker &checker);   // CheckSchema.cpp

} // namespace dougong::package

#endif // DOUGONG_LIB_PACKAGE_CHECKER_H
