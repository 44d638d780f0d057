//===- Target.h - what a code generator is to the pipeline ------*- C++ -*-===//
#ifndef DOUGONG_TARGET_TARGET_H
#define DOUGONG_TARGET_TARGET_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace dougong {

/// A code generator for one kind of device. A program reaches it as one module
/// of kernels (`dougong.kernel` functions) and a schedule that calls them; the
/// target owns what happens to kernels, the pipeline owns the schedule.
///
/// | question | answer |
/// |---|---|
/// | what it takes | kernels of linalg, tensor, arith, math and scf on tensors |
/// | how it lowers | `addKernelPasses`: afterwards kernels have the calling form that the schedule
/// uses | | what it generates | `generate`: the last IR before the artefact | | what it emits |
/// `emit`: one artefact file of the kind `getArtifactKind` | | what proves it | the target's own
/// tests run (or have the vendor's tool accept) each emitted artefact |
class Target {
public:
  virtual ~Target() = default;

  /// Name on the command line, as in `--target cpu-native`.
  virtual llvm::StringRef getName() const = 0;

  /// The plan's word for the artefact, as "cpu-so".
  virtual llvm::StringRef getArtifactKind() const = 0;

  /// File name extension of the artefact, without the dot.
  virtual llvm::StringRef getArtifactExtension() const = 0;

  /// Registers the dialects, interfaces and translations that the target's
  /// passes and `emit` need.
  virtual void registerDialects(mlir::DialectRegistry &registry) const = 0;

  /// Whether convolutions are to have their channels last (assign-layouts).
  virtual bool wantsChannelsLast() const { return false; }

  /// Adds the passes that take kernels from tensors to their calling form:
  /// `@kernel(%ctx, inputs, index arguments, outputs[, workspace])`.
  /// Errors: a chip or an option that the target does not know.
  virtual llvm::Error addKernelPasses(mlir::OpPassManager &pipeline) const = 0;

  /// Takes a module whose kernels went through `addKernelPasses`, and whose
  /// schedule has been built, to the last IR before the artefact.
  virtual llvm::Error generate(mlir::ModuleOp module) const = 0;

  /// Writes the artefact of a module that went through `generate`. Equal modules
  /// give equal bytes.
  virtual llvm::Error emit(mlir::ModuleOp module, llvm::StringRef path) const = 0;
};

} // namespace dougong

#endif // DOUGONG_TARGET_TARGET_H
