//===- Package.h - programs, weights and plan to a folder -------*- C++ -*-===//
#ifndef DOUGONG_PIPELINES_PACKAGE_H
#define DOUGONG_PIPELINES_PACKAGE_H

#include "dougong/Fleet/Fleet.h"
#include "dougong/Package/plan.pb.h"
#include "dougong/Target/Target.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace dougong {

/// A stage of a partitioned model, before lowering.
struct StageProgram {
  std::string name;
  /// `@main` over local types, the weights that it uses with their recipes, and
  /// its collectives. Stages with equal modules become one program.
  mlir::OwningOpRef<mlir::ModuleOp> module;
  plan::v1::Mesh mesh; ///< with first_rank
  std::string pool;    ///< id of a pool of the fleet
  /// Arguments and results of `@main`: GLOBAL extents and how they are cut.
  std::vector<plan::v1::Value> inputs, outputs;
  plan::v1::Work work;
  std::vector<std::string> nodes; ///< a summary for people
};

/// What the stage phase gives to packaging.
struct PartitionedModel {
  plan::v1::Model model;
  std::vector<StageProgram> stages;
  std::vector<plan::v1::Transfer> transfers;
  plan::v1::Estimates estimates;
  std::vector<plan::v1::Policy> policies;
  plan::v1::Choice choice; ///< empty where the user said how to partition
};

/// Says that nothing is wrong but that the model does not fit its chips.
class InfeasibleError : public llvm::ErrorInfo<InfeasibleError, llvm::StringError> {
public:
  static char ID;
  explicit InfeasibleError(const llvm::Twine &message)
      : ErrorInfo(message, llvm::inconvertibleErrorCode()) {}
};

/// Lowers and emits every distinct program, executes the weight recipes, and
/// writes the package `folder` with its plan and report. The folder appears
/// whole or not at all; an existing package there is replaced, any other
/// non-empty folder refused. The same inputs give the same bytes. An
/// InfeasibleError if a stage may need more memory than its chip has.
llvm::Error writePackage(PartitionedModel &partitioned, const fleet::Fleet &fleet,
                         const Target &target, llvm::StringRef modelFolder, llvm::StringRef folder);

} // namespace dougong

#endif // DOUGONG_PIPELINES_PACKAGE_H
