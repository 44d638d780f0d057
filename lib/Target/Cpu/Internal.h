//===- Internal.h - what the files of the CPU target share ------*- C++ -*-===//
#ifndef DOUGONG_LIB_TARGET_CPU_INTERNAL_H
#define DOUGONG_LIB_TARGET_CPU_INTERNAL_H

#include "dougong/Target/Cpu/CpuTarget.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include "llvm/Target/TargetMachine.h"

namespace dougong::cpu {

/// Whether `function` is a kernel of a program.
inline bool isKernel(mlir::func::FuncOp function) { return function->hasAttr("dougong.kernel"); }

/// Registers the bufferization of all dialects that kernels are made of.
void registerBufferization(mlir::DialectRegistry &registry);

/// Lowers a module of bufferized kernels and a schedule to the LLVM dialect.
/// Diagnostics come through the context.
mlir::LogicalResult lowerToLLVM(mlir::ModuleOp module, const CpuOptions &options,
                                const CpuTraits &traits);

/// A code generator for `traits`.
llvm::Expected<std::unique_ptr<llvm::TargetMachine>> createTargetMachine(const CpuTraits &traits,
                                                                         unsigned optLevel);

/// Machine code of a module of the LLVM dialect: an ELF object, or assembly.
llvm::Expected<std::string> emitMachineCode(mlir::ModuleOp module, const CpuOptions &options,
                                            const CpuTraits &traits, bool assembly);

/// Links the bytes of one object file to a shared library at `path`. The
/// linker's state is global: one link runs at a time.
llvm::Error linkSharedLibrary(llvm::StringRef object, llvm::StringRef path);

} // namespace dougong::cpu

#endif // DOUGONG_LIB_TARGET_CPU_INTERNAL_H
