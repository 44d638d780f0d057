//===- Package.h - programs, weights and plan to a folder -------*- C++ -*-===//
#ifndef DOUGONG_PIPELINES_PACKAGE_H
#define DOUGONG_PIPELINES_PACKAGE_H

#include "dougong/Fleet/Fleet.h"
#include "dougong/Packaging/OutputError.h"
#include "dougong/Pipelines/Progress.h"
#include "dougong/Target/Target.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

namespace dougong {

/// Says that nothing is wrong but that the model does not fit its chips.
class InfeasibleError : public llvm::ErrorInfo<InfeasibleError, llvm::StringError> {
public:
  static char ID;
  explicit InfeasibleError(const llvm::Twine &message)
      : ErrorInfo(message, llvm::inconvertibleErrorCode()) {}
};

/// Says that what an earlier phase made is wrong.
class DefectError : public llvm::ErrorInfo<DefectError, llvm::StringError> {
public:
  static char ID;
  explicit DefectError(const llvm::Twine &message)
      : ErrorInfo(message, llvm::inconvertibleErrorCode()) {}
};

/// The `package` phase on a module after `codegen` (see Lower.h): emits every
/// distinct code, executes the weight recipes, and writes the package `folder`
/// with its plan and report. External data lies in `modelFolder`. The folder
/// appears whole or not at all; an existing package there is replaced, any other
/// non-empty folder refused. The same inputs give the same bytes. An InfeasibleError
/// if a stage may need more memory than its chip has; an OutputError if the folder
/// cannot be written; a DefectError if checkPlan finds an error in the package.
llvm::Error writePackage(mlir::ModuleOp lowered, const fleet::Fleet &fleet, const Target &target,
                         llvm::StringRef modelFolder, llvm::StringRef folder, Progress &progress);

} // namespace dougong

#endif // DOUGONG_PIPELINES_PACKAGE_H
