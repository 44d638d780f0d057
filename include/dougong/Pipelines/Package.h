//===- Package.h - programs, weights and plan to a folder -------*- C++ -*-===//
#ifndef DOUGONG_PIPELINES_PACKAGE_H
#define DOUGONG_PIPELINES_PACKAGE_H

#include "dougong/Fleet/Fleet.h"
#include "dougong/Pipelines/Progress.h"
#include "dougong/Target/Target.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

namespace dougong {

/// Whether a package can be written to `folder`: a new one, an empty one, or a
/// package with nothing else in it, in a place where folders can be made. The
/// current folder and those around it are refused.
llvm::Error checkPackageFolder(llvm::StringRef folder);

/// Says that nothing is wrong but that the model does not fit its chips.
class InfeasibleError : public llvm::ErrorInfo<InfeasibleError, llvm::StringError> {
public:
  static char ID;
  explicit InfeasibleError(const llvm::Twine &message)
      : ErrorInfo(message, llvm::inconvertibleErrorCode()) {}
};

/// The `package` phase on a module after `codegen` (see Lower.h): emits every
/// distinct code, executes the weight recipes, and writes the package `folder`
/// with its plan and report. External data lies in `modelFolder`. The folder
/// appears whole or not at all; an existing package there is replaced, any other
/// non-empty folder refused, and so is a package in which checkPlan finds an error.
/// The same inputs give the same bytes. An InfeasibleError if a stage may need more
/// memory than its chip has.
llvm::Error writePackage(mlir::ModuleOp lowered, const fleet::Fleet &fleet, const Target &target,
                         llvm::StringRef modelFolder, llvm::StringRef folder, Progress &progress);

} // namespace dougong

#endif // DOUGONG_PIPELINES_PACKAGE_H
